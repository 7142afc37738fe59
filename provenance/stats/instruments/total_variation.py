"""Total variation distance of category frequencies, mean over cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, category_sums, permuted
from provenance.stats.layout import CellDraws, Layout, validated
from provenance.stats.permutation import PermutationNull, Statistic


def total_variation(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides give the categories of each cell equally often.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the mean over cells of ½·Σ|p − q|; the plug-in value overstates it by about
    sqrt(k/n) for k categories and n draws, which the null shares. Two-sided.

    The null is permuted, so the p-value is exact at every count. Source: Lehmann & Romano 2005,
    §15.2. What breaks it: draws of a side that depend on each other, drift that blocks do not
    share, failures that depend on content.

    Parameters
    ----------
    cells
        Categories are read. Every cell weighs the same.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If there is no cell or arrays do not fit together.
    """
    return permuted(validated(cells), null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    starts, cell_of, pooled = category_sums(draws, layout)
    size = np.diff(layout.edges)
    suspects = np.add.reduceat(layout.suspect.astype(np.intp), layout.edges[:-1])
    of_suspect = (1 / suspects)[cell_of]
    of_reference = (1 / (size - suspects))[cell_of]

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        suspect = np.add.reduceat(labels.astype(np.float64), starts, axis=1)
        gap = np.abs(suspect * of_suspect - (pooled - suspect) * of_reference)
        return np.asarray(gap.sum(axis=1, keepdims=True) / (2 * layout.cells))

    return statistic
