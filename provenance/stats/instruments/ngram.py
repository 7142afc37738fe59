"""Maximum mean discrepancy of the character n-gram kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import ngram_counts, ngram_directions
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import PermutationNull, Statistic
from provenance.stats.quadratic import Similarity, mean_discrepancy


def ngram(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the sides use the same character n-grams (n = 1, 2, 3), wherever they stand.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the mean over cells of MMD² of the kernel `kernels.ngram`, the cosine of
    square-rooted hashed n-gram counts in which rarer n-grams weigh more; the weights are those
    of the pooled draws of the cell, so that the estimand depends on both sides' numbers of
    draws. Two-sided. Source: string kernels of Lodhi et al. 2002 (JMLR 2:419) with the MMD of
    Gretton et al. 2012; labels permuted within cells and blocks; exact, because the weights do
    not look at labels.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content. Differences in order alone are seen only within three
    characters.

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
    similar = []
    for cell in draws:
        directions, empty = ngram_directions(ngram_counts(cell.texts))
        # An empty text is like nothing but an empty text.
        features = np.hstack([directions, empty[:, None].astype(np.float32)])
        similar.append(Similarity.of_features(features))
    return mean_discrepancy(similar, layout)
