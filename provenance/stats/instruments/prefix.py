"""Maximum mean discrepancy of the common-prefix kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import padded_points
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import PermutationNull, Statistic
from provenance.stats.quadratic import Features, Similarity, mean_discrepancy

# Characters read: what two answers share beyond is one answer written twice.
PREFIX_CHARACTERS = 256


def prefix(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides begin their answers alike and go on alike for as long.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the mean over cells of MMD² of the kernel K(x, y) = Σ 1/l over the lengths l
    of common prefixes, about 1 + log of where x and y part, as a share of its largest value:
    Σ over prefixes of (P(prefix) − Q(prefix))²/l. Two-sided. Source: prefix (suffix-tree)
    kernels, Vishwanathan & Smola 2002, with the MMD of Gretton et al. 2012; labels permuted
    within cells and blocks; exact.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content. It sees nothing after the first difference.

    Parameters
    ----------
    cells
        Texts are read, up to `PREFIX_CHARACTERS`.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has no texts.
    """
    return permuted(with_texts(cells), null, _statistic)


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    return mean_discrepancy(
        [Similarity.of_features(*_features(cell.texts)) for cell in draws], layout
    )


def _features(texts: Sequence[str]) -> tuple[Features, float]:
    """Features of shared prefixes, a CSR array (n, prefixes), and the scale of their products."""
    from scipy.sparse import csr_array

    # Padding equals padding: texts that are equal to the end are alike in every position.
    points = padded_points([t[:PREFIX_CHARACTERS] for t in texts], PREFIX_CHARACTERS)
    n, width = points.shape
    rows, columns, weights = [], [], []
    current, offset = np.zeros(n, dtype=np.int64), 0
    for position in range(width):
        _, letter = np.unique(points[:, position], return_inverse=True)
        _, current, times = np.unique(current * n + letter, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(times[current] > 1)
        if not len(shared):
            break
        rows.append(shared)
        columns.append(current[shared] + offset)
        weights.append(np.full(len(shared), (position + 1) ** -0.5))
        offset += len(times)
    if not rows:
        return csr_array((n, 1)), 1.0
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    scale = 1 / float((1 / np.arange(1, width + 1)).sum())
    return csr_array(entries, shape=(n, offset)), scale
