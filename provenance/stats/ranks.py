"""How one pair stands among others that are known: conformal ranks, by anchors or by a band."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.distance import squared_distance
from provenance.stats.multiplicity import resamples_needed
from provenance.stats.permutation import TIE

Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rank:
    """Outcome of `conformal_rank`.

    Attributes
    ----------
    p_value
        (1 + as_far) / (known + 1).
    as_far
        How many of the known are at least as far apart, ties included.
    known
        Pairs, or groups of pairs, that it was ranked among.
    needed
        How many it takes before ``p_value`` can be α or less.
    """

    p_value: float
    as_far: int
    known: int
    needed: int

    @property
    def smallest_p(self) -> float:
        """What no outcome can go below."""
        return 1 / (self.known + 1)

    @property
    def decidable(self) -> bool:
        """Whether a rejection at α is possible at all."""
        return self.known >= self.needed


def conformal_rank(distance: float, known: Sequence[float], *, alpha: float) -> Rank:
    """Rank of one distance among known ones: p = (1 + #{known ≥ distance}) / (M + 1).

    Null hypothesis: the distance is exchangeable with the M known ones (drawn with them, in an
    order that means nothing). Unit: a pair of endpoints, or a group of pairs. Then its rank among
    the M + 1 is uniform but for ties, and ties count against it, so P(p ≤ t) ≤ t for every t
    (Vovk, Gammerman & Shafer 2005, prop. 2.4). On average over the known pairs, not for these.
    Estimand: none. The smallest p is 1/(M + 1): 19 are needed for α = .05, 99 for .01.

    What breaks it: known pairs that are benign in another way than the one in question would be
    (other engines, other batteries, other sizes), or distances from other numbers of draws.

    Raises
    ------
    ValueError
        If a distance is not finite, or α is not in (0, 1).
    """
    values = np.asarray([distance, *known], dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("expected finite distances")
    slack = TIE * max(1.0, float(np.abs(values).max()))
    as_far = int((values[1:] >= values[0] - slack).sum())
    return Rank(
        p_value=(1 + as_far) / (len(known) + 1),
        as_far=as_far,
        known=len(known),
        needed=resamples_needed(alpha, 1),
    )


def grouped_rank(
    distance: float,
    known: Sequence[float],
    groups: Sequence[Hashable],
    *,
    alpha: float,
) -> tuple[Rank, dict[Hashable, float]]:
    """`conformal_rank` among groups of pairs, each standing for itself by its largest distance.

    Pairs of one group share weights and are not independent, so the unit is the group. Null
    hypothesis: the pair in question belongs to a further group that is exchangeable with the known
    ones. Proof: let Mᵢ be the largest distance of group i and M₀ that of the further group, of
    which the pair in question is a member, so that its distance D ≤ M₀. The M₀ … M_G are
    exchangeable, so the rank p₀ of M₀ among them is valid; #{Mᵢ ≥ D} ≥ #{Mᵢ ≥ M₀} gives p ≥ p₀.

    What breaks it, beside what breaks `conformal_rank`: a pair in question whose weights are those
    of a known group (leave that group out before).

    Returns
    -------
    rank, largest
        And the largest distance of each group, in the order of first appearance.
    """
    if len(groups) != len(known):
        raise ValueError(f"expected a group for each of {len(known)} pairs, found {len(groups)}")
    largest: dict[Hashable, float] = {}
    for group, value in zip(groups, known, strict=True):
        largest[group] = max(value, largest.get(group, -np.inf))
    return conformal_rank(distance, list(largest.values()), alpha=alpha), largest


def distances_at_equal_n(
    pairs: Sequence[Sequence[Counts]], rng: np.random.Generator
) -> list[float]:
    """Distance of each pair, from as many draws a side in each cell as the poorest side has.

    Unbiased U-statistics of category counts (`squared_distance`), mean over cells. Equal numbers
    are drawn without replacement, once: pairs of equal distribution then have distances of equal
    distribution, which a rank needs and which unequal numbers would spoil.

    Parameters
    ----------
    pairs
        Per pair and cell a table of counts, shape (2, k); all pairs have the same cells, k may
        differ; at least two draws a side.

    Raises
    ------
    ValueError
        If cells differ in number or a side has fewer than two draws.
    """
    cells = {len(pair) for pair in pairs}
    if len(cells) != 1 or not min(cells):
        raise ValueError("expected pairs on the same cells, at least one")
    totals = np.zeros(len(pairs))
    for tables in zip(*pairs, strict=True):
        n = min(int(table.sum(axis=1).min()) for table in tables)
        if n < 2:
            raise ValueError("expected at least two draws a side in every cell")
        for i, table in enumerate(tables):
            drawn = [rng.multivariate_hypergeometric(side, n) for side in table]
            totals[i] += float(squared_distance(drawn[0], drawn[1]))
    return [float(total) for total in totals / min(cells)]
