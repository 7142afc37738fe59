"""Conformal ranks: valid for exchangeable pairs and groups, and silent where they are too few."""

import numpy as np
import pytest
from scipy.stats import beta

from provenance.stats.distance import squared_distance
from provenance.stats.ranks import conformal_rank, distances_at_equal_n, grouped_rank


def at_most(events, trials, level):
    lower = beta.ppf(0.001, events, trials - events + 1) if events else 0.0
    return lower <= level


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.01, 99), (0.001, 999)])
def test_how_many_it_takes(alpha, needed):
    """The smallest p is 1/(M+1), so M ≥ 1/α − 1."""
    rank = conformal_rank(9.0, list(np.zeros(needed)), alpha=alpha)
    assert rank.decidable
    assert rank.p_value == rank.smallest_p <= alpha
    fewer = conformal_rank(9.0, list(np.zeros(needed - 1)), alpha=alpha)
    assert not fewer.decidable
    assert fewer.p_value > alpha


def test_ties_count_against_it():
    assert conformal_rank(1.0, [1.0, 0.0, 1.0 + 1e-12], alpha=0.05).p_value == 3 / 4
    assert conformal_rank(0.0, [], alpha=0.05).p_value == 1.0
    with pytest.raises(ValueError, match="finite"):
        conformal_rank(float("nan"), [1.0], alpha=0.05)


@pytest.mark.parametrize(("alpha", "known"), [(0.05, 19), (0.01, 99), (0.001, 999)])
@pytest.mark.parametrize("ties", [False, True])
def test_a_rank_keeps_its_level(alpha, known, ties):
    """Null: exchangeable with the known ones; unit: a pair; broken by unequal draws."""
    rng = np.random.default_rng([known, ties])
    trials = 20_000 if alpha > 0.001 else 6_000
    values = rng.gamma(0.5, size=(trials, known + 1))
    values = np.round(values, 1) if ties else values
    rejected = sum(conformal_rank(v[0], v[1:], alpha=alpha).p_value <= alpha for v in values)
    assert at_most(rejected, trials, alpha)
    if not ties:
        assert rejected > 0.5 * alpha * trials  # a test that never rejects would pass too


@pytest.mark.parametrize("spread", [0.0, 4.0])
def test_a_rank_among_groups_keeps_its_level_where_pairs_do_not(spread):
    """Null: a further group, exchangeable with the known; unit: a group of weights.

    Pairs of a group share an effect of ``spread``. Ranking among all pairs as if they were
    independent rejects too often as soon as there is one; the largest of each group does not.
    """
    rng = np.random.default_rng(int(spread))
    groups, size, trials, alpha = 19, 6, 4_000, 0.05
    names = list(np.repeat(np.arange(groups), size))
    by_group = by_pair = 0
    for _ in range(trials):
        shared = spread * rng.normal(size=groups + 1)
        own = rng.normal(size=(groups + 1, size)) + shared[:, None]
        suspect, known = float(own[0, 0]), list(own[1:].ravel())
        rank, largest = grouped_rank(suspect, known, names, alpha=alpha)
        assert list(largest.values()) == pytest.approx(own[1:].max(axis=1))
        by_group += rank.p_value <= alpha
        by_pair += conformal_rank(suspect, known, alpha=0.01).p_value <= 0.01
    assert at_most(by_group, trials, alpha)
    assert (not at_most(by_pair, trials, 0.01)) == (spread > 0)


def test_groups_stand_for_themselves_once():
    rank, largest = grouped_rank(2.0, [1.0, 3.0, 0.5], ["a", "a", "b"], alpha=0.05)
    assert (rank.known, rank.as_far, rank.p_value) == (2, 1, 2 / 3)
    assert largest == {"a": 3.0, "b": 0.5}
    with pytest.raises(ValueError, match="a group for each"):
        grouped_rank(1.0, [1.0], [], alpha=0.05)


def test_distances_are_taken_at_equal_numbers_of_draws():
    """At equal n the U-statistic of counts; else of a sample without replacement: unbiased."""
    rng = np.random.default_rng(4)
    table = np.array([[3, 2, 1], [1, 1, 4]])
    large = np.array([[30, 20, 10], [10, 10, 40]])
    alone = distances_at_equal_n([[table, table]], rng)
    assert alone == pytest.approx([float(squared_distance(*table))])
    found = np.array([distances_at_equal_n([[table], [large]], rng)[1] for _ in range(3000)])
    truth = float(squared_distance(*large))
    assert abs(found.mean() - truth) < 4 * found.std() / np.sqrt(len(found))
    assert found.std() > 0


def test_pairs_of_unequal_recordings_are_exchangeable_only_at_equal_numbers():
    """A suspect of 6 draws among benign pairs of 60: at equal n the rank keeps its level."""
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.ones(5), size=4)
    trials, alpha, known = 120, 0.05, 19

    def pair(n):
        return [np.vstack([rng.multinomial(n, q), rng.multinomial(n, q)]) for q in p]

    rejected = unequal = 0
    for _ in range(trials):
        pairs = [pair(6), *(pair(60) for _ in range(known))]
        own, *others = distances_at_equal_n(pairs, rng)
        rejected += conformal_rank(own, others, alpha=alpha).p_value <= alpha
        raw = [float(np.mean([squared_distance(*t) for t in tables])) for tables in pairs]
        unequal += conformal_rank(raw[0], raw[1:], alpha=alpha).p_value <= alpha
    assert at_most(rejected, trials, alpha)
    assert unequal > 4 * alpha * trials


def test_pairs_on_other_cells_are_refused():
    table = np.array([[2, 1], [1, 2]])
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="same cells"):
        distances_at_equal_n([[table], [table, table]], rng)
    with pytest.raises(ValueError, match="two draws"):
        distances_at_equal_n([[np.array([[1, 0], [3, 1]])]], rng)
