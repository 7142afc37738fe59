"""The statistics of the fused and the panel test for simulated counts, in closed form.

What a permutation test computes from draws and relabellings, `power` needs for hundreds of
replicates of a plan at once: the same sums and their variances over relabellings, from counts.
A replicate gives few of a cell's categories, so what is summed are `Entries`: those that it gave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.parts import scores_of
from provenance.stats.substitutes import WEIGHT

__all__ = ["Entries", "Sums", "cell_terms", "drawn_counts", "simulated_statistics", "towards"]

# A power of two, so that no u is rounded into the next bucket.
_BUCKETS = 512


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
        theirs = drawn_counts(q, m, replicates, rng)
        entries = Entries.of(drawn_counts(p, n, replicates, rng) + theirs, theirs)
        terms, spread = _terms(entries, n, m)
        totals += terms
        variances += spread
        if len(panel):
            sums = sums.plus(towards(panel[i], entries, n, m))
    standard = totals / np.sqrt(np.where(variances > 0, variances, 1.0))
    standard[:, 2:] **= 2
    return standard, sums


def drawn_counts(
    p: NDArray[np.float64], n: int, replicates: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Multinomial counts of n draws, shape (replicates, k)."""
    k = len(p)
    if n > k:
        return rng.multinomial(n, p, size=replicates)
    # Of few draws each is looked up: cheaper than a binomial for each of many categories.
    categories = _looked_up(np.cumsum(p)[:-1], rng.random(replicates * n))
    categories += k * np.repeat(np.arange(replicates), n)
    return np.bincount(categories, minlength=replicates * k).reshape(replicates, k)


def _looked_up(edges: NDArray[np.float64], u: NDArray[np.float64]) -> NDArray[np.intp]:
    """How many edges each u in [0, 1) has reached: ``searchsorted`` on the right, but quicker."""
    bounds = np.arange(_BUCKETS + 1) / _BUCKETS
    least = np.searchsorted(edges, bounds[:-1], side="right")
    most = np.searchsorted(edges, bounds[1:], side="left")
    bucket = (u * _BUCKETS).astype(np.intp)
    found = least[bucket]
    unsure = np.flatnonzero((least != most)[bucket])  # an edge lies inside the bucket
    found[unsure] = np.searchsorted(edges, u[unsure], side="right")
    return found


@dataclass(frozen=True, slots=True)
class Entries:
    """The categories that each replicate gave, one after another; every replicate gave one.

    Attributes
    ----------
    start
        First entry of each replicate.
    replicate, category
        Whose entry it is, and of what.
    pooled, theirs
        Counts of both sides together, at least 1, and of the suspect.
    categories
        How many the cell has.
    """

    start: NDArray[np.intp]
    replicate: NDArray[np.intp]
    category: NDArray[np.intp]
    pooled: NDArray[np.float64]
    theirs: NDArray[np.float64]
    categories: int

    @classmethod
    def of(cls, pooled: NDArray[np.int64], theirs: NDArray[np.int64]) -> Entries:
        """Of counts of shape (replicates, k)."""
        places = np.flatnonzero(pooled)
        replicate, category = np.divmod(places, pooled.shape[1])
        return cls(
            start=np.searchsorted(replicate, np.arange(len(pooled))),
            replicate=replicate,
            category=category,
            pooled=pooled.ravel()[places].astype(np.float64),
            theirs=theirs.ravel()[places].astype(np.float64),
            categories=pooled.shape[1],
        )

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the entries of each replicate."""
        return np.add.reduceat(values, self.start)


def towards(substitutes: NDArray[np.float64], entries: Entries, n: int, m: int) -> Sums:
    """Sums of the scores log(1 + w(r/p − 1)), p the pooled shares of each replicate.

    With the reference's true shares for p the power would be overstated by a third: what the
    suspect alone gives is the rarer in the pool the less of it there is.
    """
    size = n + m
    # A score depends on the category and its count alone, and few such pairs occur.
    code = entries.category * (size + 1) + entries.pooled.astype(np.intp)
    occurs = np.zeros(entries.categories * (size + 1), dtype=np.bool_)
    occurs[code] = True
    column = (np.cumsum(occurs) - 1)[code]
    category, count = np.divmod(np.flatnonzero(occurs), size + 1)
    ratio = substitutes[:, category].T * (size / count)[:, None]
    # Single precision is plenty for a threshold.
    scores = np.log1p(WEIGHT * (ratio - 1)).astype(np.float32)
    pooled, centred = np.zeros((2, len(entries.start), len(count)), dtype=np.float32)
    pooled[entries.replicate, column] = entries.pooled
    centred[entries.replicate, column] = entries.theirs - entries.pooled * (m / size)
    mean = pooled @ scores
    spread = pooled @ scores**2 - mean**2 / size
    factor = n * m / (size * max(size - 1, 1))
    return Sums(
        (centred @ scores).astype(np.float64),
        np.maximum(factor * spread, 0).astype(np.float64),
    )


def cell_terms(
    pooled: NDArray[np.int64],
    theirs: NDArray[np.int64],
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
    return _terms(Entries.of(pooled, theirs), n, m)


def _terms(entries: Entries, n: int, m: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    size = n + m
    share = m / size
    v = n * m / (size * max(size - 1, 1))
    pooled = entries.pooled
    u = entries.theirs - pooled * share
    centred = u**2 - (1 - 2 * share) * u - v * (pooled - pooled**2 / size)
    terms, variances = [], []
    for weight in (np.ones_like(pooled), 1 / pooled):
        squares = entries.sums(weight**2 * pooled**2 * (1 - 2 * pooled / size))
        cross = entries.sums(weight * pooled**2) ** 2 / size**2
        variance = 2 * v**2 * (squares + cross)
        varies = variance > 1e-12 * size**2
        value = entries.sums(weight * centred)
        terms.append(np.where(varies, value / np.sqrt(np.where(varies, variance, 1.0)), 0.0))
        variances.append(varies.astype(np.float64))
    distinct = np.diff(np.append(entries.start, len(pooled)))
    for h in scores_of(pooled / size, distinct[entries.replicate]):
        terms.append(entries.sums(u * h))
        product = entries.sums(pooled * h) ** 2 / size
        variances.append(np.maximum(v * (entries.sums(pooled * h**2) - product), 0.0))
    return np.column_stack(terms), np.column_stack(variances)
