"""The whole way, from endpoints to label, on pairs that are equal: how often is it wrong?

The full table, every test by itself and N as the contract asks, is benchmarks/false_alarms.py; its
short version, with 40 studies of the whole pipeline in memory, is tests/stats/test_false_alarms.py.
Here are few studies, but through providers, sampler and store.
"""

import pytest
from scipy.stats import binomtest

from provenance import compare

RUNS = 6


@pytest.fixture
def battery(tmp_path, number_battery):
    """Six questions for numbers in two families."""
    return number_battery(tmp_path / "numbers.toml", ["short_text", "one_token"] * 3, 8)


def _rejections(make, tmp_path, runs=RUNS, **options):
    return sum(
        compare(
            *make(seed), seed=seed, formats=[], store=tmp_path / str(seed), alpha=0.05, **options
        ).verdict.label
        == "different"
        for seed in range(runs)
    )


@pytest.mark.parametrize(
    ("reference", "suspect"),
    [("a", "same"), ("flat", "flat")],
    ids=["peaked", "flat"],
)
def test_equal_pairs_are_rarely_different(models, battery, tmp_path, reference, suspect):
    flat = ", ".join(f'"{i}" = {1 / 40}' for i in range(40))
    models.write_text(models.read_text() + f'\n[models.flat.cells]\n"*" = {{{flat}}}\n')

    def make(seed):
        return (f"simulated:{models},model={reference}", f"simulated:{models},model={suspect}")

    wrong = _rejections(make, tmp_path, battery=battery)
    # Fails if the rate is above .05 beyond doubt (p < .01).
    assert binomtest(wrong, RUNS, 0.05, alternative="greater").pvalue > 0.01, wrong


def test_another_model_is_different(endpoint, battery, tmp_path):
    pair = endpoint("a"), endpoint("other")
    seen = _rejections(lambda seed: pair, tmp_path, runs=4, battery=battery)
    assert seen == 4, "a test that never rejects would pass the other tests here"
