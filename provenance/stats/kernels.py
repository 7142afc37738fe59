"""Similarity of answers within a cell, from the pooled answers alone.

Nothing here sees a label, so every kernel, bandwidth and normaliser is the same under each
relabelling. Texts are read up to `MAX_CHARACTERS`: what follows does not enter any statistic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

# What is read of a text, in code points.
MAX_CHARACTERS = 4_000
# Positions compared by the character kernel, as in the published baseline.
HAMMING_CHARACTERS = 1_000
NGRAM_BUCKETS = 2_048
# Nats. Servers print four to six places; another engine or 8-bit weights move log probabilities
# by several hundredths.
LOGPROB_GRAIN = 0.005
PADDING = np.iinfo(np.uint32).max
# Multipliers of a multiplicative hash (Knuth): any odd numbers with well-mixed bits would do.
_MIX = tuple(np.uint64(m) for m in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


def code_points(text: str, limit: int = MAX_CHARACTERS) -> NDArray[np.uint32]:
    """The first ``limit`` code points of a text; lone surrogates are kept as they are."""
    return np.frombuffer(text[:limit].encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(
        np.uint32
    )


def hamming(texts: Sequence[str], length: int = HAMMING_CHARACTERS) -> NDArray[np.float64]:
    """Share of positions at which two texts hold the same character.

    The kernel of Model Equality Testing (Gao, Liang & Guestrin 2024, arXiv:2410.20247): texts
    are cut or padded to one length and padding equals padding.

    Parameters
    ----------
    texts
        n texts of one cell.
    length
        Positions compared; fewer if every text is shorter.

    Returns
    -------
    ndarray
        Shape (n, n), in [0, 1].
    """
    n = len(texts)
    padded = padded_points(texts, length)
    if padded.shape[1] == 0:
        return np.ones((n, n))
    similar = np.empty((n, n))
    for i in range(n):
        similar[i, i:] = (padded[i:] == padded[i]).mean(axis=1)
        similar[i:, i] = similar[i, i:]
    return similar


def padded_points(texts: Sequence[str], length: int) -> NDArray[np.uint32]:
    """Code points cut to ``length`` and padded to the longest; the padding is no code point.

    Returns
    -------
    ndarray
        Shape (n, longest ≤ length).
    """
    points = [code_points(t, length) for t in texts]
    longest = max((len(p) for p in points), default=0)
    padded = np.full((len(texts), longest), PADDING, dtype=np.uint32)
    for row, p in zip(padded, points, strict=True):
        row[: len(p)] = p
    return padded


def ngram_counts(
    texts: Sequence[str], *, orders: Sequence[int] = (1, 2, 3), buckets: int = NGRAM_BUCKETS
) -> NDArray[np.float32]:
    """Hashed counts of character n-grams, shape (n, buckets)."""
    table = np.zeros((len(texts), buckets), dtype=np.float32)
    for row, text in zip(table, texts, strict=True):
        points = code_points(text).astype(np.uint64)
        for order in orders:
            if len(points) < order:
                continue
            hashed = np.full(len(points) - order + 1, order, dtype=np.uint64)
            for i in range(order):
                hashed = (hashed ^ points[i : len(points) - order + 1 + i]) * _MIX[i % len(_MIX)]
                hashed ^= hashed >> np.uint64(29)
            row += np.bincount((hashed % np.uint64(buckets)).astype(np.intp), minlength=buckets)
    return table


def ngram(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine similarity of square-rooted n-gram counts, rarer n-grams weighing more.

    Parameters
    ----------
    features
        Counts of one cell's texts, shape (n, buckets).

    Returns
    -------
    ndarray
        Shape (n, n), in [0, 1]; an empty text is like nothing but an empty text.
    """
    unit, empty = ngram_directions(features)
    similar = (unit @ unit.T).astype(np.float64)
    similar[np.ix_(empty, empty)] = 1.0
    return np.asarray(similar, dtype=np.float64)


def ngram_directions(
    features: NDArray[np.float32], spread: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The unit vectors whose products are `ngram`, shape (n, buckets), and which are zero.

    ``spread`` weighs the n-grams; None: `ngram_spread` of these very texts.
    """
    weighted = np.sqrt(features) * (ngram_spread(features) if spread is None else spread)
    norms = np.linalg.norm(weighted, axis=1)
    return weighted / np.maximum(norms, np.float32(1e-12))[:, None], norms == 0


def ngram_spread(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of n-grams, larger the fewer texts of the cell have them; shape (buckets,)."""
    present = np.count_nonzero(features, axis=0)
    weights: NDArray[np.float64] = np.log1p(len(features)) - np.log1p(present) + 0.1
    return weights.astype(np.float32)


def listed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log probabilities with what a draw did not list put at the lowest that it did list.

    A draw that lists nothing gets the lowest value of the cell. A token whose values all lie
    within `LOGPROB_GRAIN` is taken to be constant: a permutation test sees any difference however
    small, and that of two ways to print the same number must not be one.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.zeros_like(values)
    lowest = np.where(known, values, np.inf).min(axis=1, keepdims=True)
    lowest = np.where(np.isfinite(lowest), lowest, values[known].min())
    filled = np.where(known, values, lowest)
    varies = np.ptp(filled, axis=0) > LOGPROB_GRAIN
    return np.where(varies, filled, filled.mean(axis=0))


def log_length(texts: Sequence[str]) -> NDArray[np.float64]:
    """Logarithm of 1 + length in characters, shape (n,); texts longer than the limit tie."""
    return np.log1p(np.array([min(len(t), MAX_CHARACTERS) for t in texts], dtype=np.float64))


def typicality(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean similarity of each draw to the cell's other draws, shape (n,)."""
    n = len(kernel)
    return np.asarray((kernel.sum(axis=1) - np.diag(kernel)) / max(1, n - 1))


def style_features(
    texts: Sequence[str], counts: NDArray[np.float32], unit: NDArray[np.intp], dimensions: int
) -> NDArray[np.float32]:
    """Whitened style of every draw, relative to the other draws of its unit.

    The n-gram buckets whose rates vary most within units, with the shares of line breaks,
    digits, capitals and marks, centred within units, then decorrelated with a ridge.

    Parameters
    ----------
    texts
        All texts of all cells, n of them.
    counts
        Their n-gram counts, shape (n, buckets).
    unit
        Unit of each draw, shape (n,).
    dimensions
        Buckets kept.

    Returns
    -------
    ndarray
        Shape (n, d), d ≤ dimensions + 6; no columns if nothing varies.
    """
    root = np.sqrt(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    centred = within(root, unit)
    chosen = np.argsort(-(centred**2).sum(axis=0), kind="stable")[:dimensions]
    features = np.hstack([centred[:, chosen], within(_shape(texts), unit)])
    scale = np.sqrt((features**2).mean(axis=0))
    features = features[:, scale > 1e-7] / scale[scale > 1e-7]
    if not features.shape[1]:
        return np.asarray(features, dtype=np.float32)
    covariance = (features.T @ features / len(features)).astype(np.float64)
    values, vectors = np.linalg.eigh(covariance)
    # A ridge as large as the mean variance: directions seen in a handful of texts only are not
    # blown up.
    whitening = vectors / np.sqrt(np.maximum(values, 0) + 1.0)
    whitened: NDArray[np.float32] = features @ whitening.astype(np.float32)
    return whitened


def within(values: NDArray[Real], unit: NDArray[np.intp]) -> NDArray[Real]:
    """Columns minus their mean in each unit."""
    _, local = np.unique(unit, return_inverse=True)
    order = np.argsort(local, kind="stable")
    sizes = np.bincount(local)
    starts = np.cumsum(sizes) - sizes
    means = np.add.reduceat(values[order], starts, axis=0) / sizes[:, None].astype(values.dtype)
    return np.asarray(values - means[local], dtype=values.dtype)


def _shape(texts: Sequence[str]) -> NDArray[np.float32]:
    """Square-rooted shares of kinds of characters, and the log length: shape (n, 6)."""
    table = np.zeros((len(texts), 6), dtype=np.float32)
    for row, text in zip(table, texts, strict=True):
        points = code_points(text)
        if not len(points):
            continue
        letters = ((points | 32) >= 97) & ((points | 32) <= 122)
        digits = (points >= 48) & (points <= 57)
        row[:5] = (
            (points == 10).mean(),
            (points == 32).mean(),
            digits.mean(),
            ((points >= 65) & (points <= 90)).mean(),
            ((points > 32) & (points < 128) & ~letters & ~digits).mean(),
        )
    table[:, :5] = np.sqrt(table[:, :5])
    table[:, 5] = log_length(texts)
    return table
