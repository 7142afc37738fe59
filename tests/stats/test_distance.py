import numpy as np
import pytest

from provenance.stats.distance import (
    mean_squared_distance,
    squared_distance,
    total_variation,
    yardstick,
)


def test_against_the_definition_by_pairs():
    x, y = [0, 0, 1, 2], [1, 1, 2]

    def mean_equal(pairs):
        pairs = list(pairs)
        return sum(a == b for a, b in pairs) / len(pairs)

    expected = (
        mean_equal((a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j)
        + mean_equal((a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j)
        - 2 * mean_equal((a, b) for a in x for b in y)
    )
    found = squared_distance(np.bincount(x, minlength=3), np.bincount(y, minlength=3))
    assert found == pytest.approx(expected)


def test_unbiased_at_small_n():
    rng = np.random.default_rng(0)
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.3, 0.3, 0.4])
    draws = squared_distance(
        rng.multinomial(3, p, size=200_000), rng.multinomial(4, q, size=200_000)
    )
    assert draws.mean() == pytest.approx(((p - q) ** 2).sum(), abs=4 * draws.std() / 447)


def test_total_variation():
    assert total_variation(np.array([2, 0]), np.array([0, 5])) == 1.0
    assert total_variation(np.array([2, 2]), np.array([5, 5])) == 0.0


def test_mean_leaves_out_cells_without_pairs(make):
    assert mean_squared_distance([make([0], [0, 1]), make([0, 0], [1, 1])]) == 2.0
    assert mean_squared_distance([make([0], [1])]) is None


def test_yardstick_tells_apart_what_differs(make):
    rng = np.random.default_rng(1)
    same = [make(rng.integers(0, 3, 12), rng.integers(0, 3, 12)) for _ in range(6)]
    other = [make(rng.integers(0, 3, 12), rng.integers(3, 6, 12)) for _ in range(6)]
    near, far = (yardstick(cells, rng=np.random.default_rng(2)) for cells in (same, other))
    assert near.between < near.within_high + 0.1
    assert far.between > 3 * far.within_high
    assert near.draws_a_side == 36
    assert yardstick(same, rng=np.random.default_rng(2)) == near


def test_yardstick_without_draws(make):
    found = yardstick([make([0, 1, 1], [1, 0])], rng=np.random.default_rng(0))
    assert (found.between, found.within, found.within_high, found.cells) == (None,) * 3 + (0,)


def test_errors(make):
    with pytest.raises(ValueError, match="two draws"):
        squared_distance(np.array([1, 0]), np.array([1, 1]))
    with pytest.raises(ValueError, match="one shape"):
        squared_distance(np.array([1, 1]), np.array([1, 1, 0]))
    with pytest.raises(ValueError, match="halving"):
        yardstick([make([0], [0])], halvings=0, rng=np.random.default_rng(0))
