"""A scan over moments: exact for all of them together, and near the moment that there is."""

import numpy as np
import pytest
from scipy.stats import beta

from provenance.stats.switch import switch_test


def study(rng, cells, n, *, share=0.0, at=0.5, k=5):
    """Codes and times of ``cells`` cells; from ``at`` on a share comes from another table."""
    codes, times = [], []
    for _ in range(cells):
        p, q = rng.dirichlet(np.full(k, 0.6), size=2)
        when = np.sort(rng.random(n))
        foreign = (when > at) & (rng.random(n) < share)
        codes.append(np.where(foreign, rng.choice(k, n, p=q), rng.choice(k, n, p=p)))
        times.append(when)
    return codes, times


def test_the_scan_keeps_its_level():
    """Null: draws of a cell exchangeable in time; exact, so at .05 and .01; 600 studies of 4 cells.

    Unit: a draw. Broken by draws that depend on each other.
    """
    rng = np.random.default_rng(1)
    p = []
    for _ in range(600):
        codes, times = study(rng, 4, 9)
        p.append(switch_test(codes, times, resamples=99, rng=rng).p_value)
    for alpha in (0.05, 0.01):
        events = sum(x <= alpha for x in p)
        lower = beta.ppf(0.001, events, len(p) - events + 1) if events else 0.0
        assert lower <= alpha
    assert np.mean(np.array(p) <= 0.5) > 0.4  # it is not merely silent


@pytest.mark.parametrize("at", [0.25, 0.5, 0.8])
def test_it_names_the_moment(at):
    """A router that sends half of the requests elsewhere from a moment on."""
    rng = np.random.default_rng(int(100 * at))
    codes, times = study(rng, 30, 16, share=0.8, at=at)
    found = switch_test(codes, times, resamples=199, rng=rng)
    assert found.p_value <= 0.01
    assert abs(found.moment - at) < 0.1
    assert found.before == pytest.approx(found.moment, abs=0.06)  # times are uniform here
    assert found.distance > 0
    assert found.draws == 480


def test_order_of_the_list_and_the_unit_of_time_mean_nothing():
    codes, times = study(np.random.default_rng(3), 5, 8, share=1.0)
    one = switch_test(codes, times, resamples=49, rng=np.random.default_rng(0))
    mixed = [np.random.default_rng(4).permutation(8) for _ in codes]
    other = switch_test(
        [c[m] for c, m in zip(codes, mixed, strict=True)],
        [60 * t[m] + 7 for t, m in zip(times, mixed, strict=True)],
        resamples=49,
        rng=np.random.default_rng(0),
    )
    assert (one.p_value, one.distance) == (other.p_value, other.distance)
    assert other.moment == pytest.approx(60 * one.moment + 7)


def test_what_cannot_change_says_nothing():
    rng = np.random.default_rng(0)
    same = [np.zeros(5, dtype=int)] * 3
    at = [np.arange(5.0)] * 3
    assert switch_test(same, at, resamples=9, rng=rng).moment is None
    assert switch_test([np.array([0])], [np.array([1.0])], resamples=9, rng=rng).p_value == 1
    still = [np.array([0, 1, 0, 1])] * 3
    assert switch_test(still, [np.zeros(4)] * 3, resamples=9, rng=rng).p_value == 1
    with pytest.raises(ValueError, match="a time for each"):
        switch_test([np.array([0, 1])], [np.array([1.0])], resamples=9, rng=rng)
