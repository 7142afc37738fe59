"""How much it counts how well a column tells models apart, chosen on known pairs.

Unit: a unit of two models; estimand: the mean over units of the cost of ratios whose line did not
see the unit. Made-up texts and scores, so it is known which exponent is the better one. What breaks
it: so few units that none can be left out, where the first exponent is kept.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from provenance.attribution import populations
from provenance.attribution.gathering import Population
from provenance.attribution.known_pairs import Scored, score_pairs
from provenance.attribution.telling import (
    TELLINGS,
    Chosen,
    choose_telling,
    score_each,
    unit_costs,
)
from provenance.attribution.weighing import choose
from provenance.library.parts import ENROLLED, PARTS
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation, Relations
from provenance.library.space import Labelled, Sizes, read
from provenance.library.space.formats import CLASSES

NOBODY: Any = Relations(models={})
UNITS, EACH, PROMPTS = 9, 2, 96
SMALL = Sizes(columns=1_500, rank=12, between=6, dimensions=8, sample=1_000, folds=2)
STYLE = [f"w{a}{b}" for a in range(20) for b in "aeiou"]


def texts(topics: int, words: int, *, asked_apart: bool) -> list[Labelled]:
    """Each model has its words of style; topics hang on the prompt.

    ``asked_apart``: on the prompts that a space is fitted on every model has a topic of its own, so
    that words of topics tell the models of the fit apart, and no others.
    """
    rng = np.random.default_rng(1 if asked_apart else 2)
    topical = [f"t{a}{b}" for a in range(words) for b in "aeiou"]
    made = []
    for unit in range(UNITS):
        for model in range(EACH):
            style = rng.dirichlet(np.full(len(STYLE), 0.15))
            own = rng.dirichlet(np.full(len(topical), 0.1))
            for i in range(PROMPTS):
                topic = rng.dirichlet(np.full(len(topical), 0.1))
                if asked_apart and i % PARTS in ENROLLED[:2]:
                    topic = own
                said = [*rng.choice(STYLE, 24, p=style), *rng.choice(topical, topics, p=topic)]
                text = " ".join(rng.permutation(said)) + "."
                made.append(Labelled(f"m{unit}-{model}", f"u{unit}", str(i), text))
    return made


def population(documents: list[Labelled]) -> Population:
    models = sorted({d.model for d in documents})
    return Population(
        training=read(documents),
        parts=np.array([int(d.prompt) % PARTS for d in documents], dtype=np.int64),
        characters=np.array([len(d.text) for d in documents], dtype=np.int64),
        models=tuple(models),
        units=tuple(f"u{m[1:].partition('-')[0]}" for m in models),
        labels=NOBODY,
        bundles=(),
        sources=(),
        samples=((),) * len(models),
        kinds=("",) * len(models),
        formats=np.zeros((len(documents), len(CLASSES) + 1), dtype=np.int64),
    )


def chosen_on(found: Population) -> Chosen:
    each = score_each(
        found, TELLINGS, rng=np.random.default_rng(2), sizes=SMALL, outputs=(12, 30), repeats=1
    )
    return choose_telling(each, NOBODY, rng=np.random.default_rng(3))


def test_where_topics_crowd_out_style_columns_are_weighed() -> None:
    """Three words of a topic to one of style: what tells models apart is drowned otherwise."""
    found = chosen_on(population(texts(120, 40, asked_apart=False)))
    assert found.telling == 0.25
    assert found.error is not None
    assert found.costs[0.0] - found.costs[0.25] > found.error


def test_where_what_tells_apart_is_what_they_were_asked_columns_count_alike() -> None:
    found = chosen_on(population(texts(40, 3, asked_apart=True)))
    assert found.telling == 0.0
    assert found.costs[0.0] < found.costs[0.25]


def scored(gap: float, seed: int = 1, units: int = UNITS) -> Scored:
    """Pairs of models with two bundles each; ``gap``: of same-source scores from others."""
    rng = np.random.default_rng(seed)
    models = units * EACH
    a, b = (x.ravel() for x in np.meshgrid(*[np.arange(models).repeat(2)] * 2))
    n = np.full(len(a), 25)
    return Scored(
        score=rng.normal(gap * (a == b), 1.0),
        suspect=a,
        reference=b,
        n_suspect=n,
        n_reference=n,
        fold=np.zeros(len(a), dtype=np.int64),
        models=tuple(f"m{i}" for i in range(models)),
        units=tuple(f"u{i // EACH}" for i in range(models)),
        kinds=("essays",) * models,
        unlike=np.zeros(len(a), dtype=bool),
        unusual=np.zeros(len(a)),
    )


@pytest.mark.parametrize(("first", "second", "telling"), [(2.0, 4.0, 0.25), (4.0, 2.0, 0.0)])
def test_the_one_that_tells_more_is_taken(first: float, second: float, telling: float) -> None:
    each = {0.0: scored(first), 0.25: scored(second)}
    found = choose_telling(each, NOBODY, rng=np.random.default_rng(3))
    assert found.telling == telling
    assert found.costs[telling] == min(found.costs.values())
    np.testing.assert_array_equal(found.scored.score, each[telling].score)


def test_of_equal_ones_the_first_is_kept() -> None:
    same = scored(3.0)
    found = choose_telling({0.0: same, 0.25: same}, NOBODY, rng=np.random.default_rng(3))
    assert (found.telling, found.error) == (0.0, 0.0)
    assert found.costs[0.0] == found.costs[0.25]


def test_what_is_saved_by_chance_is_not_taken_for_more() -> None:
    """Null: both tell alike. The second saves something in half of the cases by chance alone."""
    kept = 0
    for seed in range(6):
        each = {0.0: scored(3.0, seed), 0.25: scored(3.0, 100 + seed)}
        found = choose_telling(each, NOBODY, rng=np.random.default_rng(seed))
        saved = found.costs[0.0] - found.costs[0.25]
        assert found.error is not None
        assert found.telling == (0.25 if saved > found.error else 0.0)
        kept += 0 < saved <= found.error
    assert kept


def test_one_alone_is_chosen_without_a_comparison() -> None:
    found = choose_telling({0.5: scored(3.0)}, NOBODY, rng=np.random.default_rng(3))
    assert (found.telling, found.costs, found.error) == (0.5, {}, None)
    assert found.unusual == choose(scored(3.0), NOBODY, rng=np.random.default_rng(3))


def test_without_units_enough_the_first_is_kept() -> None:
    each = {0.0: scored(1.0, units=3), 0.25: scored(5.0, units=3)}
    found = choose_telling(each, NOBODY, rng=np.random.default_rng(3))
    assert (found.telling, found.costs) == (0.0, {})


def test_costs_of_units_average_to_the_cost_of_known_ratios() -> None:
    """Scores that say nothing cost a bit each; those far apart next to nothing."""
    nothing = unit_costs(scored(0.0), NOBODY, 1)
    assert {unit for unit, _, _ in nothing} == {f"u{i}" for i in range(UNITS)}
    assert np.mean(list(nothing.values())) == pytest.approx(1.0, abs=0.1)
    assert np.mean(list(unit_costs(scored(12.0), NOBODY, 1).values())) < 0.2


def test_each_exponent_is_scored_on_the_same_draws() -> None:
    found = population(texts(40, 3, asked_apart=True))
    rng = np.random.default_rng(4)
    options: Any = {"outputs": (12,), "repeats": 1}
    each = score_each(found, TELLINGS, rng=rng, sizes=SMALL, **options)
    for name in ("suspect", "reference", "n_reference", "fold", "unlike"):
        one, other = (getattr(each[t], name) for t in TELLINGS)
        np.testing.assert_array_equal(one, other)
    # And as if each had been scored alone.
    alone = score_pairs(
        found, rng=np.random.default_rng(4), sizes=replace(SMALL, telling=0.25), **options
    )
    np.testing.assert_array_equal(each[0.25].score, alone.score)
    assert not np.array_equal(each[0.0].score, alone.score)


def test_a_library_keeps_and_says_what_was_chosen(tmp_path: Any) -> None:
    library = Library.create(tmp_path / "library", name="made up")
    documents = texts(40, 3, asked_apart=True)
    labels = {}
    for model in sorted({d.model for d in documents}):
        own = [d for d in documents if d.model == model]
        outputs = [Output(f"p{d.prompt}", d.text) for d in own]
        library.add(model, Recorded(outputs, session="one", licence="made here (CC0)"))
        labels[model] = Relation(unit=own[0].unit, certainty="sure")
    steps: list[str] = []
    done = populations.calibrate(
        library,
        name="made",
        rng=np.random.default_rng(3),
        relations=Relations(models=labels),
        outputs=(12,),
        sizes=SMALL,
        tellings=TELLINGS,
        repeats=1,
        say=lambda step, *_: steps.append(step),
    )
    assert set(done.tried) == set(TELLINGS)
    about = library.space(done.space).about
    assert about["telling"] == done.telling
    assert about["telling_tried"] == {f"{t:g}": round(c, 4) for t, c in done.tried.items()}
    assert sum("exponent" in step for step in steps) == 2
