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
from numpy.typing import NDArray

from provenance.battery import Cell
from provenance.readings import read
from provenance.stats.layout import CellDraws
from provenance.transcript import ROLES, Record, Role, Transcript

BLOCKED = "⟨blocked⟩"
# Tokens compared of those that the draws of a cell list: the ones that most draws list.
_TOKENS = 20
# Servers write −9999 and the like for a token that they did not rank.
_UNRANKED = -1_000.0


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
        The answers that came at the first attempt, those whose partner is missing included;
        blocks that are left out for their lag are not.
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
    scores: Mapping[int, float] | None = None,
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
    scores
        By slot, what a local reference model makes of each answer; see the instrument
        `likelihood`.
    """
    scores = scores or {}
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
        used, late = _paired(answers, max_lag_s) if blocked else (answers, set())
        out_of_time += len(late)
        categories = {r.slot: category(cell, r) for r in answers}
        observed.append(
            CellObservations(
                cell=cell,
                records=tuple(used),
                categories=tuple(categories[r.slot] for r in used),
                texts=tuple(_text(r) for r in used),
                draws=_arrays(used, categories, scores, blocked=blocked),
                available=_arrays(
                    [r for r in answers if r.slot not in again and r.block not in late],
                    categories,
                    scores,
                    blocked=blocked,
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


def _paired(records: list[Record], max_lag_s: float) -> tuple[list[Record], set[int | None]]:
    """The records of blocks that count, and the blocks that lie too far apart."""
    blocks: dict[int | None, list[Record]] = defaultdict(list)
    for record in records:
        blocks[record.block].append(record)
    kept: list[Record] = []
    late: set[int | None] = set()
    for number, block in blocks.items():
        if len({r.role for r in block}) < 2:
            continue
        if out_of_time(block, max_lag_s):
            late.add(number)
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
    records: Sequence[Record],
    categories: Mapping[int, str],
    scores: Mapping[int, float],
    *,
    blocked: bool,
) -> CellDraws:
    return CellDraws(
        categories=codes(categories[r.slot] for r in records),
        texts=tuple(_text(r) for r in records),
        suspect=np.array([r.role == "suspect" for r in records], dtype=np.bool_),
        block=codes(r.block for r in records) if blocked else None,
        values=first_tokens(records),
        scores=np.array([scores.get(r.slot, np.nan) for r in records]) if scores else None,
    )


def first_tokens(records: Sequence[Record]) -> NDArray[np.float64] | None:
    """Log probabilities of the first token, where the draws list alternatives for it.

    Only lists count, not the log probability of the token that was drawn: outside the list it
    says what was drawn rather than what the server would have drawn. Lists are cut to the length
    of the cell's shortest, as a server that lists fewer is not another model. A token that a draw
    does not list is no likelier than the least likely one that it lists, and gets that value. No
    label is looked at.

    Returns
    -------
    ndarray or None
        Shape (draws, tokens), at most `_TOKENS` columns; None unless every draw lists some: a
        side that withholds them is not another model.
    """
    lists = [_listed(record) for record in records]
    if not lists or not all(lists):
        return None
    shortest = min(map(len, lists))
    lists = [dict(sorted(x.items(), key=lambda e: (-e[1], e[0]))[:shortest]) for x in lists]
    times = Counter(token for found in lists for token in found)
    total = {t: sum(found.get(t, 0.0) for found in lists) for t in times}
    chosen = sorted(times, key=lambda t: (-times[t], -total[t], t))[:_TOKENS]
    return np.array([[found.get(t, min(found.values())) for t in chosen] for found in lists])


def _listed(record: Record) -> dict[str, float]:
    completion = record.completion
    if completion is None or completion.blocked or not completion.logprobs:
        return {}
    found: dict[str, float] = {}
    for token, logprob in completion.logprobs[0].top:
        if np.isfinite(logprob) and logprob > _UNRANKED:
            # Tokens that are parts of one character may be spelled alike.
            found[token] = max(found.get(token, -np.inf), min(float(logprob), 0.0))
    return found
