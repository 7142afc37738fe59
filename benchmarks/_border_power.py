"""Power of border inputs at temperature 0, from the distributions that `_border.py` measured.

One replicate is a study: a set of candidates, a pilot on the reference with new draws, the choice,
the test. All tokens count: pilot and test on the reference's side, test on the suspect's.

Rules, compared on the development sets and other suspects than those tested:

as shipped     `provenance.library.border`: rounds of draws at temperature 1, the better half stays
falling        few draws at temperature 1; of the best, more at lower temperatures, which spread the
               two favourites apart unless they tie: at .1 a lead of .1 nat is one of a nat
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from _border import FILE, MEASURED, SIZE
from numpy.typing import NDArray

from provenance.library import border
from provenance.stats.instruments import total_variation
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

ALPHA, DRAWS = 0.01, 5
Candidate = tuple[tuple[str, ...], NDArray[np.float64]]  # texts and shares of the likeliest tokens


@dataclass(frozen=True, slots=True)
class Rule:
    """How border inputs are looked for: by `provenance.library.border.nearness` of the answers.

    Attributes
    ----------
    stages
        (temperature, draws a candidate, candidates kept) one after the other.
    """

    stages: tuple[tuple[float, int, int], ...]

    @property
    def tokens(self) -> int:
        """Of the reference: pilots and test."""
        sizes = [SIZE, *(kept for _, _, kept in self.stages)]
        pilot = sum(size * n for size, (_, n, _) in zip(sizes, self.stages, strict=False))
        return pilot + DRAWS * sizes[-1]


def shipped(cells: int, draws: int) -> Rule:
    """Rounds at temperature 1, as `provenance.library.border` plans them."""
    plan = border.rounds(SIZE, cells, draws)
    kept = [*(asked for asked, _ in plan[1:]), cells]
    return Rule(tuple((1.0, each, keep) for (_, each), keep in zip(plan, kept, strict=True)))


@cache
def shares(rung: str) -> dict[tuple[int, int], Candidate]:
    frame = pd.read_parquet(FILE)
    frame = frame[frame["rung"] == rung]
    return {
        (int(s), int(i)): (tuple(part["text"].astype(str)), part["share"].to_numpy(float))
        for (s, i), part in frame.groupby(["set", "prompt"])
    }


def choose(number: int, rule: Rule, rng: np.random.Generator) -> list[int]:
    """Prompts of a set that the pilot puts nearest the border."""
    base = shares("base")
    left = list(range(SIZE))
    counted: dict[int, Counter[str]] = {}
    before = None
    for temperature, draws, kept in rule.stages:
        if temperature != before:  # draws at one temperature add up
            counted, before = {prompt: Counter() for prompt in left}, temperature
        for prompt in left:
            counted[prompt] += _pilot(*base[number, prompt], temperature, draws, rng)
        near = {prompt: border.nearness(tuple(counted[prompt].values())) for prompt in left}
        left = sorted(left, key=lambda i: (-near[i], i))[:kept]
    return left


def _pilot(
    texts: Sequence[str],
    p: NDArray[np.float64],
    temperature: float,
    draws: int,
    rng: np.random.Generator,
) -> Counter[str]:
    tail = max(0.0, 1 - float(p.sum()))  # tokens that were not kept: each draw an answer of its own
    weights = np.append(p ** (1 / temperature), tail if temperature == 1 else 0.0)
    drawn = rng.multinomial(draws, weights / weights.sum())
    counted = Counter({f"another {rng.random()}": 1 for _ in range(int(drawn[-1]))})
    for text, n in zip(texts, drawn[:-1], strict=True):
        counted[text] += int(n)
    return +counted


def favourite(rung: str, number: int, prompt: int) -> str:
    """The answer at temperature 0; that of the base where the favourite leads by far."""
    found = shares(rung).get((number, prompt)) or shares("base")[number, prompt]
    return found[0][0]


def p_of(sides: Sequence[tuple[Sequence[str], Sequence[str]]], rng: np.random.Generator) -> float:
    """Exact test over the cells that are not constant, labels permuted within cells."""
    cells = []
    for reference, suspect in sides:
        both = [*reference, *suspect]
        if len(set(both)) == 1:
            continue
        codes = np.unique(both, return_inverse=True)[1]
        labels = np.repeat([False, True], [len(reference), len(suspect)])
        cells.append(CellDraws(codes, (), labels, None))
    if not cells:
        return 1.0
    return total_variation(cells, null=PermutationNull(rng, 999)).p_value


def replicate(
    number: int, rule: Rule, suspects: Sequence[str], rng: np.random.Generator
) -> dict[str, tuple[int, float]]:
    """Cells that flip and p-value, suspect by suspect, after one pilot."""
    chosen = choose(number, rule, rng)
    found = {}
    for suspect in suspects:
        pairs = [(favourite("base", number, i), favourite(suspect, number, i)) for i in chosen]
        p = p_of([([a] * DRAWS, [b] * DRAWS) for a, b in pairs], rng)
        found[suspect] = (sum(a != b for a, b in pairs), p)
    return found


def power(
    rule: Rule, sets: Sequence[int], suspects: Sequence[str], pilots: int, seed: int
) -> dict[str, dict]:
    """Share of studies that reject, with an interval over sets of prompts (bootstrap)."""
    rng = np.random.default_rng(seed)
    flips: dict[str, NDArray[np.float64]] = {s: np.zeros((len(sets), pilots)) for s in suspects}
    hits: dict[str, NDArray[np.float64]] = {s: np.zeros((len(sets), pilots)) for s in suspects}
    for i, number in enumerate(sets):
        for j in range(pilots):
            for suspect, (flipped, p) in replicate(number, rule, suspects, rng).items():
                flips[suspect][i, j], hits[suspect][i, j] = flipped, p <= ALPHA
    again = rng.integers(0, len(sets), (2_000, len(sets)))
    found = {}
    for suspect in suspects:
        by_set = hits[suspect].mean(axis=1)
        low, high = np.quantile(by_set[again].mean(axis=1), [0.025, 0.975])
        found[suspect] = {
            "power": float(by_set.mean()),
            "interval": [float(low), float(high)],
            "cells_flipped": float(flips[suspect].mean()),
            "first_pilots_only": float(hits[suspect][:, 0].mean()),
        }
    return found


def two_engines(rule: Rule, pilots: int, seed: int) -> float:
    """False alarms where each request of either side goes to one of two engines at random."""
    rng = np.random.default_rng(seed)
    alarms = []
    for number in MEASURED["other engine"]:
        for _ in range(pilots):
            sides = []
            for i in choose(number, rule, rng):
                answers = (favourite("base", number, i), favourite("other engine", number, i))
                drawn = [answers[k] for k in rng.integers(0, 2, 2 * DRAWS)]
                sides.append((drawn[:DRAWS], drawn[DRAWS:]))
            alarms.append(p_of(sides, rng) <= ALPHA)
    return float(np.mean(alarms))
