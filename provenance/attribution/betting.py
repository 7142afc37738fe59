"""The sequential test of a study: pairs in the order of the plan, read as they come.

The same object watches a study while it is sampled and computes its outcome again from the
records, so that a stranger stops where the study stopped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from provenance.attribution.observations import category, out_of_time
from provenance.battery import Cell
from provenance.library.panel import Panel
from provenance.stats.sequential import SwapBetting
from provenance.transcript import ROLES, Record

# Share of α that the sequential test may spend; the exact test at the end has the rest.
SHARE = 0.2

Unit = tuple[str, int | None]


class Betting:
    """Feeds the records of a study to `SwapBetting`.

    Records are taken in the order of their slots, however they come: a slot whose answer is
    missing holds up those after it. Which draws are paired never hangs on an answer, only on the
    plan and on what failed:

    - in a block, once it is whole, the k-th reference draw with the k-th suspect draw, in their
      random order; draws of the longer side that are over teach, before the bets of their block;
    - in a recording the plan says beforehand which draws of a cell will be paired, evenly spread
      over the longer side; the others teach as soon as they come.

    Parameters
    ----------
    plan
        As in ``plan.json``.
    cells
        The store's copy of the battery.
    panel
        Answer tables that strategies may use.
    """

    def __init__(self, plan: Mapping[str, Any], cells: Sequence[Cell], panel: Panel | None) -> None:
        self.level = SHARE * float(plan["settings"]["alpha"])
        self.betting = SwapBetting(
            [member.cells for member in panel.members] if panel is not None else []
        )
        self._max_lag_s = float(plan["rules"]["max_lag_s"])
        self._cells = {cell.id: cell for cell in cells}
        self._units = [(plan["cells"][cell], block) for _role, cell, _draw, block in plan["slots"]]
        self._left = Counter(self._units)
        self._paired = _to_pair(plan["slots"])
        self._open: dict[Unit, list[Record]] = defaultdict(list)
        self._waiting: dict[int, Record] = {}
        self._next = 0

    @property
    def reached(self) -> bool:
        """Whether the wealth has reached 1/level: the study may stop."""
        return self.betting.p_value <= self.level

    def watch(self, record: Record) -> bool:
        """`add` it; whether the study may stop."""
        self.add(record)
        return self.reached

    def add(self, record: Record) -> None:
        """Take one record; bets are settled as far as the order allows."""
        if record.final and record.slot >= self._next:
            self._waiting[record.slot] = record
        while self._next in self._waiting:
            taken = self._waiting.pop(self._next)
            unit = self._units[self._next]
            self._next += 1
            self._left[unit] -= 1
            if taken.completion is None:
                pass
            elif unit[1] is None:
                self._recorded(unit, taken)
            else:
                self._open[unit].append(taken)
            if self._left[unit] == 0:
                self._block(unit)

    def _recorded(self, unit: Unit, record: Record) -> None:
        """One draw of a recording: it teaches, or waits for its partner."""
        name = unit[0]
        if record.slot not in self._paired:
            self._learn(name, [record])
            return
        waiting = self._open[unit]
        waiting.append(record)
        partner = next((r for r in waiting if r.role != record.role), None)
        if partner is not None:
            waiting.remove(partner)
            waiting.remove(record)
            self._bet(name, partner, record)

    def _block(self, unit: Unit) -> None:
        """A whole block, or the end of a recorded cell."""
        found = self._open.pop(unit, [])
        if unit[1] is None or out_of_time(found, self._max_lag_s):
            return
        sides = [[r for r in found if r.role == role] for role in ROLES]
        pairs = min(map(len, sides))
        self._learn(unit[0], [r for side in sides for r in side[pairs:]])
        for one, other in zip(*(side[:pairs] for side in sides), strict=True):
            self._bet(unit[0], one, other)

    def _learn(self, name: str, records: Sequence[Record]) -> None:
        by_role = {
            role: [category(self._cells[name], r) for r in records if r.role == role]
            for role in ROLES
        }
        self.betting.learn(name, **by_role)

    def _bet(self, name: str, one: Record, other: Record) -> None:
        answers = {r.role: category(self._cells[name], r) for r in (one, other)}
        self.betting.bet(name, answers["reference"], answers["suspect"])


def _to_pair(slots: Sequence[Sequence[Any]]) -> frozenset[int]:
    """Slots of recordings (no blocks) whose draws will be paired."""
    cells: dict[int, dict[str, list[int]]] = defaultdict(lambda: {role: [] for role in ROLES})
    for index, (role, cell, _draw, block) in enumerate(slots):
        if block is None:
            cells[cell][role].append(index)
    chosen: set[int] = set()
    for sides in cells.values():
        pairs = min(map(len, sides.values()))
        for own in sides.values():
            chosen.update(own[k * len(own) // pairs] for k in range(pairs))
    return frozenset(chosen)
