"""A step towards the reference between two dates."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from provenance.attribution.change import change_towards
from provenance.errors import UsageError


def _models(
    rng: np.random.Generator, prompts: int, towards: float, controls: int = 20
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    d = 6
    places = rng.normal(size=(controls + 1, 1, d)) * 2
    rows = places + rng.normal(size=(controls + 1, prompts, d))
    home = rng.normal(size=d) * 0.3
    before = home + rng.normal(size=(prompts, d))
    after = home + towards * (places[0] - home) + rng.normal(size=(prompts, d))
    return before, after, rows[0], rows[1:]


def test_a_step_towards_the_reference_is_seen() -> None:
    rng = np.random.default_rng(1)
    found = change_towards(*_models(rng, 60, 0.5), rng=rng)
    assert found.p_moved == 1 / 10_000
    assert found.rank == 1 / 21
    assert found.step > max(found.controls)


def test_against_an_enumeration_by_hand() -> None:
    rng = np.random.default_rng(2)
    before, after, reference, controls = _models(rng, 5, 0.2, controls=3)
    found = change_towards(before, after, reference, controls, rng=rng)
    direction = (reference - controls.mean(axis=0)).mean(axis=0)
    terms = (after - before) @ direction / np.linalg.norm(direction)
    sums = [
        sum(s * t for s, t in zip(signs, terms, strict=True))
        for signs in product((1, -1), repeat=5)
    ]
    assert found.enumerated
    assert found.resamples == 32
    assert found.p_moved == sum(s >= terms.sum() - 1e-9 for s in sums) / 32
    assert found.step == pytest.approx(terms.mean())


@pytest.mark.parametrize("prompts", [6, 30])
def test_no_change_is_rejected_no_more_often_than_alpha(prompts: int) -> None:
    rng = np.random.default_rng(3)
    runs = 1_500
    p = np.array(
        [
            change_towards(*_models(rng, prompts, 0.0, controls=2), rng=rng, resamples=199).p_moved
            for _ in range(runs)
        ]
    )
    for alpha in (0.05, 0.01):
        assert np.mean(p <= alpha) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / runs)
    assert 0.4 < p.mean() < 0.6


def test_the_interval_is_that_of_an_enumeration_by_hand() -> None:
    """Its ends are means of terms over subsets of prompts.

    Null: a step δ, with terms symmetric about it; unit: a prompt; source: Hartigan 1969. With 8
    prompts 255 subsets part the line into 256 intervals that are equally likely to hold δ; at 95%
    six at each end are left out. Breaks if the empty subset counts, or an end is off by one.
    """
    rng = np.random.default_rng(12)
    before, after, reference, controls = _models(rng, 8, 0.4, controls=3)
    found = change_towards(before, after, reference, controls, rng=rng)
    direction = (reference - controls.mean(axis=0)).mean(axis=0)
    terms = (after - before) @ direction / np.linalg.norm(direction)
    subsets = [np.array(s, dtype=bool) for s in product((False, True), repeat=8)]
    means = sorted(terms[s].mean() for s in subsets if s.any())
    assert len(means) == 255
    assert found.interval == pytest.approx((means[5], means[-6]))
    assert found.way == pytest.approx(
        (reference - before).mean(axis=0) @ direction / np.linalg.norm(direction)
    )


@pytest.mark.parametrize("prompts", [8, 40])
def test_the_interval_holds_the_step_as_often_as_it_says(prompts: int) -> None:
    """Also with heavy tails.

    Estimand: the step that all prompts share; sampling: terms symmetric about it, independent over
    prompts; unit: a prompt; source: Hartigan 1969. Breaks if the terms are skewed.
    """
    rng = np.random.default_rng(13)
    runs, held, step = 600, 0, 0.7
    reference = np.tile([1.0, 0.0], (prompts, 1))
    controls = np.zeros((1, prompts, 2))
    for _ in range(runs):
        before = rng.standard_t(3, size=(prompts, 2))
        after = before + rng.standard_t(3, size=(prompts, 2)) + np.array([step, 0.0])
        found = change_towards(before, after, reference, controls, rng=rng, resamples=399)
        assert found.interval is not None
        held += found.interval[0] <= step <= found.interval[1]
    assert 0.93 < held / runs < 0.975


def test_too_few_prompts_have_no_interval() -> None:
    """Of 4 prompts 15 subsets are too few for 2.5% at an end."""
    rng = np.random.default_rng(14)
    assert change_towards(*_models(rng, 4, 0.4, controls=3), rng=rng).interval is None


def test_a_change_that_leads_elsewhere_has_no_low_rank() -> None:
    """After moves towards one of the controls: it moved, but not to the reference."""
    rng = np.random.default_rng(4)
    ranks = []
    for _ in range(300):
        before, after, reference, controls = _models(rng, 30, 0.6)
        ranks.append(
            change_towards(
                before,
                after,
                controls[0],
                np.concatenate([reference[None], controls[1:]]),
                rng=rng,
                resamples=99,
            ).rank
        )
    low = np.mean([r is not None and r <= 1 / 21 for r in ranks])
    assert low <= 0.05


def test_nothing_at_all_is_no_evidence() -> None:
    rng = np.random.default_rng(5)
    same = np.ones((10, 3))
    found = change_towards(same, same, same, np.ones((2, 10, 3)), rng=rng)
    assert found.p_moved == 1.0
    assert found.rank == 1.0


def test_what_cannot_be_compared() -> None:
    rng = np.random.default_rng(6)
    a = np.zeros((4, 3))
    with pytest.raises(UsageError, match="one shape"):
        change_towards(a, a[:3], a, a[None], rng=rng)
    with pytest.raises(UsageError, match="at least one control"):
        change_towards(a, a, a, np.zeros((0, 4, 3)), rng=rng)
    with pytest.raises(UsageError, match="two prompts"):
        change_towards(a[:1], a[:1], a[:1], a[None, :1], rng=rng)
    with pytest.raises(UsageError, match="finite"):
        change_towards(a, a, a + np.nan, a[None], rng=rng)
