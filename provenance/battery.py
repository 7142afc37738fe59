"""Probes and batteries: parse, validate, digest.

A *family file* ``probes/<family>.toml`` holds ``[[probe]]`` tables. A *battery file*
``probes/batteries/<name>.toml`` names probes of families and how often each is drawn. A user's
file may hold both: its own ``[[probe]]`` tables are in its battery. The probes of a family are
tested together, and in such a test cells with few draws hide what cells with many show:
``tested_as`` in an ``[[include]]`` gives its probes another family's name in this battery, and
``probes = "rest"`` takes those of the family that no other one lists.

A *cell* is one probe under one condition: ``number-en-1`` or ``number-en-1/pirate``.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from provenance import resources
from provenance.canonical import digest
from provenance.errors import BatteryError
from provenance.transcript import Frozen, Message

_ID = r"^[a-z0-9][a-z0-9._-]*$"


class Condition(Frozen):
    """A further cell of a probe: another system prompt or other decoding."""

    id: str = Field(pattern=_ID)
    system: str | None = None
    decoding: dict[str, Any] = Field(default_factory=dict)


class Probe(Frozen):
    """One question. The attributes are the TOML keys."""

    id: str = Field(pattern=_ID, max_length=64)
    family: str = Field(pattern=_ID, max_length=32)
    version: int = Field(ge=1)
    messages: tuple[Message, ...] = Field(min_length=1)
    max_visible_tokens: int = Field(ge=1, le=8192)
    decoding: dict[str, Any] = Field(default_factory=dict)
    draws: int = Field(default=10, ge=1, le=10_000)
    reading: str = "text"
    conditions: tuple[Condition, ...] = ()
    language: str = "en"
    genre: str | None = None
    rationale: str = Field(min_length=1)
    source: str = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_conditions(self) -> Probe:
        ids = [c.id for c in self.conditions]
        if len(ids) != len(set(ids)):
            raise ValueError(f"conditions share an id: {ids}")
        return self


class Cell(Frozen):
    """One probe under one condition, with everything that a request needs.

    Recorded cells (two replays without a battery) carry the recording's prompt id, which may be
    any string, and no message where the recording kept no prompt.
    """

    id: str
    probe: str
    family: str
    reading: str
    messages: tuple[Message, ...]
    max_visible_tokens: int
    decoding: dict[str, Any] = Field(default_factory=dict)
    draws: int = 10


class _Include(Frozen):
    family: str
    probes: tuple[str, ...] | Literal["all", "rest"] = "all"
    draws: int | None = Field(default=None, ge=1)
    tested_as: str | None = Field(default=None, pattern=_ID, max_length=32)


class _File(Frozen):
    name: str | None = None
    description: str = ""
    include: tuple[_Include, ...] = ()
    probe: tuple[Probe, ...] = ()


class Battery(Frozen):
    """What is asked, in a fixed order. ``digest`` names exactly what a suspect was sent.

    Attributes
    ----------
    name
        "quick", …, or the name in the user's file.
    probes
        With ``draws`` as the battery sets them.
    """

    name: str = Field(pattern=_ID, max_length=48)
    description: str = ""
    probes: tuple[Probe, ...] = Field(min_length=1)

    @field_validator("probes")
    @classmethod
    def _unique(cls, probes: tuple[Probe, ...]) -> tuple[Probe, ...]:
        seen: set[str] = set()
        for probe in probes:
            if probe.id in seen:
                raise ValueError(f"two probes share the id {probe.id!r}")
            seen.add(probe.id)
        return probes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what is sent and how it is read: not over draws, rationale or source."""
        return cells_digest(self.cells)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, conditions expanded, in the order of the probes."""
        return tuple(cell for probe in self.probes for cell in _cells(probe))

    def with_draws(self, draws: int) -> Battery:
        """The same questions, each drawn ``draws`` times."""
        probes = tuple(p.model_copy(update={"draws": draws}) for p in self.probes)
        return Battery(name=self.name, description=self.description, probes=probes)

    @classmethod
    def load(cls, name_or_file: str | Path) -> Battery:
        """A shipped battery by name, or a file.

        Raises
        ------
        BatteryError
            If there is none, or it cannot be used; says which key of which probe and why.
        """
        path = _find(name_or_file)
        file = _read(path)
        if not file.include and not file.probe:
            raise BatteryError(f"{path}: holds no probe: write [[probe]] or [[include]] tables")
        listed = {p for i in file.include if not isinstance(i.probes, str) for p in i.probes}
        probes = [p for include in file.include for p in _included(include, path, listed)]
        probes += file.probe
        try:
            return cls(
                name=file.name or path.stem, description=file.description, probes=tuple(probes)
            )
        except ValidationError as error:
            raise BatteryError(f"{path}: {explain(error)}") from None

    @classmethod
    def shipped(cls) -> list[str]:
        """Names of the batteries in the package."""
        return sorted(p.stem for p in (resources.probes() / "batteries").glob("*.toml"))


def cells_digest(cells: tuple[Cell, ...]) -> str:
    """SHA-256 over what is sent and how it is read: not over how often."""
    return digest([cell.model_dump(mode="json", exclude={"draws"}) for cell in cells])


def families() -> dict[str, Path]:
    """The shipped probe families, by name."""
    return {p.stem: p for p in sorted(resources.probes().glob("*.toml"))}


def load_family(name: str) -> tuple[Probe, ...]:
    """All probes of one shipped family.

    Raises
    ------
    BatteryError
        If there is no such family, or a probe in its file names another.
    """
    path = families().get(name)
    if path is None:
        raise BatteryError(f"no family {name!r}; shipped families: {', '.join(families())}")
    probes = _read(path).probe
    for probe in probes:
        if probe.family != name:
            raise BatteryError(f"{path}: probe {probe.id!r} names the family {probe.family!r}")
    return probes


def explain(error: ValidationError) -> str:
    """A validation error as one line a mistake, without the input."""
    return "; ".join(
        f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )


def _cells(probe: Probe) -> list[Cell]:
    plain = Cell(
        id=probe.id,
        probe=probe.id,
        family=probe.family,
        reading=probe.reading,
        messages=probe.messages,
        max_visible_tokens=probe.max_visible_tokens,
        decoding=probe.decoding,
        draws=probe.draws,
    )
    cells = [plain]
    for condition in probe.conditions:
        messages = probe.messages
        if condition.system is not None:
            rest = tuple(m for m in messages if m.role != "system")
            messages = (Message(role="system", content=condition.system), *rest)
        cells.append(
            Cell(
                id=f"{probe.id}/{condition.id}",
                probe=probe.id,
                family=probe.family,
                reading=probe.reading,
                messages=messages,
                max_visible_tokens=probe.max_visible_tokens,
                decoding={**probe.decoding, **condition.decoding},
                draws=probe.draws,
            )
        )
    return cells


def _find(name_or_file: str | Path) -> Path:
    path = Path(name_or_file)
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise BatteryError(f"no battery file {path}")
        return path
    shipped = resources.probes() / "batteries" / f"{name_or_file}.toml"
    if not shipped.is_file():
        raise BatteryError(
            f"no battery {str(name_or_file)!r}; shipped: {', '.join(Battery.shipped())}; "
            "or give the path of a .toml file"
        )
    return shipped


def _read(path: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise BatteryError(f"{path}: {explain(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BatteryError(f"{path}: not TOML: {error}") from None


def _included(include: _Include, path: Path, listed: set[str]) -> list[Probe]:
    available = {p.id: p for p in load_family(include.family)}
    wanted = list(available) if isinstance(include.probes, str) else list(include.probes)
    if include.probes == "rest":
        wanted = [probe for probe in wanted if probe not in listed]
    for probe in wanted:
        if probe not in available:
            raise BatteryError(f"{path}: the family {include.family!r} has no probe {probe!r}")
    given = {"draws": include.draws, "family": include.tested_as}
    change = {key: value for key, value in given.items() if value is not None}
    return [available[w].model_copy(update=change) for w in wanted]
