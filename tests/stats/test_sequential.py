"""Betting on swaps: fair under the null whatever is learnt, and it grows where the sides differ."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from provenance.stats.sequential import SwapBetting


def play(betting, p, q, pairs, rng, *, stop=math.inf):
    """Draw pairs cell by cell; returns after how many pairs the wealth reached ``stop``."""
    for number in range(pairs):
        cell = number % len(p)
        x, y = rng.choice(len(p[cell]), p=p[cell]), rng.choice(len(q[cell]), p=q[cell])
        if betting.bet(cell, int(x), int(y)) >= stop:
            return number + 1
    return None


def tables(rng, cells, k=8):
    return rng.dirichlet(np.full(k, 0.3), size=cells)


def as_panel(*members):
    return [{c: dict(enumerate(100 * row)) for c, row in enumerate(member)} for member in members]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 4)), max_size=30),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_a_bet_is_fair(past, x, y):
    """Whatever was seen, the factors of (x, y) and of (y, x) sum to two."""
    wealths = []
    for pair in ((x, y), (y, x)):
        betting = SwapBetting(as_panel(np.full((3, 5), 0.2), np.eye(5)[[0, 1, 2]]))
        for cell, a, b in past:
            betting.bet(cell, a, b)
        before = betting.log_wealth
        wealths.append(math.exp(betting.bet(1, *pair) - before))
    assert sum(wealths) == pytest.approx(2, rel=1e-9)


@pytest.mark.parametrize("kind", ["peaked", "flat", "mixed"])
def test_equal_sides_seldom_reach_the_bar_however_often_one_looks(kind):
    rng = np.random.default_rng(len(kind))
    alpha, runs, reached = 0.05, 400, 0
    for _ in range(runs):
        p = {
            "peaked": np.array([[0.97, 0.01, 0.01, 0.01]] * 4),
            "flat": np.full((4, 12), 1 / 12),
            "mixed": tables(rng, 4, 6),
        }[kind]
        betting = SwapBetting(as_panel(tables(rng, len(p), p.shape[1])))
        reached += play(betting, p, p, 120, rng, stop=math.log(1 / alpha)) is not None
    assert beta.ppf(0.001, reached, runs - reached + 1) <= alpha if reached else True


def test_it_stops_early_where_the_sides_differ():
    rng = np.random.default_rng(3)
    needed = []
    for _ in range(20):
        p, q = tables(rng, 15), tables(rng, 15)
        needed.append(play(SwapBetting(), p, q, 600, rng, stop=math.log(500)) or 10_000)
    assert np.median(needed) < 120


def test_a_panel_member_is_seen_sooner_than_without_it():
    rng = np.random.default_rng(4)
    without, with_it = [], []
    for _ in range(12):
        p, r = tables(rng, 20), tables(rng, 20)
        q = 0.7 * p + 0.3 * r
        for needed, panel in ((without, []), (with_it, as_panel(r))):
            needed.append(play(SwapBetting(panel), p, q, 1_500, rng, stop=math.log(100)) or 10_000)
    assert np.median(with_it) < np.median(without)


def test_reference_draws_that_are_never_paired_help():
    rng = np.random.default_rng(5)
    p, r = tables(rng, 10), tables(rng, 10)
    alone, taught = SwapBetting(as_panel(r)), SwapBetting(as_panel(r))
    for cell in range(10):
        taught.learn(cell, (int(x) for x in rng.choice(8, size=200, p=p[cell])))
    for betting in (alone, taught):
        play(betting, p, 0.5 * p + 0.5 * r, 200, np.random.default_rng(6))
    assert taught.log_wealth > alone.log_wealth


def test_the_p_value_is_of_the_highest_wealth_and_in_its_range():
    betting = SwapBetting()
    assert (betting.e_value, betting.p_value, betting.pairs) == (1.0, 1.0, 0)
    betting.bet("c", "a", "a")
    assert betting.e_value == 1.0
    for _ in range(200):
        betting.bet("c", "a", "b")
    assert 0 < betting.p_value < 1e-9
    assert betting.p_value == pytest.approx(1 / betting.e_value)
    for _ in range(5):
        betting.bet("c", "b", "a")
    assert betting.p_value < 1 / betting.e_value
