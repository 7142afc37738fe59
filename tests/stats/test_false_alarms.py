"""The benchmark of false alarms, small: its rows run, repeat themselves, and none fails."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from provenance.stats.instruments import INSTRUMENTS

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    before, path = set(sys.modules), list(sys.path)
    specification = importlib.util.spec_from_file_location(
        "false_alarms", BENCHMARKS / "false_alarms.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="module")
def batch(benchmark):
    return sys.modules["_fused_batch"]


@pytest.fixture(scope="module")
def studies(benchmark):
    return sys.modules["_null_studies"]


def test_bounds_are_clopper_pearson(benchmark):
    from scipy.stats import binomtest

    lower, upper, _ = benchmark.judge(12, 400, 0.05, 1)
    interval = binomtest(12, 400).proportion_ci(0.98, method="exact")
    assert (lower, upper) == pytest.approx((interval.low, interval.high))


def test_rule(benchmark):
    assert benchmark.judge(1_000, 20_000, 0.05, 45)[2] == "PASS"
    assert benchmark.judge(1_300, 20_000, 0.05, 45)[2] == "FAIL"
    assert benchmark.judge(275, 20_000, 0.01, 45_000)[2] == "more"
    assert benchmark.judge(20, 400, 0.05, 45)[2] == "few"
    assert benchmark.judge(20, 20_000, 0.001, 45)[2] == "few"
    assert benchmark.judge(200, 200_000, 0.001, 45)[2] == "PASS"
    assert benchmark.judge(0, 20_000, 0.01, 45)[0] == 0.0


def test_chunks_repeat_themselves(benchmark):
    for name in ("panel of 3", "rarity, 2 + 2 draws", "rank test, 5 reference draws"):
        task = (name, 3, 6, False)
        assert np.array_equal(
            benchmark.run_chunk(task), benchmark.run_chunk(task), equal_nan=True
        ), name


def test_a_row_that_was_ended_is_taken_up(benchmark):
    row = benchmark.ROWS["failure rates (Fisher)"]
    whole = benchmark.compute(row, 800, 1, 10)
    half = benchmark.compute(row, 400, 1, 10)
    rest = benchmark.compute(row, 800, 1, 10, half)
    assert half["levels"]["0.05"]["runs"] == 400
    assert rest["levels"] == whole["levels"]


def test_every_instrument_has_rows_and_twelve_rows_settle_the_smallest_level(benchmark):
    for name in INSTRUMENTS:
        assert sum(row.startswith(f"{name}, ") for row in benchmark.ROWS) == 3
    many = [r for r in benchmark.ROWS.values() if r.group == "valid" and r.runs >= benchmark.MANY]
    assert len(many) >= 12
    assert sum(r.group == "stress" for r in benchmark.ROWS.values()) >= 4


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"draws": 2, "ratio": 3, "blocked": True, "cells": 3},
        {"draws": 6, "fail": (0.3, 0.5)},
        {"draws": 6, "blocked": True, "fail": (0.3, 0.5)},
        {"draws": 5, "uneven": True},
        {"model": "binary", "cells": 1, "draws": 3},
    ],
)
def test_the_batch_is_the_fused_test(batch, studies, options):
    """Same p-values on the same relabellings; and not by agreeing on 1 everywhere."""
    rng = np.random.default_rng(4)
    chunk = studies.draw(rng, studies.Shape(**options), 40)
    assert batch.agrees(rng, chunk, 25)
    units = batch.Units.of(chunk)
    p = batch._fused(units, units.relabelled(rng, 39))
    assert len(np.unique(p)) > 3


def test_an_altered_batch_is_found_out(batch, studies, monkeypatch):
    monkeypatch.setattr(batch, "combine", lambda scores: scores.sum(axis=1))
    rng = np.random.default_rng(4)
    assert not batch.agrees(rng, studies.draw(rng, studies.Shape(draws=5), 20), 20)


def test_the_table_that_is_kept_is_the_one_that_is_computed(benchmark):
    """The counts of the first chunk of a kept row are those of the code as it is."""
    rows = {r["row"]: r for r in json.loads(benchmark.OUT.read_text())["rows"]}
    assert rows, "python benchmarks/false_alarms.py"
    assert set(rows) <= set(benchmark.ROWS)
    tests = benchmark.tested(rows.values())
    for row in rows.values():
        if row["group"] == "valid":
            assert "FAIL" not in [benchmark.says(row, a, tests) for a in benchmark.LEVELS], row


@pytest.mark.slow
def test_no_row_fails(benchmark):
    names = [n for n, r in benchmark.ROWS.items() if r.group == "valid"]
    for name in names:
        runs = 12 if name.startswith(("whole", "fused text", "edit", "prefix")) else 40
        found = benchmark.run_chunk((name, 10_001, runs, False))
        for column, alpha in enumerate(benchmark.LEVELS):
            tested = found[~np.isnan(found[:, column]), column]
            if len(tested):
                _, _, says = benchmark.judge(int(tested.sum()), len(tested), alpha, 3 * len(names))
                assert says != "FAIL", (name, alpha)


@pytest.mark.slow
def test_a_cache_is_diagnosed(benchmark):
    found = benchmark.run_chunk(("cache repeats 30%", 0, 20, False))
    rejects, diagnosed, different = found.mean(axis=0)
    assert rejects > 0.2
    assert diagnosed > 0.7
    assert different < rejects
