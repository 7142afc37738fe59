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
    missing holds up those after it. In a block, once it is whole, the k-th reference draw is
    paired with the k-th suspect draw; their order is random, so no answer is looked at. In a
    recording the pairs are made so within the cell. Draws of the reference that are over teach.

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
            if taken.completion is not None:
                self._open[unit].append(taken)
            if self._left[unit] == 0 or unit[1] is None:
                self._settle(unit, whole=self._left[unit] == 0)

    def _settle(self, unit: Unit, *, whole: bool) -> None:
        name, block = unit
        found = self._open[unit]
        if block is not None and out_of_time(found, self._max_lag_s):
            del self._open[unit]
            return
        cell = self._cells[name]
        sides = {role: [r for r in found if r.role == role] for role in ROLES}
        pairs = min(map(len, sides.values()))
        for reference, suspect in zip(*(side[:pairs] for side in sides.values()), strict=True):
            self.betting.bet(name, category(cell, reference), category(cell, suspect))
        rest = [record for side in sides.values() for record in side[pairs:]]
        if whole:
            over = (category(cell, r) for r in rest if r.role == "reference")
            self.betting.learn(name, over)
            del self._open[unit]
        else:
            self._open[unit] = rest
