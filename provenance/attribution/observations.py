"""The transcript as arrays: which draws are used, how they were read, what is missing.

A draw is used if it holds a completion and stands in a block in which both sides answered within
the plan's longest lag. Blocks are the realised ones: what failed is gone from them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from provenance.battery import Cell
from provenance.readings import read
from provenance.stats.layout import CellDraws
from provenance.transcript import ROLES, Record, Role, Transcript

BLOCKED = "⟨blocked⟩"


@dataclass(frozen=True, slots=True)
class CellObservations:
    """One cell: the records that are used, as they were read, and what is missing.

    Attributes
    ----------
    records, categories, texts
        Pooled over the sides, in the order of the slots.
    draws
        The same as arrays for the tests.
    available
        The answers that came at the first attempt, those whose partner is missing included.
    answered, failed
        Answers and final failures, per side.
    asked_again
        Answers that came only after a failed attempt (`Transcript.asked_again`), per side.
    """

    cell: Cell
    records: tuple[Record, ...]
    categories: tuple[str, ...]
    texts: tuple[str, ...]
    draws: CellDraws
    available: CellDraws
    answered: dict[Role, int]
    failed: dict[Role, int]
    asked_again: dict[Role, int]

    def lost(self, role: Role) -> int:
        """Draws of one side that failed, at first or for good."""
        return self.failed[role] + self.asked_again[role]

    def counts(self, role: Role) -> Counter[str]:
        """Categories of one side."""
        return Counter(
            category
            for record, category in zip(self.records, self.categories, strict=True)
            if record.role == role
        )

    def n(self, role: Role) -> int:
        """Used draws of one side."""
        return sum(record.role == role for record in self.records)


@dataclass(frozen=True, slots=True)
class Observations:
    """All cells of a study."""

    cells: tuple[CellObservations, ...]
    blocked: bool
    blocks_out_of_time: int

    def used(self) -> list[CellObservations]:
        """Cells in which both sides answered."""
        return [c for c in self.cells if c.n("reference") and c.n("suspect")]

    def families(self) -> dict[str, list[CellObservations]]:
        """Used cells by family, in the order of the battery."""
        grouped: dict[str, list[CellObservations]] = defaultdict(list)
        for cell in self.used():
            grouped[cell.cell.family].append(cell)
        return dict(grouped)


def observe(
    transcript: Transcript,
    cells: Sequence[Cell],
    *,
    blocked: bool,
    max_lag_s: float,
) -> Observations:
    """Read every answer and decide which are used.

    Parameters
    ----------
    transcript
        Final records.
    cells
        What was asked.
    blocked
        Whether slots stand in blocks that pair the sides in time.
    max_lag_s
        A block whose draws were started further apart than this is left out.
    """
    by_cell: dict[str, list[Record]] = defaultdict(list)
    failed: dict[str, Counter[str]] = defaultdict(Counter)
    for record in transcript:
        if record.completion is not None:
            by_cell[record.cell].append(record)
        else:
            failed[record.cell][record.role] += 1
    again = transcript.asked_again
    observed, out_of_time = [], 0
    for cell in cells:
        answers = by_cell.get(cell.id, [])
        used, late = _paired(answers, max_lag_s) if blocked else (answers, 0)
        out_of_time += late
        categories = {r.slot: category(cell, r) for r in answers}
        observed.append(
            CellObservations(
                cell=cell,
                records=tuple(used),
                categories=tuple(categories[r.slot] for r in used),
                texts=tuple(_text(r) for r in used),
                draws=_arrays(used, categories, blocked=blocked),
                available=_arrays(
                    [r for r in answers if r.slot not in again], categories, blocked=blocked
                ),
                answered={role: sum(r.role == role for r in answers) for role in ROLES},
                failed={role: failed[cell.id][role] for role in ROLES},
                asked_again={
                    role: sum(r.role == role and r.slot in again for r in answers) for role in ROLES
                },
            )
        )
    return Observations(tuple(observed), blocked, out_of_time)


def codes(values: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Small integers for values, in the order of their first appearance."""
    known: dict[Any, int] = {}
    return np.array([known.setdefault(v, len(known)) for v in values], dtype=np.intp)


def _paired(records: list[Record], max_lag_s: float) -> tuple[list[Record], int]:
    blocks: dict[int | None, list[Record]] = defaultdict(list)
    for record in records:
        blocks[record.block].append(record)
    kept, late = [], 0
    for block in blocks.values():
        if len({r.role for r in block}) < 2:
            continue
        if out_of_time(block, max_lag_s):
            late += 1
            continue
        kept += block
    return sorted(kept, key=lambda r: r.slot), late


def out_of_time(block: Iterable[Record], max_lag_s: float) -> bool:
    """Whether the draws of a block were started further apart than the plan allows."""
    times = [datetime.fromisoformat(r.started_utc) for r in block if r.started_utc]
    return bool(times) and (max(times) - min(times)).total_seconds() > max_lag_s


def category(cell: Cell, record: Record) -> str:
    """The answer of a completed record, as its cell reads it."""
    completion = record.completion
    assert completion is not None
    return BLOCKED if completion.blocked else read(cell.reading, completion.text)


def _text(record: Record) -> str:
    completion = record.completion
    return "" if completion is None or completion.blocked else completion.text.strip()


def _arrays(
    records: Sequence[Record], categories: Mapping[int, str], *, blocked: bool
) -> CellDraws:
    return CellDraws(
        categories=codes(categories[r.slot] for r in records),
        texts=tuple(_text(r) for r in records),
        suspect=np.array([r.role == "suspect" for r in records], dtype=np.bool_),
        block=codes(r.block for r in records) if blocked else None,
    )
