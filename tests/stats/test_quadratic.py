import numpy as np
import pytest
from scipy.sparse import csr_array

from provenance.stats import quadratic
from provenance.stats.layout import Layout
from provenance.stats.permutation import relabel
from provenance.stats.quadratic import Similarity, mean_discrepancy


def _features(rng, n=30, d=50):
    return (rng.random((n, d)) < 0.15) * rng.integers(1, 4, (n, d)).astype(float)


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("large", [True, False])
def test_features_whole_or_in_chunks_against_the_matrix(monkeypatch, sparse, large):
    if large:
        monkeypatch.setattr(quadratic, "GRAM_DRAWS", 4)
        monkeypatch.setattr(quadratic, "_CHUNK", 60)
    rng = np.random.default_rng(0)
    dense = _features(rng)
    found = Similarity.of_features(csr_array(dense) if sparse else dense, 0.5)
    kernel = 0.5 * dense @ dense.T
    np.fill_diagonal(kernel, 0)
    x = (rng.random((7, 30)) < 0.4).astype(float)
    np.testing.assert_allclose(found.form(x), np.einsum("bi,ij,bj->b", x, kernel, x))
    np.testing.assert_allclose(found.rows, kernel.sum(axis=1))


def test_features_that_nobody_shares(monkeypatch):
    monkeypatch.setattr(quadratic, "GRAM_DRAWS", 1)
    found = Similarity.of_features(csr_array(np.eye(3)))
    assert found.form(np.ones((2, 3))).tolist() == [0, 0]


@pytest.mark.parametrize("pool", [True, False])
def test_a_constant_similarity_is_no_discrepancy_between_equal_sides(make, pool):
    layout = Layout.of([make([0] * 3, [0] * 3), make([0] * 4, [0] * 4)])
    similar = [Similarity.of_matrix(np.zeros((n, n))) for n in (6, 8)]
    statistic = mean_discrepancy(similar, layout, pool_pairs=pool, constants=[0.7, 0.2])
    # Pooled over pairs, cells of unlike size weigh unlike within and across.
    expected = (0.7 * 6 + 0.2 * 12) / 18 * 2 - 2 * (0.7 * 9 + 0.2 * 16) / 25 if pool else 0
    values = statistic(relabel(layout, 5, np.random.default_rng(1)))
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_a_side_with_one_draw_has_no_within_mean(make):
    kernel = np.arange(16.0).reshape(4, 4)
    kernel += kernel.T
    layout = Layout.of([make([0] * 3, [0])])
    statistic = mean_discrepancy([Similarity.of_matrix(kernel)], layout)
    expected = (kernel[0, 1] + kernel[0, 2] + kernel[1, 2]) / 3 - 2 * kernel[:3, 3].mean()
    assert statistic(layout.suspect[None])[0, 0] == pytest.approx(expected)
