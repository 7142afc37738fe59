"""Substitutes whose answers were measured: levels, coverage, power, ugly cells."""

import numpy as np
import pytest
from scipy.stats import beta

from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull
from provenance.stats.substitutes import GRID, foreign_share, panel_test, share_limits

ALPHA = 0.05


def tables(rng, cells, concentration=0.3, k=8):
    return rng.dirichlet(np.full(k, concentration), size=cells)


def draws(distributions, n, rng):
    return [rng.choice(len(p), size=n, p=p).astype(np.intp) for p in distributions]


def pooled(reference, suspect, block=False):
    cells = []
    for x, y in zip(reference, suspect, strict=True):
        labels = np.repeat([False, True], [len(x), len(y)])
        blocks = np.concatenate([np.arange(len(x)), np.arange(len(y))]) if block else None
        cells.append(CellDraws(np.concatenate([x, y]), (), labels, blocks))
    return cells


def counts(samples, k=8):
    return [np.bincount(x, minlength=k).astype(float) for x in samples]


def at_most(events, trials, level):
    """Whether the number of events is compatible with a rate of at most ``level``."""
    lower = beta.ppf(0.001, events, trials - events + 1) if events else 0.0
    return lower <= level


@pytest.mark.parametrize("block", [False, True], ids=["cells", "blocks"])
@pytest.mark.parametrize(("n", "m"), [(2, 2), (15, 4), (8, 8)])
def test_the_panel_test_keeps_its_level(n, m, block):
    if block and n != m:
        pytest.skip("blocks pair the sides")
    rng = np.random.default_rng([n, m, block])
    rejected = 0
    for _ in range(400):
        p = tables(rng, 6)
        panel = [counts(draws(tables(rng, 6), 20, rng)) for _ in range(5)]
        panel.append([None] * 6)
        cells = pooled(draws(p, n, rng), draws(p, m, rng), block)
        null = PermutationNull(rng, resamples=99)
        rejected += panel_test(cells, panel, null=null).p_value <= ALPHA
    assert at_most(rejected, 400, ALPHA)


def test_the_panel_test_sees_a_tenth_that_the_fused_test_would_miss():
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(20):
        p, others = tables(rng, 40), [tables(rng, 40) for _ in range(20)]
        mixed = 0.9 * p + 0.1 * others[3]
        panel = [counts(draws(r, 100, rng)) for r in others]
        result = panel_test(
            pooled(draws(p, 100, rng), draws(mixed, 15, rng)),
            panel,
            null=PermutationNull(rng, resamples=499),
        )
        seen += result.p_value <= 0.01 and result.leading == 3
    assert seen >= 18


def test_the_panel_test_does_not_care_for_labels_of_categories_or_order_of_draws():
    rng = np.random.default_rng(2)
    p, r = tables(rng, 4), tables(rng, 4)
    x, y, table = draws(p, 9, rng), draws(r, 5, rng), draws(r, 30, rng)
    one = panel_test(
        pooled(x, y), [counts(table)], null=PermutationNull(np.random.default_rng(3), 99)
    )
    flip = [7 - a for a in x], [7 - b for b in y], [7 - c for c in table]
    other = panel_test(
        pooled(*flip[:2]), [counts(flip[2])], null=PermutationNull(np.random.default_rng(3), 99)
    )
    assert one.p_value == other.p_value
    assert one.statistic == pytest.approx(other.statistic)
    assert len(one.null) == 99


def test_a_panel_without_tables_or_a_constant_cell_says_nothing():
    same = [np.zeros(4, dtype=np.intp)]
    null = PermutationNull(np.random.default_rng(0), 99)
    assert panel_test(pooled(same, same), [[None]], null=null).p_value == 1
    assert panel_test(pooled(same, same), [[np.array([5.0])]], null=null).p_value == 1
    with pytest.raises(ValueError, match="a substitute"):
        panel_test(pooled(same, same), [[None, None]], null=null)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.7, 1.0])
@pytest.mark.parametrize(("n", "m", "r"), [(12, 12, 40), (4, 4, 11), (40, 6, 100)])
def test_limits_cover_the_share(share, n, m, r):
    rng = np.random.default_rng([int(100 * share), n, m, r])
    missed = {"upper": 0, "lower": 0}
    for _ in range(100):
        p, q = tables(rng, 8), tables(rng, 8)
        mixed = (1 - share) * p + share * q
        limits = share_limits(
            draws(p, n, rng), draws(mixed, m, rng), draws(q, r, rng),
            alpha=ALPHA, rng=rng, resamples=99,
        )  # fmt: skip
        missed["upper"] += limits.upper < share
        missed["lower"] += limits.lower > share
        assert 0 <= limits.lower <= limits.upper <= 1
    for side, number in missed.items():
        assert at_most(number, 100, ALPHA), side


def test_limits_narrow_with_draws_and_say_nothing_of_a_twin():
    rng = np.random.default_rng(4)
    p, q = tables(rng, 40), tables(rng, 40)
    uppers = {
        n: [
            share_limits(
                draws(p, n, rng), draws(p, n, rng), draws(q, 100, rng), alpha=0.01, rng=rng
            ).upper
            for _ in range(5)
        ]
        for n in (2, 20)
    }
    assert np.median(uppers[20]) <= 0.05 < np.median(uppers[2])
    twin = share_limits(
        draws(p, 100, rng), draws(p, 15, rng), draws(p, 100, rng), alpha=0.01, rng=rng
    )
    assert (twin.lower, twin.upper) == (0.0, 1.0)


def test_a_suspect_that_is_no_mixture_fits_no_share():
    rng = np.random.default_rng(6)
    p, q = tables(rng, 30), tables(rng, 30)
    mixed = draws(0.7 * p + 0.3 * q, 40, rng)
    options = {"alpha": 0.01, "rng": rng}
    assert share_limits(draws(p, 40, rng), mixed, draws(q, 80, rng), **options).fits
    away = [np.full(40, int(np.argmin(a + b))) for a, b in zip(p, q, strict=True)]
    found = share_limits(draws(p, 40, rng), away, draws(q, 80, rng), **options)
    assert not found.fits


def test_limits_without_draws_say_nothing():
    none = [np.array([], dtype=np.intp)]
    some = [np.array([0, 1], dtype=np.intp)]
    rng = np.random.default_rng(0)
    assert share_limits(some, none, some, alpha=0.05, rng=rng).upper == 1
    with pytest.raises(ValueError, match="same cells"):
        share_limits(some, some, [], alpha=0.05, rng=rng)
    with pytest.raises(ValueError, match="alpha"):
        share_limits(some, some, some, alpha=0, rng=rng)
    assert GRID[0] == 0
    assert GRID[-1] == 1
    assert list(GRID) == sorted(set(GRID))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_lower_limit_against_anything_covers(share):
    rng = np.random.default_rng(int(100 * share))
    missed, found = 0, []
    for _ in range(200):
        p, q = tables(rng, 15), tables(rng, 15)
        mixed = (1 - share) * p + share * q
        limit = foreign_share(
            draws(p, 30, rng), draws(mixed, 30, rng), alpha=ALPHA, rng=rng, resamples=99
        )
        missed += limit > share
        found.append(limit)
    assert at_most(missed, 200, ALPHA)
    if share == 0.6:
        assert np.median(found) > 0.2


def test_what_cannot_be_halved_gives_no_lower_limit():
    one = [np.array([0], dtype=np.intp)]
    assert foreign_share(one, one, alpha=0.05, rng=np.random.default_rng(0)) == 0
