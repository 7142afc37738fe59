"""Ranks of the suspect's scores among the reference's: uniform if nothing differs."""

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
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.permutation import PermutationNull, Statistic


def rank_uniformity(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether the suspect's scores rank uniformly among the reference's.

    Null hypothesis: within each unit (block, or cell without blocks) the scores are exchangeable
    across the sides. Sampling: independent draws of one distribution a cell suffice. Unit: a
    draw. Estimand: the Cramér–von Mises distance from uniformity of the ranks of all suspect
    draws, each among the reference draws of its cell. Any departure counts; exchanging the sides
    gives another test.

    The rank with m reference draws is r = (#smaller + U·(1 + #equal))/(m + 1), U uniform: under
    the null exactly uniform on (0, 1) for every m ≥ 1 and with ties (`finite_sample_rank`).
    Source of the test: Zhu et al. 2025, arXiv:2506.06975, where ranks are divided by m; they are
    then not uniform at small m, and true nulls are rejected. Suspect draws of one cell share
    their reference and so are dependent: the null is permuted within cells and blocks, each draw
    keeping its U, and the p-value is exact for any number of draws.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content, a score that was fitted on these draws.

    Parameters
    ----------
    cells
        Values of one column are read: a score of each draw, say the log likelihood or log rank
        that the reference gives it. Infinite scores are scores.
    null
        How relabellings are drawn, and whether to stop early. Its generator also draws U.

    Raises
    ------
    ValueError
        If a cell has not one score a draw, or a score is NaN.
    """
    checked = with_values(cells, columns=1)
    if any(np.isnan(values_of(cell)).any() for cell in checked):
        raise ValueError("expected a score for each draw, found NaN")

    def build(draws: list[CellDraws], layout: Layout) -> Statistic:
        return _statistic(draws, layout, null.rng)

    return permuted(checked, null, build)


def finite_sample_rank(
    reference: NDArray[np.float64], suspect: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Rank of each suspect score among the reference scores of one cell, in (0, 1).

    Exactly uniform if the score is exchangeable with the m reference scores, whatever m and the
    ties (Vovk, Gammerman & Shafer 2005, §2.2: a smoothed conformal p-value). Ranks of several
    suspect scores share the reference: each is uniform, and they are dependent.

    Parameters
    ----------
    reference, suspect
        Shapes (m,) and (n,), without NaN.

    Returns
    -------
    ndarray
        Shape (n,).
    """
    smaller = (reference < suspect[:, None]).sum(axis=1)
    equal = (reference == suspect[:, None]).sum(axis=1)
    # 1 − [0, 1) is in (0, 1].
    ranks = (smaller + (1 - rng.random(len(suspect))) * (1 + equal)) / (len(reference) + 1)
    return np.asarray(ranks)


def _statistic(draws: list[CellDraws], layout: Layout, rng: np.random.Generator) -> Statistic:
    scores = np.concatenate([values_of(cell)[:, 0] for cell in draws])
    cell_of = np.repeat(np.arange(layout.cells), np.diff(layout.edges))
    order = np.lexsort((scores, cell_of))
    ordered = scores[order]
    changes = (ordered[1:] != ordered[:-1]) | (cell_of[1:] != cell_of[:-1])
    begins = np.flatnonzero(np.concatenate([[True], changes]))
    tie = np.repeat(np.arange(len(begins)), np.diff(np.append(begins, layout.n)))
    first, after = begins[tie], np.append(begins, layout.n)[tie + 1]
    start = layout.edges[cell_of]
    uniform = 1 - rng.random(layout.n)
    size = np.diff(layout.edges)
    suspects = np.add.reduceat(layout.suspect.astype(np.intp), layout.edges[:-1])
    references = (size - suspects)[cell_of]
    total = int(suspects.sum())
    expected = (np.arange(total) + 0.5) / total

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        suspect = labels[:, order]
        # References up to and including each draw, by score.
        before = np.zeros((len(labels), layout.n + 1), dtype=np.int32)
        np.cumsum(~suspect, axis=1, out=before[:, 1:])
        smaller = before[:, first] - before[:, start]
        equal = before[:, after] - before[:, first]
        rank = (smaller + uniform * (1 + equal)) / (references + 1)
        ranks = np.sort(rank[suspect].reshape(len(labels), total), axis=1)
        value = ((ranks - expected) ** 2).sum(axis=1) + 1 / (12 * total)
        return np.asarray(value[:, None])

    return statistic
