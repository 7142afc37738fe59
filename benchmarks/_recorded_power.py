"""The same tests on recorded outputs of other people's models, for `identity.py`.

    code        4 models × 138 prompts × 20 repeats (EvoCodeBench, Apache-2.0)
    misguided   31 models × 27 prompts × 3 repeats (MisguidedAttention, CC0)

They lie beside the checkout and no text of them goes anywhere. Repeats are shuffled within model
and prompt: in `code` neighbours are too often equal. Power: pairs of different models, the same
number of outputs a side; false alarms: disjoint parts of one model's repeats (of 3, one and two).
"""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import _peers
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from provenance.stats.fused import fused_test
from provenance.stats.parts import TEXT
from provenance.stats.permutation import PermutationNull

CORPORA = Path("../shared/corpora")
ALPHA, RESAMPLES = 0.01, 299
LONGEST = 400  # characters of an output that are looked at, by every method
# Corpus → (prompts, repeats a side) at which pairs of models are compared.
SIZES = {
    "code": ((5, 2), (10, 2), (25, 2)),
    "misguided": ((5, 3), (10, 3)),
}
STUDIES = 20
Held = dict[str, dict[str, NDArray[np.str_]]]  # model → prompt → outputs


def available() -> bool:
    return all((CORPORA / f"{name}.parquet").is_file() for name in SIZES)


@cache
def held(corpus: str) -> Held:
    frame = pd.read_parquet(CORPORA / f"{corpus}.parquet")
    frame["output"] = frame["output"].str.strip().str[:LONGEST]
    repeats = frame.groupby(["model", "prompt_id"]).size().groupby("model").max()
    kept = repeats.index[repeats >= (20 if corpus == "code" else 3)]
    found: Held = {}
    for (model, prompt), part in frame[frame["model"].isin(kept)].groupby(["model", "prompt_id"]):
        found.setdefault(str(model), {})[str(prompt)] = part["output"].astype(str).to_numpy()
    return found


def study(corpus: str, first: str, second: str, size: tuple[int, int], seed: int) -> dict:
    """P-values of every method on one choice of prompts and repeats."""
    rng = np.random.default_rng([seed, size[0], size[1]])
    models = held(corpus)
    prompts, repeats = size
    shared = sorted(set(models[first]) & set(models[second]))
    chosen = rng.choice(shared, min(prompts, len(shared)), replace=False)
    a, b = {}, {}
    for prompt in chosen:
        own = rng.permutation(models[first][prompt])
        if first == second:  # halves, the larger one cut to the repeats asked for
            half = min(repeats, len(own) // 2)
            own, other = own[:half], own[half:]
        else:
            other = rng.permutation(models[second][prompt])
        a[str(prompt)], b[str(prompt)] = own[:repeats], other[:repeats]

    def null(stream: int) -> PermutationNull:
        return PermutationNull(np.random.default_rng([seed, stream]), RESAMPLES)

    drawn = _peers.drawn(a, b)
    return {
        "fused, texts": fused_test(drawn, null=null(1), kernels=tuple(TEXT)).p_value,
        "MET, corrected": _peers.met_corrected(a, b, np.random.default_rng([seed, 2]), RESAMPLES),
        "MET, as released": _peers.met_released(a, b, seed),
        "energy distance": _peers.energy(a, b, np.random.default_rng([seed, 3]), RESAMPLES),
    }


def power(corpus: str, studies: int = STUDIES) -> list[dict]:
    """Rejections for different models and for one model, size by size."""
    models = sorted(held(corpus))
    rng = np.random.default_rng(17)
    pairs = list(itertools.combinations(models, 2))
    rows = []
    for size in SIZES[corpus]:
        for kind in ("different", "same"):
            rejected: dict[str, list[bool]] = {}
            for i in range(studies):
                pair = pairs[int(rng.integers(len(pairs)))]
                first, second = pair if kind == "different" else (pair[0], pair[0])
                for method, p in study(corpus, first, second, size, i).items():
                    rejected.setdefault(method, []).append(p <= ALPHA)
            rows.append(
                {
                    "corpus": corpus,
                    "prompts": size[0],
                    "repeats": size[1],
                    "outputs_a_side": size[0] * size[1],
                    "models": kind,
                    "studies": studies,
                    "rejected": {m: float(np.mean(hits)) for m, hits in rejected.items()},
                }
            )
    return rows
