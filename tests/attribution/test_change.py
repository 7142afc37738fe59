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
