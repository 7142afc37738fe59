"""How rare the suspect's answers are, over all cells in one direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, category_sums, permuted
from provenance.stats.layout import CellDraws, Layout, validated
from provenance.stats.parts import directed
from provenance.stats.permutation import PermutationNull, Statistic


def rarity(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether one side's answers are the rarer ones, everywhere.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the square of the sum over cells of the suspect's minus the reference's mean
    log frequency of their answers, in units of its variance under relabelling (mean 1 under the
    null). Two-sided: a suspect that gives more rare answers (another model mixed in, a higher
    temperature) and one that gives fewer both count.

    Rarity under the reference alone would have to be estimated from draws that the labels pick,
    and again in each relabelling. Here the frequency is that of both sides pooled, so it is the
    same under every relabelling and the p-value is exact at every count. An answer seen once in
    m pooled draws has frequency 1/m, whoever gave it. Source: the score test of a mixture with
    small share (Neyman & Scott 1966, C(α)), with log frequency as the direction.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content. Blind to exchanges between answers that are equally rare.

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
    starts, cell_of, pooled = category_sums(draws, layout)
    frequency = np.log(pooled / np.diff(layout.edges)[cell_of])
    scores = np.repeat(frequency, np.diff(np.append(starts, layout.n)))
    part = directed(scores, layout)

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return part(layout.centred(labels))[:, None]

    return statistic
