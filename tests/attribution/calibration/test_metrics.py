"""Cllr, Tippett, ECE, misleading evidence: against values worked out by hand or by others."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from provenance.attribution.calibration import metrics
from provenance.errors import UsageError

ratios = st.lists(st.floats(-6, 6), min_size=1, max_size=30).map(np.array)


def test_cllr_by_hand() -> None:
    same, different = np.array([1.0, 2.0]), np.array([-1.0, 0.0])
    by_hand = ((log2(1 + 1 / 10) + log2(1 + 1 / 100)) / 2 + (log2(1 + 1 / 10) + log2(2)) / 2) / 2
    assert metrics.cllr(same, different) == pytest.approx(by_hand)


def test_saying_nothing_costs_one_bit() -> None:
    assert metrics.cllr(np.zeros(5), np.zeros(9)) == pytest.approx(1.0)
    assert metrics.ece(np.zeros(5), np.zeros(9), np.array([0.0]))[0] == pytest.approx(1.0)
    p = 0.2
    entropy = -(p * log2(p) + (1 - p) * log2(1 - p))
    odds = np.log10([p / (1 - p)])
    assert metrics.ece(np.zeros(3), np.zeros(3), odds)[0] == pytest.approx(entropy)


def test_weights_are_a_composition() -> None:
    same, different = np.array([1.0]), np.array([-1.0, 0.5])
    repeated = metrics.cllr(same, np.array([-1.0] * 9 + [0.5]))
    assert metrics.cllr(same, different, None, np.array([0.9, 0.1])) == pytest.approx(repeated)


def test_the_floor_is_the_cost_of_the_bounds() -> None:
    n_same, n_different = 30, 400
    at_bounds = metrics.cllr(np.full(3, np.log10(401.0)), np.full(3, -np.log10(31.0)))
    assert metrics.cllr_floor(n_same, n_different) == pytest.approx(at_bounds)


def test_pav_by_hand() -> None:
    """Scores 1 2 3 4 with truths d s d s: the middle two are pooled to odds of 1."""
    same, different = metrics.pav_ratios(np.array([2.0, 4.0]), np.array([1.0, 3.0]))
    assert same.tolist() == [0.0, np.inf]
    assert different.tolist() == [-np.inf, 0.0]
    assert metrics.cllr_min(np.array([2.0, 4.0]), np.array([1.0, 3.0])) == pytest.approx(0.5)


def test_parted_scores_have_no_minimal_cost() -> None:
    assert metrics.cllr_min(np.array([1.0, 2.0]), np.array([-1.0, 0.0])) == pytest.approx(0.0)


@given(ratios, ratios)
def test_recalibration_never_costs_more(same: np.ndarray, different: np.ndarray) -> None:
    assert metrics.cllr_min(same, different) <= metrics.cllr(same, different) + 1e-9
    assert metrics.cllr_min(same, different) <= 1 + 1e-9


@given(ratios, ratios)
def test_ece_at_even_odds_is_cllr(same: np.ndarray, different: np.ndarray) -> None:
    at_one = metrics.ece(same, different, np.zeros(1))[0]
    assert at_one == pytest.approx(metrics.cllr(same, different))


@given(ratios, ratios)
def test_cllr_is_symmetric_in_the_hypotheses(same: np.ndarray, different: np.ndarray) -> None:
    swapped = metrics.cllr(-different, -same)
    assert swapped == pytest.approx(metrics.cllr(same, different))


def test_tippett_counts_ties() -> None:
    same, different = metrics.tippett(
        np.array([0.0, 1.0, 2.0]), np.array([-1.0, 1.0]), np.array([-2.0, 1.0, 3.0])
    )
    assert same.tolist() == pytest.approx([1, 2 / 3, 0])
    assert different.tolist() == pytest.approx([1, 1 / 2, 0])


def test_upper_limits() -> None:
    assert metrics.upper_limit(0.0, 2_995) == pytest.approx(1e-3, rel=1e-3)
    assert metrics.upper_limit(0.0, 2_994) > 1e-3
    assert metrics.upper_limit(3 / 50, 50) == pytest.approx(beta.ppf(0.95, 4, 47))
    assert metrics.upper_limit(1.0, 7) == 1.0
    found = metrics.misleading(np.array([-1.0, 0.5, 3.0, 0.0]), 0.0, 4)
    assert found.rate == 0.5


def test_both_kinds_are_needed() -> None:
    with pytest.raises(UsageError, match="found 0 and 3"):
        metrics.cllr(np.zeros(0), np.zeros(3))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("bundles", [1, 4, 12])
def test_the_limit_holds_for_means_of_shares(share, bundles):
    """Null: the true mean is ``share``; unit: a maker, of whose bundles a share gets a set.

    Shares that vary less than 0 or 1 do are covered at least as often; breaks if makers are not
    drawn independently.
    """
    rng = np.random.default_rng(3)
    makers, runs = 11, 4_000
    own = rng.beta(share, 1 - share, (runs, makers))
    seen = rng.binomial(bundles, own) / bundles
    covered = np.mean([metrics.upper_limit(float(m), makers) >= share for m in seen.mean(axis=1)])
    assert covered > 0.95 - 4 * np.sqrt(0.95 * 0.05 / runs)
