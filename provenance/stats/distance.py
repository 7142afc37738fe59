"""How far apart two sides are, on one scale for all cells, and what is far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import CellDraws, counts, validated


@dataclass(frozen=True, slots=True)
class YardstickResult:
    """Distance between the sides beside that of the reference from itself.

    Attributes
    ----------
    between
        Mean over random subsamples of the squared distance of the sides; None without data.
    within, within_high
        Mean and 95th percentile over random halvings of the reference.
    halvings
        Halvings drawn.
    draws_a_side
        Draws a side over all cells in each comparison.
    cells
        Cells with four reference draws and two suspect draws or more.
    """

    between: float | None
    within: float | None
    within_high: float | None
    halvings: int
    draws_a_side: int
    cells: int


def squared_distance(reference: NDArray[np.intp], suspect: NDArray[np.intp]) -> NDArray[np.float64]:
    """Unbiased estimate of sum_k (p_k − q_k)² from category counts.

    A U-statistic (the unbiased squared maximum mean discrepancy of the kernel 1[x = y]; Gretton
    et al. 2012, lemma 6): its mean is right at every sample size, so that it may be negative.

    Parameters
    ----------
    reference, suspect
        Counts, shape (…, k), at least two draws a side.

    Returns
    -------
    ndarray
        Shape (…,), in [−2, 2].

    Raises
    ------
    ValueError
        If shapes differ or a side has fewer than two draws.
    """
    if reference.shape != suspect.shape:
        raise ValueError(
            f"expected counts of one shape, found {reference.shape} and {suspect.shape}"
        )
    n, m = reference.sum(axis=-1), suspect.sum(axis=-1)
    if (n < 2).any() or (m < 2).any():
        raise ValueError("expected at least two draws a side")
    value: NDArray[np.float64] = (
        (reference * (reference - 1)).sum(axis=-1) / (n * (n - 1))
        + (suspect * (suspect - 1)).sum(axis=-1) / (m * (m - 1))
        - 2 * (reference * suspect).sum(axis=-1) / (n * m)
    )
    return value


def total_variation(reference: NDArray[np.intp], suspect: NDArray[np.intp]) -> float:
    """Total variation distance of two empirical distributions, in [0, 1].

    Descriptive: biased upwards, by about sqrt(k/n) for k categories and n draws.
    """
    n, m = reference.sum(), suspect.sum()
    if n == 0 or m == 0:
        raise ValueError("expected at least one draw a side")
    return float(np.abs(reference / n - suspect / m).sum() / 2)


def mean_squared_distance(cells: Sequence[CellDraws]) -> float | None:
    """Mean over cells of `squared_distance`; None if no cell has two draws a side."""
    values = [
        float(squared_distance(*counts(cell)))
        for cell in validated(cells)
        if min(cell.n_reference, cell.n_suspect) >= 2
    ]
    return float(np.mean(values)) if values else None


def yardstick(
    cells: Sequence[CellDraws], *, halvings: int = 200, rng: np.random.Generator
) -> YardstickResult:
    """Compare the sides' distance with that of two halves of the reference. Descriptive.

    In every halving each cell's reference is split into two disjoint halves; "between" sets the
    first half against as many suspect draws. All distances thus have the same number of draws a
    side on the same cells.

    Parameters
    ----------
    cells
        Cells with fewer than four reference draws or two suspect draws are left out.
    halvings
        Random halvings, at least 1.
    rng
        Their randomness.

    Returns
    -------
    YardstickResult
        On the scale of `squared_distance`, averaged over cells with equal weight.
    """
    if halvings < 1:
        raise ValueError(f"expected at least one halving, found {halvings}")
    usable = [c for c in validated(cells) if c.n_reference >= 4 and c.n_suspect >= 2]
    if not usable:
        return YardstickResult(None, None, None, halvings, 0, 0)
    between = np.zeros(halvings)
    within = np.zeros(halvings)
    draws = 0
    for cell in usable:
        table = counts(cell)
        half = min(cell.n_reference // 2, cell.n_suspect)
        # Subsamples without replacement, as counts.
        first = rng.multivariate_hypergeometric(table[0], half, size=halvings)
        rests = table[0] - first
        second = np.vstack([rng.multivariate_hypergeometric(rest, half) for rest in rests])
        other = rng.multivariate_hypergeometric(table[1], half, size=halvings)
        between += squared_distance(first, other)
        within += squared_distance(first, second)
        draws += half
    between /= len(usable)
    within /= len(usable)
    return YardstickResult(
        between=float(between.mean()),
        within=float(within.mean()),
        within_high=float(np.quantile(within, 0.95)),
        halvings=halvings,
        draws_a_side=draws,
        cells=len(usable),
    )
