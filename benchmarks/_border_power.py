"""Power of border inputs at temperature 0, from the distributions that `_border.py` measured.

One replicate is a study: a set of candidates, a search on the reference with new draws, the test.
All tokens and requests count: search and test on the reference's side, test on the suspect's.

Searches, compared on the development sets and other suspects than those tested:

cold             `provenance.library.border` as it ships: rounds at temperature .1, whoever
                 alternates stays
from 1 down      the same, its first rounds at temperature 1 and .3
warm             all rounds at temperature 1: as it shipped until this was measured
listed           by log probabilities: the most that any search of the same prompts can find

The searches are the library's own functions; only the answers come from the distributions. Two
ways to test: labels permuted within cells, and within pairs, as a live comparison assigns them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from _border import FILE, MEASURED, SIZE
from numpy.typing import NDArray

from provenance.library import border
from provenance.stats.instruments import total_variation
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

ALPHA, DRAWS = 0.01, 5
NEAR_TIE = 0.1  # nats between the two favourites: about what 8-bit weights or 1% noise turn over
Candidate = tuple[tuple[str, ...], NDArray[np.float64]]  # texts and shares of the likeliest tokens


@dataclass(frozen=True, slots=True)
class Rule:
    """How border inputs are looked for, and how often each is then asked.

    Attributes
    ----------
    cells, draws, temperatures
        Of `provenance.library.border.rounds`.
    tested
        Draws a side and cell.
    listed
        Whether the reference lists log probabilities: then one token of each candidate is enough.
    """

    cells: int
    draws: int = 16
    temperatures: tuple[float | None, ...] = border.TEMPERATURES
    tested: int = DRAWS
    listed: bool = False

    @property
    def planned(self) -> int:
        """Requests of the search, at most."""
        if self.listed:
            return SIZE
        plan = border.rounds(SIZE, self.cells, self.draws, self.temperatures)
        return sum(r.requests for r in plan)


@cache
def shares(rung: str) -> dict[tuple[int, int], Candidate]:
    frame = pd.read_parquet(FILE)
    frame = frame[frame["rung"] == rung]
    return {
        (int(s), int(i)): (tuple(part["text"].astype(str)), part["share"].to_numpy(float))
        for (s, i), part in frame.groupby(["set", "prompt"])
    }


def choose(number: int, rule: Rule, rng: np.random.Generator) -> tuple[list[int], int]:
    """Prompts of a set that the search puts nearest the border, and the requests that it took."""
    base = shares("base")
    if rule.listed:
        tokens = {
            str(i): dict(zip(("first", "second"), np.log(base[number, i][1]), strict=False))
            for i in range(SIZE)
        }
        return [int(tie.cell) for tie in border.nearest_tokens(tokens, rule.cells)], SIZE
    plan = border.rounds(SIZE, rule.cells, rule.draws, rule.temperatures)
    left, sent = [str(i) for i in range(SIZE)], 0
    answers: dict[str, list[str]] = {}
    for before, now in zip([plan[0], *plan], plan, strict=False):
        if sent:
            given = {c: answers.get(c, []) for c in left}
            left = border.survivors(given, now.candidates, rule.cells)
        if now.temperature != before.temperature:
            answers = {}
        for prompt in left:
            drawn = _pilot(*base[number, int(prompt)], now.temperature or 1.0, now.draws, rng)
            answers.setdefault(prompt, []).extend(drawn.elements())
            sent += now.draws
    ties = border.near_ties({c: answers[c] for c in left}, rule.cells)
    return [int(tie.cell) for tie in ties], sent


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


def p_of(
    sides: Sequence[tuple[Sequence[str], Sequence[str]]],
    rng: np.random.Generator,
    *,
    pairs: bool = False,
) -> float:
    """Exact test over the cells that are not constant, labels permuted within cells or pairs."""
    cells = []
    for reference, suspect in sides:
        both = [*reference, *suspect]
        if len(set(both)) == 1:
            continue
        codes = np.unique(both, return_inverse=True)[1]
        labels = np.repeat([False, True], [len(reference), len(suspect)])
        block = np.tile(np.arange(len(reference)), 2) if pairs else None
        cells.append(CellDraws(codes, (), labels, block))
    if not cells:
        return 1.0
    return total_variation(cells, null=PermutationNull(rng, 999)).p_value


@dataclass(frozen=True, slots=True)
class Replicate:
    """A study of one suspect: cells that turned over, p-values, requests of the search."""

    turned: int
    p: float
    p_in_pairs: float
    sent: int
    near: int


def replicate(
    number: int, rule: Rule, suspects: Sequence[str], rng: np.random.Generator
) -> dict[str, Replicate]:
    """One search, then each suspect."""
    chosen, sent = choose(number, rule, rng)
    near = sum(lead(number, i) < NEAR_TIE for i in chosen)
    found = {}
    for suspect in suspects:
        answers = [(favourite("base", number, i), favourite(suspect, number, i)) for i in chosen]
        sides = [([a] * rule.tested, [b] * rule.tested) for a, b in answers]
        found[suspect] = Replicate(
            sum(a != b for a, b in answers),
            p_of(sides, rng),
            p_of(sides, rng, pairs=True),
            sent,
            near,
        )
    return found


def power(
    rule: Rule, sets: Sequence[int], suspects: Sequence[str], searches: int, seed: int
) -> dict[str, Any]:
    """Share of studies that reject, with an interval over sets of prompts (bootstrap)."""
    rng = np.random.default_rng(seed)
    runs = [[replicate(n, rule, suspects, rng) for _ in range(searches)] for n in sets]
    again = rng.integers(0, len(sets), (2_000, len(sets)))

    def mean(of: Callable[[Replicate], float], suspect: str) -> tuple[float, list[float]]:
        by_set = np.array([np.mean([of(r[suspect]) for r in row]) for row in runs])
        low, high = np.quantile(by_set[again].mean(axis=1), [0.025, 0.975])
        return round(float(by_set.mean()), 4), [round(float(low), 4), round(float(high), 4)]

    sent, near = (mean(of, suspects[0])[0] for of in (lambda r: r.sent, lambda r: r.near))
    found: dict[str, Any] = {
        "requests_planned": rule.planned,
        "requests_of_the_search": sent,
        "near_ties_found": near,
        "near_ties_per_1000_requests": round(1_000 * near / sent, 2),
        "tokens_of_the_reference": round(sent + rule.cells * rule.tested),
        "tokens_of_the_suspect": rule.cells * rule.tested,
    }
    for suspect in suspects:
        share, interval = mean(lambda r: r.p <= ALPHA, suspect)
        in_pairs, pairs_interval = mean(lambda r: r.p_in_pairs <= ALPHA, suspect)
        found[suspect] = {
            "power": share,
            "interval": interval,
            "power_in_pairs": in_pairs,
            "interval_in_pairs": pairs_interval,
            "cells_turned": mean(lambda r: r.turned, suspect)[0],
        }
    return found


@cache
def lead(number: int, prompt: int) -> float:
    """How far the base's favourite leads the second, in nats."""
    p = shares("base")[number, prompt][1]
    return float(np.log(p[0] / p[1]))


def two_engines(rule: Rule, searches: int, seed: int) -> float:
    """False alarms where each request of either side goes to one of two engines at random."""
    rng = np.random.default_rng(seed)
    alarms = []
    for number in MEASURED["other engine"]:
        for _ in range(searches):
            sides = []
            for i in choose(number, rule, rng)[0]:
                answers = (favourite("base", number, i), favourite("other engine", number, i))
                drawn = [answers[k] for k in rng.integers(0, 2, 2 * rule.tested)]
                sides.append((drawn[: rule.tested], drawn[rule.tested :]))
            alarms.append(p_of(sides, rng) <= ALPHA)
    return float(np.mean(alarms))
