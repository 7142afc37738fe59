"""Published procedures, as published, on simulated studies: p-values or anytime wealth.

Nothing here is used by the toolkit. Each function returns one number a study.
"""

from __future__ import annotations

import numpy as np
from _null_studies import CATEGORIES, OTHER_WORDS, Chunk, drawn, tables
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MET_RESAMPLES = 1_000
# Quantiles of the asymptotic Cramér–von Mises distribution (Anderson & Darling 1952, table 1).
CRAMER_VON_MISES = {0.05: 0.46136, 0.01: 0.74346, 0.001: 1.16786}
_LETTERS = 12
# Texts of twelve letters a category: categories share some positions.
_SPELT = np.random.default_rng(7).integers(0, 3, (CATEGORIES + OTHER_WORDS, _LETTERS))
_ALIKE = (_SPELT[:, None] == _SPELT[None]).mean(axis=2)


def met(rng: np.random.Generator, chunk: Chunk) -> Floats:
    """MMD with the Hamming kernel as released: labels permuted across prompts, mean(null ≥ obs).

    Gao et al. 2024, arXiv:2410.20247, package model-equality-testing: a pair of answers to
    different prompts has similarity 0, the pooled sample is permuted as a whole, and the p-value
    is the share of the null that is as large, so that it can be 0.
    """
    studies, cells, n = chunk.codes.shape
    codes, kept = chunk.codes.reshape(studies, -1), chunk.kept.reshape(studies, -1)
    cell = np.repeat(np.arange(cells), n)
    same = cell[:, None] == cell[None]
    label = np.tile(chunk.shape.suspect, cells)
    found = np.empty(studies)
    for s in range(studies):
        k = kept[s]
        gram = _ALIKE[codes[s, k][:, None], codes[s, k][None]] * same[np.ix_(k, k)]
        np.fill_diagonal(gram, 0.0)
        mine = label[k]
        m, size = int(mine.sum()), int(k.sum())
        keys = rng.random((MET_RESAMPLES, size), dtype=np.float32).argsort(axis=1)
        labels = np.vstack([mine[None], mine[keys]]).astype(np.float64)
        inside = np.einsum("ri,ri->r", labels @ gram, labels)
        other = 1 - labels
        outside = np.einsum("ri,ri->r", other @ gram, other)
        between = (gram.sum() - inside - outside) / 2
        rest = size - m
        statistic = (
            inside / max(1, m * (m - 1))
            + outside / max(1, rest * (rest - 1))
            - 2 * between / max(1, m * rest)
        )
        found[s] = (statistic[1:] >= statistic[0] - 1e-12).mean()
    return found


def rank_test(
    rng: np.random.Generator, studies: int, prompts: int, m: int, dilute: float
) -> Floats:
    """Statistic of the rank-uniformity test with ranks divided by m (arXiv:2506.06975).

    One suspect draw a prompt is ranked among m reference draws by a score, ties broken at random;
    the ranks are held against the uniform distribution. Compare with `CRAMER_VON_MISES`.
    """
    p = tables(rng, "mixed", studies, prompts)
    reference, suspect = drawn(rng, p, m), drawn(rng, p, 1)
    if dilute:
        q = drawn(rng, tables(rng, "mixed", studies, prompts), 1)
        suspect = np.where(rng.random(suspect.shape) < dilute, q, suspect)
    smaller, equal = (reference < suspect).sum(axis=2), (reference == suspect).sum(axis=2)
    ranks = np.sort((smaller + rng.random(smaller.shape) * equal) / m, axis=1)
    expected = (np.arange(prompts) + 0.5) / prompts
    return np.asarray(((ranks - expected) ** 2).sum(axis=1) + 1 / (12 * prompts))


def plug_in_betting(
    rng: np.random.Generator, studies: int, m: int, dilute: float, cells: int = 40, draws: int = 15
) -> Floats:
    """1 over the highest wealth of a likelihood-ratio bet against estimated shares.

    The reference's shares of each cell are estimated from m draws with half a count added to each
    possible answer (Krichevsky & Trofimov 1981), the suspect's from its past draws and those
    shares, worth two draws; wealth is multiplied by their ratio at each draw. If the reference's
    shares were known this would be a martingale.
    """
    p = tables(rng, "mixed", studies, cells)
    counts = _counted(drawn(rng, p, m))
    suspect = drawn(rng, p, draws)
    if dilute:
        q = drawn(rng, tables(rng, "mixed", studies, cells), draws)
        suspect = np.where(rng.random(suspect.shape) < dilute, q, suspect)
    known = (counts + 0.5) / (m + 0.5 * CATEGORIES)
    past = np.zeros_like(counts)
    wealth, highest = np.zeros(studies), np.zeros(studies)
    for t in range(draws):
        guess = (past + 2 * known) / (t + 2)
        for c in range(cells):
            y = suspect[:, c, t]
            row = np.arange(studies)
            wealth += np.log(guess[row, c, y] / known[row, c, y])
            highest = np.maximum(highest, wealth)
            past[row, c, y] += 1
    return np.exp(-highest)


def _counted(codes: NDArray[np.intp]) -> Floats:
    return np.asarray((codes[..., None] == np.arange(CATEGORIES)).sum(axis=2), dtype=np.float64)
