"""The power that a plan has on models that are known from a few answers each.

Models answer as draws from what their tables leave open (`smoothing`), moved together where the
tables say that they are nearer than two such draws; the median over pairs is given by its lower
limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np

from provenance.battery import Cell
from provenance.library.panel import Member
from provenance.library.smoothing import Shares, Smoothed
from provenance.stats.distance import squared_distance
from provenance.stats.power import PlannedPower, plan_power

# That half of all substitutes like those of the panel are seen with the promised power.
CONFIDENCE = 0.8
SEED = 20261125

Pair = tuple[Member, Member]


def median_at_least(powers: Sequence[float]) -> float:
    """A lower limit of the median, by order statistics: no distribution is assumed.

    Null: half of all substitutes like these are seen with less. Sampling: independent pairs; those
    that share the reference are not quite, so `CONFIDENCE` is approximate. Source: the k-th
    smallest of n lies below the median with the chance that k or more of n fair coins show heads
    (Thompson 1936). With fewer than three, the smallest.
    """
    ordered, n = sorted(powers), len(powers)
    below = [sum(comb(n, heads) for heads in range(k, n + 1)) / 2**n for k in range(1, n + 1)]
    return float(ordered[max(1, sum(chance >= CONFIDENCE for chance in below)) - 1])


def powers_of(
    cells: Sequence[Cell],
    draws: int | Sequence[int],
    pairs: Sequence[Pair],
    share: float,
    alpha: float,
    replicates: tuple[int, int],
    *,
    known: Sequence[Pair],
    drawn: Smoothed,
) -> list[float]:
    """Power for each pair; a cell that a member was not measured on counts as unchanged.

    Parameters
    ----------
    draws
        Of a side, in every cell or in each of ``cells``.
    known
        The panel test knows the substitutes of these.
    """
    often = [draws] * len(cells) if isinstance(draws, int) else list(draws)
    found = []
    for reference in dict.fromkeys(a.name for a, _ in pairs):
        mine = [(a, b) for a, b in pairs if a.name == reference]
        measured = [reference in drawn.shares.get(c.id, {}) for c in cells]
        asked = [c for c, there in zip(cells, measured, strict=True) if there]
        ids = [c.id for c in asked]
        each = [n for n, there in zip(often, measured, strict=True) if there]
        tables = {b.name: tables_of(ids, a, b, drawn) for a, b in mine}
        own = [table[0] for table in next(iter(tables.values()))]
        panel = [measured_shares(ids, b, a, drawn) for a, b in known if a.name == reference]
        power = _plan(asked, own, panel, each, alpha, replicates[0])
        for table in tables.values():
            mixed = [(1 - share) * p + share * r for p, r in table]
            found.append(power.at(mixed, replicates=replicates[1]))
    return found


def _plan(
    cells: Sequence[Cell],
    own: Sequence[Shares],
    panel: Sequence[Sequence[Shares]],
    draws: Sequence[int],
    alpha: float,
    replicates: int,
) -> PlannedPower:
    return plan_power(
        own,
        draws,
        draws,
        alpha=alpha,
        rng=np.random.default_rng(SEED),
        families=[c.family for c in cells],
        panel=panel,
        replicates=replicates,
    )


def tables_of(
    cells: Sequence[str], reference: Member, substitute: Member, drawn: Smoothed
) -> list[tuple[Shares, Shares]]:
    """Shares of both over the same places in each cell, the substitute's drawn together."""
    together = pull(reference, substitute, drawn)
    made = []
    for cell in cells:
        p = drawn.shares[cell][reference.name]
        r = drawn.shares[cell].get(substitute.name)
        made.append((p, p if r is None else p + together * (r - p)))
    return made


def measured_shares(
    cells: Sequence[str], member: Member, reference: Member, drawn: Smoothed
) -> list[Shares]:
    """A substitute's shares as they were measured, which is what a panel test knows of it."""
    tables = [drawn.counts[cell] for cell in cells]
    rows = [t.get(member.name, t[reference.name]) for t in tables]
    return [row / row.sum() for row in rows]


def pull(reference: Member, substitute: Member, drawn: Smoothed) -> float:
    """How far apart two models stand, as a share of how far their drawn tables do, at most 1.

    The root of the unbiased squared distance of what was measured over that of the draws, both
    summed over shared cells: a copy of the reference lies nearer to it than two draws would.
    """
    unbiased = apart = 0.0
    for cell, shares in drawn.shares.items():
        if reference.name in shares and substitute.name in shares:
            p, r = (drawn.counts[cell][m.name].astype(np.intp) for m in (reference, substitute))
            if min(p.sum(), r.sum()) >= 2:
                unbiased += float(squared_distance(p, r))
                apart += float(((shares[reference.name] - shares[substitute.name]) ** 2).sum())
    return min(1.0, float(np.sqrt(max(0.0, unbiased) / apart))) if apart > 0 else 0.0
