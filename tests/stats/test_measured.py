"""The kernels that read numbers beside the answers: scores, and first-token log probabilities."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binom

from provenance.stats.fused import fused_test
from provenance.stats.layout import CellDraws, Layout
from provenance.stats.parts import MEASURED, assemble
from provenance.stats.permutation import PermutationNull, relabel


def _cell(rng, n=5, m=4, *, block=None, shift=0.0):
    labels = np.arange(n + m) >= n
    values = -rng.exponential(1.0, (n + m, 3)) - 0.1 - shift * labels[:, None]
    scores = rng.normal(size=n + m) * rng.choice([0.1, 10.0]) + shift * labels
    return CellDraws(rng.integers(0, 3, n + m), (), labels, block, values, scores)


def _ugly(rng):
    """Blocks of unlike size, cells without numbers, with some missing, and with equal ones."""
    blocks = np.array([0, 0, 1, 2, 2, 0, 1, 2, 2])
    partly = _cell(rng)
    partly.scores[rng.integers(9)] = np.nan
    partly.values[rng.integers(9)] = np.nan
    constant = {"values": np.full((9, 2), -1.0), "scores": np.full(9, 3.0)}
    return [
        _cell(rng, block=blocks),
        _cell(rng, 2, 7),
        dataclasses.replace(_cell(rng), values=None, scores=None),
        partly,
        dataclasses.replace(_cell(rng), **constant),
    ]


@pytest.mark.parametrize("names", [MEASURED, ("likelihood",), ("first_token", "same", "rare")])
def test_true_nulls_are_rejected_no_more_often_than_stated_in_ugly_cells(names):
    # Statistics below their mean all give p = 1, so that p is uniform from below only.
    p_values = []
    for run in range(400):
        rng = np.random.default_rng([1, run])
        null = PermutationNull(rng, 99, exact_limit=0)
        p_values.append(fused_test(_ugly(rng), null=null, kernels=names).p_value)
    for alpha in (0.05, 0.1, 0.2, 0.3):
        rejected = int((np.array(p_values) <= alpha).sum())
        assert 1e-3 < binom.cdf(rejected, 400, alpha) < 1 - 1e-3, (alpha, rejected)


@pytest.mark.parametrize("name", MEASURED)
def test_a_shift_is_seen(name):
    rng = np.random.default_rng(2)
    cells = [_cell(rng, 8, 8, shift=3.0) for _ in range(4)]
    null = PermutationNull(rng, 999)
    assert fused_test(cells, null=null, kernels=(name,)).p_value <= 0.005


@pytest.mark.parametrize("name", MEASURED)
def test_which_side_withholds_is_no_difference(name):
    rng = np.random.default_rng(3)
    cell = _cell(rng, shift=9.0)
    cell.values[cell.suspect] = np.nan
    cell.scores[cell.suspect] = np.nan
    null = PermutationNull(rng, 99)
    assert fused_test([cell, _cell(rng)][:1], null=null, kernels=(name,)).p_value == 1.0


def _columns(cells, names):
    layout = Layout.of(cells)
    statistic, _ = assemble(cells, layout, names)
    return layout, layout.centred(relabel(layout, 40, np.random.default_rng(4))), statistic


def test_first_token_kernel_against_its_definition():
    rng = np.random.default_rng(5)
    cells = [_cell(rng), _cell(rng, 3, 3)]
    layout, z, statistic = _columns(cells, ("first_token",))
    expected = np.zeros(len(z))
    for i, cell in enumerate(cells):
        own = z[:, layout.edges[i] : layout.edges[i + 1]]
        n, m = cell.n, cell.n_suspect
        for column in cell.values.T:
            variance = m * (n - m) / (n * (n - 1)) * ((column - column.mean()) ** 2).sum()
            expected += (own @ column) ** 2 / variance / 3
    np.testing.assert_allclose(statistic(z)[:, 0], expected)
    # Mean 1 a cell over all relabellings.
    many = layout.centred(relabel(layout, 20_000, rng))
    assert statistic(many)[:, 0].mean() == pytest.approx(2, rel=0.05)


def test_likelihood_kernel_adds_up_shifts_of_one_sign():
    rng = np.random.default_rng(6)
    cells = [_cell(rng, block=np.array([0, 0, 1, 2, 2, 0, 1, 2, 2])), _cell(rng, 3, 3)]
    layout, z, statistic = _columns(cells, ("likelihood",))
    many = layout.centred(relabel(layout, 20_000, rng))
    assert statistic(many)[:, 0].mean() == pytest.approx(1, rel=0.05)
    turned = [dataclasses.replace(c, scores=-c.scores) for c in cells]
    np.testing.assert_allclose(_columns(turned, ("likelihood",))[2](z), statistic(z))
