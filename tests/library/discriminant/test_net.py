"""Nets: the gradient against differences, what is learnt, and what rounding costs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array

from provenance.library.discriminant.net import LINEAR, NETWORK, Inputs, Kept, Net, log_softmax


def world(seed=0, n=300, width=40, models=3):
    """Outputs of models that favour columns of their own, and a measure that says nothing."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 1.0, (models, width))
    own = np.arange(n) % models
    counts = rng.poisson(rates[own]).astype(np.float32)
    measures = rng.normal(size=(n, 2)).astype(np.float32)
    return Inputs(csr_array(np.log1p(counts)), measures), own


def test_both_kinds_learn_to_tell_models_apart_on_new_outputs():
    rows, own = world(n=600)
    train, new = np.arange(0, 400), np.arange(400, 600)
    for recipe in (LINEAR, NETWORK):
        net = Net.fitted(rows.only(train), own[train], recipe, np.random.default_rng(1))
        logs = net.logs(rows.only(new))
        assert logs.shape == (200, 3)
        assert np.allclose(np.exp(logs).sum(axis=1), 1, atol=1e-5)
        assert (logs.argmax(axis=1) == own[new]).mean() > 0.9


def test_models_that_do_not_differ_are_told_apart_by_chance_alone():
    """Null: labels were drawn at random; unit: an output. 95% of 200 draws lie within .42."""
    rows, _ = world(n=600)
    own = np.random.default_rng(5).integers(3, size=600)
    train, new = np.arange(0, 400), np.arange(400, 600)
    net = Net.fitted(rows.only(train), own[train], LINEAR, np.random.default_rng(1))
    assert abs((net.logs(rows.only(new)).argmax(axis=1) == own[new]).mean() - 1 / 3) < 0.09


@pytest.mark.parametrize("hidden", [0, 4])
def test_the_gradient_is_that_of_the_mean_log_loss(hidden):
    """Against central differences, in double; hidden units are dropped alike in both."""
    rows, own = world(n=12, width=6)
    rows = Inputs(rows.counts.astype(np.float64), rows.measures.astype(np.float64))
    rng = np.random.default_rng(2)
    widths = [8, hidden, 3] if hidden else [8, 3]
    weights = [rng.normal(size=(a, b)) * 0.3 for a, b in pairwise(widths)]
    net = Net(tuple(weights), tuple(rng.normal(size=b) * 0.1 for b in widths[1:]))

    def loss():
        lines = rows.times(net.weights[0]) + net.offsets[0]
        if hidden:
            kept = 2 * (
                (lines > 0) & (np.random.default_rng(3).random(lines.shape, np.float32) < 0.5)
            )
            lines = lines * kept @ net.weights[1] + net.offsets[1]
        return -float(log_softmax(lines)[np.arange(12), own].mean())

    found = net._gradients(rows, own, np.random.default_rng(3))
    for values, gradient in zip((*net.weights, *net.offsets), found, strict=True):
        for place in np.ndindex(values.shape):
            before = values[place]
            values[place] = before + 1e-6
            above = loss()
            values[place] = before - 1e-6
            below = loss()
            values[place] = before
            assert gradient[place] == pytest.approx((above - below) / 2e-6, abs=1e-5)


def test_a_kept_net_says_nearly_the_same_and_keeps_a_column_of_zeros():
    rows, own = world()
    net = Net.fitted(rows, own, NETWORK, np.random.default_rng(1))
    net.weights[0][:, 0] = 0
    kept = Kept.of(net)
    assert kept.weights[0].dtype == np.int8
    assert (kept.net().weights[0][:, 0] == 0).all()
    assert np.abs(kept.net().logs(rows) - net.logs(rows)).max() < 0.2
    assert (kept.net().logs(rows).argmax(axis=1) == net.logs(rows).argmax(axis=1)).mean() > 0.98


def test_the_order_in_which_numbers_are_added_does_not_show():
    """Inputs and hidden units in another order, as another machine may add them."""
    rows, own = world()
    net = Net.fitted(rows, own, NETWORK, np.random.default_rng(1))
    rng = np.random.default_rng(2)
    a, b = rng.permutation(2), rng.permutation(128)
    first = net.weights[0][:, b]
    first = np.concatenate([first[:40], first[40:][a]])
    other = Net((first, net.weights[1][b]), (net.offsets[0][b], net.offsets[1]))
    again = other.logs(Inputs(rows.counts, rows.measures[:, a]))
    assert np.abs(net.logs(rows) - again).max() < 1e-9


def test_the_same_seed_gives_the_same_net_and_few_outputs_are_passed_more_often():
    rows, own = world(n=30)
    told = []
    first, second = (
        Net.fitted(
            rows, own, LINEAR, np.random.default_rng(7), said=lambda *step: told.append(step)
        )
        for _ in range(2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))
    assert told[-1] == (300, 300)
