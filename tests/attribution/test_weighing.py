"""The weight of the unusual, chosen on known pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from provenance.attribution.known_pairs import Scored
from provenance.attribution.weighing import WEIGHTS, choose
from provenance.library.relations import Relations
from provenance.library.space import UNUSUAL

UNITS, EACH = 9, 3
NOBODY: Any = Relations(models={})


def scored(rng: np.random.Generator, *, tells: float, spread: float) -> Scored:
    """Pairs of 27 models, three bundles each: what the unusual adds is noise, or tells them apart.

    ``tells``: by how much it is larger for one model's bundles; ``spread``: of the rest of it.
    """
    models = UNITS * EACH
    rows = [(i, j) for i in range(models) for j in range(models) for _ in range(3)]
    a, b = (np.array(x) for x in zip(*rows, strict=True))
    close = rng.normal(2.0 * (a == b), 1.0)
    unusual = rng.normal(tells * (a == b), spread)
    n = np.full(len(a), 25)
    return Scored(
        score=close + UNUSUAL * unusual,
        suspect=a,
        reference=b,
        n_suspect=n,
        n_reference=n,
        fold=np.zeros(len(a), dtype=np.int64),
        models=tuple(f"m{i}" for i in range(models)),
        units=tuple(f"u{i // EACH}" for i in range(models)),
        kinds=("essays",) * models,
        unlike=np.zeros(len(a), dtype=bool),
        unusual=unusual,
    )


def chosen(found: Scored) -> float:
    return choose(found, NOBODY, rng=np.random.default_rng(3))


def test_noise_is_given_no_weight() -> None:
    assert chosen(scored(np.random.default_rng(1), tells=0.0, spread=3.0)) == 0.0


def test_what_tells_models_apart_is_given_the_most() -> None:
    """Twice as far apart as the closeness, and as noisy: the best weight would be 2."""
    assert chosen(scored(np.random.default_rng(1), tells=4.0, spread=1.0)) == max(WEIGHTS)


def test_in_between_it_is_near_the_best_weight() -> None:
    """With a gap of d₁ and d₂ and spreads of 1 and s the best weight is (d₂/s²)/d₁: here ½."""
    assert chosen(scored(np.random.default_rng(1), tells=4.0, spread=2.0)) in (0.3, 0.6)


def test_without_units_enough_it_stays_as_it_was() -> None:
    few = scored(np.random.default_rng(1), tells=0.0, spread=3.0)
    some = few.only((few.suspect < 2 * EACH) & (few.reference < 2 * EACH))
    assert chosen(some) == UNUSUAL


def test_weighed_anew_and_back_it_is_the_same() -> None:
    found = scored(np.random.default_rng(1), tells=1.0, spread=1.0)
    other = found.weighing(0.3)
    assert found.unusual is not None
    np.testing.assert_allclose(other.score, found.score - 0.9 * found.unusual)
    np.testing.assert_allclose(other.weighing(UNUSUAL).score, found.score)
    assert other.only(found.same).weight == 0.3


def test_scores_without_that_part_stay() -> None:
    bare = replace(scored(np.random.default_rng(1), tells=1.0, spread=1.0), unusual=None)
    assert bare.weighing(0.3) is bare
