"""Tests of other authors, as they publish them or corrected, for `identity.py`.

Each takes the answers of both sides by cell and gives a p-value (or its equivalent).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import cramervonmises

from provenance.stats.instruments import first_token, hamming_published, rank_uniformity
from provenance.stats.kernels import HAMMING_CHARACTERS
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull, p_value

Side = Mapping[str, NDArray[np.str_]]  # cell → answers
Shares = Mapping[str, Mapping[str, float]]  # cell → answer → share in the reference
LEAST = 1e-9  # share of an answer that the reference does not list
AS_RELEASED = 100  # relabellings: the package's own loop is slow


def drawn(
    reference: Side, suspect: Side, score: Shares | None = None, *, blocks: bool = False
) -> list[CellDraws]:
    """As the instruments take them; values are the reference's log shares of the answers."""
    cells = []
    for cell, own in reference.items():
        both = np.concatenate([own, suspect[cell]])
        values = None
        if score is not None:
            values = np.log([[max(score[cell].get(str(t), 0.0), LEAST)] for t in both])
        cells.append(
            CellDraws(
                np.unique(both, return_inverse=True)[1],
                tuple(str(t) for t in both),
                np.repeat([False, True], [len(own), len(suspect[cell])]),
                None,
                values,
            )
        )
    return cells


def met_corrected(reference: Side, suspect: Side, rng: np.random.Generator, n: int) -> float:
    """MMD with the character Hamming kernel, labels permuted within prompts."""
    null = PermutationNull(rng, n)
    return hamming_published(drawn(reference, suspect), null=null).p_value


def met_released(reference: Side, suspect: Side, seed: int) -> float:
    """Package model-equality-testing 0.0.2: labels across prompts, p = mean(null ≥ observed)."""
    import torch
    from model_equality_testing.algorithm import run_two_sample_test
    from model_equality_testing.distribution import CompletionSample
    from model_equality_testing.utils import tokenize_unicode

    cells = list(reference)
    longest = max(len(t) for s in (reference, suspect) for c in cells for t in s[c])
    width = max(1, min(longest, HAMMING_CHARACTERS))
    samples = []
    for side in (reference, suspect):
        codes = tokenize_unicode([str(t)[:width] for c in cells for t in side[c]])
        padded = np.full((len(codes), width), -1)
        padded[:, : codes.shape[1]] = codes
        prompts = np.repeat(np.arange(len(cells)), [len(side[c]) for c in cells])
        samples.append(CompletionSample(prompts, padded, m=len(cells)))
    torch.manual_seed(seed)
    with contextlib.redirect_stderr(io.StringIO()):
        found = run_two_sample_test(*samples, b=AS_RELEASED, stat_type="mmd_hamming")
    return float(found[0])


def energy(reference: Side, suspect: Side, rng: np.random.Generator, n: int) -> float:
    """Energy distance of character trigram frequencies, labels permuted within prompts.

    2E|X−Y| − E|X−X'| − E|Y−Y'| summed over prompts, |·| the Euclidean distance (Székely & Rizzo
    2013), which is a positive multiple of the discrepancy of the kernel −|x−y|.
    """
    kernels = [_distances([*map(str, own), *map(str, suspect[c])]) for c, own in reference.items()]
    sizes = [(len(own), len(suspect[c])) for c, own in reference.items()]
    observed, null = 0.0, np.zeros(n)
    for distance, (m, k) in zip(kernels, sizes, strict=True):
        labels = np.zeros((n + 1, m + k))
        labels[0, m:] = 1
        labels[1:] = rng.permuted(np.repeat(labels[:1], n, axis=0), axis=1)
        weights = labels / k - (1 - labels) / m
        values = -np.einsum("ri,ij,rj->r", weights, distance, weights, optimize=True)
        observed += float(values[0])
        null += values[1:]
    return p_value(observed, null, exact=False)


def _distances(texts: Sequence[str]) -> NDArray[np.float64]:
    names: dict[str, int] = {}
    rows = []
    for text in texts:
        grams = [text[i : i + 3] for i in range(max(1, len(text) - 2))]
        rows.append([names.setdefault(g, len(names)) for g in grams])
    counts = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        np.add.at(counts[i], row, 1 / len(row))
    squared = (counts**2).sum(axis=1)
    gap = squared[:, None] + squared[None] - 2 * counts @ counts.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(gap, 0))
    return distances


def rank_exact(
    reference: Side, suspect: Side, score: Shares, rng: np.random.Generator, n: int
) -> float:
    """RUT with finite-sample ranks and a permutation null: uses the reference's probabilities."""
    cells = drawn(reference, suspect, score)
    return rank_uniformity(cells, null=PermutationNull(rng, n)).p_value


def rank_published(
    reference: Side, suspect: Side, score: Shares, rng: np.random.Generator
) -> float:
    """RUT as published (Zhu et al. 2025, arXiv:2506.06975): ranks over m, Cramér–von Mises."""
    ranks = []
    for cell, own in reference.items():
        known = score[cell]
        m = np.array([known.get(str(t), 0.0) for t in own])
        for text in suspect[cell]:
            here = known.get(str(text), 0.0)
            equal = int((m == here).sum())
            ranks.append(((m < here).sum() + rng.random() * equal) / len(m))
    return float(cramervonmises(ranks, "uniform").pvalue)


def betting_plugged(reference: Side, suspect: Side, rng: np.random.Generator) -> float:
    """1/(highest wealth) of a bet against estimated reference shares: no valid p-value.

    Wealth is multiplied by q(y)/p̂(y): p̂ the reference's shares with half a count for each answer
    seen on either side, q the suspect's past draws of the cell with ten draws' worth of p̂. It
    would be a test martingale if p̂ were the truth.
    """
    places = [(c, i) for c in reference for i in range(len(suspect[c]))]
    share: dict[str, dict[str, float]] = {}
    for cell, own in reference.items():
        names, counts = np.unique(np.concatenate([own, suspect[cell]]), return_counts=True)
        counts = np.array([(own == name).sum() for name in names]) + 0.5
        share[cell] = dict(zip(map(str, names), counts / counts.sum(), strict=True))
    past: dict[str, dict[str, int]] = {cell: {} for cell in reference}
    wealth = highest = 0.0
    for place in rng.permutation(len(places)):
        cell, i = places[place]
        answer = str(suspect[cell][i])
        seen, p = past[cell], share[cell][answer]
        q = (seen.get(answer, 0) + 10 * p) / (sum(seen.values()) + 10)
        wealth += float(np.log(q / p))
        highest = max(highest, wealth)
        seen[answer] = seen.get(answer, 0) + 1
    return float(np.exp(-highest))


def logprob_tracking(
    reference: Mapping[str, NDArray[np.float64]],
    suspect: Mapping[str, NDArray[np.float64]],
    draws: int,
    rng: np.random.Generator,
    n: int,
) -> float:
    """Distance of reported log probabilities, where both endpoints report them (Chauvin 2025).

    Parameters
    ----------
    reference, suspect
        Per cell the log probabilities of the reference's likeliest first tokens, shape (d,): a
        local engine reports the same ones for each of ``draws`` requests.
    """
    cells = [
        CellDraws(
            np.zeros(2 * draws, dtype=np.intp),
            (),
            np.repeat([False, True], draws),
            None,
            np.vstack([np.tile(own, (draws, 1)), np.tile(suspect[c], (draws, 1))]),
        )
        for c, own in reference.items()
    ]
    return first_token(cells, null=PermutationNull(rng, n)).p_value
