"""The plan: every request of a study in its order, fixed and hashed before the first is sent.

Both sides live: slots stand in small blocks, one cell each, that hold r reference draws to s
suspect draws (1 to 1 unless the user asks for more of one side) in random order. A round takes
each cell once, in random order; so both sides are asked the same things at the same times, and
drift that both share cancels. A recording has no time that we control: then there are no blocks
and labels are exchangeable within the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provenance.battery import Cell
from provenance.canonical import digest
from provenance.transcript import ROLES, Request, Role

# Settings of the analysis that are part of the plan, so that nobody can choose them afterwards.
# "version" goes up with the tests and the rule of the verdict, "readings" with the meaning of a
# reading: another version would analyse the same records otherwise, and `verify` names both.
RULES: dict[str, Any] = {
    "version": 6,
    "readings": 1,
    "minimum_resamples": 9_999,
    "minimum_coverage": 0.5,
    "max_lag_s": 600.0,
    "serial_alpha": 0.01,
    "failure_alpha": 0.2,
    "halvings": 200,
}
# What ``--logprobs`` adds to every request. Servers list 5 at least, if they list any.
LOGPROBS: dict[str, Any] = {"logprobs": True, "top_logprobs": 5}


@dataclass(frozen=True, slots=True)
class Slot:
    """One request: whose answer, to which cell, which draw of it, in which block."""

    index: int
    role: Role
    cell: int
    draw: int
    block: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All requests of a study.

    Attributes
    ----------
    header
        What is compared and how it will be analysed: endpoints, settings, rules, environment.
    cells
        What is asked, in the order that `Slot.cell` counts.
    slots
        In the order in which they are started.
    seed
        Of the order, of local and simulated draws, and of the analysis.
    """

    header: Mapping[str, Any]
    cells: tuple[Cell, ...]
    slots: tuple[Slot, ...]
    seed: int

    def draws(self, role: Role) -> list[int]:
        """Draws planned per cell for one side."""
        counts = [0] * len(self.cells)
        for slot in self.slots:
            if slot.role == role:
                counts[slot.cell] += 1
        return counts

    def requests(self) -> Iterator[tuple[Slot, Request]]:
        """The slots with what is sent for each."""
        planned = {role: self.draws(role) for role in ROLES}
        wished = LOGPROBS if self.header.get("settings", {}).get("logprobs") else {}
        for slot in self.slots:
            cell = self.cells[slot.cell]
            yield (
                slot,
                Request(
                    slot=slot.index,
                    role=slot.role,
                    cell=cell.id,
                    draw=slot.draw,
                    draws_planned=planned[slot.role][slot.cell],
                    messages=cell.messages,
                    max_visible_tokens=cell.max_visible_tokens,
                    decoding={**cell.decoding, **wished},
                    seed=self.seed,
                ),
            )

    def to_json(self) -> dict[str, Any]:
        """As written to ``plan.json``; a slot is [role, cell, draw, block]."""
        return {
            **self.header,
            "seed": self.seed,
            "cells": [cell.id for cell in self.cells],
            "slots": [[s.role, s.cell, s.draw, s.block] for s in self.slots],
        }

    @classmethod
    def from_json(cls, plan: Mapping[str, Any], cells: Sequence[Cell]) -> Plan:
        """Read back `to_json`; ``cells`` come from the store's copy of the battery."""
        by_id = {cell.id: cell for cell in cells}
        header = {k: v for k, v in plan.items() if k not in ("seed", "cells", "slots")}
        slots = tuple(Slot(i, *row) for i, row in enumerate(plan["slots"]))
        return cls(header, tuple(by_id[c] for c in plan["cells"]), slots, plan["seed"])

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the plan."""
        return digest(self.to_json())


def make_plan(
    header: Mapping[str, Any],
    cells: Sequence[Cell],
    draws: Mapping[Role, Sequence[int]],
    *,
    seed: int,
    blocked: bool,
) -> Plan:
    """Lay out the requests.

    Parameters
    ----------
    header
        Goes into the plan as it is.
    cells
        What is asked.
    draws
        Per side, the draws of each cell.
    seed
        Fixes the order.
    blocked
        Whether both sides are asked now, so that blocks mean something.
    """
    rng = np.random.default_rng([seed, 0])
    blocks = [b for c in range(len(cells)) for b in _blocks(c, draws, rng)]
    rounds: dict[int, list[list[tuple[Role, int, int]]]] = {}
    for number, block in blocks:
        rounds.setdefault(number, []).append(block)
    slots: list[Slot] = []
    block_number = 0
    for number in sorted(rounds):
        for position in rng.permutation(len(rounds[number])):
            for role, cell, draw in rounds[number][position]:
                slots.append(Slot(len(slots), role, cell, draw, block_number if blocked else None))
            block_number += 1
    return Plan(header, tuple(cells), tuple(slots), seed)


def _blocks(
    cell: int, draws: Mapping[Role, Sequence[int]], rng: np.random.Generator
) -> Iterator[tuple[int, list[tuple[Role, int, int]]]]:
    """The blocks of one cell: (round, [(role, cell, draw)] in random order)."""
    counts = {role: int(draws[role][cell]) if role in draws else 0 for role in ROLES}
    active = [c for c in counts.values() if c]
    number = min(active, default=0)
    for k in range(number):
        block = [
            (role, cell, draw)
            for role in ROLES
            for draw in range(counts[role] * k // number, counts[role] * (k + 1) // number)
        ]
        yield k, [block[i] for i in rng.permutation(len(block))]
