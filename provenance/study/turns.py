"""Asking several pairs of endpoints in turn, so that what changes with time meets all of them.

A study and its anchors have plans over the same cells. Asked one after the other, a host that
changes in between shifts one and not the other, and what anchors are for is undone. So each
starts its next block only when no other is more than a block behind: at any moment all stand at the
same share of their plans, whoever is slowest sets the pace, and an interrupted study goes on from
where each of them stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from provenance.sampling.plan import Plan
from provenance.sampling.runner import Gate, Progress, ProgressCallback
from provenance.transcript import Role

_NOT_YET, _GONE = -1.0, float("inf")


class Turns:
    """Whose turn it is. The first part leads: where it ends, the others end too.

    Parameters
    ----------
    plans
        Of the parts, the leader's first.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._slots = [max(1, len(plan.slots)) for plan in plans]
        self._step = max(_block(plan) / n for plan, n in zip(plans, self._slots, strict=True))
        self._at = [_NOT_YET] * len(plans)
        self._end = _GONE
        self._stopped = False
        self._changed = asyncio.Event()

    async def begin(self, part: int) -> None:
        """Wait until every earlier part has counted what it spent before, and asked its pilots."""
        while any(at == _NOT_YET for at in self._at[:part]) and not self._stopped:
            await self._changed.wait()

    async def take(self, part: int, slot: int) -> bool:
        """Wait for the turn of a slot; False if it is not to be asked any more."""
        share = slot / self._slots[part]
        self._at[part] = share
        self._tell()
        while not (self._over(share) or share <= min(self._at) + self._step):
            await self._changed.wait()
        return not self._over(share)

    def leave(self, part: int, *, ended_at: int | None = None, failed: bool = False) -> None:
        """A part is done, or ended before a slot; ``failed``: nobody goes on."""
        if part == 0 and ended_at is not None:
            self._end = ended_at / self._slots[0]
        self._at[part] = _GONE
        self._stopped |= failed
        self._tell()

    @property
    def stopped(self) -> bool:
        """Whether a part failed."""
        return self._stopped

    def _over(self, share: float) -> bool:
        return self._stopped or share >= self._end

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Place:
    """One part of a study that is asked in turn with others: its number, and its gates."""

    turns: Turns
    part: int
    gates: dict[Role, Gate]


class Merged:
    """One bar for all parts.

    Parameters
    ----------
    progress
        Who listens.
    totals
        Slots of each part.
    """

    def __init__(self, progress: ProgressCallback, totals: Sequence[int]) -> None:
        self._progress = progress
        self._total = sum(totals)
        self._latest: dict[int, Progress] = {}

    def of(self, part: int) -> ProgressCallback:
        """What a part reports to."""
        return lambda progress: self._take(part, progress)

    def _take(self, part: int, progress: Progress) -> None:
        if progress.phase != "sampling":
            self._progress(progress)
            return
        self._latest[part] = progress
        parts = self._latest.values()
        done, rate = sum(p.done for p in parts), sum(p.rate_per_s for p in parts)
        known = [p.tokens for p in parts if p.tokens is not None]
        self._progress(
            replace(
                progress,  # its requests and dollars are those of all parts already
                done=done,
                total=self._total,
                failed=sum(p.failed for p in parts),
                tokens=sum(known) if known else None,
                rate_per_s=rate,
                eta_s=(self._total - done) / rate if rate > 0 else None,
            )
        )


def _block(plan: Plan) -> int:
    """Slots of the largest block; two where a recording has none."""
    sizes: dict[int, int] = {}
    for slot in plan.slots:
        if slot.block is not None:
            sizes[slot.block] = sizes.get(slot.block, 0) + 1
    return max(sizes.values(), default=2)
