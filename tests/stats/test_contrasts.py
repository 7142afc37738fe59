"""Signed contrasts: unbiased, blind to names; a difference in differences keeps its level."""

import numpy as np
import pytest
from scipy.stats import beta

from provenance.stats.contrasts import (
    PairedDraws,
    common_shift,
    excess_over,
    inner_products,
    squared_lengths,
)
from provenance.stats.distance import squared_distance


def cell(sides):
    """One cell from the codes of (reference, suspect) of each pair, kernel 1[x = y]."""
    codes = np.concatenate([x for pair in sides for x in pair])
    pair = np.concatenate([np.full(len(x), i) for i, both in enumerate(sides) for x in both])
    suspect = np.concatenate(
        [np.full(len(x), bool(k)) for both in sides for k, x in enumerate(both)]
    )
    return PairedDraws((codes[:, None] == codes).astype(float), pair.astype(np.intp), suspect)


def drawn(rng, distributions, n):
    """Codes of n draws a side; thousands of studies are drawn, and `Generator.choice` is slow."""
    return [
        [np.searchsorted(np.cumsum(p)[:-1], rng.random(n), side="right") for p in pair]
        for pair in distributions
    ]


def probabilities(rng, pairs, kind="zipf", k=6):
    if kind == "peaked":
        return rng.dirichlet(np.full(k, 0.15), size=(pairs, 2))
    if kind == "flat":
        return rng.dirichlet(np.full(k, 8.0), size=(pairs, 2))
    return rng.dirichlet(1.5 / np.arange(1, k + 1), size=(pairs, 2))


def test_inner_products_are_unbiased():
    """Estimand ⟨S₁−R₁, S₂−R₂⟩ and ‖S−R‖²; proof by simulation, 4 standard errors."""
    rng = np.random.default_rng(0)
    p = probabilities(rng, 2)
    contrast = p[:, 1] - p[:, 0]
    found = np.array([inner_products(cell(drawn(rng, p, 3)), 2) for _ in range(6000)])
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - contrast @ contrast.T) < 4 * error + 1e-12).all()


def test_against_the_distance_of_counts():
    """A pair's own product with the kernel 1[x = y] is the U-statistic of counts."""
    rng = np.random.default_rng(1)
    sides = [[rng.integers(0, 4, 7), rng.integers(0, 4, 5)], [rng.integers(0, 4, 3)] * 2]
    products = inner_products(cell(sides), 2)
    table = np.vstack([np.bincount(x, minlength=4) for x in sides[0]])
    assert products[0, 0] == pytest.approx(float(squared_distance(*table)))
    assert squared_lengths([products])[0] == products[0, 0]
    assert np.allclose(products, products.T)


def test_names_of_categories_and_order_of_draws_mean_nothing():
    rng = np.random.default_rng(2)
    made = cell(drawn(rng, probabilities(rng, 3), 5))
    order = rng.permutation(len(made.pair))
    moved = PairedDraws(made.kernel[np.ix_(order, order)], made.pair[order], made.suspect[order])
    assert np.allclose(inner_products(made, 3), inner_products(moved, 3))


def at_most(events, trials, level):
    """Whether the rate may be ``level`` or less: one-sided 99.9% Clopper–Pearson."""
    lower = beta.ppf(0.001, events, trials - events + 1) if events else 0.0
    return lower <= level


def p_values(seed, studies, *, cells, draws, anchors, kind, shift):
    """P-values under the null: in each cell all pairs have one contrast, models being others.

    The host answers a share ``shift`` by a table of its own, for every model: S = (1−s)R + sH
    would give other contrasts for other R, so the tables of the models differ in a direction that
    the host leaves alone: R = ½A + ½B over disjoint categories, and the host moves B alone.
    """
    rng = np.random.default_rng([seed, cells, draws, anchors])
    found = []
    for _ in range(studies):
        made = []
        for _ in range(cells):
            own = probabilities(rng, anchors + 1, kind)[:, 0]
            common = probabilities(rng, 1, kind)[0]
            moved = (1 - shift) * common[0] + shift * common[1]
            pairs = [
                [np.concatenate([0.5 * a, 0.5 * common[0]]), np.concatenate([0.5 * a, 0.5 * moved])]
                for a in own
            ]
            made.append(cell(drawn(rng, pairs, draws)))
        found.append(excess_over(made, anchors + 1).p_value)
    return np.array(found)


SCENARIOS = [
    (8, 12, 1, "zipf", 0.0),
    (8, 4, 1, "peaked", 0.7),
    (24, 3, 2, "flat", 0.5),
    (12, 6, 3, "peaked", 0.3),
    (3, 15, 1, "zipf", 0.8),
    (1, 10, 1, "peaked", 0.0),
    (3, 2, 1, "peaked", 0.0),
]


@pytest.mark.parametrize(("cells", "draws", "anchors", "kind", "shift"), SCENARIOS)
def test_the_difference_in_differences_keeps_its_level(cells, draws, anchors, kind, shift):
    """Null: one contrast for suspect and anchors in every cell; independent draws; unit: a draw.

    Approximate: a gamma with the three moments of the null form. 300 studies a scenario; broken by
    a host effect that differs between models.
    """
    p = p_values(1, 300, cells=cells, draws=draws, anchors=anchors, kind=kind, shift=shift)
    for alpha in (0.05, 0.01, 0.001):
        assert at_most(int((p <= alpha).sum()), len(p), alpha), alpha


@pytest.mark.slow
def test_the_difference_in_differences_keeps_its_level_at_a_thousandth():
    """As above, all scenarios pooled, 5,600 studies: within 1.25α, and 1.5α at .001."""
    p = np.concatenate(
        [
            p_values(7, 800, cells=c, draws=n, anchors=m, kind=kind, shift=shift)
            for c, n, m, kind, shift in SCENARIOS
        ]
    )
    for alpha, slack in ((0.05, 1.25), (0.01, 1.25), (0.001, 1.5)):
        assert at_most(int((p <= alpha).sum()), len(p), slack * alpha), alpha


def test_it_sees_what_the_anchors_do_not_have():
    """Power against a suspect of another model, where the host leaves the anchor alone."""
    rng = np.random.default_rng(3)
    seen = 0
    for _ in range(50):
        made = []
        for _ in range(12):
            p = probabilities(rng, 2)
            made.append(cell(drawn(rng, [p[0], [p[1, 0], p[1, 0]]], 10)))
        seen += excess_over(made, 2).p_value <= 0.01
    assert seen >= 35


def test_it_sees_a_step_in_another_direction_than_the_anchors():
    """Equal distances, other directions: what a difference of distances would not see."""
    rng = np.random.default_rng(4)
    base = np.array([0.4, 0.3, 0.3, 0.0])
    up, down = np.array([0.1, 0.3, 0.3, 0.3]), np.array([0.4, 0.0, 0.3, 0.3])
    made = [cell(drawn(rng, [[base, up], [base, down]], 15)) for _ in range(12)]
    lengths = squared_lengths([inner_products(c, 2) for c in made])
    assert lengths[0] == pytest.approx(lengths[1], abs=0.05)
    assert excess_over(made, 2).p_value < 0.01


@pytest.mark.parametrize("anchors", [1, 3])
def test_a_common_shift_keeps_its_level_and_is_seen(anchors):
    """Null: the hosts change nothing in the anchors, whatever they do to the suspect."""
    rng = np.random.default_rng(anchors)
    null, seen = [], []
    for _ in range(300):
        quiet, moved = [], []
        for _ in range(6):
            p = probabilities(rng, anchors + 1)
            still = [[q[0], q[0]] for q in p[1:]]
            away = [[q[0], 0.5 * q[0] + 0.5 * p[0, 1]] for q in p[1:]]
            quiet.append(cell(drawn(rng, [list(p[0]), *still], 8)))
            moved.append(cell(drawn(rng, [list(p[0]), *away], 8)))
        null.append(common_shift(quiet, anchors + 1).p_value)
        seen.append(common_shift(moved, anchors + 1).p_value)
    for alpha in (0.2, 0.05, 0.01):
        assert at_most(int((np.array(null) <= alpha).sum()), len(null), alpha), alpha
    assert np.mean(np.array(seen) <= 0.2) > 0.5


def test_a_difference_without_chance_is_seen():
    """Constant answers have no variance within a side; that of both hosts pooled stands in."""
    suspect = cell([[[0] * 6, [1] * 6], [[2] * 6, [2] * 6]])
    assert excess_over([suspect] * 3, 2).p_value < 1e-6
    host = cell([[[0] * 6, [1] * 6], [[0] * 6, [1] * 6]])
    assert excess_over([host] * 3, 2).p_value > 0.3
    same = cell([[[0, 0], [0, 0]], [[0, 0], [0, 0]]])
    found = excess_over([same] * 5, 2)
    assert (found.excess, found.p_value, found.deviation) == (0.0, 1.0, 0.0)


def test_what_cannot_be_computed_says_so():
    one = cell([[[0, 1], [0, 1]], [[0, 1], [1, 1]]])
    with pytest.raises(ValueError, match="two draws"):
        inner_products(cell([[[0], [0, 1]]]), 1)
    with pytest.raises(ValueError, match="an anchor"):
        excess_over([one], 1)
    with pytest.raises(ValueError, match="at least one cell"):
        excess_over([], 2)
    with pytest.raises(ValueError, match="kernel"):
        inner_products(PairedDraws(np.ones((2, 2)), np.zeros(3, np.intp), np.zeros(3, bool)), 1)
