"""What every registered instrument must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, cramervonmises

from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

from .conftest import SHAPES, alternative, draw

NAMES = sorted(INSTRUMENTS)
LEVELS = (0.05, 0.2)


def _null(seed=0, resamples=99, **options):
    return PermutationNull(np.random.default_rng(seed), resamples, **options)


def _swapped(cell):
    return CellDraws(cell.categories, cell.texts, ~cell.suspect, cell.block, cell.values)


@pytest.mark.parametrize("name", NAMES)
def test_docstring_states_what_a_statistician_asks(name):
    text = INSTRUMENTS[name].test.__doc__.lower()
    for said in ("null hypothesis", "sampling", "unit", "estima", "source", "what breaks it"):
        assert said in text, said


@pytest.mark.parametrize("name", NAMES)
def test_result_keeps_statistic_null_and_numbers(name):
    cells = draw(np.random.default_rng(1), "unequal", INSTRUMENTS[name].reads)
    found = INSTRUMENTS[name].test(cells, null=_null(exact_limit=0))
    assert found.null.shape == (99,)
    assert np.isfinite(found.null).all()
    assert (found.n_reference, found.n_suspect) == (20, 20)
    exceedances = (found.null >= found.statistic - 1e-8 * max(1, np.abs(found.null).max())).sum()
    assert found.p_value == (1 + exceedances) / 100


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_null(name, shape):
    cells = draw(np.random.default_rng(2), shape, INSTRUMENTS[name].reads)
    first, second = (INSTRUMENTS[name].test(cells, null=_null(3)) for _ in range(2))
    assert first.p_value == second.p_value
    np.testing.assert_array_equal(first.null, second.null)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(sorted(SHAPES)))
def test_p_lies_in_0_1_and_swapping_sides_changes_nothing_where_it_should(name, seed, shape):
    instrument = INSTRUMENTS[name]
    cells = draw(np.random.default_rng(seed), shape, instrument.reads, effect=0.5)[:2]
    first = instrument.test(cells, null=_null(exact_limit=10**5))
    second = instrument.test([_swapped(c) for c in cells], null=_null(exact_limit=10**5))
    for found in (first, second):
        assert 0 < found.p_value <= 1
        assert found.exact
        assert found.p_value >= 1 / len(found.null)
    if instrument.symmetric:
        assert first.statistic == pytest.approx(second.statistic, abs=1e-9)
        assert first.p_value == pytest.approx(second.p_value)


@pytest.mark.parametrize("name", NAMES)
def test_equal_draws_give_exactly_one(name):
    labels = np.repeat([False, True], 3)
    cell = CellDraws(np.zeros(6, dtype=np.intp), ("x",) * 6, labels, None, np.full((6, 1), -1.0))
    if name == "rank_uniformity":
        # Ties are broken at random, so the statistic does vary.
        assert 0 < INSTRUMENTS[name].test([cell] * 2, null=_null()).p_value <= 1
    else:
        assert INSTRUMENTS[name].test([cell] * 2, null=_null()).p_value == 1


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comparable_gives_one(name):
    one_sided = CellDraws(
        np.zeros(2, dtype=np.intp), ("a", "b"), np.zeros(2, dtype=bool), None, -np.ones((2, 1))
    )
    empty = CellDraws(np.zeros(0, dtype=np.intp), (), np.zeros(0, dtype=bool), None)
    apart = CellDraws(
        np.zeros(2, dtype=np.intp),
        ("a", "b"),
        np.array([False, True]),
        np.array([0, 1]),
        -np.ones((2, 1)),
    )
    found = INSTRUMENTS[name].test([one_sided, empty, apart], null=_null())
    assert (found.p_value, found.statistic, found.n_suspect) == (1, 0, 0)
    with pytest.raises(ValueError, match="at least one cell"):
        INSTRUMENTS[name].test([], null=_null())


@pytest.mark.parametrize("name", NAMES)
def test_what_an_instrument_reads_must_be_there(name):
    reads = INSTRUMENTS[name].reads
    bare = CellDraws(np.array([0, 1]), (), np.array([False, True]), None)
    if reads != "categories":
        with pytest.raises(ValueError, match="expected"):
            INSTRUMENTS[name].test([bare], null=_null())


def _rejections(name, shape, runs, effect, seed):
    """Rejections at each level; odd runs stop early, even ones enumerate where they can."""
    p_values = []
    for run in range(runs):
        rng = np.random.default_rng([seed, run])
        cells = draw(rng, shape, INSTRUMENTS[name].reads, effect=effect)
        null = PermutationNull(rng, 59, exact_limit=60, stop_at=20 if run % 2 else None)
        p_values.append(INSTRUMENTS[name].test(cells, null=null).p_value)
    return [int((np.array(p_values) <= level).sum()) for level in LEVELS]


TESTS = len(NAMES) * len(SHAPES) * len(LEVELS)


def _too_many(rejected, runs, level):
    """Does the lower Clopper–Pearson bound, Bonferroni over all tests here, lie above the level?"""
    return rejected > 0 and beta.ppf(0.01 / TESTS, rejected, runs - rejected + 1) > level


def _check_level(name, shape, runs, seed):
    for level, rejected in zip(LEVELS, _rejections(name, shape, runs, 0.0, seed), strict=True):
        assert not _too_many(rejected, runs, level), f"{rejected} of {runs} at {level}"


@pytest.mark.parametrize("name", NAMES)
def test_true_nulls_are_rejected_no_more_often_than_stated(name, shape):
    _check_level(name, shape, 400, 12)


def test_the_criterion_catches_ranks_that_are_divided_by_m():
    # 60 cells with one suspect and three reference draws, (#smaller + U·#equal)/m, asymptotic p.
    rng = np.random.default_rng(14)
    rejected = 0
    for _ in range(120):
        reference, suspect = rng.normal(size=(60, 3)), rng.normal(size=(60, 1))
        ranks = (reference < suspect).mean(axis=1)
        rejected += cramervonmises(ranks, "uniform").pvalue <= 0.05
    assert _too_many(rejected, 120, 0.05)


# What they are for is not in the plain difference: see `alternative`.
OWN_ALTERNATIVE = ("border", "border_halves", "rarity")


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"border_halves", "rarity"}))
def test_a_plain_difference_is_rejected_more_often(name):
    rejected = sum(_rejections(name, s, 20, 0.9, 13)[0] for s in ("flat", "peaked", "blocks"))
    assert rejected >= 24, f"power {rejected / 60:.2f} at level .05"


@pytest.mark.parametrize("name", OWN_ALTERNATIVE)
def test_what_an_instrument_is_for_is_rejected_more_often(name):
    rejected = 0
    for run in range(60):
        rng = np.random.default_rng([15, run])
        null = PermutationNull(rng, 199, exact_limit=60)
        rejected += INSTRUMENTS[name].test(alternative(rng, name), null=null).p_value <= 0.05
    assert rejected >= 24, f"power {rejected / 60:.2f} at level .05"
