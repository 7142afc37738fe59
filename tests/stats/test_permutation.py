import itertools
import math

import numpy as np
import pytest

from provenance.stats.layout import Layout
from provenance.stats.permutation import (
    PermutationNull,
    p_value,
    relabel,
    relabelling_count,
)


def _by_hand(units, suspect):
    """Every relabelling, in plain Python."""
    choices = [list(itertools.combinations(unit, sum(suspect[i] for i in unit))) for unit in units]
    for pick in itertools.product(*choices):
        chosen = set(itertools.chain.from_iterable(pick))
        yield tuple(i in chosen for i in range(len(suspect)))


def _layout(make):
    # A cell in two blocks (1:1 and 2:1), and a cell without blocks: 2 · 3 · 10 relabellings.
    blocked = make([0, 1, 1], [1, 0], block=[0, 1, 1, 0, 1])
    return Layout.of([blocked, make([0, 1, 2], [1, 0])])


def test_enumeration_against_plain_python(make):
    layout = _layout(make)
    units = [[0, 3], [1, 2, 4], [5, 6, 7, 8, 9]]
    sampled = PermutationNull(np.random.default_rng(0)).sample(
        layout, lambda labels: labels.astype(float)
    )
    assert sampled.exact
    assert len(sampled.null) == relabelling_count(layout) == 60
    assert {tuple(row.astype(bool)) for row in sampled.null} == set(
        _by_hand(units, layout.suspect.tolist())
    )
    assert tuple(sampled.observed.astype(bool)) == tuple(layout.suspect)


def test_random_relabellings_are_uniform(make):
    from scipy.stats import chisquare

    layout = _layout(make)
    rows = relabel(layout, 60_000, np.random.default_rng(1))
    _, seen = np.unique(rows, axis=0, return_counts=True)
    assert len(seen) == 60
    assert chisquare(seen).pvalue > 1e-3


def test_every_batch_size_gives_valid_rows(make):
    layout = _layout(make)
    for batch in (1, 7, 1000):
        null = PermutationNull(np.random.default_rng(2), 50, exact_limit=0, batch=batch)
        sampled = null.sample(layout, lambda labels: labels.astype(float))
        assert sampled.null.shape == (50, 10)
        np.testing.assert_array_equal(sampled.null.sum(axis=1), 4)


def test_same_seed_same_null(make):
    layout = _layout(make)
    rows = [relabel(layout, 20, np.random.default_rng(3)) for _ in range(2)]
    np.testing.assert_array_equal(*rows)


def test_p_value_counts_ties_and_is_never_zero():
    null = np.array([0.1 + 0.2, 1.0, -1.0])
    assert p_value(0.3, null, exact=False) == 3 / 4
    assert p_value(5.0, null, exact=False) == 1 / 4
    assert p_value(1.0, null, exact=True) == 1 / 3


def test_monte_carlo_against_scipy(make):
    from scipy.stats import permutation_test

    rng = np.random.default_rng(4)
    x, y = rng.normal(size=9), rng.normal(0.8, size=7)
    pooled = np.concatenate([x, y])
    layout = Layout.of([make([0] * 9, [0] * 7)])

    def difference(labels):
        return (labels @ pooled / 7 - (~labels) @ pooled / 9)[:, None]

    sampled = PermutationNull(rng).sample(layout, difference)
    theirs = permutation_test(
        (y, x),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        vectorized=True,
        alternative="greater",
        n_resamples=math.inf,
    )
    exact = PermutationNull(rng, exact_limit=20_000).sample(layout, difference)
    assert p_value(exact.observed[0], exact.null[:, 0], exact=True) == pytest.approx(theirs.pvalue)
    estimate = p_value(sampled.observed[0], sampled.null[:, 0], exact=False)
    assert estimate == pytest.approx(theirs.pvalue, abs=0.02)


def test_early_stop_is_besag_clifford(make):
    layout = Layout.of([make([0] * 8, [1] * 8)])
    null = PermutationNull(np.random.default_rng(5), 9_999, exact_limit=0, stop_at=10)
    constant, used = null.sequential_p_value(layout, lambda labels: np.ones((len(labels), 1)))
    assert (constant, used) == (1.0, 10)
    extreme, used = null.sequential_p_value(
        layout, lambda labels: (labels[:, 8:].sum(axis=1) == 8).astype(float)[:, None]
    )
    assert used == 9_999 or extreme == 10 / used
    assert extreme < 0.005


@pytest.mark.parametrize("change", [{"resamples": 0}, {"batch": 0}, {"stop_at": 0}])
def test_senseless_settings(change):
    with pytest.raises(ValueError, match="expected"):
        PermutationNull(np.random.default_rng(0), **change)
