"""Do the shipped tests reject true null hypotheses no more often than they say?

    python benchmarks/false_alarms.py --quick            some minutes: shape of the table
    python benchmarks/false_alarms.py --runs 20000       settles α = .05 and .01
    python benchmarks/false_alarms.py --runs 200000      settles .001 too: hours on two cores

Every row simulates studies in which suspect and reference answer alike, and counts rejections.
PASS: the one-sided 99% Clopper–Pearson upper bound is at most 1.25α (.05) or 1.5α (.01, .001).
FAIL: the lower bound, Bonferroni over the table, is above α. Between: run four times as many.
The power column is the same test against one fixed alternative at α = .01. Stress rows break the
tests' assumptions on purpose: there a diagnostic must be raised, and the miss rate is the share
of studies in which a test rejects at .01 and no diagnostic does at .01.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from provenance.stats.fused import fused_test
from provenance.stats.imputation import rates_differ
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.parts import CATEGORICAL, TEXT
from provenance.stats.permutation import PermutationNull
from provenance.stats.serial import serial_test

LEVELS = (0.05, 0.01, 0.001)
SLACK = {0.05: 1.25, 0.01: 1.5, 0.001: 1.5}
# The fewest that can reach p = .001 in each of three Holm hypotheses.
RESAMPLES = {1: 999, 3: 2_999}
CHUNK = 500

Probabilities = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Scenario:
    """How studies are drawn; ``effect`` is a dilution by another model for the power column.

    ``test`` is fused, text, repeat, drift, rates, or the name of an instrument: those have as
    their alternative that a share ``effect`` of the suspect's answers are other, longer ones.
    """

    name: str
    test: str = "fused"
    model: str = "mixed"
    cells: int = 6
    draws: int = 4
    ratio: int = 1
    blocked: bool = False
    drift: bool = False
    fail: tuple[float, float] = (0.0, 0.0)
    fail_on_content: bool = False
    cache: float = 0.0
    families: int = 1
    effect: float = 0.8
    stress: bool = False

    @property
    def reads(self) -> str:
        """What the test looks at."""
        if self.test in INSTRUMENTS:
            return INSTRUMENTS[self.test].reads
        return "texts" if self.test == "text" else "categories"


# Small and ugly: peaked, flat and Zipf cells in turn, with 2 + 2, 6 + 2 (blocks) and 8 + 8 draws.
INSTRUMENT_ROWS = tuple(
    Scenario(f"{name}, {label}", test=name, **shape)
    for name in INSTRUMENTS
    for label, shape in (
        ("2 + 2 draws", {"draws": 2, "cells": 12, "effect": 1.0}),
        ("6 : 2, blocks", {"draws": 2, "ratio": 3, "cells": 12, "blocked": True, "effect": 1.0}),
        ("peaked, 8 + 8", {"draws": 8, "cells": 4, "model": "peaked"}),
    )
)

SCENARIOS = (
    Scenario("fused, 3 + 3 draws", draws=3),
    Scenario("fused, peaked", model="peaked", draws=6),
    Scenario("fused, flat", model="flat", draws=6, cells=10, effect=1.0),
    Scenario("fused, 12 : 3 draws", draws=3, ratio=4),
    Scenario("fused, blocks 1:1", draws=6, blocked=True),
    Scenario("fused, blocks 3:1", draws=3, ratio=3, blocked=True),
    Scenario("fused, drift shared by blocks", draws=6, blocked=True, drift=True),
    Scenario("fused, failures 5% and 25%", draws=8, blocked=True, fail=(0.05, 0.25)),
    Scenario("fused, failures, no blocks", draws=8, fail=(0.05, 0.25)),
    Scenario("fused text, blocks 1:1", test="text", cells=4, draws=4, blocked=True),
    Scenario("fused text, 2 + 1 draws", test="text", cells=12, draws=1, ratio=2),
    Scenario("Holm over 3 families", cells=9, draws=6, blocked=True, families=3),
    Scenario("repeats", test="repeat", cells=8, draws=8),
    Scenario("drift", test="drift", cells=8, draws=8),
    Scenario("failure rates (Fisher)", test="rates", cells=8, draws=8, fail=(0.1, 0.1)),
    Scenario("cache repeats 10%", stress=True, cache=0.1, cells=12, draws=10, blocked=True),
    Scenario("cache repeats 30%", stress=True, cache=0.3, cells=12, draws=10, blocked=True),
    Scenario("drift, not blocked", stress=True, drift=True, cells=12, draws=10),
    Scenario(
        "failures hang on content",
        stress=True,
        cells=12,
        draws=10,
        blocked=True,
        fail=(0.0, 0.3),
        fail_on_content=True,
    ),
    *INSTRUMENT_ROWS,
)


@dataclass(frozen=True)
class Study:
    """A simulated study: cells, the sequences of each side in time, failures by side."""

    cells: list[CellDraws]
    sequences: list[NDArray[np.intp]]
    failed: tuple[int, int]
    asked: tuple[int, int]


def model(rng: np.random.Generator, kind: str, cells: int) -> Probabilities:
    """Random categorical models; "mixed" takes peaked, flat and Zipf in turn."""
    found = []
    for i in range(cells):
        shape = ("peaked", "flat", "zipf")[i % 3] if kind == "mixed" else kind
        if shape == "peaked":
            p = rng.dirichlet(np.full(12, 0.08)) + 1e-12
        elif shape == "flat":
            p = rng.dirichlet(np.full(12, 3.0))
        else:
            p = rng.permutation(1 / np.arange(1, 31) ** 1.3)
        found.append(p / p.sum())
    return found


def simulate(rng: np.random.Generator, scenario: Scenario, effect: float) -> Study:
    """Draw one study."""
    reference = model(rng, scenario.model, scenario.cells)
    other = model(rng, scenario.model, scenario.cells)
    later = model(rng, scenario.model, scenario.cells)
    cells, sequences = [], []
    failed, asked = [0, 0], [0, 0]
    for p, q, r in zip(reference, other, later, strict=True):
        codes, sides, blocks = [], [], []
        for side, ratio in ((0, scenario.ratio), (1, 1)):
            n = scenario.draws * ratio
            block = np.repeat(np.arange(scenario.draws), ratio)
            other_words = side and scenario.test in INSTRUMENTS
            base = (1 - effect) * p + effect * q if side and not other_words else p
            # Shared drift follows the block. Without blocks the suspect is asked after the rest.
            moved = block / scenario.draws * scenario.drift
            if scenario.drift and not scenario.blocked:
                moved = np.full(n, float(side)) * np.linspace(0.3, 1, n)
            drawn = np.array(
                [rng.choice(len(p), p=(1 - m) * base + m * _padded(r, len(p))) for m in moved]
            )
            if other_words and effect:
                drawn = np.where(rng.random(n) < effect, drawn + 6, drawn)
            if side and scenario.cache:
                for i in range(1, n):
                    if rng.random() < scenario.cache:
                        drawn[i] = drawn[i - 1]
            rate = np.full(n, scenario.fail[side])
            if scenario.fail_on_content:
                rate = rate * 3 * (drawn == np.argmax(p))
            kept = rng.random(n) >= rate
            failed[side] += int((~kept).sum())
            asked[side] += n
            codes.append(drawn[kept])
            blocks.append(block[kept])
            sides.append(np.full(int(kept.sum()), bool(side)))
            sequences.append(drawn[kept])
        pooled = np.concatenate(codes)
        cells.append(
            CellDraws(
                pooled,
                _texts(rng, pooled, scenario),
                np.concatenate(sides),
                np.concatenate(blocks) if scenario.blocked else None,
                _values(rng, pooled, scenario.reads),
            )
        )
    return Study(cells, sequences, (failed[0], failed[1]), (asked[0], asked[1]))


def _padded(p: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    cut = np.resize(p, size)
    return np.asarray(cut / cut.sum())


def _text(rng: np.random.Generator, code: int) -> str:
    return " ".join(f"w{(code * 7 + i) % 30}" for i in rng.integers(0, 4, 12))


def _texts(
    rng: np.random.Generator, codes: NDArray[np.intp], scenario: Scenario
) -> tuple[str, ...]:
    if scenario.reads != "texts":
        return ()
    if scenario.test == "text":
        return tuple(_text(rng, c) for c in codes)
    # Beginning, words and length depend on the category.
    return tuple(
        f"{'abcdefg'[c % 7]} {' '.join(f'w{(c * 5 + i) % 17}' for i in rng.integers(0, 3, 3 + c))}"
        for c in codes
    )


def _values(
    rng: np.random.Generator, codes: NDArray[np.intp], reads: str
) -> NDArray[np.float64] | None:
    if reads == "score":
        # Rounded: ties are the rule.
        return np.round(-np.log1p(codes) - rng.exponential(0.3, len(codes)), 1)[:, None]
    if reads == "logprobs":
        values = -0.2 * codes[:, None] - rng.exponential(0.2, (len(codes), 5)) - 0.3
        return np.where(rng.random(values.shape) < 0.1, np.nan, values)
    return None


def p_value(rng: np.random.Generator, scenario: Scenario, effect: float) -> float:
    """P-value of the scenario's test on one simulated study."""
    if effect and scenario.test == "repeat":
        return _serial(rng, scenario, cache=0.3).p_repeat
    if effect and scenario.test == "drift":
        drifting = Scenario(**{**asdict(scenario), "drift": True, "blocked": True})
        return serial_test(simulate(rng, drifting, 0).sequences, null=_null(rng)).p_drift
    if effect and scenario.test == "rates":
        scenario = Scenario(**{**asdict(scenario), "fail": (0.1, 0.35)})
    study = simulate(rng, scenario, effect)
    if scenario.test == "rates":
        return rates_differ(study.failed[0], study.asked[0], study.failed[1], study.asked[1])
    if scenario.test in ("repeat", "drift"):
        found = serial_test(study.sequences, null=_null(rng))
        return found.p_repeat if scenario.test == "repeat" else found.p_drift
    if scenario.test in INSTRUMENTS:
        # Besag–Clifford in every study: it reaches p = .001 and stops most nulls early.
        null = PermutationNull(rng, RESAMPLES[1], exact_limit=200, stop_at=50)
        return INSTRUMENTS[scenario.test].test(study.cells, null=null).p_value
    size = len(study.cells) // scenario.families
    kernels = TEXT if scenario.test == "text" else CATEGORICAL
    values = [
        fused_test(
            study.cells[i * size : (i + 1) * size],
            null=_null(rng, RESAMPLES[scenario.families]),
            kernels=kernels,
        ).p_value
        for i in range(scenario.families)
    ]
    return float(holm(values).min())


def _serial(rng: np.random.Generator, scenario: Scenario, cache: float):
    cached = Scenario(**{**asdict(scenario), "cache": cache})
    return serial_test(simulate(rng, cached, 0).sequences, null=_null(rng))


def _null(rng: np.random.Generator, resamples: int = 999) -> PermutationNull:
    return PermutationNull(rng, resamples)


def run_chunk(task: tuple[int, int, int, float]) -> list[float]:
    """P-values of one chunk; a row's seed is (scenario, chunk), whatever the workers."""
    index, chunk, runs, effect = task
    rng = np.random.default_rng([20_261, index, chunk, int(effect > 0)])
    return [p_value(rng, SCENARIOS[index], effect) for _ in range(runs)]


def run_stress(task: tuple[int, int]) -> tuple[float, float, float]:
    """Shares of studies: test rejects, a diagnostic is raised, rejects without a diagnostic."""
    index, runs = task
    rng = np.random.default_rng([20_262, index])
    scenario = SCENARIOS[index]
    rejected, raised = np.zeros(runs, dtype=bool), np.zeros(runs, dtype=bool)
    for i in range(runs):
        study = simulate(rng, scenario, 0.0)
        rejected[i] = fused_test(study.cells, null=_null(rng)).p_value <= 0.01
        diagnostics = [
            rates_differ(study.failed[0], study.asked[0], study.failed[1], study.asked[1])
        ]
        for side in (0, 1):
            serial = serial_test(study.sequences[side::2], null=_null(rng))
            diagnostics += [serial.p_repeat, serial.p_drift]
        raised[i] = min(diagnostics) <= 0.01
    return float(rejected.mean()), float(raised.mean()), float((rejected & ~raised).mean())


def judge(rejections: int, runs: int, alpha: float, rows: int) -> tuple[float, float, str]:
    """Clopper–Pearson bounds and what they say; see the head of this file."""
    from scipy.stats import beta

    upper = float(beta.ppf(0.99, rejections + 1, runs - rejections)) if rejections < runs else 1.0
    confidence = 1 - 0.01 / rows
    lower = (
        float(beta.ppf(1 - confidence, rejections, runs - rejections + 1)) if rejections else 0.0
    )
    if upper <= SLACK[alpha] * alpha:
        return lower, upper, "PASS"
    return lower, upper, "FAIL" if lower > alpha else "more"


def run(runs: int, workers: int, only: str = "") -> dict[str, list[dict[str, object]]]:
    """The whole table."""
    chosen = [i for i, s in enumerate(SCENARIOS) if only in s.name]
    valid = [i for i in chosen if not SCENARIOS[i].stress]
    table: dict[str, list[dict[str, object]]] = {"null": [], "stress": []}
    mapper: Callable[..., object] = map
    pool = ProcessPoolExecutor(workers) if workers > 1 else None
    if pool:
        mapper = pool.map
    for i in valid:
        started = time.perf_counter()
        sizes = [CHUNK] * (runs // CHUNK) + ([runs % CHUNK] if runs % CHUNK else [])
        tasks = [(i, chunk, size, 0.0) for chunk, size in enumerate(sizes)]
        p = np.concatenate([*mapper(run_chunk, tasks)])
        power = np.array(run_chunk((i, 0, min(300, runs), SCENARIOS[i].effect)))
        row: dict[str, object] = {"row": SCENARIOS[i].name, "runs": runs}
        for alpha in LEVELS:
            rejections = int((p <= alpha).sum())
            lower, upper, word = judge(rejections, runs, alpha, len(LEVELS) * len(valid))
            row[str(alpha)] = {
                "rate": rejections / runs,
                "lower": lower,
                "upper": upper,
                "says": word,
            }
        row["power"] = float((power <= 0.01).mean())
        row["seconds"] = round(time.perf_counter() - started, 1)
        table["null"].append(row)
        print_null(row)
    stress = [i for i in chosen if SCENARIOS[i].stress]
    for i, shares in zip(
        stress, mapper(run_stress, [(i, max(50, runs // 20)) for i in stress]), strict=True
    ):
        row = {"row": SCENARIOS[i].name, "runs": max(50, runs // 20)}
        row |= dict(zip(("rejects", "diagnosed", "missed"), shares, strict=True))
        table["stress"].append(row)
        print(
            f"stress  {SCENARIOS[i].name:28s} rejects {shares[0]:.3f}  "
            f"diagnosed {shares[1]:.3f}  missed {shares[2]:.3f}",
            flush=True,
        )
    if pool:
        pool.shutdown()
    return table


def print_null(row: dict[str, object]) -> None:
    levels = "  ".join(
        f"{alpha}: {v['rate']:.4f} [{v['lower']:.4f}, {v['upper']:.4f}] {v['says']}"
        for alpha in LEVELS
        for v in [row[str(alpha)]]
    )
    print(f"{row['row']:34s} {levels}  power {row['power']:.2f}  {row['seconds']} s", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="400 runs a row")
    parser.add_argument("--runs", type=int, default=20_000, help="simulated studies a row")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    table = run(400 if options.quick else options.runs, options.workers, options.only)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    failed = any(row[str(alpha)]["says"] == "FAIL" for row in table["null"] for alpha in LEVELS)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
