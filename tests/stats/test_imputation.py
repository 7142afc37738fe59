import numpy as np
import pytest

from provenance.stats.fused import fused_test
from provenance.stats.imputation import impute, rates_differ
from provenance.stats.layout import comparable, counts
from provenance.stats.permutation import PermutationNull


def test_gaps_are_filled_with_what_the_other_side_has(make):
    filled = impute(make([0, 0, 0, 1], [1, 1], texts="aaabbb"), 0, 2)
    assert counts(filled).tolist() == [[3, 1], [2, 2]]
    assert filled.texts == ("a", "a", "a", "b", "b", "b", "a", "a")


def test_lonely_partners_are_joined_and_the_rest_paired(make):
    cell = make([0, 0, 1], [1], block=[0, 1, 2, 0])
    filled = impute(cell, 1, 3)
    (paired,) = comparable([filled])
    assert paired.n == 8
    assert np.bincount(paired.block).tolist() == [2, 2, 2, 2]


def test_nothing_missing_or_nothing_to_copy(make):
    cell = make([0, 1], [1])
    assert impute(cell, 0, 0).n == 3
    assert impute(make([], []), 2, 1).n == 0
    with pytest.raises(ValueError, match="from 0"):
        impute(cell, -1, 0)


@pytest.mark.parametrize("blocked", [True, False])
def test_conservative_beside_the_draws_that_went_missing(simulate, blocked):
    rng = np.random.default_rng(0)
    null = PermutationNull(np.random.default_rng(1), 199)
    larger = []
    for _ in range(60):
        ours = [rng.dirichlet(np.full(5, 0.5)) for _ in range(5)]
        theirs = [0.5 * p + 0.5 * rng.dirichlet(np.full(5, 0.5)) for p in ours]
        whole = simulate(rng, ours, theirs, 6, blocked=blocked)
        filled = []
        for cell in whole:
            gone = rng.random(cell.n) < np.where(cell.suspect, 0.25, 0.05)
            obtained = cell.take(np.flatnonzero(~gone))
            filled.append(
                impute(
                    obtained, int((gone & ~cell.suspect).sum()), int((gone & cell.suspect).sum())
                )
            )
        p_whole = fused_test(whole, null=null).p_value
        p_filled = fused_test(filled, null=null).p_value
        larger.append(p_filled - p_whole)
    assert np.mean(larger) > 0.05
    assert np.mean(np.array(larger) >= -0.02) > 0.85


def test_rates_against_the_hypergeometric_sum():
    from math import comb

    def fisher(a, n, b, m):
        table = [comb(n, i) * comb(m, a + b - i) for i in range(a + b + 1)]
        seen = comb(n, a) * comb(m, b)
        return sum(t for t in table if t <= seen) / sum(table)

    assert rates_differ(1, 20, 8, 22) == pytest.approx(fisher(1, 20, 8, 22))
    assert rates_differ(0, 20, 0, 20) == 1.0
    assert rates_differ(0, 0, 3, 9) == 1.0
    with pytest.raises(ValueError, match="failures"):
        rates_differ(3, 2, 0, 1)
