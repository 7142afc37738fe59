import numpy as np

from provenance.stats.layout import Layout, first_appearance
from provenance.stats.parts import CATEGORICAL, assemble
from provenance.stats.simulated import cell_terms


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
