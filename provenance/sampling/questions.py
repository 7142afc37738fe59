"""Which cells a study asks, and how many draws each side can give.

Two recordings without a battery are compared on the prompt ids that they share. A recording that
is a store of ours brings its own battery. Otherwise the battery is the one named, or ``quick``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from provenance.battery import Battery, Cell, cells_digest
from provenance.errors import ReferenceStale, UsageError
from provenance.evidence.store import is_store
from provenance.providers.base import Provider
from provenance.providers.replay import ReplayProvider
from provenance.settings import Settings
from provenance.transcript import Message, Role

DEFAULT_BATTERY = "quick"
RECORDED = "recorded"
_LONGEST_ANSWER = 8192


@dataclass(frozen=True, slots=True)
class Questions:
    """What is asked.

    Attributes
    ----------
    name, digest
        Of the battery.
    cells
        Only those that every side can answer.
    draws
        Per side, the draws of each cell.
    notes
        What was left out, as sentences.
    """

    name: str
    digest: str
    cells: tuple[Cell, ...]
    draws: Mapping[Role, tuple[int, ...]]
    notes: tuple[str, ...]


def choose(sides: Mapping[Role, Provider], settings: Settings) -> Questions:
    """Decide the cells and draws of a study.

    Raises
    ------
    UsageError
        If the sides share no cell.
    ReferenceStale
        If a stored reference was asked another battery than the one named, or is too old.
    """
    replays = {r: p for r, p in sides.items() if isinstance(p, ReplayProvider)}
    for replay in replays.values():
        replay.load()
    name, cells = _cells(sides, replays, settings)
    full_digest = cells_digest(cells)
    reference = replays.get("reference")
    if reference is not None:
        _check_stale(reference, name, full_digest, settings)
    kept, notes = _answerable(cells, replays)
    draws = {
        role: tuple(_draws(cell, role, replays.get(role), name, settings) for cell in kept)
        for role in sides
    }
    return Questions(name, full_digest, tuple(kept), draws, tuple(notes))


def _cells(
    sides: Mapping[Role, Provider], replays: Mapping[Role, ReplayProvider], settings: Settings
) -> tuple[str, tuple[Cell, ...]]:
    if settings.battery is not None:
        battery = Battery.load(settings.battery)
        return battery.name, battery.cells
    for replay in replays.values():
        stored = _stored_battery(replay)
        if stored is not None:
            return stored
    if len(replays) == len(sides):
        return RECORDED, _recorded_cells(list(replays.values()))
    battery = Battery.load(DEFAULT_BATTERY)
    return battery.name, battery.cells


def _stored_battery(replay: ReplayProvider) -> tuple[str, tuple[Cell, ...]] | None:
    path = Path(replay.endpoint.model)
    if not is_store(path):
        return None
    battery = json.loads((path / "battery.json").read_text(encoding="utf-8"))
    if battery["name"] == RECORDED:
        return None
    return battery["name"], tuple(Cell.model_validate(c) for c in battery["cells"])


def _recorded_cells(replays: Sequence[ReplayProvider]) -> tuple[Cell, ...]:
    recorded = [replay.recorded_cells() for replay in replays]
    shared = [cell for cell in recorded[0] if all(cell in other for other in recorded[1:])]
    if not shared:
        examples = "; ".join(
            f"{replay.endpoint}: {', '.join(list(cells)[:3])}"
            for replay, cells in zip(replays, recorded, strict=True)
        )
        raise UsageError(f"the recordings share no prompt id ({examples})")
    cells = []
    for prompt_id in shared:
        prompts = [cells[prompt_id].prompt for cells in recorded]
        known = {p for p in prompts if p is not None}
        if len(known) > 1:
            raise UsageError(
                f"the recordings hold different prompts under the id {prompt_id!r}; "
                "give each prompt an id of its own"
            )
        messages = tuple(Message(role="user", content=p) for p in known)
        cells.append(
            Cell(
                id=prompt_id,
                probe=prompt_id,
                family=RECORDED,
                reading="text",
                messages=messages,
                max_visible_tokens=_LONGEST_ANSWER,
            )
        )
    return tuple(cells)


def _answerable(
    cells: Sequence[Cell], replays: Mapping[Role, ReplayProvider]
) -> tuple[list[Cell], list[str]]:
    kept = [c for c in cells if all(replay.draws(c.id) for replay in replays.values())]
    if not kept:
        lines = "; ".join(
            f"{role}: {', '.join(list(replay.recorded_cells())[:3]) or 'nothing'}"
            for role, replay in replays.items()
        )
        raise UsageError(
            f"no cell of the battery ({cells[0].id}, …) is in every recording ({lines})"
        )
    left_out = len(cells) - len(kept)
    notes = []
    if left_out:
        notes.append(f"{left_out} of {len(cells)} cells are not in every recording: left out.")
    return kept, notes


def _draws(
    cell: Cell, role: Role, replay: ReplayProvider | None, battery: str, settings: Settings
) -> int:
    wanted = settings.draws
    if role == "reference" and settings.reference_draws is not None:
        wanted = settings.reference_draws
    if replay is None:
        return wanted or cell.draws
    # A recording costs nothing: all its draws are used unless the user asks for fewer.
    available = replay.draws(cell.id)
    return min(available, wanted) if wanted else available


def _check_stale(reference: ReplayProvider, name: str, asked: str, settings: Settings) -> None:
    recorded = reference.source_battery_digest
    if recorded is None:
        return
    if settings.battery is not None and recorded != asked:
        raise ReferenceStale(
            f"the stored reference {reference.endpoint.model} was asked another battery "
            f"(digest {recorded[:12]}…) than {name!r} (digest {asked[:12]}…): record it again "
            "with `provenance sample`, or leave --battery out to use the stored one"
        )
    span = reference.recorded_utc_range
    if span is None:
        return
    age = datetime.now(UTC) - datetime.fromisoformat(span[1])
    if age > timedelta(days=settings.max_age_days):
        raise ReferenceStale(
            f"the stored reference {reference.endpoint.model} is {age.days} days old, more than "
            f"--max-age {settings.max_age_days:g}: record it again with `provenance sample`"
        )


def reference_warnings(
    questions: Questions, replays: Sequence[Role], *, sequential: bool, panel: bool = False
) -> list[str]:
    """Warnings of the plan where the reference is small (statistics: six to one, fifteen).

    A stored reference is what the suspect is held against; a sequential test spends a reference
    draw a pair and bets on what it learnt from the others; a panel test weighs each answer by how
    often the reference gave it.
    """
    if "suspect" in replays or not {"reference", "suspect"} <= questions.draws.keys():
        return []
    stored = "reference" in replays
    if not stored and not sequential and not panel:
        return []
    small, few = short_of_reference(questions.draws["reference"], questions.draws["suspect"])
    kind = "stored reference draws" if stored else "reference draws"
    why = "."
    if not stored:
        sees = "sequential test sees little before it has learnt the reference"
        why = f": the {sees if sequential else 'panel test sees large shares only'}. " + _MORE
    warnings = []
    if small and few and not stored and not sequential:
        # What every plan of one to one draws has: said once.
        warnings.append(
            f"{_so_many(small)} fewer than 15 {kind}, {few} fewer than 6 to a suspect's{why}"
        )
        return warnings
    if small:
        warnings.append(f"{_so_many(small)} fewer than 15 {kind}.")
    if few:
        warnings.append(f"{_so_many(few)} fewer than 6 {kind} to a suspect's{why}")
    return warnings


_MORE = "--reference-draws asks for more."


def short_of_reference(reference: Sequence[int], suspect: Sequence[int]) -> tuple[int, int]:
    """Cells with fewer than 15 reference draws, and with fewer than 6 to a suspect's."""
    pairs = [(n, m) for n, m in zip(reference, suspect, strict=True) if n and m]
    return sum(n < 15 for n, _ in pairs), sum(n < 6 * m for n, m in pairs)


def _so_many(number: int) -> str:
    return "1 cell has" if number == 1 else f"{number} cells have"
