"""The map and the tree of a library."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.neighbourhood import neighbourhood
from provenance.errors import UsageError


def _bundles(rng: np.random.Generator, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Two groups of three bundles in five dimensions, eight parts of ten outputs each."""
    centres = np.repeat([[0.0] * 5, [6.0] * 5], 3, axis=0)
    sums = (centres[:, None, :] + rng.normal(0, spread, (6, 8, 5))) * 10
    return sums, np.full((6, 8), 10.0)


def test_groups_far_apart_have_full_support() -> None:
    rng = np.random.default_rng(1)
    sums, counts = _bundles(rng, 0.3)
    found = neighbourhood(sums, counts, rng=rng, bootstrap=50)
    last = found.merges[-1]
    assert found.support[-1] == 1.0
    assert last[2] == pytest.approx(np.sqrt(5) * 6, rel=0.1)
    # The two groups of three are whole before they join.
    assert sorted(found.support)[-3:] == [1.0, 1.0, 1.0]
    assert np.sign(found.places[:3, 0]).tolist() == [-np.sign(found.places[3, 0])] * 3
    assert found.explained > 0.9


def test_groups_of_noise_have_little_support() -> None:
    rng = np.random.default_rng(2)
    sums = rng.normal(size=(12, 8, 5)) * 10
    found = neighbourhood(sums, np.full((12, 8), 10.0), rng=rng, bootstrap=100)
    assert np.mean(found.support[:-1]) < 0.5


def test_same_seed_same_picture() -> None:
    sums, counts = _bundles(np.random.default_rng(3), 2.0)
    one, two = (
        neighbourhood(sums, counts, rng=np.random.default_rng(4), bootstrap=20) for _ in range(2)
    )
    assert np.array_equal(one.places, two.places)
    assert np.array_equal(one.support, two.support)


def test_bundles_without_outputs_in_a_part() -> None:
    rng = np.random.default_rng(5)
    sums, counts = _bundles(rng, 0.3)
    counts[0, 1:] = 0
    sums[0, 1:] = 0
    found = neighbourhood(sums, counts, rng=rng, bootstrap=30)
    assert np.isfinite(found.places).all()
    assert found.support[-1] == 1.0


def test_what_cannot_be_drawn() -> None:
    rng = np.random.default_rng(6)
    with pytest.raises(UsageError, match="three bundles"):
        neighbourhood(np.ones((2, 4, 3)), np.ones((2, 4)), rng=rng)
    with pytest.raises(UsageError, match="three bundles"):
        neighbourhood(np.ones((3, 4, 3)), np.array([[1.0] * 4, [1.0] * 4, [0.0] * 4]), rng=rng)
