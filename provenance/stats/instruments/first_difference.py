"""Position at which an answer leaves the path that most answers take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import MAX_CHARACTERS, padded_points
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.parts import directed_by_cell
from provenance.stats.permutation import PermutationNull, Statistic


def first_difference(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides follow the commonest continuation equally far.

    At temperature 0 the same weights on another engine, or slightly other weights, write the
    same text up to a near-tie and part there; how far they get is what this looks at.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: Σ over cells of the squared difference of the sides in mean log(1 + first
    difference), each in units of its variance under relabelling. The first difference of a draw
    is the number of characters that it shares with the cell's *path*: at every position the
    commonest character among the pooled draws that still follow it (ties: the smallest code
    point), as long as two of them do. Two-sided. The path and the positions do not look at
    labels, so permuting is exact. Source: own; permutation as Lehmann & Romano 2005, §15.2.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content. With unequal numbers of draws the path is mostly that of the
    larger side, which costs power and not validity. Nothing after the first difference is seen.

    Parameters
    ----------
    cells
        Texts are read, up to `kernels.MAX_CHARACTERS`.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has no texts.
    """
    return permuted(with_texts(cells), null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    positions = np.concatenate([first_differences(cell.texts) for cell in draws])
    part = directed_by_cell(np.log1p(positions), layout)

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return part(layout.centred(labels))[:, None]

    return statistic


def first_differences(texts: Sequence[str]) -> NDArray[np.float64]:
    """Characters that each text shares with the path of all of them, shape (n,)."""
    points = padded_points(texts, MAX_CHARACTERS)
    followed = np.zeros(len(points))
    following = np.arange(len(points))
    for position in range(points.shape[1]):
        if len(following) < 2:
            break
        letters, times = np.unique(points[following, position], return_counts=True)
        commonest = letters[np.argmax(times)]
        following = following[points[following, position] == commonest]
        followed[following] += 1
    return followed
