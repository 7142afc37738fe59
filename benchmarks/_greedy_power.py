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
from numpy.typing import NDArray
from scipy.stats import hypergeom

FILE = Path(__file__).parent / "zoo" / "greedy.parquet"
ALPHA = 0.01
# Prompts, draws a side. 16 by 4 is the shipped battery (its texts are half as long again), by 9 as
# the recipe for precision asks it.
DESIGNS = ((4, 5), (6, 5), (12, 5), (20, 5), (12, 3), (20, 3), (16, 4), (16, 9), (6, 9))
REPEATS = 40


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


@cache
def rejections(prompts: int, draws: int, *, pairs: bool) -> tuple[float, ...]:
    """Share of studies that reject, by the number of prompts that turned over.

    Where both sides repeat themselves nothing else decides; what is drawn is the relabellings.
    """
    rng = np.random.default_rng([prompts, draws, pairs])
    shares: list[float] = []
    for turned_over in range(prompts + 1):
        if shares[-2:] == [1.0, 1.0]:
            shares.append(1.0)
            continue
        sides = [(["a"] * draws, ["b" if i < turned_over else "a"] * draws) for i in range(prompts)]
        shares.append(
            float(np.mean([p_of(sides, rng, pairs=pairs) <= ALPHA for _ in range(REPEATS)]))
        )
    return tuple(shares)


def power(rung: str, prompts: int, draws: int, seed: int) -> dict:
    """Share of studies that reject, prompts drawn from those recorded; intervals over prompts."""
    rng = np.random.default_rng(seed)
    base, other = texts("base"), texts(rung)
    shared = sorted(set(base) & set(other))
    found = sum(base[p][0] != other[p][0] for p in shared)
    again = rng.binomial(len(shared), found / len(shared), 2_000)

    def share(turned_over: NDArray[np.int_], pairs: bool) -> NDArray[np.float64]:
        k = np.arange(prompts + 1)
        chance = hypergeom.pmf(k, len(shared), turned_over[:, None], prompts)
        return chance @ np.array(rejections(prompts, draws, pairs=pairs))

    row = {
        "rung": rung,
        "prompts": prompts,
        "draws": draws,
        "tokens_a_side": round(prompts * draws * float(np.mean([base[p][1] for p in shared]))),
    }
    for name, pairs in (("power", False), ("power_in_pairs", True)):
        low, high = np.quantile(share(again, pairs), [0.025, 0.975])
        row[name] = round(float(share(np.array([found]), pairs)[0]), 3)
        row[name.replace("power", "interval")] = [round(float(low), 3), round(float(high), 3)]
    return row


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
