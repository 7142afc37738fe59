"""Length of the answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import log_length
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.parts import directed
from provenance.stats.permutation import PermutationNull, Statistic


def length(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether one side's answers are longer over all cells.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the square of the sum over suspect draws of log(1 + characters), centred
    within units, in units of its variance under relabelling. Two-sided; shifts of opposite sign
    in different cells cancel. Source: Pitman 1937, the permuted t test; exact.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content, a limit on tokens that differs between the sides.

    Parameters
    ----------
    cells
        Texts are read; texts beyond `kernels.MAX_CHARACTERS` are equally long.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has no texts.
    """
    return permuted(with_texts(cells), null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    part = directed(np.concatenate([log_length(cell.texts) for cell in draws]), layout)

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return part(layout.centred(labels))[:, None]

    return statistic
