"""Whole short texts at temperature 0, without any choice of prompts, for `identity.py`.

A text at temperature 0 runs into many near ties one after the other, and the first one that falls
otherwise changes all that follows. So generated prompts need not be searched for border inputs:
a study takes some at random, asks each a few times a side, takes the whole text as the category,
and permutes labels within prompts. What turns over is as often an engine's arithmetic as a
change of weights: the null that it rejects is `same_deployment`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from _border_power import p_of

FILE = Path(__file__).parent / "zoo" / "greedy.parquet"
ALPHA = 0.01
DESIGNS = ((4, 5), (6, 5), (12, 5), (20, 5), (12, 3), (20, 3))  # prompts, draws a side


@cache
def texts(rung: str) -> dict[int, tuple[str, int]]:
    frame = pd.read_parquet(FILE)
    frame = frame[frame["rung"] == rung]
    return {
        int(p): (str(a), int(t))
        for p, a, t in zip(frame["prompt"], frame["answer"], frame["tokens"], strict=True)
    }


def recorded() -> list[str]:
    return [r for r in pd.read_parquet(FILE)["rung"].unique() if r != "base"]


def turned(rung: str) -> float:
    """Share of prompts whose text differs from the base's."""
    base, other = texts("base"), texts(rung)
    return float(np.mean([base[p][0] != other[p][0] for p in base if p in other]))


def power(rung: str, prompts: int, draws: int, studies: int, seed: int) -> dict:
    """Share of studies that reject, prompts drawn anew for each."""
    rng = np.random.default_rng(seed)
    base, other = texts("base"), texts(rung)
    shared = sorted(set(base) & set(other))
    hits = []
    for _ in range(studies):
        chosen = rng.choice(shared, prompts, replace=False)
        sides = [([base[p][0]] * draws, [other[p][0]] * draws) for p in chosen]
        hits.append(p_of(sides, rng) <= ALPHA)
    tokens = float(np.mean([base[p][1] for p in shared]))
    return {
        "rung": rung,
        "prompts": prompts,
        "draws": draws,
        "tokens_a_side": round(prompts * draws * tokens),
        "power": float(np.mean(hits)),
        "studies": studies,
    }


def mixed_fleet(prompts: int, draws: int, studies: int, seed: int) -> float:
    """False alarms where each request of either side goes to one of two engines at random."""
    rng = np.random.default_rng(seed)
    base, other = texts("base"), texts("other-engine")
    shared = sorted(set(base) & set(other))
    alarms = []
    for _ in range(studies):
        sides = []
        for p in rng.choice(shared, prompts, replace=False):
            both = (base[p][0], other[p][0])
            drawn = [both[k] for k in rng.integers(0, 2, 2 * draws)]
            sides.append((drawn[:draws], drawn[draws:]))
        alarms.append(p_of(sides, rng) <= ALPHA)
    return float(np.mean(alarms))
