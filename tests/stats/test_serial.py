import itertools
import math

import numpy as np
import pytest

from provenance.stats.permutation import PermutationNull
from provenance.stats.serial import duplicate_share, repeated_ids, serial_test


def _null(seed=0, resamples=999):
    return PermutationNull(np.random.default_rng(seed), resamples)


def _cached(rng, cells, n, share):
    sequences = []
    for _ in range(cells):
        codes = rng.choice(12, n, p=rng.dirichlet(np.full(12, 0.5)))
        for i in range(1, n):
            if rng.random() < share:
                codes[i] = codes[i - 1]
        sequences.append(codes)
    return sequences


def test_repeat_against_enumeration_in_plain_python():
    # Two categories of equal weight, so the statistic grows with pairs and triples of a run.
    codes = [0, 0, 0, 1, 1, 1]
    found = serial_test([np.array(codes)], null=_null(resamples=19_999))

    def statistic(order):
        equal = [a == b for a, b in itertools.pairwise(order)]
        return sum(equal), sum(a and b for a, b in itertools.pairwise(equal))

    # No order has more pairs or more triples, so the fused p-value is the share that ties.
    ties = [statistic(o) == statistic(codes) for o in itertools.permutations(codes)]
    assert found.p_repeat == pytest.approx(np.mean(ties), abs=0.01)


def test_expected_repeats_is_the_mean_over_orders():
    codes = [0, 0, 1, 1, 1, 2]
    mean = np.mean(
        [sum(a == b for a, b in itertools.pairwise(o)) for o in itertools.permutations(codes)]
    )
    found = serial_test([np.array(codes)], null=_null(resamples=9))
    assert found.expected_repeats == pytest.approx(mean)
    assert (found.repeats, found.longest_run) == (3, 3)
    assert found.excess_repeats == pytest.approx((3 - mean) / (5 - mean))


def test_a_cache_is_found_and_estimated():
    found = serial_test(_cached(np.random.default_rng(1), 12, 15, 0.3), null=_null())
    assert found.p_repeat < 0.01
    assert found.excess_repeats == pytest.approx(0.3, abs=0.15)


def test_drift_is_found():
    rng = np.random.default_rng(2)
    sequences = [np.concatenate([rng.integers(0, 2, 8), rng.integers(2, 4, 7)]) for _ in range(4)]
    assert serial_test(sequences, null=_null()).p_drift < 0.01


def test_nothing_to_see():
    for sequences in ([], [np.array([3])], [np.zeros(9, dtype=int)], [np.arange(9)]):
        found = serial_test(sequences, null=_null())
        assert (found.p_repeat, found.p_drift) == (1.0, 1.0)


def test_lengths_may_differ_and_seed_decides():
    rng = np.random.default_rng(3)
    sequences = [rng.integers(0, 3, n) for n in (2, 3, 7, 7, 20)]
    assert serial_test(sequences, null=_null(4)) == serial_test(sequences, null=_null(4))
    assert serial_test(sequences, null=_null(4)).draws == 39


def test_null_p_values_are_uniform_or_larger():
    p = [
        serial_test(_cached(np.random.default_rng(i), 6, 6, 0.0), null=_null(i, 99))
        for i in range(400)
    ]
    for values in ([r.p_repeat for r in p], [r.p_drift for r in p]):
        for alpha in (0.05, 0.2, 0.5):
            limit = alpha + 3.2 * math.sqrt(alpha * (1 - alpha) / 400)
            assert np.mean(np.array(values) <= alpha) <= limit


def test_codes_must_be_integers():
    with pytest.raises(ValueError, match="sequence 0"):
        serial_test([np.array([0.5, 1.0])], null=_null())


def test_duplicates_and_ids():
    long = "x" * 80
    assert duplicate_share([long, long, long + "y", "short", "short"]) == pytest.approx(1 / 3)
    assert duplicate_share([long]) is None
    assert repeated_ids(["a", "b", "a", None, None, "", "a"]) == 2
