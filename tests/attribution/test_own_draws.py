"""What likeness a model is expected to have to itself: where from, and what it does not hang on."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.matched import Alike
from provenance.attribution.own_draws import FEWEST_ELSEWHERE, OwnDraws, relative_space

MODELS, PROMPTS = 20, 30


def alike(values, there=True):
    """Cosines (models, prompts) of weight 2; NaN or ``there`` False: no two draws."""
    there = np.broadcast_to(there, values.shape) & ~np.isnan(values)
    return Alike(np.where(there, 2 * values, 0), np.where(there, 2.0, 0.0))


@pytest.fixture
def values():
    rng = np.random.default_rng(1)
    return np.linspace(0.2, 0.8, MODELS)[:, None] + 0.05 * rng.normal(size=(MODELS, PROMPTS))


def test_with_many_prompts_one_draw_against_one_is_expected_to_have_their_likeness(values):
    """Estimand: r of each model; shrinkage by three prompts in thirty moves it by a tenth."""
    own = OwnDraws(alike(values), alike(values), np.ones(MODELS))
    expected = own.expected(np.arange(PROMPTS))
    true = values.mean(axis=1)
    assert expected == pytest.approx((30 * true + 3 * true.mean()) / 33)


def test_means_of_draws_are_expected_to_be_as_alike_as_spearman_and_brown_say():
    """Oracle: draws made as x + noise, where means of several draws are correlated directly."""
    rng = np.random.default_rng(2)
    noise, n = 1.5, 200_000
    x = rng.normal(size=n)
    one, two, three = (x + noise * rng.normal(size=n) for _ in range(3))
    r = float(np.corrcoef(one, two)[0, 1])
    mean = (two + three) / 2
    values = np.full((MODELS, PROMPTS), r)
    own = OwnDraws(alike(values), alike(values), np.full(MODELS, 2.0))
    expected = own.expected(np.arange(PROMPTS))
    assert expected == pytest.approx(float(np.corrcoef(one, mean)[0, 1]), abs=0.01)
    four = own.expected(np.arange(PROMPTS), draws=4)
    assert (four > expected).all()
    assert (four < 1).all()


def test_on_the_prompts_compared_only_enrolled_draws_count(values):
    """What stands in for a suspect's draws there would be judged by itself."""
    rng = np.random.default_rng(3)
    asked = np.arange(8)
    others = values.copy()
    others[:, asked] = rng.uniform(-1, 1, (MODELS, len(asked)))
    a = OwnDraws(alike(values), alike(values), np.ones(MODELS)).expected(asked)
    b = OwnDraws(alike(values), alike(others), np.ones(MODELS)).expected(asked)
    assert np.array_equal(a, b)
    none = alike(values, there=False)
    a = OwnDraws(none, alike(values), np.ones(MODELS)).expected(asked)
    b = OwnDraws(none, alike(others), np.ones(MODELS)).expected(asked)
    assert np.array_equal(a, b)
    assert a.std() > 0


def test_without_enough_prompts_nothing_is_expected(values):
    none = alike(values, there=False)
    own = OwnDraws(none, alike(values), np.ones(MODELS))
    assert own.expected(np.arange(PROMPTS - FEWEST_ELSEWHERE)) is not None
    assert own.expected(np.arange(PROMPTS - FEWEST_ELSEWHERE + 1)) is None
    # One model in ten may have none, and counts as the mean of the others; two in ten may not.
    few = values.copy()
    few[: MODELS // 10] = np.nan
    expected = OwnDraws(alike(few), none, np.ones(MODELS)).expected(np.arange(PROMPTS))
    assert expected[0] == pytest.approx(few[MODELS // 10 :].mean())
    few[: MODELS // 5] = np.nan
    assert OwnDraws(alike(few), none, np.ones(MODELS)).expected(np.arange(PROMPTS)) is None


def test_draws_that_are_unlike_each_other_expect_little_but_not_nothing(values):
    """A divisor near 0 would make every likeness to such a model large."""
    own = OwnDraws(alike(values - 1), alike(values), np.ones(MODELS))
    assert own.expected(np.arange(PROMPTS)).min() == pytest.approx(0.05)


def test_calibrations_of_such_scores_name_another_space():
    assert relative_space("a") not in ("a", relative_space("b"))
    assert len(relative_space("a")) == 64
