import numpy as np
import pytest

from provenance.stats.layout import Layout, first_appearance
from provenance.stats.parts import CATEGORICAL, assemble
from provenance.stats.simulated import Entries, _looked_up, cell_terms, drawn_counts, towards


def test_closed_form_equals_the_test_statistic(make):
    rng = np.random.default_rng(0)
    cells = []
    for _ in range(3):
        cell = make(rng.integers(0, 5, 9), rng.integers(0, 5, 4))
        codes = first_appearance(cell.categories)
        cells.append(make(codes[:9], codes[9:]).take(np.argsort(codes, kind="stable")))
    layout = Layout.of(cells)
    statistic, _ = assemble(cells, layout, CATEGORICAL)
    expected = statistic(layout.centred(layout.suspect[None]))[0]
    total, variance = np.zeros((1, 4)), np.zeros((1, 4))
    for cell in cells:
        pooled = np.bincount(cell.categories).astype(float)
        theirs = np.bincount(cell.categories[cell.suspect], minlength=len(pooled)).astype(float)
        terms, variances = cell_terms(pooled[None], theirs[None], 9, 4)
        total += terms
        variance += variances
    np.testing.assert_allclose(total[0, :2], expected[:2])
    np.testing.assert_allclose(total[0, 2:] ** 2 / variance[0, 2:], expected[2:])


@pytest.mark.parametrize("draws", [4, 40])
def test_counts_are_multinomial(draws):
    """Few draws are looked up, many come from numpy: both have multinomial means and covariances.

    Null: the textbook moments; unit: a replicate of 20,000, independent. Within six standard
    errors, so a wrong seed does not fail it; a category shifted by one place does.
    """
    p = np.array([0.4, 0.0, 0.25, 0.2, 0.1, 0.05])
    counts = drawn_counts(p, draws, 20_000, np.random.default_rng(draws))
    assert (counts.sum(axis=1) == draws).all()
    assert not counts[:, 1].any()
    error = np.sqrt(draws * p * (1 - p) / len(counts))
    assert (np.abs(counts.mean(axis=0) - draws * p) <= 6 * error).all()
    expected = draws * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(np.cov(counts.T, bias=True), expected, atol=0.05 * draws * 0.4)


def test_sums_towards_substitutes_by_hand():
    """The same sums, replicate by replicate and category by category, as `panel_test` has them."""
    rng = np.random.default_rng(5)
    substitutes = rng.dirichlet(np.full(5, 0.5), size=3)
    n, m, share = 6, 3, 3 / 9
    theirs = drawn_counts(np.full(5, 0.2), m, 7, rng)
    pooled = drawn_counts(np.array([0.6, 0.1, 0.1, 0.1, 0.1]), n, 7, rng) + theirs
    found = towards(substitutes, Entries.of(pooled, theirs), n, m)
    for i, (both, own) in enumerate(zip(pooled, theirs, strict=True)):
        labels = np.repeat(np.arange(5), both)  # the category of each draw
        for j, r in enumerate(substitutes):
            score = np.log1p(0.1 * (r[labels] * (n + m) / both[labels] - 1))
            centred = sum(
                own[c] * np.log1p(0.1 * (r[c] * (n + m) / both[c] - 1)) for c in range(5) if both[c]
            )
            assert found.total[i, j] == pytest.approx(centred - share * score.sum(), abs=1e-5)
            # The variance of the sum over a random m of the n + m draws.
            variance = n * m / (n + m) * np.var(score, ddof=1)
            assert found.variance[i, j] == pytest.approx(variance, abs=1e-5)


def test_the_quick_look_up_is_the_slow_one():
    """Edges inside buckets, on their bounds, equal to each other, and none; u on edges as well."""
    rng = np.random.default_rng(6)
    for k in range(1, 40):
        p = rng.dirichlet(np.full(k, rng.choice([0.02, 0.3, 3.0])))
        edges = np.cumsum(p)[:-1]
        if k % 2:
            edges = np.round(edges * 64) / 64
        u = np.concatenate([rng.random(200), np.arange(64) / 64, edges[edges < 1], [1 - 2**-53]])
        np.testing.assert_array_equal(_looked_up(edges, u), np.searchsorted(edges, u, side="right"))
