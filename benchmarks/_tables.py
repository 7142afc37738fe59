"""Statistics of first answers from tables of counts, all on the same relabellings.

With one token an answer, a cell is a table of two rows. Relabelling its draws within the cell
draws the suspect's row from the multivariate hypergeometric distribution with the margins of the
table, so thousands of draws cost no more than their different answers. Same null, same statistics
and same p-values as the instruments of ``provenance.stats`` (``tests`` of them use the draws).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.stats.permutation import p_value

Counts = NDArray[np.int64]
STATISTICS = ("likelihood ratio", "total variation", "JSD", "MET on short cells")


def table(reference: NDArray[np.str_], suspect: NDArray[np.str_]) -> tuple[list[str], Counts]:
    """Answers, and their counts by side, shape (2, answers)."""
    names, codes = np.unique(np.concatenate([reference, suspect]), return_inverse=True)
    rows = [
        np.bincount(part, minlength=len(names))
        for part in (codes[: len(reference)], codes[len(reference) :])
    ]
    return [str(n) for n in names], np.array(rows, dtype=np.int64)


def tests(
    cells: Sequence[tuple[list[str], Counts]], rng: np.random.Generator, resamples: int
) -> dict[str, float]:
    """P-value of each of `STATISTICS`, labels permuted within cells.

    Null: the draws of a cell are exchangeable across the sides; unit: a draw. Exact for every
    number of draws, as each statistic is a function of table and pooled answers.
    """
    observed: Mapping[str, float] = dict.fromkeys(STATISTICS, 0.0)
    null = {name: np.zeros(resamples) for name in STATISTICS}
    totals = dict(observed)
    for names, counts in cells:
        pooled = counts.sum(axis=0)
        suspects = int(counts[1].sum())
        drawn = rng.multivariate_hypergeometric(pooled, suspects, resamples, method="marginals")
        kernel = _hamming(names)
        rows = np.vstack([counts[1], drawn])
        for name, values in _each(rows, pooled, kernel).items():
            totals[name] += float(values[0])
            null[name] += values[1:]
    return {name: p_value(totals[name], null[name], exact=False) for name in STATISTICS}


def _each(
    suspect: Counts, pooled: Counts, kernel: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Statistics of rows of suspect counts, shape (rows,) each."""
    n = suspect.sum(axis=1, keepdims=True)
    other = pooled - suspect
    m = other.sum(axis=1, keepdims=True)
    p, q = other / m, suspect / n
    mean = pooled / pooled.sum()
    half = (p + q) / 2
    gap = q - p
    return {
        "likelihood ratio": _information(suspect, q, mean) + _information(other, p, mean),
        "total variation": np.abs(gap).sum(axis=1) / 2,
        "JSD": (_information(p, p, half) + _information(q, q, half)) / 2,
        "MET on short cells": _unbiased(p, q, n, m, kernel),
    }


def _information(
    weight: NDArray[np.generic], shares: NDArray[np.float64], of: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Σ weight·log(shares/of), 0 where a share is 0."""
    ratio = np.divide(shares, of, out=np.ones_like(shares), where=shares > 0)
    total: NDArray[np.float64] = (weight * np.log(ratio)).sum(axis=1)
    return total


def _unbiased(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    n: NDArray[np.int64],
    m: NDArray[np.int64],
    kernel: NDArray[np.float64],
) -> NDArray[np.float64]:
    """MMD² without the pairs of a draw with itself; k(x, x) = 1."""

    def within(shares: NDArray[np.float64], size: NDArray[np.int64]) -> NDArray[np.float64]:
        every = np.einsum("ri,ij,rj->r", shares, kernel, shares, optimize=True)
        found: NDArray[np.float64] = (every - 1 / size[:, 0]) * (
            size[:, 0] / np.maximum(size[:, 0] - 1, 1)
        )
        return found

    across = np.einsum("ri,ij,rj->r", p, kernel, q, optimize=True)
    total: NDArray[np.float64] = within(p, m) + within(q, n) - 2 * across
    return total


def _hamming(names: Sequence[str]) -> NDArray[np.float64]:
    """Share of positions with the same character, texts padded to the longest of the cell."""
    width = max(1, max(len(name) for name in names))
    codes = np.array([[ord(c) + 1 for c in name.ljust(width, "\0")] for name in names])
    similar: NDArray[np.float64] = (codes[:, None] == codes[None]).mean(axis=2)
    return similar
