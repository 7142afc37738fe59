"""What parts the models: margins, and sets that they make smaller without losing coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from provenance.attribution.closed_fit import fit_closed
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.gathering import gather
from provenance.attribution.margins import MOST, WEIGHT, Margins
from provenance.attribution.open_set import Inclusion, false_inclusion, open_set
from provenance.library.parts import HELD_OUT, PARTS
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation
from provenance.library.space import Sizes

WORDS = [f"w{a}{b}" for a in range(8) for b in "aeiou"]
MODELS = 8


def text(rng, shares):
    return " ".join(rng.choice(WORDS, 12, p=shares)).capitalize() + "."


@pytest.fixture(scope="module")
def shares():
    rng = np.random.default_rng(1)
    return [rng.dirichlet(np.full(len(WORDS), 1.5)) for _ in range(MODELS)]


@pytest.fixture(scope="module")
def halves_and_library(shares, tmp_path_factory):
    from provenance.attribution.populations import fit_shipped

    rng = np.random.default_rng(2)
    library = Library.create(tmp_path_factory.mktemp("margins") / "library")
    for k, own in enumerate(shares):
        outputs = [Output(f"p{i}", text(rng, own)) for i in range(64)]
        label = Relation(unit=f"u{k}", certainty="sure")
        library.add(f"m{k}", Recorded(outputs, session="one", genre="odes"), label=label)
    population = gather(library, rng=np.random.default_rng(0))
    small = Sizes(columns=500, rank=8, between=6, dimensions=5, sample=400, folds=2)
    space = fit_shipped(population, rng=np.random.default_rng(1), sizes=small)
    library.add_space(space)
    library.profile(space)
    about = {"scope": {"space": space.digest, "genres": ["odes"]}}
    halves = fit_closed(population, "odes", rng=np.random.default_rng(3), networks=0, about=about)
    return halves, library


@pytest.fixture(scope="module")
def enrolled(halves_and_library):
    return Enrolled.of(halves_and_library[1])


def margins(halves_and_library, enrolled, texts):
    return Margins.of(halves_and_library[0].enrolled, texts, enrolled)


def made(suspect, total, n=None):
    """Of log likelihoods: ``suspect`` (outputs, models), ``total`` (models, parts, models)."""
    k = len(total)
    n = np.ones((k, PARTS), np.int64) if n is None else n
    return Margins(np.array(suspect, float), n, np.array(total, float))


def test_a_margin_is_over_the_best_other_model_limited_and_weighed():
    """By hand: means −1, −3 and −3.5; the first leads by 2 nats, more than counts."""
    total = np.zeros((3, PARTS, 3))
    found = made([[-1.0, -2.0, -3.0], [-1.0, -4.0, -4.0]], total)
    expected = WEIGHT * np.array([min(2.0, MOST), -2.0, -2.5])
    assert found.of_suspect(np.array([True, True])) == pytest.approx(expected)
    assert found.of_suspect(np.array([True, False])) == pytest.approx(
        WEIGHT * np.array([min(1.0, MOST), -1.0, -2.0])
    )


def test_without_a_unit_the_best_other_model_is_one_that_is_left():
    """By hand: the mean of two parts is (0, −1, −4); without model 0, model 1 leads by 3."""
    total = np.full((3, PARTS, 3), -9.0)
    total[2, :2] = [[0.0, -2.0, -4.0], [0.0, 0.0, -4.0]]
    found = made([[0.0, 0.0, 0.0]], total)
    assert found.of_models([0, 1])[2] == pytest.approx(WEIGHT * np.array([1.0, -1.0, -4.0]))
    left = found.of_models([0, 1], np.array([False, True, True]))
    assert left[2, 1:] == pytest.approx(WEIGHT * np.array([min(3.0, MOST), -3.0]))


def test_a_model_without_outputs_on_these_parts_has_none():
    n = np.ones((2, PARTS), np.int64)
    n[1] = 0
    found = made([[0.0, -1.0]], np.zeros((2, PARTS, 2)), n).of_models([0])
    assert np.isnan(found[1]).all()
    assert np.isfinite(found[0]).all()


def test_what_stands_in_is_new_to_what_learnt(halves_and_library, enrolled):
    """The sums are over held-out outputs alone, which the enrolled half was not fitted on."""
    halves, library = halves_and_library
    found = margins(halves_and_library, enrolled, ["W0a."])
    assert found.n[:, list(HELD_OUT)].sum() > 0
    standing = halves.enrolled.standing
    assert standing.n.sum() == standing.n[:, list(HELD_OUT)].sum()
    bundle = library.bundles(model="m3")[0]
    held = [o for o in library.outputs(bundle) if int(o.prompt_digest, 16) % PARTS == HELD_OUT[0]]
    total = halves.enrolled.logs([o.output for o in held]).sum(axis=0)
    assert standing.total[3, HELD_OUT[0]] == pytest.approx(total, rel=1e-4)


def test_a_library_with_another_model_or_more_outputs_has_none(halves_and_library, enrolled):
    assert margins(halves_and_library, enrolled, ["W0a."]) is not None
    other = replace(enrolled.models[0], name="new")
    grown = replace(enrolled, models=(*enrolled.models, other))
    assert margins(halves_and_library, grown, ["W0a."]) is None
    more = replace(enrolled, n=enrolled.n * 2)
    assert margins(halves_and_library, more, ["W0a."]) is None
    half = replace(enrolled, models=enrolled.models[::2])
    assert margins(halves_and_library, half, ["W0a."]).suspect.shape == (1, MODELS // 2)


def worlds(rng, models, likely):
    """Scores and margins of a suspect of model 0, and of what stands in for every model.

    Scores say little of who it is; log likelihoods say it in ``likely`` of cases.
    """
    score = rng.normal(0, 1, (models + 1, models))
    logs = rng.normal(-3, 0.3, (models + 1, models))
    own = np.append(np.arange(models), 0)
    score[np.arange(models + 1), own] += 1.5
    logs[np.arange(models + 1), own] += np.where(rng.random(models + 1) < likely, 3.0, 0.0)
    total = np.zeros((models, PARTS, models))
    total[:, 0] = logs[:models]
    return score, made(logs[models:], total)


def test_coverage_holds_and_sets_shrink():
    """Null: the suspect's bundle is model 0's, exchangeable with what stands in for all models.

    Unit: a study with 39 models. Coverage of 1 − α on average over studies, whatever the margins
    are worth (conformal, Vovk, Gammerman & Shafer 2005); sets are smaller where they tell. Breaks
    if margins of the suspect and of stand-ins are made in unlike ways.
    """
    rng = np.random.default_rng(7)
    runs, models = 1_500, 39
    for likely in (0.0, 0.9):
        covered, plain, sizes = 0, 0, []
        for _ in range(runs):
            score, margins = worlds(rng, models, likely)
            own = np.diag(score[:models])
            alone = open_set(score[models], own, alpha=0.05)
            added = margins.of_suspect(np.array([True]))
            tested = open_set(
                score[models] + added, own + np.diag(margins.of_models([0])), alpha=0.05
            )
            covered += bool(tested.included[0])
            plain += bool(alone.included[0])
            sizes.append((alone.included.sum(), tested.included.sum()))
        assert covered / runs > 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)
        before, after = np.mean(sizes, axis=0)
        assert after < (0.9 * before if likely else 1.2 * before)


def test_false_inclusion_is_that_of_libraries_without_the_unit():
    """Null: none; a measure. A stranger's best model is one that is left, not its own sibling.

    Four models in two units; each writes like the other of its unit, and its likelihoods say so.
    Within the whole library its own unit has all margins; without it, those that are left do.
    """
    total = np.full((4, PARTS, 4), -9.0)
    for i in range(4):
        total[i, 0] = -4.0
        total[i, 0, i] = 0.0
        total[i, 0, 3 - i] = -1.0
    margins = made(np.zeros((1, 4)), total)
    seen = []

    def tables(outside):
        added = margins.of_models([0], outside)
        seen.append(added[:, outside])
        return added[:, outside], np.diag(added)[outside]

    found = false_inclusion(tables, np.arange(4), ["a", "a", "b", "b"], alpha=0.5)
    assert isinstance(found, Inclusion)
    # Of model 0 without its unit: model 3, like it, leads model 2 by three nats.
    assert seen[0][0] == pytest.approx(WEIGHT * np.array([-3.0, min(3.0, MOST)]))
