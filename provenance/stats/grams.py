"""Similarities of the draws of one cell: whole for small cells, sketched features for large ones.

A cell of n draws keeps K, (n, n), up to `GRAM_DRAWS` draws. Beyond that K is replaced by ΦΦ' with
Φ of shape (n, `SKETCH`): each feature is added, with a random sign, to one of `SKETCH` columns
(Charikar, Chen & Farach-Colton 2002, "count sketch"). For any labels z the sketched z'Kz, its
diagonal included, has the right mean over the signs and a relative deviation of at most
sqrt(2/`SKETCH`) = 4%. Signs and columns are fixed numbers: Φ is a function of the pooled draws
alone, so a permutation test with it is as exact as one with K. What it costs is power: every
similarity carries an error of about 3%.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.stats import kernels as k
from provenance.stats.quadratic import GRAM_DRAWS

SKETCH = 1_024
# Texts turned into points, or rows multiplied, at a time.
_ROWS = 2_048

Reals = NDArray[np.float64]


class Gram(Protocol):
    """Similarity K of n draws."""

    def centred(self, unit: NDArray[np.intp]) -> Gram:
        """Rows and columns minus their mean in each unit."""
        ...

    def times(self, factor: float) -> Gram:
        """K times a number that is not negative."""
        ...

    def diagonal(self) -> Reals:
        """Shape (n,)."""
        ...

    def variance(self, v: Reals) -> float:
        """2·v'(K∘K)v: of z'Kz for uncorrelated z with variances v."""
        ...

    def scale(self) -> float:
        """A magnitude of K∘K, to tell a variance from rounding."""
        ...

    def form(self, z: Reals) -> Reals:
        """z'Kz for rows z (b, n)."""
        ...

    def typicality(self) -> Reals:
        """Mean similarity of each draw to the others, shape (n,)."""
        ...


class Whole:
    """K itself."""

    def __init__(self, matrix: Reals) -> None:
        self._matrix = matrix

    def centred(self, unit: NDArray[np.intp]) -> Whole:
        """See `Gram`."""
        return Whole(k.within(k.within(self._matrix, unit).T, unit))

    def times(self, factor: float) -> Whole:
        """See `Gram`."""
        return Whole(self._matrix * factor)

    def diagonal(self) -> Reals:
        """See `Gram`."""
        return np.diag(self._matrix)

    def variance(self, v: Reals) -> float:
        """See `Gram`."""
        return 2 * float(v @ self._matrix**2 @ v)

    def scale(self) -> float:
        """See `Gram`."""
        return float((self._matrix**2).sum())

    def form(self, z: Reals) -> Reals:
        """See `Gram`."""
        return np.asarray(np.einsum("bi,bi->b", z @ self._matrix, z))

    def typicality(self) -> Reals:
        """See `Gram`."""
        return k.typicality(self._matrix)


class Sketched:
    """K = ΦΦ', Φ of shape (n, d)."""

    def __init__(self, features: Reals) -> None:
        self._features = features

    def centred(self, unit: NDArray[np.intp]) -> Sketched:
        """See `Gram`."""
        return Sketched(k.within(self._features, unit))

    def times(self, factor: float) -> Sketched:
        """See `Gram`."""
        return Sketched(self._features * np.sqrt(factor))

    def diagonal(self) -> Reals:
        """See `Gram`."""
        return np.asarray(np.einsum("id,id->i", self._features, self._features))

    def variance(self, v: Reals) -> float:
        """See `Gram`."""
        weighted = np.zeros((self._features.shape[1],) * 2)
        for start in range(0, len(v), _ROWS):
            rows = self._features[start : start + _ROWS]
            weighted += (rows * v[start : start + _ROWS, None]).T @ rows
        return 2 * float((weighted**2).sum())

    def scale(self) -> float:
        """See `Gram`."""
        return float(((self._features.T @ self._features) ** 2).sum())

    def form(self, z: Reals) -> Reals:
        """See `Gram`."""
        return np.asarray(((z @ self._features) ** 2).sum(axis=1))

    def typicality(self) -> Reals:
        """See `Gram`."""
        total = self._features @ self._features.sum(axis=0)
        return np.asarray((total - self.diagonal()) / max(1, len(total) - 1))


def hamming_gram(texts: Sequence[str]) -> Gram:
    """`kernels.hamming` of the texts of one cell."""
    if len(texts) <= GRAM_DRAWS:
        return Whole(k.hamming(texts))
    n = len(texts)
    width = min(k.HAMMING_CHARACTERS, max(len(t) for t in texts))
    features = np.zeros((n, SKETCH))
    if not width:
        return Sketched(np.ones((n, 1)))
    for start in range(0, n, _ROWS):
        chunk = list(texts[start : start + _ROWS])
        # One text of full width, so that all chunks are padded alike.
        points = k.padded_points([*chunk, " " * width], width)[:-1].astype(np.uint64)
        rows = features[start : start + _ROWS]
        here = np.arange(len(rows))
        for position in range(width):
            column, sign = _hashed(points[:, position] + (np.uint64(position) << np.uint64(32)))
            # Each row once: no two additions meet.
            rows[here, column] += sign
    return Sketched(features / np.sqrt(width))


def ngram_gram(counts: NDArray[np.float32]) -> Gram:
    """`kernels.ngram` of the n-gram counts of one cell."""
    n = len(counts)
    if n <= GRAM_DRAWS:
        return Whole(k.ngram(counts))
    spread = k.ngram_spread(counts)
    column, sign = _hashed(np.arange(counts.shape[1] + 1, dtype=np.uint64))
    fold = np.zeros((counts.shape[1] + 1, SKETCH), dtype=np.float32)
    fold[np.arange(len(fold)), column] = sign
    features = np.empty((n, SKETCH))
    for start in range(0, n, _ROWS):
        unit, empty = k.ngram_directions(counts[start : start + _ROWS], spread)
        # An empty text is like nothing but an empty text: a feature of its own.
        features[start : start + _ROWS] = unit @ fold[:-1] + np.outer(empty, fold[-1])
    return Sketched(features)


def _hashed(keys: NDArray[np.uint64]) -> tuple[NDArray[np.intp], Reals]:
    """A column and a sign for each key, as good as random and always the same."""
    mixed = keys.copy()
    for multiplier in (0xBF58476D1CE4E5B9, 0x94D049BB133111EB):  # splitmix64 (Steele et al. 2014)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(multiplier)
    mixed ^= mixed >> np.uint64(31)
    sign = np.where(mixed >> np.uint64(63), 1.0, -1.0)
    return (mixed % np.uint64(SKETCH)).astype(np.intp), sign
