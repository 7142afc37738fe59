"""What is known about models: who made them, from what, and how sure that is.

A relations file is TOML. Calibration reads it to tell same-source pairs from others and to keep
related models on one side of every split; `library add` stores it beside the models::

    format = 1
    name = "our-models"
    licence = "CC0"                      # of the labels
    source = "model cards, read 2026-11-20"

    [models."llama-3-8b-instruct"]
    family = "llama-3-instruct"          # models that are hard to tell apart
    unit = "Meta"                        # never on both sides of a split: see below
    maker = "Meta"
    base = "llama-3-8b"                  # the pretrained weights underneath
    released = 2024-04-18
    certainty = "sure"                   # of every label above

    [models."our-student"]
    family = "ours"
    unit = "Meta"                        # made from Meta's weights: same unit
    maker = "us"
    parent = "llama-3-8b-instruct"       # the checkpoint that it was made from
    teachers = ["big-teacher"]           # whose outputs it was trained on
    released = 2025-02-01
    certainty = {parent = "sure", teachers = "likely"}

    [models."hosted-llama"]
    same_weights_as = "llama-3-8b-instruct"   # the same weights under another name or host
    unit = "Meta"
    kind = "served"

Keys of a model
    family, unit, maker, base, parent, same_weights_as: names. ``teachers``: a list; an empty list
    says that no model's outputs were used, a missing one that it is not known. ``released``: a
    date. ``kind``: see `Kind`. ``certainty``: one of ``sure`` (a configuration file or the maker
    says so), ``likely`` (a card or paper implies it), ``unknown``; for all labels, or a table with
    one for each. A label without one is ``likely``. ``licence``, ``source``, ``note``: free text.

A model's name may be followed by ``@VERSION`` where versions differ; what such a table leaves out
is as in the table of the bare name.

Units
    Calibration is fitted and validated on disjoint units, so a unit must hold every model that
    shares weights with another of it. Choose them before looking at any score: usually the maker
    of the base weights. A ``parent`` or ``same_weights_as`` that the file lists in another unit is
    an error. A model without a unit takes that of its parent or of the model whose weights it
    shares, else is a unit of its own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from provenance.battery import explain
from provenance.errors import SettingsError
from provenance.library.relations_csv import read_csv
from provenance.transcript import Frozen

__all__ = ["Certainty", "Kind", "Link", "Relation", "Relations"]

Certainty = Literal["sure", "likely", "unknown"]
Kind = Literal[
    "model",
    "served",  # the same weights by another host or engine, or quantised
    "prompt_variant",  # the same weights under a system prompt
    "best_of_n",
    "merge",
    "ensemble",
    "post_editor",  # rewrites the answers of another model
]
Axis = Literal["same_weights", "derived", "common_base", "trained_on_outputs"]
LABELS = ("family", "unit", "maker", "base", "parent", "same_weights_as", "teachers", "released")
_RANK: dict[Certainty, int] = {"unknown": 0, "likely": 1, "sure": 2}


class Relation(Frozen):
    """What is known about one model. None where nothing is said."""

    family: str | None = Field(default=None, min_length=1)
    unit: str | None = Field(default=None, min_length=1)
    maker: str | None = Field(default=None, min_length=1)
    base: str | None = Field(default=None, min_length=1)
    parent: str | None = Field(default=None, min_length=1)
    same_weights_as: str | None = Field(default=None, min_length=1)
    teachers: tuple[str, ...] | None = None
    released: date | None = None
    kind: Kind = "model"
    certainty: dict[str, Certainty] = Field(default_factory=dict)
    licence: str = ""
    source: str = ""
    note: str = ""

    @field_validator("certainty", mode="before")
    @classmethod
    def _one_for_all(cls, value: Any) -> Any:
        return dict.fromkeys(LABELS, value) if isinstance(value, str) else value

    @field_validator("certainty")
    @classmethod
    def _known(cls, value: dict[str, Certainty]) -> dict[str, Certainty]:
        strange = sorted(set(value) - set(LABELS))
        if strange:
            raise ValueError(f"no label {strange[0]!r}; labels: {', '.join(LABELS)}")
        return value

    @model_validator(mode="after")
    def _sensible(self) -> Relation:
        if self.teachers is not None and len(set(self.teachers)) < len(self.teachers):
            raise ValueError("a teacher is named twice")
        if self.kind in ("served", "prompt_variant") and not (self.same_weights_as or self.parent):
            raise ValueError(
                f'kind = "{self.kind}" needs same_weights_as: which model\'s weights are these?'
            )
        return self

    def certain(self, label: str) -> Certainty:
        """How sure a label is; ``unknown`` where there is none."""
        if getattr(self, label) is None:
            return "unknown"
        return self.certainty.get(label, "likely")

    def over(self, general: Relation) -> Relation:
        """This, with what it leaves out taken from ``general``."""
        own = self.model_dump(exclude_unset=True)
        sureness = {**general.certainty, **self.certainty}
        merged = {**general.model_dump(exclude_unset=True), **own, "certainty": sureness}
        return Relation.model_validate(merged)


@dataclass(frozen=True, slots=True)
class Link:
    """Whether a relation holds between two models, as far as it is known.

    Attributes
    ----------
    holds
        None where the labels do not say.
    certainty
        The least certain label that the answer rests on.
    """

    holds: bool | None
    certainty: Certainty


class Relations(Frozen):
    """Labels of a set of models. See the module for the file."""

    format: Literal[1] = 1
    name: str = "relations"
    licence: str = "not stated"
    source: str = ""
    models: dict[str, Relation] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Relations:
        for model, label in self.models.items():
            for key in ("parent", "same_weights_as"):
                self._check_pointer(model, label, key, getattr(label, key))
            if label.teachers is not None and model in label.teachers:
                raise ValueError(f"{model}.teachers: a model is not its own teacher; leave it out")
        for model in self.models:
            seen = [model]
            while (above := self._above(seen[-1])) is not None and above in self.models:
                if above in seen:
                    raise ValueError(f"{' → '.join([*seen, above])}: a circle of parents")
                seen.append(above)
        return self

    def _check_pointer(self, model: str, label: Relation, key: str, other: str | None) -> None:
        if other is None:
            return
        if other == model:
            raise ValueError(f"{model}.{key}: names the model itself; leave it out")
        named = self.models.get(other)
        if named is not None and None not in (label.unit, named.unit) and label.unit != named.unit:
            raise ValueError(
                f"{model}.unit is {label.unit!r}, its {key} {other} has {named.unit!r}: models "
                "that share weights belong to one unit, or no split keeps them apart"
            )

    def _above(self, model: str) -> str | None:
        label = self.models.get(model)
        return None if label is None else (label.same_weights_as or label.parent)

    @classmethod
    def load(cls, path: Path) -> Relations:
        """Read a TOML file, or a CSV of the same labels (`provenance.library.relations_csv`).

        Raises
        ------
        SettingsError
            If it is missing, not TOML, or says something that cannot be; names model and key.
        """
        try:
            if path.suffix.lower() == ".csv":
                return cls.model_validate({"name": path.stem, "models": read_csv(path)})
            return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(f"cannot read the relations {path}: {error.strerror}") from None
        except ValidationError as error:
            raise SettingsError(f"{path}: {explain(error)}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not TOML: {error}") from None

    def of(self, model: str, version: str = "") -> Relation | None:
        """What is said about a model, or about this version of it."""
        general = self.models.get(model)
        exact = self.models.get(f"{model}@{version}") if version else None
        if exact is None or general is None:
            return exact or general
        return exact.over(general)

    def _find(self, name: str) -> Relation | None:
        """The label of ``model`` or ``model@version``."""
        model, at, version = name.rpartition("@")
        if at and model and (name not in self.models or model in self.models):
            return self.of(model, version)
        return self.models.get(name)

    def unit_of(self, model: str) -> str:
        """The unit of ``model`` or ``model@version``: its own, inherited, or one for it alone."""
        return self._inherited(model, "unit") or f"model:{self.weights_of(model)}"

    def family_of(self, model: str) -> str:
        """The family of a model, else its unit."""
        return self._inherited(model, "family", through=("same_weights_as",)) or self.unit_of(model)

    def weights_of(self, model: str) -> str:
        """The model that first had these weights: the end of the chain of ``same_weights_as``."""
        chain = list(self._chain(model, ("same_weights_as",)))
        return chain[-1]

    def link(self, model: str, other: str, axis: Axis) -> Link:
        """Whether ``model`` stands in a relation to ``other``.

        Parameters
        ----------
        axis
            ``same_weights``; ``derived``: ``other`` is among the checkpoints that ``model`` was
            made from; ``common_base``: the same pretrained weights underneath; or
            ``trained_on_outputs``: ``other`` is one of its teachers. The second and the fourth
            have a direction.
        """
        if axis == "same_weights":
            return self._same_weights(model, other)
        if axis == "derived":
            return self._derived(model, other)
        if axis == "common_base":
            return self._common_base(model, other)
        return self._taught(model, other)

    def _same_weights(self, model: str, other: str) -> Link:
        if self.weights_of(model) == self.weights_of(other):
            return Link(True, self._least(model, other, "same_weights_as"))
        return Link(False, "likely")

    def _derived(self, model: str, other: str) -> Link:
        wanted, known = self.weights_of(other), True
        for above in list(self._chain(model, ("same_weights_as", "parent")))[1:]:
            if self.weights_of(above) == wanted and self.weights_of(model) != wanted:
                return Link(True, self._least(model, None, "parent"))
            known = known and above in self.models
        # Neither a parent nor a base: nothing is said about where the weights come from.
        said = self._inherited(model, "parent") or self._inherited(model, "base")
        return Link(False, "likely") if known and said else Link(None, "unknown")

    def _common_base(self, model: str, other: str) -> Link:
        bases = [self._inherited(m, "base") for m in (model, other)]
        if None in bases:
            shared = set(self._chain(model)) & set(self._chain(other))
            return Link(True, "likely") if shared else Link(None, "unknown")
        return Link(bases[0] == bases[1], self._least(model, other, "base"))

    def _taught(self, model: str, other: str) -> Link:
        label = self._find(self.weights_of(model)) or self._find(model)
        if label is None or label.teachers is None:
            return Link(None, "unknown")
        teachers = {self.weights_of(t) for t in label.teachers}
        return Link(self.weights_of(other) in teachers, label.certain("teachers"))

    def _least(self, model: str, other: str | None, label: str) -> Certainty:
        found: list[Certainty] = ["sure"]
        for name in (model, other):
            known = self._find(name) if name is not None else None
            if known is not None and getattr(known, label) is not None:
                found.append(known.certain(label))
        return min(found, key=_RANK.__getitem__)

    def _chain(
        self, model: str, through: tuple[str, ...] = ("same_weights_as", "parent")
    ) -> Iterator[str]:
        """A model, then what it was made from, upwards."""
        yield model
        seen = {model}
        while (label := self._find(model)) is not None:
            above = next((v for k in through if (v := getattr(label, k)) is not None), None)
            if above is None or above in seen:
                return
            seen.add(above)
            yield above
            model = above

    def _inherited(
        self, model: str, label: str, through: tuple[str, ...] = ("same_weights_as", "parent")
    ) -> str | None:
        for name in self._chain(model, through):
            known = self._find(name)
            if known is not None and getattr(known, label) is not None:
                return str(getattr(known, label))
        return None

    def restricted(self, models: Iterable[str]) -> Relations:
        """The same file with these models only."""
        wanted = set(models)
        kept = {k: v for k, v in self.models.items() if k in wanted}
        return self.model_copy(update={"models": kept})

    def to_toml(self) -> str:
        """The file's text; reading it gives an equal object."""
        lines = ["format = 1"]
        lines += [f"{k} = {_value(getattr(self, k))}" for k in ("name", "licence", "source")]
        for model, label in self.models.items():
            lines += ["", f"[models.{_value(model)}]"]
            values = label.model_dump(exclude_defaults=True)
            sureness = values.pop("certainty", {})
            lines += [f"{key} = {_value(value)}" for key, value in values.items()]
            if set(sureness) == set(LABELS) and len(set(sureness.values())) == 1:
                lines.append(f"certainty = {_value(next(iter(sureness.values())))}")
            elif sureness:
                lines.append(f"certainty = {_value(sureness)}")
        return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    """A TOML value."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # JSON's escapes are TOML's, but for DEL; a pair of surrogates is not, so letters stay.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


KINDS: tuple[str, ...] = get_args(Kind)
