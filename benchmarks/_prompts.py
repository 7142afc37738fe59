"""Likeness of models that answered the same prompts: prompt by prompt, centred on a population.

What a prompt makes everybody say is taken off: the mean likeness of each answer to those of a
population, twice. What is left is what two models share beyond the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import scipy.sparse as sp


def idf_of(counts: sp.csr_array) -> np.ndarray:
    """1 + log(documents / documents that have it), smoothed, of each column."""
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    return (np.log((1 + counts.shape[0]) / (1 + present)) + 1).astype(np.float32)


def weighted(counts: sp.csr_array, idf: np.ndarray | None = None) -> sp.csr_array:
    """log(1 + count) × idf, rows of length 1; the idf of these very rows where none is given."""
    idf = idf_of(counts) if idf is None else idf
    rows = counts.astype(np.float32).copy()
    rows.data = np.log1p(rows.data) * idf[rows.indices]
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = sp.diags_array((1 / np.maximum(lengths, 1e-9)).astype(np.float32))
    return sp.csr_array(scale @ rows)


def runs(texts: Sequence[str], lengths: Sequence[int]) -> dict[int, sp.csr_array]:
    """Which runs of so many words each answer to one prompt has: 1 for runs that two have."""
    codes: dict[str, int] = {}
    words = []
    for text in texts:
        own = "".join(c if c.isalnum() or c in "'’" else " " for c in text.lower()).split()
        words.append(np.array([codes.setdefault(w, len(codes)) for w in own], dtype=np.int64))
    found: dict[int, sp.csr_array] = {}
    current = words
    for length in range(1, max(lengths) + 1):
        if length > 1:
            # A run is the run before it and one more word.
            longer = [
                c[:-1] * len(codes) + w[length - 1 :] if len(c) > 1 else c[:0]
                for c, w in zip(current, words, strict=True)
            ]
            _, named = np.unique(np.concatenate(longer), return_inverse=True)
            current = np.split(named, np.cumsum([len(c) for c in longer])[:-1])
        if length in lengths:
            found[length] = _presence(current)
    return found


def _presence(codes: Sequence[np.ndarray]) -> sp.csr_array:
    width = max((int(c.max()) + 1 for c in codes if len(c)), default=1)
    rows = np.repeat(np.arange(len(codes)), [len(c) for c in codes])
    both = np.unique(rows * width + np.concatenate(codes))
    rows, columns = both // width, both % width
    _, columns, having = np.unique(columns, return_inverse=True, return_counts=True)
    kept = having[columns] > 1
    shape = (len(codes), max(1, len(having)))
    return sp.csr_array((np.ones(kept.sum(), np.float32), (rows[kept], columns[kept])), shape=shape)


def rare(presence: sp.csr_array, power: float) -> sp.csr_array:
    """Rows whose products are likenesses: shared runs count the more the fewer answers have them.

    A run counts log(answers / answers that have it) to this power.
    """
    answers = presence.shape[0]
    having = np.maximum(1, np.bincount(presence.indices, minlength=presence.shape[1]))
    weight = (np.log(answers / having) ** (power / 2)).astype(np.float32)
    made = sp.csr_array(
        (weight[presence.indices], presence.indices, presence.indptr), presence.shape
    )
    lengths = np.sqrt(np.asarray(made.multiply(made).sum(axis=1)).ravel() + 0.5)
    return sp.csr_array(sp.diags_array((1 / lengths).astype(np.float32)) @ made)


def centred(likeness: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Likeness of answers to one prompt less each one's mean likeness to a population's.

    Parameters
    ----------
    likeness
        Shape (answers, answers).
    weights
        Shape (answers,): how much each counts in the population; 0: not in it.
    """
    own = likeness.astype(np.float64).copy()
    counted = np.tile(weights.astype(np.float64), (len(own), 1))
    np.fill_diagonal(counted, 0)  # an answer is always like itself
    mean = (own * counted).sum(axis=1) / counted.sum(axis=1)
    return own - mean[:, None] - mean[None, :] + np.average(mean, weights=weights)


def standardised(likeness: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Likeness of models in spreads of each one's own likeness to a population, from both sides.

    Some models are a little like everybody, others are not: what is near for one is far for
    another. Shapes as in `centred`.
    """
    counted = np.tile(weights.astype(np.float64), (len(likeness), 1))
    np.fill_diagonal(counted, 0)
    counted /= counted.sum(axis=1, keepdims=True)
    mean = (likeness * counted).sum(axis=1, keepdims=True)
    spread = np.sqrt((((likeness - mean) ** 2) * counted).sum(axis=1, keepdims=True))
    own = (likeness - mean) / np.maximum(spread, 1e-9)
    return (own + own.T) / 2


def scaled(likeness: np.ndarray) -> np.ndarray:
    """With 1 for an answer and itself."""
    scale = np.sqrt(np.maximum(np.diagonal(likeness), 1e-3))
    return likeness / (scale[:, None] * scale[None, :])


def by_prompt(prompts: np.ndarray) -> Iterator[np.ndarray]:
    """The answers to each prompt."""
    order = np.argsort(prompts, kind="stable")
    cuts = np.flatnonzero(np.diff(prompts[order])) + 1
    for a, b in pairwise([0, *cuts.tolist(), len(order)]):
        yield order[a:b]
