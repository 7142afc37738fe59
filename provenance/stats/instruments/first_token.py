"""Distance of the log probabilities of the first token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import (
    InstrumentResult,
    permuted,
    values_of,
    with_values,
)
from provenance.stats.kernels import listed
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import PermutationNull, Statistic


def first_token(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides report the same log probabilities for the first token.

    Null hypothesis: within each unit (block, or cell without blocks) the reported vectors are
    exchangeable across the sides. Sampling: independent reports of one distribution a cell
    suffice; reports vary with batching and hardware. Unit: a response. Estimand: the mean over
    cells and tokens of |mean log probability in the suspect − in the reference|, in nats.
    Two-sided. Source: log probability tracking, Chauvin et al. 2025, arXiv:2512.03816, with the
    labels permuted within cells and blocks; exact.

    A token that a response did not list (NaN, or −inf) is known to be no likelier than the least
    likely that it did list, and gets that value; a response that lists nothing gets the lowest
    value of its cell. Tokens that all responses give the same log probability up to
    `kernels.LOGPROB_GRAIN` count as equal, so that rounding is no difference. None of this looks
    at a label.

    What breaks it: responses that depend on each other (a cache, a batch shared by neighbours:
    take one a block; requests of a side that keep to one of several replicas, which differ by more
    than the grain), drift that blocks do not share. The smallest p-value is 1 over the number
    of relabellings, whatever the distance: 2 + 2 responses give 1/6 in one cell.

    Parameters
    ----------
    cells
        Values are read: log probabilities of d tokens, the same tokens for all draws of a cell.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has no values, or a value is above 0.
    """
    checked = with_values(cells)
    if any((values_of(cell) > 0).any() for cell in checked):
        raise ValueError("expected log probabilities, found a value above 0")
    return permuted(checked, null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    values = [listed(values_of(cell)) for cell in draws]
    suspects = np.add.reduceat(layout.suspect.astype(np.intp), layout.edges[:-1])

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        x = labels.astype(np.float64)
        total = np.zeros(len(x))
        for i, value in enumerate(values):
            own = x[:, layout.edges[i] : layout.edges[i + 1]]
            sums = own @ value
            others = value.sum(axis=0) - sums
            gap = sums / suspects[i] - others / (len(value) - suspects[i])
            total += np.abs(gap).mean(axis=1)
        return total[:, None] / layout.cells

    return statistic
