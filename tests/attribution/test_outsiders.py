"""How models score that a space has never seen: what a maker outside a library would see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.gathering import gather
from provenance.attribution.inclusion import NewMakers, Seen
from provenance.attribution.known_pairs import FITTED
from provenance.attribution.margins import Margins
from provenance.attribution.open_set import false_inclusion, open_set
from provenance.attribution.outsiders import SUBSETS, Outsiders
from provenance.attribution.outsiders_fit import GROUPS, fit_outsiders
from provenance.attribution.populations import fit_shipped
from provenance.errors import EvidenceError
from provenance.library.parts import HELD_OUT, PARTS
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation
from provenance.library.space import Sizes

WORDS = [f"w{a}{b}" for a in range(8) for b in "aeiou"]
UNITS, PER_UNIT, PROMPTS = 8, 2, 96
SMALL = Sizes(columns=400, rank=8, between=6, dimensions=5, sample=500, folds=2)


def made(folder):
    """Eight units of two models each."""
    library = Library.create(folder / "library")
    for unit in range(UNITS):
        for k in range(PER_UNIT):
            rng = np.random.default_rng([unit, k])
            shares = rng.dirichlet(np.full(len(WORDS), 0.7))
            texts = [" ".join(rng.choice(WORDS, 12, p=shares)) for _ in range(PROMPTS)]
            outputs = [Output(f"p{i}", text) for i, text in enumerate(texts)]
            label = Relation(unit=f"u{unit}", certainty="sure")
            library.add(f"m{unit}{k}", Recorded(outputs, session="s", genre="odes"), label=label)
    return library


def measured(population):
    space = fit_shipped(population, rng=np.random.default_rng(1), sizes=SMALL)
    found = fit_outsiders(population, space=space, sizes=SMALL, rng=np.random.default_rng(2))
    return space, found["odes"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    library = made(tmp_path_factory.mktemp("outsiders"))
    population = gather(library, rng=np.random.default_rng(0))
    space, found = measured(population)
    library.add_space(space)
    library.profile(space)
    return population, Enrolled.of(library), found


def test_every_unit_is_left_out_once_and_whole(world):
    population, _, found = world
    assert len(found.own) == min(UNITS, GROUPS)
    units = np.array(population.units)
    for group in range(len(found.own)):
        assert len(set(units[found.group == group])) == 1
        inside = found.group == group
        assert np.isnan(found.own[group][:, inside]).all()
        assert np.isnan(found.cross[:, :, inside][..., inside]).all()
        assert np.isfinite(found.own[group][-1, ~inside]).all()


def test_a_fit_without_a_unit_has_seen_nothing_of_it(world):
    """Other outputs of a unit change nothing in the fit that lacks it, and all others.

    The property that the rate rests on: a bundle of the unit is new to what compares it.
    """
    population, _, found = world
    training = population.training
    own = np.array(population.units)[training.models] == population.units[0]
    order = np.where(own, 3.0, 1.0)[:, None]
    counts = {name: c.multiply(order).tocsr() for name, c in training.counts.items()}
    other = replace(training, counts=counts, measures=training.measures * order**2)
    _, changed = measured(replace(population, training=other))
    group = found.group[0]
    assert (changed.group == found.group).all()
    assert np.array_equal(found.own[group], changed.own[group], equal_nan=True)
    others = [g for g in range(len(found.own)) if g != group]
    assert not any(np.array_equal(found.own[g], changed.own[g], equal_nan=True) for g in others)


def test_bundles_are_of_held_out_prompts_and_of_like_size(world):
    population, _, found = world
    assert all(set(s) <= set(HELD_OUT) for subsets in SUBSETS for s in subsets)
    assert not set(FITTED) & set(HELD_OUT)
    own = population.training.models == 0
    n = np.bincount(population.parts[own], minlength=PARTS)
    for number, subsets in enumerate(SUBSETS):
        first = n[list(subsets[0])].sum()
        for k, chosen in enumerate(subsets):
            there = n[list(chosen)].sum() >= max(10, 0.75 * first)
            assert np.isfinite(found.cross[number, k, 0]).any() == there
        assert np.isnan(found.cross[number, len(subsets) :]).all()


def test_strangers_answer_other_prompts_than_what_stands_in(world):
    _, _, found = world
    places = found.places(found.models)
    for parts, subsets in enumerate(SUBSETS, 1):
        bundles = found.bundles(places, parts)
        assert (bundles[:, 0] > 0).all() == (len(subsets) > 1)
        assert set(bundles[:, 1]) == set(range(len(found.models)))
        assert len({tuple(b) for b in bundles.tolist()}) == len(bundles)


def small(cross, own, group):
    """Scores of three models on the first part: ``cross`` (3, 3), ``own`` (groups, 3)."""
    whole = np.full((4, 4, 3, 3), np.nan, np.float32)
    whole[0, 0] = cross
    alone = np.full((len(own), 4, 3), np.nan, np.float32)
    alone[:, 0] = own
    return Outsiders("s", "odes", ("a", "b", "c"), np.array(group), whole, alone)


def test_rates_by_hand():
    """Unit 0 is a, unit 1 b and c. Without a: own −1, −2, so that p ≥ 2/3 from −2 upwards.

    α = .5, 1 bundle is enough: a scores −1.5 against b, p = 2/3, and gets a set; b scores −9
    against a and c −0.5, with own −1 alone: p = 1/2 and 1, so one of two bundles gets a set.
    """
    nan = np.nan
    cross = [[nan, -1.5, -5.0], [-9.0, nan, nan], [-0.5, nan, nan]]
    own = [[nan, -1.0, -2.0], [-1.0, nan, nan]]
    found = small(cross, own, [0, 1, 1])
    places = found.places(["a", "b", "c"])
    bundles = found.bundles(places, 1)
    assert bundles.tolist() == [[0, 0], [0, 1], [0, 2]]
    tables = found.tables(places, bundles, 1)
    said = false_inclusion(tables, bundles[:, 1], ["u", "v", "v"], alpha=0.5)
    assert said.rate == pytest.approx((1 + 0.5) / 2)
    assert said.bundle_rate == pytest.approx(2 / 3)
    # A margin of b over c by 4 nats, limited to 2, takes a quarter of that off nothing but c.
    total = np.zeros((3, PARTS, 3))
    total[0, :, 2] = -4.0
    margins = Margins(np.zeros((0, 3)), np.ones((3, PARTS), np.int64), total)
    cross, own = found.tables(places, bundles, 1, margins)(np.array([False, True, True]))
    assert cross[0] == pytest.approx([-1.5 + 0.5, -5.0 - 1.0])
    assert own == pytest.approx([-1.0, -2.0])


def test_models_that_were_added_since_are_left_aside():
    nan = np.nan
    found = small(
        [[nan, -1, -1], [-1, nan, nan], [-1, nan, nan]], [[nan, -1, -2], [-1] * 3], [0, 1, 1]
    )
    places = found.places(["new", "a", "b", "c"])
    assert places.tolist() == [-1, 0, 1, 2]
    bundles = found.bundles(places, 1)
    assert bundles[:, 1].tolist() == [1, 2, 3]
    cross, own = found.tables(places, bundles, 1)(np.array([True, False, True, True]))
    assert np.isnan(cross[:, 0]).all()
    assert np.isnan(own[0])
    assert own[1:].tolist() == [-1.0, -2.0]
    assert found.places(["x", "y", "z", "a"]) is None


def test_what_is_told_is_what_a_new_maker_sees(tmp_path):
    """Null: bundles of makers that are drawn like those of the library, whom no fit has seen.

    Unit: a maker. The rate that leaving each unit out of everything gives, against the share of
    truly new makers' bundles that get a set from the whole library: within four standard errors of
    the difference over makers. Leaving units out of the comparison alone gives less, as it did
    before. Breaks if new makers are not like those that left.
    """
    rng = np.random.default_rng(5)
    units, new, d, n = 24, 400, 20, 12
    styles = rng.normal(0, 1, (units + new, d))

    def space_of(known):
        """What tells the known models apart: their leading directions, no more than they span."""
        return np.linalg.svd(styles[known] - styles[known].mean(axis=0), full_matrices=False)[2][:8]

    def bundle(unit):
        return styles[unit] + rng.normal(0, 3 / np.sqrt(n), d)

    enrolled = np.array([bundle(u) for u in range(units)])
    held = np.array([bundle(u) for u in range(units)])

    def scores(own, known, axes):
        return -(((own[:, None] - enrolled[known][None]) @ axes.T) ** 2).sum(axis=2)

    every = np.arange(units)
    cross = np.full((units, units), np.nan)
    own = np.full((units, units), np.nan)
    for left in every:
        known = every[every != left]
        axes = space_of(known)
        cross[left, known] = scores(held[left][None], known, axes)[0]
        own[left, known] = np.diagonal(scores(held[known], known, axes))
    whole = np.full((4, 4, units, units), np.nan)
    whole[0, 0] = cross
    alone = np.full((units, 4, units), np.nan)
    alone[:, 0] = own
    found = Outsiders("s", "", tuple(map(str, every)), every, whole, alone)
    places = found.places(found.models)
    bundles = found.bundles(places, 1)
    told = false_inclusion(
        found.tables(places, bundles, 1), bundles[:, 1], every.tolist(), alpha=0.05
    )
    axes = space_of(every)
    inside = np.diagonal(scores(held, every, axes))
    seen = [
        open_set(scores(bundle(u)[None], every, axes)[0], inside, alpha=0.05).included.any()
        for u in range(units, units + new)
    ]
    error = np.sqrt(told.rate * (1 - told.rate) / units + np.var(seen) / new)
    assert abs(told.rate - np.mean(seen)) < 4 * error
    fixed = [
        open_set(
            scores(held[u][None], every[every != u], axes)[0], inside[every != u], alpha=0.05
        ).included.any()
        for u in every
    ]
    assert np.mean(fixed) <= told.rate


def test_rates_are_of_sizes_that_there_are(world):
    _, enrolled, found = world
    makers = NewMakers(enrolled, Seen(found))
    rates = makers.rates(0.2)
    sizes = [n for n, _ in rates]
    assert sizes == sorted(set(sizes))
    assert all(0 <= rate <= 1 for _, rate in rates)
    said = makers.inclusion(2, margins=False, alpha=0.2)
    assert said.unseen
    assert said.units == UNITS
    assert said.rate == dict(said.by_outputs)[sizes[1]]
    assert makers.inclusion(2, margins=False, alpha=0.001) is None


def test_a_file_gives_back_what_it_was_made_of(world):
    _, _, found = world
    again = Outsiders.from_json(found.to_json())
    assert again.models == found.models
    assert np.array_equal(again.cross, found.cross, equal_nan=True)
    assert np.array_equal(again.own, found.own, equal_nan=True)
    assert again.to_bytes() == found.to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda o: replace(o, cross=o.cross[:2]),
        lambda o: replace(o, own=o.own[:1]),
        lambda o: replace(o, group=o.group - 1),
        lambda o: replace(o, models=o.models[1:]),
        lambda o: replace(o, cross=np.zeros(o.cross.shape, np.int64)),
    ],
)
def test_a_broken_file_is_refused(world, change):
    with pytest.raises(EvidenceError, match="holds no scores of outsiders"):
        Outsiders.from_bytes(change(world[2]).to_bytes())
    with pytest.raises(EvidenceError, match="holds no scores of outsiders"):
        Outsiders.from_bytes(b"PK")


def test_too_few_units_measure_nothing(tmp_path, world):
    population = world[0]
    few = replace(population, units=tuple(f"u{int(u[1:]) % 6}" for u in population.units))
    space = fit_shipped(few, rng=np.random.default_rng(1), sizes=SMALL)
    rng = np.random.default_rng(2)
    assert fit_outsiders(few, space=space, sizes=SMALL, rng=rng) == {}
