"""Linear algebra for fitting a space: randomised SVD and regularised discriminants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Matrix: TypeAlias = csr_array[Any, tuple[int, int]] | NDArray[Any]

Floats = NDArray[np.float64]


def leading_directions(
    rows: Matrix, rank: int, *, rng: np.random.Generator, passes: int = 2
) -> NDArray[np.float32]:
    """The right singular vectors of the largest singular values.

    Parameters
    ----------
    rows
        Shape (n, k), sparse or dense.
    rank
        How many; cut to min(n, k).
    passes
        Power iterations.

    Returns
    -------
    ndarray
        Shape (k, rank), orthonormal columns, float32.

    Notes
    -----
    Randomised range finder with power iterations (Halko, Martinsson & Tropp 2011, alg. 4.4 and
    5.1); signs are fixed so that the largest entry of each vector is positive.
    """
    n, k = rows.shape
    rank = min(rank, n, k)
    width = min(rank + 16, n, k)
    probe = rng.standard_normal((k, width)).astype(np.float32)
    image = np.linalg.qr(np.asarray(rows @ probe, dtype=np.float32))[0]
    for _ in range(passes):
        back = np.linalg.qr(np.asarray(rows.T @ image, dtype=np.float32))[0]
        image = np.linalg.qr(np.asarray(rows @ back, dtype=np.float32))[0]
    small = np.asarray(rows.T @ image, dtype=np.float32).T
    vectors = np.linalg.svd(small, full_matrices=False)[2][:rank]
    signs = np.sign(vectors[np.arange(len(vectors)), np.abs(vectors).argmax(axis=1)])
    directions: NDArray[np.float32] = (vectors * signs[:, None]).T.astype(np.float32)
    return directions


def discriminants(
    rows: Floats,
    groups: NDArray[np.int64],
    dimensions: int,
    *,
    ridge: float = 2.0,
    weights: Floats | None = None,
) -> Floats:
    """Directions in which groups differ most for the spread within them.

    Parameters
    ----------
    rows
        Shape (n, d).
    groups
        Shape (n,): codes 0 … g−1, each present.
    dimensions
        How many; cut to min(g − 1, d).
    ridge
        Adds ridge · trace / d of the within covariance to its diagonal.
    weights
        Shape (g,): how much the mean of each group counts; None: alike.

    Returns
    -------
    ndarray
        Shape (d, dimensions), scaled so that the regularised within covariance becomes I.

    Notes
    -----
    Generalised eigenvectors of between and within covariance (Fisher 1936; Rao 1948).
    """
    from scipy.linalg import eigh

    g = int(groups.max()) + 1
    counts = np.bincount(groups, minlength=g).astype(float)
    means = np.zeros((g, rows.shape[1]))
    np.add.at(means, groups, rows)
    means /= counts[:, None]
    centred = rows - means[groups]
    within = centred.T @ centred / max(1, len(rows) - g)
    d = within.shape[0]
    within[np.diag_indices(d)] += ridge * np.trace(within) / d
    share = np.full(g, 1 / g) if weights is None else weights / weights.sum()
    spread = (means - share @ means) * np.sqrt(share)[:, None]
    between = spread.T @ spread
    kept = min(dimensions, g - 1, d)
    vectors = eigh(between, within, subset_by_index=(d - kept, d - 1))[1][:, ::-1]
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)])
    found: Floats = vectors * signs
    return found
