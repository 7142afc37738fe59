"""x'Kx for many rows of labels at once, in bounded memory.

K is the similarity of the draws of one cell without its diagonal. A small cell keeps K whole; a
large one keeps features Φ with K = ΦΦ', so that 20,000 draws of one cell need no matrix of
20,000 × 20,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import Layout
from provenance.stats.permutation import Statistic

# Up to so many draws K itself is held (32 MiB), beyond it the features.
GRAM_DRAWS = 2_048
# Numbers held at a time while features are multiplied with labels (8 bytes each).
_CHUNK = 4_000_000

# A dense array or one of scipy.sparse; its stubs cannot say "either".
Features = Any


@dataclass(frozen=True, slots=True)
class Similarity:
    """Similarity of the draws of one cell to each other, each draw's own left out.

    Attributes
    ----------
    rows
        Sum over the other draws, shape (n,).
    form
        Labels x (b, n) to x'Kx (b,), K without its diagonal.
    """

    rows: NDArray[np.float64]
    form: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @classmethod
    def of_matrix(cls, matrix: NDArray[np.float64]) -> Similarity:
        """From K, shape (n, n), symmetric; its diagonal is ignored."""
        kernel = np.array(matrix, dtype=np.float64)
        np.fill_diagonal(kernel, 0.0)

        def form(x: NDArray[np.float64]) -> NDArray[np.float64]:
            value: NDArray[np.float64] = np.einsum("bi,bi->b", x @ kernel, x)
            return value

        return cls(kernel.sum(axis=1), form)

    @classmethod
    def of_features(cls, features: Features, scale: float = 1.0) -> Similarity:
        """From Φ, shape (n, d), dense or a CSR array: K = scale·ΦΦ'."""
        n = features.shape[0]
        dense = isinstance(features, np.ndarray)
        if n <= GRAM_DRAWS:
            product = features @ features.T
            return cls.of_matrix(scale * (product if dense else product.toarray()))
        turned = features.T if dense else features.T.tocsr()
        if not dense:
            # What one draw has alone is on the diagonal only.
            turned = turned[np.diff(turned.indptr) > 1]
        squares = np.square(turned) if dense else turned.power(2)
        diagonal = np.asarray(squares.sum(axis=0), dtype=np.float64).ravel()
        total = np.asarray(turned.sum(axis=1), dtype=np.float64).ravel()
        rows = scale * (np.asarray(turned.T @ total, dtype=np.float64).ravel() - diagonal)

        def form(x: NDArray[np.float64]) -> NDArray[np.float64]:
            value = -(x**2 @ diagonal)
            columns = np.ascontiguousarray(x.T)
            step = max(1, _CHUNK // max(1, len(x)))
            for start in range(0, turned.shape[0], step):
                sums = turned[start : start + step] @ columns
                value += np.einsum("db,db->b", sums, sums)
            return scale * value

        return cls(rows, form)


def mean_discrepancy(
    similar: Sequence[Similarity],
    layout: Layout,
    *,
    pool_pairs: bool = False,
    constants: Sequence[float] = (),
) -> Statistic:
    """Squared maximum mean discrepancy (MMD²) of the sides over cells, as a function of labels.

    With mean similarities within the reference, within the suspect and across, it is rr + ss −
    2·rs (Gretton et al. 2012, JMLR 13:723, lemma 6). Within-means leave out the diagonal, so in
    a cell with two draws a side it is an unbiased estimate. A side with one draw has no
    within-mean: that term is left out.

    Parameters
    ----------
    similar
        One a cell of the layout.
    pool_pairs
        False: the mean over cells of each cell's value. True: the three means are taken over the
        pairs of all cells together, which leaves a bias where the numbers of draws of the sides
        are unlike.
    constants
        Per cell, what every pair's similarity has besides K.

    Returns
    -------
    Statistic
        Labels (b, n), with the numbers of `layout`, to values (b, 1).
    """
    size = np.diff(layout.edges).astype(np.float64)
    suspects = np.add.reduceat(layout.suspect.astype(np.float64), layout.edges[:-1])
    references = size - suspects
    pairs = np.array(
        [references * (references - 1), references * suspects, suspects * (suspects - 1)]
    )
    own = pairs
    if pool_pairs:
        pairs = np.repeat(pairs.sum(axis=1, keepdims=True), layout.cells, axis=1)
    rr, rs, ss = np.divide(1.0, pairs, out=np.zeros_like(pairs), where=pairs > 0)
    if not pool_pairs:
        rr, rs, ss = rr / layout.cells, rs / layout.cells, ss / layout.cells
    # y = 1 − x: y'Ky = 1'K1 − 2·x'K1 + x'Kx and x'Ky = x'K1 − x'Kx.
    quadratic, linear = rr + 2 * rs + ss, 2 * (rr + rs)
    constant = float(sum(a * cell.rows.sum() for a, cell in zip(rr, similar, strict=True)))
    if len(constants):
        constant += float((own[0] * rr - 2 * own[1] * rs + own[2] * ss) @ np.asarray(constants))
    slope = np.concatenate([b * cell.rows for b, cell in zip(linear, similar, strict=True)])

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        x = labels.astype(np.float64)
        value = constant - x @ slope
        for i, cell in enumerate(similar):
            value += quadratic[i] * cell.form(x[:, layout.edges[i] : layout.edges[i + 1]])
        return np.asarray(value[:, None])

    return statistic
