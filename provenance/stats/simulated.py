"""The statistics of the fused and the panel test for simulated counts, in closed form.

What a permutation test computes from draws and relabellings, `power` needs for hundreds of
replicates of a plan at once: the same sums and their variances over relabellings, from counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.parts import category_scores
from provenance.stats.substitutes import WEIGHT

__all__ = ["Sums", "cell_terms", "simulated_statistics"]


@dataclass(frozen=True, slots=True)
class Sums:
    """Centred sums of scores towards each substitute, and their variances over relabellings.

    Shape (replicates, substitutes) both.
    """

    total: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def none(cls, replicates: int, panel: Sequence[NDArray[np.float64]]) -> Sums:
        """Zeros; of width 0 without a panel."""
        width = len(panel[0]) if len(panel) else 0
        return cls(np.zeros((replicates, width)), np.zeros((replicates, width)))

    def plus(self, other: Sums) -> Sums:
        """Of both sets of cells."""
        return Sums(self.total + other.total, self.variance + other.variance)

    def largest(self) -> NDArray[np.float64]:
        """The largest standardised sum of each replicate."""
        scale = np.sqrt(np.where(self.variance > 0, self.variance, 1.0))
        largest: NDArray[np.float64] = (self.total / scale).max(axis=1)
        return largest


def simulated_statistics(
    reference: Sequence[NDArray[np.float64]],
    suspect: Sequence[NDArray[np.float64]],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    replicates: int,
    rng: np.random.Generator,
    panel: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], Sums]:
    """The four of `parts.CATEGORICAL` for simulated counts, shape (replicates, 4), and the panel's.

    Each is divided by its deviation over relabellings of its own replicate, as the permutation
    test does implicitly.
    """
    totals = np.zeros((replicates, 4))
    variances = np.zeros((replicates, 4))
    sums = Sums.none(replicates, panel)
    for i, (p, q, n, m) in enumerate(zip(reference, suspect, n_reference, n_suspect, strict=True)):
        theirs = rng.multinomial(m, q, size=replicates).astype(np.float64)
        pooled = rng.multinomial(n, p, size=replicates) + theirs
        terms, spread = cell_terms(pooled, theirs, n, m)
        totals += terms
        variances += spread
        if len(panel):
            sums = sums.plus(_towards(panel[i], pooled, theirs, n, m))
    standard = totals / np.sqrt(np.where(variances > 0, variances, 1.0))
    standard[:, 2:] **= 2
    return standard, sums


def _towards(
    substitutes: NDArray[np.float64],
    pooled: NDArray[np.float64],
    theirs: NDArray[np.float64],
    n: int,
    m: int,
) -> Sums:
    """Sums of the scores log(1 + w(r/p − 1)), p the pooled shares of each replicate.

    With the reference's true shares for p the power would be overstated by a third: what the
    suspect alone gives is the rarer in the pool the less of it there is.
    """
    size = n + m
    # Categories that one of them ever gave; single precision is plenty for a threshold.
    used = pooled.any(axis=0)
    pooled, theirs = pooled[:, used].astype(np.float32), theirs[:, used].astype(np.float32)
    inverse = np.where(pooled > 0, size / np.maximum(pooled, 1), 0)
    ratio = substitutes[None, :, used].astype(np.float32) * inverse[:, None]
    scores = np.log1p(np.float32(WEIGHT) * (ratio - 1))
    # What a replicate did not give has weight 0 below.
    total = (scores @ (theirs - pooled * (m / size))[:, :, None])[:, :, 0]
    mean = (scores @ pooled[:, :, None])[:, :, 0]
    spread = (scores**2 @ pooled[:, :, None])[:, :, 0] - mean**2 / size
    factor = n * m / (size * max(size - 1, 1))
    return Sums(total.astype(np.float64), np.maximum(factor * spread, 0).astype(np.float64))


def cell_terms(
    pooled: NDArray[np.float64],
    theirs: NDArray[np.float64],
    n: int,
    m: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One unblocked cell's local terms and directed sums: `parts` in closed form.

    Parameters
    ----------
    pooled, theirs
        Counts of both sides together and of the suspect, shape (replicates, k).
    n, m
        Draws of the reference and of the suspect.

    Returns
    -------
    terms, variances
        Shape (replicates, 4) each: "same", "balanced" (in units of their deviation), the sums
        of "rarity" and "rare" before squaring; and their variances over relabellings.
    """
    size = n + m
    share = m / size
    v = n * m / (size * max(size - 1, 1))
    u = theirs - pooled * share
    terms, variances = [], []
    for weight in (np.ones_like(pooled), 1 / np.maximum(pooled, 1)):
        squares = (weight**2 * pooled**2 * (1 - 2 * pooled / size)).sum(axis=1)
        cross = (weight * pooled**2).sum(axis=1) ** 2 / size**2
        variance = 2 * v**2 * (squares + cross)
        varies = variance > 1e-12 * size**2
        centred = u**2 - (1 - 2 * share) * u - v * (pooled - pooled**2 / size)
        value = (weight * centred).sum(axis=1)
        terms.append(np.where(varies, value / np.sqrt(np.where(varies, variance, 1.0)), 0.0))
        variances.append(varies.astype(np.float64))
    for h in category_scores(pooled):
        terms.append((u * h).sum(axis=1))
        product = (pooled * h).sum(axis=1) ** 2 / size
        variances.append(np.maximum(v * ((pooled * h**2).sum(axis=1) - product), 0.0))
    return np.column_stack(terms), np.column_stack(variances)
