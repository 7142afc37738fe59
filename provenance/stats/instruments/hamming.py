"""Maximum mean discrepancy of the character-Hamming kernel: the published baseline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from provenance.stats.instruments._engine import InstrumentResult, permuted, with_texts
from provenance.stats.kernels import HAMMING_CHARACTERS, padded_points
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import PermutationNull, Statistic
from provenance.stats.quadratic import Features, Similarity, mean_discrepancy


def hamming(
    cells: Sequence[CellDraws], *, null: PermutationNull, characters: int = HAMMING_CHARACTERS
) -> InstrumentResult:
    """Test whether the sides put the same characters at the same positions.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the mean over cells of MMD² of the kernel K(x, y) = share of positions with
    the same character, that is Σ over positions of the squared distance of the two character
    distributions, divided by the positions; unbiased where a cell has two draws a side, so it
    may be negative. Two-sided. Source: Gao, Liang & Guestrin 2024, arXiv:2410.20247, with the
    labels permuted within cells and blocks; exact.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content. One character inserted early shifts all that follow.

    Parameters
    ----------
    cells
        Texts are read.
    null
        How relabellings are drawn, and whether to stop early.
    characters
        Positions compared. Shorter texts are padded to the longest; padding equals padding.

    Raises
    ------
    ValueError
        If a cell has no texts, or ``characters`` is below 1.
    """
    return _test(cells, null, characters, as_published=False)


def hamming_published(
    cells: Sequence[CellDraws], *, null: PermutationNull, characters: int = HAMMING_CHARACTERS
) -> InstrumentResult:
    """Test as `hamming` does, by the statistic that the package `model-equality-testing` computes.

    It differs in two things: texts are padded to the longest of *all* cells, and the three means
    are taken over the pairs of all cells together. Where the numbers of draws of the sides are
    unlike from cell to cell it estimates MMD² with a bias, which does not touch the p-value.
    The package permutes labels across prompts and reports the share of the null ≥ observed,
    which can be 0; here the null and the p-value are those of every other instrument.

    Null hypothesis, sampling, unit, what breaks it, parameters, errors: as `hamming`. Source: as
    `hamming`, release 0.0.2 of its package.
    """
    return _test(cells, null, characters, as_published=True)


def _test(
    cells: Sequence[CellDraws], null: PermutationNull, characters: int, *, as_published: bool
) -> InstrumentResult:
    if characters < 1:
        raise ValueError(f"expected at least one character to compare, found {characters}")

    def build(draws: list[CellDraws], layout: Layout) -> Statistic:
        return _statistic(draws, layout, characters, as_published)

    return permuted(with_texts(cells), null, build)


def _statistic(
    draws: list[CellDraws], layout: Layout, characters: int, as_published: bool
) -> Statistic:
    found = [one_hot([t[:characters] for t in cell.texts]) for cell in draws]
    longest = max(width for _, width in found)
    similar, constants = [], []
    for features, width in found:
        positions = max(1, longest if as_published else width)
        similar.append(Similarity.of_features(features, 1 / positions))
        # Past a cell's longest text all of it is padding, equal for every pair.
        constants.append((positions - width) / positions)
    return mean_discrepancy(similar, layout, pool_pairs=as_published, constants=constants)


def one_hot(texts: Sequence[str]) -> tuple[Features, int]:
    """Features whose products count the positions at which two texts agree.

    Returns
    -------
    features, width
        A CSR array of shape (n, d), and the length of the longest text.
    """
    from scipy.sparse import csr_array

    points = padded_points(texts, max((len(t) for t in texts), default=0))
    n, width = points.shape
    alphabet, codes = np.unique(points, return_inverse=True)
    columns = codes.reshape(n, width) + len(alphabet) * np.arange(width)
    shape = (n, max(1, len(alphabet) * width))
    starts = np.arange(n + 1) * width
    return csr_array((np.ones(n * width), columns.ravel(), starts), shape=shape), width
