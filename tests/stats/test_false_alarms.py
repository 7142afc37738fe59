"""The benchmark of false alarms, small: its rows run, repeat themselves, and none fails."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def benchmark():
    import sys

    path = Path(__file__).parents[2] / "benchmarks" / "false_alarms.py"
    specification = importlib.util.spec_from_file_location("false_alarms", path)
    module = importlib.util.module_from_spec(specification)
    # dataclasses look their module up by name.
    sys.modules["false_alarms"] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules["false_alarms"]


def test_bounds_are_clopper_pearson(benchmark):
    from scipy.stats import binomtest

    lower, upper, _ = benchmark.judge(12, 400, 0.05, 1)
    interval = binomtest(12, 400).proportion_ci(0.98, method="exact")
    assert (lower, upper) == pytest.approx((interval.low, interval.high))


def test_rule(benchmark):
    assert benchmark.judge(1_000, 20_000, 0.05, 45)[2] == "PASS"
    assert benchmark.judge(1_300, 20_000, 0.05, 45)[2] == "FAIL"
    assert benchmark.judge(20, 400, 0.05, 45)[2] == "more"
    assert benchmark.judge(0, 20_000, 0.01, 45)[0] == 0.0


def test_chunks_repeat_themselves(benchmark):
    task = (0, 3, 4, 0.0)
    assert benchmark.run_chunk(task) == benchmark.run_chunk(task)


@pytest.mark.slow
def test_no_row_fails(benchmark, capsys):
    table = benchmark.run(60, 1)
    assert {row["row"] for row in table["null"]} == {
        s.name for s in benchmark.SCENARIOS if not s.stress
    }
    for row in table["null"]:
        for alpha in benchmark.LEVELS:
            assert row[str(alpha)]["says"] != "FAIL", row
    found = {row["row"]: row for row in table["stress"]}
    assert found["cache repeats 30%"]["diagnosed"] > 0.8
    assert "power" in capsys.readouterr().out
