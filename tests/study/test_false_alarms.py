"""The whole way, from endpoints to label, on pairs that are equal: how often is it wrong?

The full table, every test by itself and N as the contract asks, is benchmarks/false_alarms.py.
"""

import pytest
from scipy.stats import binomtest

from provenance import compare

RUNS = 36


def _rejections(make, tmp_path, runs=RUNS, **options):
    return sum(
        compare(
            *make(seed), seed=seed, formats=[], store=tmp_path / str(seed), **options
        ).verdict.label
        == "different"
        for seed in range(runs)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "suspect"),
    [("a", "same"), ("flat", "flat")],
    ids=["peaked", "flat"],
)
def test_equal_pairs_are_rarely_different(models, tmp_path, reference, suspect):
    flat = ", ".join(f'"{i}" = {1 / 40}' for i in range(40))
    models.write_text(models.read_text() + f'\n[models.flat.cells]\n"*" = {{{flat}}}\n')

    def make(seed):
        return (f"simulated:{models},model={reference}", f"simulated:{models},model={suspect}")

    wrong = _rejections(make, tmp_path, alpha=0.05, draws=5)
    # Fails if the rate is above .05 beyond doubt (p < .001).
    assert binomtest(wrong, RUNS, 0.05, alternative="greater").pvalue > 0.001, wrong


@pytest.mark.slow
def test_a_dilution_is_mostly_different(endpoint, tmp_path):
    pair = endpoint("a"), endpoint("mixed")
    seen = _rejections(lambda seed: pair, tmp_path, runs=12, alpha=0.05)
    assert seen >= 9, "a test that never rejects would pass the other tests here"
