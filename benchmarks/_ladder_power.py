"""Power on the ladder, method by method, for `identity.py`.

A unit is a run of draws of every cell that no other unit of its rung holds; a pair is a unit of
the base and one of the suspect. At small budgets a recording holds many units; large ones take
several recordings together. Intervals count suspect units, of which some are used with several
units of the base.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import _peers
import _tables
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from provenance.canonical import digest
from provenance.stats.fused import fused_test
from provenance.stats.parts import TEXT
from provenance.stats.permutation import PermutationNull

ZOO = Path(__file__).parent / "zoo"
ALPHA, RESAMPLES = 0.01, 299
VERSION = 1  # of the tests: raise it where the same recordings give other p-values
BASE, AGAIN = "base", "served-again"
BUDGETS = (60, 120, 250, 500, 1_000, 2_500, 4_990)  # first tokens a side
SAMPLES = (1, 2, 3, 6, 12, 24, 48)  # texts a prompt and side
PAIRS = 12
CACHE = Path(".cache/identity")  # curves, by the recordings that they are of
# Of these the median of tokens is taken: chosen before any of them but Q4_0 had been looked at, one
# for each kind of change that the published baseline can be hoped to see within 40,000 tokens.
MEDIAN_OF = (
    "Q5_0",
    "Q4_0",
    "noise-3pc",
    "temperature-8",
    "top_p-9",
    "system-prompt",
    "tuned-25",
    "LoRA-r16",
)
LEAST_SHARE = 1e-7  # of an answer that top_p cut off

Pool = dict[str, NDArray[np.str_]]  # cell → answers, recording after recording


@dataclass(frozen=True, slots=True)
class Row:
    """One method on one rung at one budget."""

    rung: str
    method: str
    tokens: int
    requests: int
    power: float
    interval: tuple[float, float]
    pairs: int
    units: int
    hits: tuple[tuple[int, bool], ...] = field(repr=False)  # suspect unit, rejected

    def to_json(self) -> dict:
        return {k: v for k, v in asdict(self).items() if k != "hits"}

    @classmethod
    def of(cls, held: dict) -> Row:
        hits = tuple((int(j), bool(hit)) for j, hit in held["hits"])
        return cls(**{**held, "interval": tuple(held["interval"]), "hits": hits})


@cache
def pool(rung: str, kind: str) -> Pool:
    frame = pd.read_parquet(ZOO / f"{rung}{'-texts' if kind == 'texts' else ''}.parquet")
    frame = frame[frame["set"] == kind]
    return {
        str(cell): part["answer"].astype(str).to_numpy()
        for cell, part in frame.groupby("cell", observed=True)
    }


@cache
def text_tokens(rung: str) -> float:
    """Output tokens of a text, the mean."""
    return float(pd.read_parquet(ZOO / f"{rung}-texts.parquet")["tokens"].mean())


def recorded(kind: str) -> list[str]:
    """Rungs that have such recordings, the base left out."""
    texts = kind == "texts"
    found = [p.stem.removesuffix("-texts") for p in ZOO.glob("*-texts.parquet")]
    if not texts:
        found = [p.stem for p in ZOO.glob("*.parquet") if not p.stem.endswith("-texts")]
    return sorted(set(found) - {BASE, "border", "first-tokens", "greedy"})


def units(held: Pool, draws: int) -> int:
    return min(len(answers) for answers in held.values()) // draws


def unit(held: Pool, number: int, draws: int) -> Pool:
    return {c: a[number * draws : (number + 1) * draws] for c, a in held.items()}


def pairs(rung: str, kind: str, draws: int, wanted: int) -> list[tuple[int, Pool, Pool]]:
    """(suspect unit, reference, suspect), as many different pairs as there are or are wanted."""
    a, b = pool(BASE, kind), pool(rung, kind)
    n, m = units(a, draws), units(b, draws)
    if rung == BASE:  # one half against the other
        n, m = n // 2, n // 2
    if not n or not m:
        return []
    numbers = [((i + i // max(n, m)) % n, i % m) for i in range(min(wanted, n * m))]
    numbers = list(dict.fromkeys(numbers))
    after = n if rung == BASE else 0
    return [(j, unit(a, i, draws), unit(b, after + j, draws)) for i, j in numbers]


Test = Callable[[Pool, Pool, int], Mapping[str, float]]


def fused(label: str, kernels: tuple[str, ...] | None = None) -> Test:
    def test(a: Pool, b: Pool, seed: int) -> Mapping[str, float]:
        null = PermutationNull(np.random.default_rng([seed, 1]), RESAMPLES)
        options = {} if kernels is None else {"kernels": kernels}
        return {label: fused_test(_peers.drawn(a, b), null=null, **options).p_value}

    return test


def on_tables(a: Pool, b: Pool, seed: int) -> Mapping[str, float]:
    cells = [_tables.table(a[c], b[c]) for c in a]
    found = _tables.tests(cells, np.random.default_rng([seed, 2]), RESAMPLES)
    return {f"{name}": p for name, p in found.items()}


def with_scores(a: Pool, b: Pool, seed: int) -> Mapping[str, float]:
    rng = np.random.default_rng([seed, 3])
    score = first_shares(BASE)
    return {
        "RUT, exact": _peers.rank_exact(a, b, score, rng, RESAMPLES),
        "RUT, as published": _peers.rank_published(a, b, score, rng),
        "plug-in betting": _peers.betting_plugged(a, b, rng),
    }


def on_texts(a: Pool, b: Pool, seed: int) -> Mapping[str, float]:
    rng = np.random.default_rng([seed, 4])
    return {
        "MET, corrected": _peers.met_corrected(a, b, rng, RESAMPLES),
        "energy distance": _peers.energy(a, b, rng, RESAMPLES),
    }


def as_released(a: Pool, b: Pool, seed: int) -> Mapping[str, float]:
    return {"MET, as released": _peers.met_released(a, b, seed)}


@cache
def first_shares(rung: str) -> dict[str, dict[str, float]]:
    """Cell → first answer → its share, the likeliest 60 a cell."""
    frame = pd.read_parquet(ZOO / "first-tokens.parquet")
    frame = frame[frame["rung"] == rung]
    shares: dict[str, dict[str, float]] = {}
    for cell, text, share in zip(frame["cell"], frame["answer"], frame["share"], strict=True):
        here = shares.setdefault(str(cell), {})
        here[str(text)] = here.get(str(text), 0.0) + float(share)
    return shares


def kept_curve(label: str, rung: str, kind: str, test: Test, **options: int) -> list[Row]:
    """`curve`, or as it was computed before from these very recordings."""
    suffix = "-texts" if kind == "texts" else ""
    files = [ZOO / f"{name}{suffix}.parquet" for name in (BASE, rung)]
    read = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    key = digest([VERSION, label, rung, kind, options, read, PAIRS, RESAMPLES, BUDGETS, SAMPLES])
    path = CACHE / f"{key.removeprefix('sha256:')[:20]}.json"
    if path.is_file():
        return [Row.of(held) for held in json.loads(path.read_text(encoding="utf-8"))]
    rows = curve(rung, kind, test, **options)
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
    return rows


def curve(
    rung: str,
    kind: str,
    test: Test,
    *,
    spent: int = 0,
    wanted: int = PAIRS,
    largest: int = 10**9,
) -> list[Row]:
    """Power at growing budgets, until it has been 1 twice."""
    rows: list[Row] = []
    full: dict[str, int] = {}
    cells = len(pool(BASE, kind))
    for step in SAMPLES if kind == "texts" else BUDGETS:
        if step > largest:
            break
        draws = step if kind == "texts" else (step - spent) // cells
        if draws < 1:
            continue
        found: dict[str, list[tuple[int, bool]]] = {}
        tried = pairs(rung, kind, draws, wanted if step <= 500 else min(wanted, PAIRS))
        for number, (j, a, b) in enumerate(tried):
            for method, p in test(a, b, 1_000 * step + number).items():
                found.setdefault(method, []).append((j, p <= ALPHA))
        size = round(text_tokens(rung) * draws * cells) if kind == "texts" else draws * cells
        for method, hits in found.items():
            share = float(np.mean([hit for _, hit in hits]))
            independent = len({j for j, _ in hits})
            rows.append(
                Row(
                    rung=rung,
                    method=method,
                    tokens=size + spent,
                    requests=draws * cells + spent,
                    power=share,
                    interval=interval(share, independent),
                    pairs=len(hits),
                    units=independent,
                    hits=tuple(hits),
                )
            )
            full[method] = full.get(method, 0) + 1 if share == 1 else 0
        if full and all(times >= 2 for times in full.values()):
            break
    return rows


def interval(share: float, n: int) -> tuple[float, float]:
    """Clopper–Pearson, 95%; a share of dependent pairs is rounded to the units."""
    hits = round(share * n)
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))
    return low, high


def tokens_for(points: list[tuple[int, float]], power: float = 0.8) -> float:
    """Where the curve first reaches a power, linear in the logarithm of tokens.

    The first budget, where it is reached there already; infinite, where it never is.
    """
    before: tuple[int, float] | None = None
    for tokens, share in sorted(points):
        if share >= power:
            if before is None:
                return float(tokens)
            part = (power - before[1]) / (share - before[1])
            return float(np.exp(np.log(before[0]) + part * np.log(tokens / before[0])))
        before = (tokens, share)
    return float("inf")


def resampled(rows: list[Row], rng: np.random.Generator) -> list[tuple[int, float]]:
    """The curve with suspect units drawn again."""
    points = []
    for row in rows:
        by_unit: dict[int, list[bool]] = {}
        for j, hit in row.hits:
            by_unit.setdefault(j, []).append(hit)
        groups = list(by_unit.values())
        chosen = rng.integers(0, len(groups), len(groups))
        points.append((row.tokens, float(np.mean([h for g in chosen for h in groups[g]]))))
    return points


def median_tokens(
    rows: list[Row], method: str, rungs: Sequence[str], rng: np.random.Generator, times: int = 500
) -> dict | None:
    """Median over rungs of the tokens for a power of .8, with a bootstrap interval over units.

    None where the method was not run on each of them.
    """
    by_rung = {rung: [r for r in rows if r.rung == rung and r.method == method] for rung in rungs}
    if not rungs or not all(by_rung.values()):
        return None
    each = {k: tokens_for([(r.tokens, r.power) for r in v]) for k, v in by_rung.items()}
    again = [
        float(np.median([tokens_for(resampled(v, rng)) for v in by_rung.values()]))
        for _ in range(times)
    ]
    low, high = np.quantile(again, [0.025, 0.975], method="nearest")
    largest = {k: max(r.tokens for r in v) for k, v in by_rung.items()}
    # A rung on which .8 was not reached takes more than the most that was tried on it.
    bounds = [largest[k] if np.isinf(each[k]) else each[k] for k in rungs]
    return {
        "median": _finite(float(np.median(list(each.values())))),
        "at_least": _finite(float(np.median(bounds))),
        "interval": [_finite(float(low)), _finite(float(high))],
        "by_rung": {k: _finite(v) for k, v in each.items()},
        "largest_tried": largest,
    }


def _finite(value: float) -> float | None:
    return round(value) if np.isfinite(value) else None


def oracle(rung: str, draws: int) -> float:
    """Power of the likelihood-ratio test that is told both models' first-token distributions.

    Draws of the suspect alone, fixed cells, threshold by simulation: no test of the same draws can
    do better (but for the answers beyond the likeliest 60, which are taken as one).
    """
    rng = np.random.default_rng(5)
    base, other = first_shares(BASE), first_shares(rung)
    total_p, total_q = np.zeros(5_000), np.zeros(5_000)
    for cell in pool(BASE, "fixed"):
        names = sorted({*base[cell]} & {*other[cell]})  # known of both; the rest is one answer
        p, q = (np.array([x[cell].get(name, 0.0) for name in names]) for x in (base, other))
        p, q = (np.maximum(np.append(x, 1 - x.sum()), LEAST_SHARE) for x in (p, q))
        ratio = np.log(q / p)
        total_p += rng.multinomial(draws, p / p.sum(), 5_000) @ ratio
        total_q += rng.multinomial(draws, q / q.sum(), 5_000) @ ratio
    return float(np.mean(total_q > np.quantile(total_p, 1 - ALPHA)))


TEXT_KERNELS = tuple(TEXT)
