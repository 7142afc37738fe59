import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from provenance.stats.layout import CellDraws, Layout
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


def test_pairs_change_places_with_a_coin_each(make):
    """Null: uniform over 2⁵ relabellings; unit: a pair. A block of one side alone stays.

    Breaks if two pairs share a coin, if a coin is not even, or if the lone block moves.
    """
    from scipy.stats import chisquare

    blocks = make([0, 1, 1, 0, 2, 2], [1, 0, 1, 2], block=[0, 1, 2, 3, 9, 9, 3, 2, 1, 0])
    layout = Layout.of([blocks, make([0], [1])])
    rows = relabel(layout, 60_000, np.random.default_rng(4))
    assert not rows[:, 4:6].any()
    different, seen = np.unique(rows, axis=0, return_counts=True)
    assert len(seen) == relabelling_count(layout) == 32
    assert chisquare(seen).pvalue > 1e-3
    by_hand = _by_hand([(0, 9), (1, 8), (2, 7), (3, 6), (4, 5), (10, 11)], layout.suspect)
    assert {tuple(row) for row in different} == set(by_hand)


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


def _suspects_of_the_second_half(labels):
    return labels[:, labels.shape[1] // 2 :].sum(axis=1, keepdims=True).astype(float)


def _noise(seed):
    """A statistic without ties: a random score of each draw, summed over the suspect's."""
    scores = np.random.default_rng(seed).normal(size=64)
    return lambda labels: (labels @ scores[: labels.shape[1]])[:, None]


def test_early_stop_is_besag_clifford(make):
    layout = Layout.of([make([0] * 8, [1] * 8)])
    null = PermutationNull(np.random.default_rng(5), 9_999, exact_limit=0, stop_at=10)
    constant = null.upper_tail(layout, lambda labels: np.ones((len(labels), 1)))
    assert (constant.p_value, len(constant.null), constant.stopped) == (1.0, 10, True)
    extreme = null.upper_tail(layout, _suspects_of_the_second_half)
    assert not extreme.stopped
    assert len(extreme.null) == 9_999
    assert extreme.p_value == (1 + (extreme.null >= 8).sum()) / 10_000


def test_early_stop_against_a_loop_over_relabellings(make):
    layout = Layout.of([make([0] * 6, [1] * 6), make([0] * 3, [1] * 5)])
    statistic = _noise(6)
    for seed in range(60):
        found = PermutationNull(
            np.random.default_rng(seed), 200, exact_limit=0, stop_at=4
        ).upper_tail(layout, statistic)
        exceeds, drawn = 0, 0
        while exceeds < 4 and drawn < len(found.null):
            exceeds += found.null[drawn] >= found.statistic
            drawn += 1
        assert drawn == len(found.null)
        assert found.stopped == (exceeds == 4)
        assert found.p_value == (4 / drawn if found.stopped else (1 + exceeds) / 201)


def test_the_stopped_null_begins_the_full_one(make):
    layout = Layout.of([make([0] * 8, [1] * 8)])
    options = {"resamples": 500, "exact_limit": 0, "batch": 50}
    full = PermutationNull(np.random.default_rng(7), **options).upper_tail(layout, _noise(7))
    part = PermutationNull(np.random.default_rng(7), **options, stop_at=5).upper_tail(
        layout, _noise(7)
    )
    np.testing.assert_array_equal(part.null, full.null[: len(part.null)])


@settings(max_examples=60, deadline=None)
@given(
    reference=st.integers(1, 5),
    suspect=st.integers(1, 5),
    stop_at=st.none() | st.integers(1, 20),
    exact_limit=st.sampled_from([0, 10_000]),
    grain=st.sampled_from([1.0, 0.01]),
    seed=st.integers(0, 999),
)
def test_p_lies_in_0_1_and_is_read_from_the_null(
    reference, suspect, stop_at, exact_limit, grain, seed
):
    n = reference + suspect
    cell = CellDraws(np.zeros(n, dtype=np.intp), (), np.arange(n) >= reference, None)
    null = PermutationNull(
        np.random.default_rng(seed), 50, exact_limit=exact_limit, stop_at=stop_at
    )
    found = null.upper_tail(
        Layout.of([cell]), lambda labels: np.round(_noise(seed)(labels) / grain) * grain
    )
    assert 0 < found.p_value <= 1
    assert found.exact == (exact_limit > 0)
    count = int((found.null >= found.statistic - 1e-8 * max(1, np.abs(found.null).max())).sum())
    if found.exact:
        assert found.p_value == count / len(found.null)
    elif found.stopped:
        assert count == stop_at
        assert found.p_value == stop_at / len(found.null)
    else:
        assert found.p_value == (1 + count) / 51


@pytest.mark.parametrize("stop_at", [1, 3, 20])
@pytest.mark.parametrize("grain", [1e-9, 2.0])
def test_early_stop_rejects_true_nulls_no_more_often_than_stated(make, stop_at, grain):
    # Without ties and with many; labels drawn as under the null.
    layout = Layout.of([make([0] * 7, [1] * 5)])
    rng = np.random.default_rng(8)
    scores = rng.normal(size=12)
    p_values = []
    for labels in relabel(layout, 3_000, rng):
        realised = dataclasses.replace(layout, suspect=labels)
        null = PermutationNull(rng, 99, exact_limit=0, stop_at=stop_at)
        found = null.upper_tail(
            realised, lambda rows: np.round((rows @ scores) / grain)[:, None] * grain
        )
        p_values.append(found.p_value)
    for level in (0.02, 0.05, 0.2, 0.5):
        rejected = int((np.array(p_values) <= level).sum())
        assert binomtest(rejected, 3_000, level, alternative="greater").pvalue > 1e-4
    if grain < 1:
        # Not merely conservative: at l = h/α the level is met.
        assert np.mean(np.array(p_values) <= 0.5) > 0.45


@pytest.mark.parametrize("change", [{"resamples": 0}, {"batch": 0}, {"stop_at": 0}])
def test_senseless_settings(change):
    with pytest.raises(ValueError, match="expected"):
        PermutationNull(np.random.default_rng(0), **change)
