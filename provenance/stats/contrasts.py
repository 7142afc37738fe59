"""What two hosts change in several models: signed contrasts, and what one has beyond the others.

Each *pair* is one model on two hosts: draws of a reference side and of a suspect side, on the same
cells. In a cell its contrast is the signed difference of two kernel mean embeddings, suspect minus
reference; with the kernel 1[x = y] that is the vector of differences of category probabilities.
Everything below is a function of the inner products of contrasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedDraws:
    """One cell, the draws of all pairs and sides in one row.

    Attributes
    ----------
    kernel
        Similarity of every two draws, shape (n, n), symmetric; made without looking at labels.
    pair
        Which pair a draw belongs to, shape (n,), from 0.
    suspect
        Whether it comes from the suspect's host, shape (n,).
    """

    kernel: Floats
    pair: NDArray[np.intp]
    suspect: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Excess:
    """Outcome of `excess_over` and `common_shift`.

    Attributes
    ----------
    excess
        Estimate of the mean over cells of a squared length.
    p_value
        One-sided, of "it is zero in every cell".
    deviation
        Standard deviation of ``excess`` under that null; 0 where no answer varies.
    cells
        Cells that it is a mean over.
    """

    excess: float
    p_value: float
    deviation: float
    cells: int


def inner_products(cell: PairedDraws, pairs: int) -> Floats:
    """Unbiased estimates of the inner products of all contrasts of one cell.

    Of different pairs: the plain product of the two contrasts, whose mean is right because the
    draws of different pairs are independent. Of a pair with itself: the U-statistic, in which no
    draw meets itself (Gretton et al. 2012, lemma 6), so that it may be negative.

    Parameters
    ----------
    cell
        With at least two draws of each side of each pair.
    pairs
        How many there are.

    Returns
    -------
    ndarray
        Shape (pairs, pairs), symmetric.

    Raises
    ------
    ValueError
        If a side of a pair has fewer than two draws, or shapes disagree.
    """
    n = len(cell.pair)
    if cell.kernel.shape != (n, n) or cell.suspect.shape != (n,):
        raise ValueError(
            f"expected a kernel and labels of {n} draws, found {cell.kernel.shape} and "
            f"{cell.suspect.shape}"
        )
    side = 2 * cell.pair + cell.suspect
    sizes = np.bincount(side, minlength=2 * pairs)
    if len(sizes) != 2 * pairs or (sizes < 2).any():
        raise ValueError("expected at least two draws of each side of each pair")
    member = np.zeros((2 * pairs, n))
    member[side, np.arange(n)] = 1.0
    sums = member @ cell.kernel @ member.T
    means = sums / np.outer(sizes, sizes)
    own = member @ np.diag(cell.kernel)
    np.fill_diagonal(means, (np.diag(sums) - own) / (sizes * (sizes - 1.0)))
    sign = np.zeros((pairs, 2 * pairs))
    sign[np.arange(pairs), 2 * np.arange(pairs)] = -1.0
    sign[np.arange(pairs), 2 * np.arange(pairs) + 1] = 1.0
    products: Floats = sign @ means @ sign.T
    return products


def squared_lengths(products: Sequence[Floats]) -> Floats:
    """Per pair, the mean over cells of the squared length of its contrast: its distance.

    Parameters
    ----------
    products
        `inner_products` of each cell.

    Returns
    -------
    ndarray
        Shape (pairs,). Unbiased; may be negative.
    """
    lengths: Floats = np.mean([np.diag(b) for b in products], axis=0)
    return lengths


def excess_over(cells: Sequence[PairedDraws], pairs: int) -> Excess:
    """What pair 0 has beyond the mean of the other pairs: the difference in differences.

    Null hypothesis: in every cell the contrast of pair 0 is the mean contrast of the others: what
    the hosts change is the same for the suspect and, on average, for the anchors. Sampling:
    independent draws within side and cell, of all sides and cells. Unit: a draw. Estimand: mean
    over cells of ‖d₀ − mean(d₁ … dₘ)‖², dⱼ the contrast of pair j.

    The estimate of a cell, b₀₀ − 2·mean(b₀ₖ) + mean(bₖₗ) with b from `inner_products`, is unbiased.
    Under the null it is a degenerate quadratic form Σ aᵢⱼ⟨φᵢ, φⱼ⟩ over i ≠ j in independent
    centred draws, so its sum over cells has mean 0, variance 2·Σ tr(A²) and third cumulant about
    8·Σ tr(A³) (as for normal φ). A is computed with the draws centred on the mean of their pair,
    both hosts pooled: where the hosts differ this overstates the variance, which makes p larger.
    The p-value is the upper tail of the gamma distribution with these three moments (Pearson's
    type III, as for quadratic forms: Imhof 1961). It is an approximation, not exact: the
    simulations in the tests hold its rates to 1.25α at .05 and .01 and to 1.5α at .001, down to
    one cell and two draws a side.

    What breaks it: a host effect that is not the same for both models (another engine changes one
    model more than another), draws that depend on each other, cells that share draws.

    Parameters
    ----------
    cells
        With at least two draws of each side of each pair; pair 0 is the suspect's.
    pairs
        How many there are, at least two.

    Raises
    ------
    ValueError
        If there is no anchor or no cell, or as `inner_products`.
    """
    weight = np.full(pairs, -1 / max(1, pairs - 1))
    weight[0] = 1.0
    return _squared(cells, weight)


def common_shift(cells: Sequence[PairedDraws], pairs: int) -> Excess:
    """What the pairs after the first have in common: is their mean contrast zero in every cell?

    Null hypothesis, on average over the anchors: the hosts change nothing. Estimand: mean over
    cells of ‖mean(d₁ … dₘ)‖². Sampling, unit, proof, errors and what breaks it: as `excess_over`.
    """
    weight = np.full(pairs, 1 / max(1, pairs - 1))
    weight[0] = 0.0
    return _squared(cells, weight)


def _squared(cells: Sequence[PairedDraws], weight: Floats) -> Excess:
    """The squared length of the contrasts' weighted sum, and the tail of its null."""
    pairs = len(weight)
    if not cells or pairs < 2:
        raise ValueError("expected at least one cell, a suspect and an anchor")
    total = second = third = 0.0
    for cell in cells:
        total += float(weight @ inner_products(cell, pairs) @ weight)
        form = _null_form(cell, weight)
        second += 2 * float((form**2).sum())
        # The only cubic cost; a skewness needs no more than single precision.
        single = form.astype(np.float32)
        third += 8 * float(np.einsum("ij,ij->", single @ single, single, dtype=np.float64))
    deviation = float(np.sqrt(max(0.0, second)))
    return Excess(
        excess=total / len(cells),
        p_value=_gamma_tail(total, deviation, third),
        deviation=deviation / len(cells),
        cells=len(cells),
    )


def _null_form(cell: PairedDraws, weight: Floats) -> Floats:
    """The matrix A of the quadratic form, draws centred on their pair's mean; zero diagonal."""
    pairs = len(weight)
    side = 2 * cell.pair + cell.suspect
    sizes = np.bincount(side, minlength=2 * pairs)
    of_pair = np.bincount(cell.pair, minlength=pairs)
    member = (cell.pair[:, None] == np.arange(pairs)).astype(np.float64)
    centred = cell.kernel - member @ ((member / of_pair).T @ cell.kernel)
    centred -= (centred @ (member / of_pair)) @ member.T
    # Unbiased for the covariance of a pair, whose mean took one degree of freedom.
    scale = np.sqrt(of_pair / (of_pair - 1.0))[cell.pair]
    sign = np.where(cell.suspect, 1.0, -1.0) * weight[cell.pair] * scale
    form: Floats = centred * np.outer(sign / sizes[side], sign / sizes[side])
    same = side[:, None] == side
    form = np.where(same, form * (sizes / (sizes - 1.0))[side][:, None], form)
    np.fill_diagonal(form, 0.0)
    return form


def _gamma_tail(total: float, deviation: float, third: float) -> float:
    """P(X ≥ total) for a shifted gamma of mean 0 with these moments; in (0, 1]."""
    from scipy.special import gammaincc, ndtr  # only where anchors are

    if deviation <= 0:
        return 1.0
    skewness = third / deviation**3
    if skewness < 1e-3:
        tail = float(ndtr(-total / deviation))
    else:
        shape = 4 / skewness**2
        tail = float(gammaincc(shape, max(0.0, shape + total / deviation * np.sqrt(shape))))
    return min(1.0, max(tail, float(np.finfo(np.float64).tiny)))
