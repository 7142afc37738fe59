"""Which models of a library cannot be excluded."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.calibration.metrics import upper_limit
from provenance.attribution.open_set import either, false_inclusion, fixed, needed, open_set


def test_p_values_are_ranks_among_own_scores() -> None:
    own = np.array([1.0, 2.0, 3.0, 4.0])
    found = open_set(np.array([0.5, 1.0, 2.5, 9.0]), own, alpha=0.2)
    assert found.p_values.tolist() == [1 / 5, 2 / 5, 3 / 5, 1.0]
    assert found.included.tolist() == [False, True, True, True]
    assert found.calibration == 4
    assert found.decidable


def test_too_few_bundles_reject_nothing() -> None:
    found = open_set(np.array([-50.0, 0.0]), np.arange(98.0), alpha=0.01)
    assert not found.decidable
    assert found.included.all()
    assert needed(0.01) == 99
    assert needed(0.05) == 19
    assert open_set(np.array([-50.0]), np.arange(99.0), alpha=0.01).included.tolist() == [False]


def test_models_without_scores_are_in_no_set() -> None:
    found = open_set(np.array([np.nan, 5.0]), np.array([1.0, np.nan, 2.0, 3.0, 4.0]), alpha=0.2)
    assert np.isnan(found.p_values[0])
    assert found.included.tolist() == [False, True]
    assert found.calibration == 4


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_coverage_is_at_least_nominal(alpha: float) -> None:
    """Own scores of 40 models with effects of their own; the suspect is one of them, anew."""
    rng = np.random.default_rng(5)
    runs, models = 4_000, 40
    effect = rng.normal(size=(runs, models))
    own = effect + rng.normal(size=(runs, models))
    k = rng.integers(models, size=runs)
    covered = 0
    for run in range(runs):
        scores = np.full(models, -100.0)
        # The own score of the suspect's model is one of the calibration: exchangeable with it.
        scores[k[run]] = rng.choice(effect[run]) + rng.normal()
        covered += bool(open_set(scores, own[run], alpha=alpha).included[k[run]])
    rate = covered / runs
    assert rate >= 1 - alpha - 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert rate <= 1 - alpha + 1 / (models + 1) + 3 * np.sqrt(alpha * (1 - alpha) / runs)


def test_false_inclusion_leaves_whole_units_out() -> None:
    """Two siblings alike: each would be taken for the other if only one of them were left out."""
    rng = np.random.default_rng(6)
    models = 30
    units = [f"unit-{i // 2}" for i in range(models)]
    cross = rng.normal(-20, 1, (models, models))
    for i in range(models):
        cross[i, i] = rng.normal(0, 1)
        cross[i, i ^ 1] = rng.normal(0, 1)
    rows, own = np.arange(models), np.diag(cross)
    found = false_inclusion(fixed(cross, own), rows, units, alpha=0.05)
    assert found is not None
    assert found.rate == 0.0
    assert found.mean_size == 0.0
    assert found.units == 15
    assert found.bundles == 30
    assert found.bundle_rate == 0.0
    assert found.upper == pytest.approx(upper_limit(found.rate, found.units))
    alone = false_inclusion(fixed(cross, own), rows, list(range(models)), alpha=0.05)
    assert alone is not None
    assert alone.rate > 0.8


def test_a_large_unit_weighs_more_over_bundles_than_over_units() -> None:
    """Null: none; a measure. Unit: a bundle of a model whose unit left the library.

    Estimands: the mean over units (a maker drawn at random) and the share of bundles (a model drawn
    at random). Twenty models of one unit write like two others outside it, which write like them;
    ten more write like nobody. By hand: 20 + 2 of 32 bundles get a set; of 12 units, 3. Breaks if
    one rate is printed under the other's name.
    """
    large, small, lone = range(20), range(20, 22), range(22, 32)
    cross = np.full((32, 32), -20.0)
    cross[np.ix_([*large, *small], [*large, *small])] = 0.0
    np.fill_diagonal(cross, 0.0)
    units = ["large"] * 20 + [f"small-{i}" for i in small] + [f"lone-{i}" for i in lone]
    # Scores of own bundles lie below those that the alike have among each other.
    own = np.full(32, -1.0)
    found = false_inclusion(fixed(cross, own), np.arange(32), units, alpha=0.2)
    assert found is not None
    # small-20 is inside large's kind and small-21's, so each gets a set.
    assert found.units == 13
    assert found.rate == pytest.approx(3 / 13)
    assert found.bundle_rate == pytest.approx(22 / 32)


def test_false_inclusion_needs_enough_models() -> None:
    cross = np.zeros((10, 10))
    rows, own = np.arange(10), np.zeros(10)
    assert false_inclusion(fixed(cross, own), rows, list(range(10)), alpha=0.01) is None
    assert false_inclusion(fixed(cross[:1, :1], own[:1]), rows[:1], ["a"], alpha=0.5) is None


def test_a_model_with_bundles_enough_has_p_values_of_its_own() -> None:
    """Pooled, a model that varies more than others is rejected too often; alone it is not."""
    rng = np.random.default_rng(8)
    runs, alpha = 3_000, 0.05
    covered = {"pooled": 0, "own": 0}
    for _ in range(runs):
        own = rng.normal(size=40)
        wild = rng.normal(-2, 3, size=20)  # its suspect's score and 19 own bundles
        scores = np.concatenate([[wild[0]], np.full(39, -50.0)])
        covered["pooled"] += bool(open_set(scores, own, alpha=alpha).included[0])
        found = open_set(scores, own, alpha=alpha, repeated={0: wild[1:]})
        assert found.per_model == 1
        covered["own"] += bool(found.included[0])
    slack = 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert covered["own"] / runs >= 1 - alpha - slack
    assert covered["pooled"] / runs < 0.8
    # One bundle too few, and the model is pooled with the others.
    assert open_set(scores, own, alpha=alpha, repeated={0: wild[2:]}).per_model == 0


def test_a_second_view_can_only_add_to_the_set() -> None:
    first = open_set(np.array([-9.0, -9.0, 0.0, -9.0]), np.arange(19.0) / 10 - 1, alpha=0.05)
    second = open_set(np.array([1.0, 1.0, -9.0, np.nan]), np.arange(19.0) / 10 - 1, alpha=0.05)
    found = either(first, second, np.array([True, False, True, True]), alpha=0.05)
    assert first.included.tolist() == [False, False, True, False]
    assert found.included.tolist() == [True, False, True, False]
    assert found.p_values[0] == second.p_values[0]
    assert found.p_values[2] == first.p_values[2]
