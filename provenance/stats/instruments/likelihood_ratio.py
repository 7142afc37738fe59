"""Likelihood-ratio test of equal category frequencies (G test), over all cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, category_sums, permuted
from provenance.stats.layout import CellDraws, Layout, validated
from provenance.stats.permutation import PermutationNull, Statistic


def likelihood_ratio(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides give the categories of each cell equally often.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: 2·Σ over cells of n_c·I_c, with I_c the mutual information in nats of side
    and category. Two-sided.

    The statistic is G² = 2·Σ O·log(O/E), 2 log of the ratio of the multinomial likelihoods with
    one distribution a side and with one for both. Source: Wilks 1938 (Ann. Math. Stat. 9:60),
    whose χ² law is wrong at small counts; here the null is permuted, so the p-value is exact at
    every count.

    What breaks it: draws of a side that depend on each other (caches), drift that blocks do not
    share, failures that depend on content. Many rare categories dilute it.

    Parameters
    ----------
    cells
        Categories are read.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If there is no cell or arrays do not fit together.
    """
    return permuted(validated(cells), null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    starts, _, pooled = category_sums(draws, layout)
    size = np.diff(layout.edges)
    suspects = np.add.reduceat(layout.suspect.astype(np.intp), layout.edges[:-1])
    counted = np.arange(int(size.max()) + 1, dtype=np.float64)
    log = counted * np.log(np.maximum(counted, 1))
    constant = float((log[size] - log[suspects] - log[size - suspects]).sum() - log[pooled].sum())

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        suspect = np.add.reduceat(labels.astype(np.intp), starts, axis=1)
        value = 2 * ((log[suspect] + log[pooled - suspect]).sum(axis=1) + constant)
        return np.asarray(value[:, None])

    return statistic
