"""Likeness of models that answered the same prompts: prompt by prompt, centred on a population.

What a prompt makes everybody say is taken off: the mean likeness of each answer to those of a
population, twice. What is left is what two models share beyond the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import scipy.sparse as sp


def weighted(counts: sp.csr_array) -> sp.csr_array:
    """log(1 + count) × idf, rows of length 1."""
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    rows = counts.astype(np.float32).copy()
    idf = (np.log((1 + rows.shape[0]) / (1 + present)) + 1).astype(np.float32)
    rows.data = np.log1p(rows.data) * idf[rows.indices]
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    scale = sp.diags_array((1 / np.maximum(lengths, 1e-9)).astype(np.float32))
    return sp.csr_array(scale @ rows)


def runs(texts: Sequence[str], length: int) -> sp.csr_array:
    """Which runs of words each answer to one prompt has, weighted by how few of the others do."""
    found: dict[tuple[str, ...], int] = {}
    rows, columns = [], []
    for i, text in enumerate(texts):
        words = "".join(c if c.isalnum() or c in "'’" else " " for c in text.lower()).split()
        own = set(zip(*(words[k:] for k in range(length)), strict=False))
        rows += [i] * len(own)
        columns += [found.setdefault(run, len(found)) for run in own]
    shape = (len(texts), max(1, len(found)))
    made = sp.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    present = np.bincount(columns, minlength=shape[1]) if columns else np.ones(1)
    weight = np.where(present > 1, np.log(len(texts) / np.maximum(present, 1)), 0)
    made.data = made.data * np.sqrt(weight)[made.indices].astype(np.float32)
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
