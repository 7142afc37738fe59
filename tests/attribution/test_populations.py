"""From a library of known models to a space, profiles and likelihood ratios."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from provenance.attribution import known_pairs, populations
from provenance.attribution.calibration import Case
from provenance.attribution.gathering import gather
from provenance.attribution.hypotheses import pairs_for
from provenance.attribution.known_pairs import FITTED, REFERENCE, score_pairs, split_units
from provenance.attribution.ratios import Ratios
from provenance.attribution.same_source import score
from provenance.errors import UsageError
from provenance.library.parts import ENROLLED, HELD_OUT
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation, Relations
from provenance.library.space import Sizes, Summary, fit

WORDS = [f"w{a}{b}ing" if a % 3 else f"w{a}{b}" for a in range(12) for b in "aeiou"]
ENDS = [". ", "! ", "; ", ", ", " - ", ".\n", ".\n\n", ":\n- "]
UNITS, PROMPTS = 10, 96
SMALL = Sizes(columns=2_000, rank=24, between=12, dimensions=8, sample=2_000, folds=3)


def habits(rng, like=None):
    """Shares of words and of ends of sentences; near those of ``like`` if it is given."""
    own = rng.dirichlet(np.full(len(WORDS), 0.4)), rng.dirichlet(np.full(len(ENDS), 0.5))
    return own if like is None else tuple(0.7 * a + 0.3 * b for a, b in zip(like, own, strict=True))


def text(rng, words, ends):
    parts = []
    for _ in range(rng.integers(3, 7)):
        parts.append(" ".join(rng.choice(WORDS, rng.integers(4, 9), p=words)).capitalize())
        parts.append(rng.choice(ENDS, p=ends))
    return "".join(parts)


def add(library, rng, name, own, session="s1"):
    outputs = [Output(f"p{i}", text(rng, *own)) for i in range(PROMPTS)]
    return library.add(name, Recorded(outputs, session=session, licence="made here (CC0)"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Twenty models of ten units: the second of each was made from the first."""
    rng = np.random.default_rng(11)
    library = Library.create(tmp_path_factory.mktemp("known") / "library", name="made up")
    labels = {}
    for u in range(UNITS):
        first = habits(rng)
        add(library, rng, f"m{u}", first)
        add(library, rng, f"m{u}-tuned", habits(rng, like=first))
        labels[f"m{u}"] = Relation(unit=f"u{u}", base=f"b{u}", certainty="sure")
        labels[f"m{u}-tuned"] = Relation(parent=f"m{u}", base=f"b{u}", certainty="sure")
    return library, Relations(models=labels)


@pytest.fixture(scope="module")
def population(filled):
    library, labels = filled
    return gather(library, relations=labels, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def scored(population):
    return score_pairs(population, rng=np.random.default_rng(2), sizes=SMALL, outputs=(12, 30))


@pytest.fixture(scope="module")
def calibrated(filled):
    library, labels = filled
    said = []
    done = populations.calibrate(
        library,
        name="test",
        rng=np.random.default_rng(3),
        relations=labels,
        outputs=(12,),
        sizes=SMALL,
        say=lambda step, *_: said.append(step),
    )
    return library, done, said


def test_parts_for_fit_reference_and_suspect_are_disjoint():
    assert set(FITTED) | set(REFERENCE) == set(ENROLLED)
    assert not set(FITTED) & set(REFERENCE)
    assert not set(ENROLLED) & set(HELD_OUT)


def test_units_stay_whole_and_every_fit_has_enough_of_them(population):
    for seed in range(5):
        fold = split_units(population, folds=4, rng=np.random.default_rng(seed))
        units = np.array(population.units)
        for unit in set(units):
            assert len(set(fold[units == unit])) == 1
        for k in set(fold):
            assert len(set(units[fold != k])) >= known_pairs.FEWEST_UNITS


def test_eight_units_are_enough_however_unlike_their_sizes(population):
    """One maker has most models: folds of alike many units leave six to fit on."""
    units = ("large",) * 13 + tuple(f"small-{i}" for i in range(7))
    fold = split_units(replace(population, units=units), folds=4, rng=np.random.default_rng(1))
    for k in set(fold):
        assert len({u for u, f in zip(units, fold, strict=True) if f != k}) == 6


def test_no_pair_is_scored_in_a_space_that_knew_its_units(population, scored, monkeypatch):
    seen = []

    def watched(training, **more):
        seen.append(set(training.units.tolist()))
        return fit(training, **more)

    monkeypatch.setattr(known_pairs, "fit", watched)
    again = score_pairs(population, rng=np.random.default_rng(2), sizes=SMALL, outputs=(12, 30))
    assert np.array_equal(again.score, scored.score)  # same seed, same numbers
    codes = {u: i for i, u in enumerate(sorted(set(population.units)))}
    for fold, fitted in enumerate(seen):
        inside = again.fold == fold
        for side in (again.suspect[inside], again.reference[inside]):
            assert not {codes[population.units[m]] for m in side} & fitted


def test_pairs_of_one_model_score_higher(scored):
    other = scored.score[~scored.same_unit]
    own = scored.score[scored.same & (scored.n_suspect == 30)]
    assert np.median(own) > np.quantile(other, 0.95)
    assert set(scored.n_suspect) == {12, 30}


def test_rows_of_read_documents_are_those_of_the_space(filled, population):
    library, _ = filled
    space = populations.fit_shipped(population, rng=np.random.default_rng(4), sizes=SMALL)
    first = np.flatnonzero(population.training.models == 0)
    bundle = next(b for b in library.bundles() if b.model == population.models[0])
    texts = [o.output for o in library.outputs(bundle)]
    found = known_pairs.rows_of(population.training, first, space)
    assert found == pytest.approx(space.rows(texts), abs=1e-3)


def test_a_library_is_calibrated_and_enrolled(calibrated):
    library, done, said = calibrated
    assert (done.models, done.units, done.profiles) == (2 * UNITS, UNITS, 2 * UNITS)
    made = done.calibrations["same_weights"]
    assert made.scope.space == done.space == library.space().digest
    assert made.scope.languages == ("other",)
    assert made.sources == ("not stated (made here (CC0))",)
    grade = made.grades[0]
    assert grade.cllr is not None
    assert grade.cllr < 0.75
    assert grade.n_same == UNITS
    assert made.control_cllr > 0.9
    kept = Ratios.of(library, done.space)
    assert {c.name for c in kept.calibrations} == {f"test-{h}" for h in done.calibrations}
    assert kept.calibrations[-1] == made
    assert "reading" in said
    assert 0 <= done.relatives_above_1 <= 1
    assert library.relations().unit_of("m3-tuned") == "u3"


def test_what_the_space_was_fitted_on_is_not_enrolled(calibrated, tmp_path):
    first, done, _ = calibrated
    shutil.copytree(first.path, tmp_path / "copy")
    library = Library.open(tmp_path / "copy")
    found = library.profiles(parts=True)
    assert not found.part_n[:, list(FITTED)].any()
    assert (found.part_n[:, list(REFERENCE)].sum(axis=1) > 0).all()
    # A model that comes later had no part in the fit: all of it is enrolled.
    rng = np.random.default_rng(9)
    late = add(library, rng, "late", habits(rng))
    library.profile(library.space(done.space), bundles=[late])
    assert library.profiles(models=["late"], parts=True).part_n.sum() == PROMPTS


def test_a_new_session_of_a_model_gets_support_and_a_stranger_none(calibrated):
    library, done, _ = calibrated
    space, made = library.space(done.space), done.calibrations["same_weights"]
    found = library.profiles(parts=True, models=["m1", "m2"])
    rng = np.random.default_rng(5)
    bundle = next(b for b in library.bundles() if b.model == "m1")
    texts = [o.output for o in library.outputs(bundle)][: PROMPTS // 2]
    suspect = Summary.of(space, texts)
    length = float(np.mean([len(t) for t in texts]))
    case = Case(space=done.space, language="other", outputs=12, characters=length)
    ratios = {
        b.model: made.assess(score(suspect, found.summary(row), space), case).log10_lr
        for row, b in enumerate(found.bundles)
    }
    assert ratios["m1"] > 0 > ratios["m2"]
    stranger = Summary.of(space, [text(rng, *habits(rng)) for _ in range(40)])
    others = made.assess(score(stranger, found.summary(0), space), case).log10_lr
    assert others < 0


def test_derived_models_have_a_ratio_of_their_own_where_labels_are_sure(calibrated):
    _, done, _ = calibrated
    derived = done.calibrations["derived"]
    assert derived.hypothesis == "derived"
    assert derived.grades[0].n_same == UNITS
    assert derived.grades[0].pairs_same <= done.calibrations["common_base"].grades[0].pairs_same


def test_hypotheses_that_no_label_supports_are_left_out(scored, population):
    unsure = Relations(
        models={
            n: label.model_copy(update={"certainty": {}})
            for n, label in population.labels.models.items()
        }
    )
    why_not = pairs_for("derived", scored, unsure)
    assert "0 units have a pair" in why_not
    assert isinstance(pairs_for("same_weights", scored, unsure), dict)


def test_too_little_is_refused_with_what_is_missing(filled, tmp_path):
    library, labels = filled
    rng = np.random.default_rng(6)
    lumped = Relations(
        models={
            n: label.model_copy(update={"unit": f"u{int(n[1]) % 3}", "parent": None})
            for n, label in labels.models.items()
        }
    )
    with pytest.raises(UsageError, match="found 3"):
        populations.calibrate(library, name="x", rng=rng, relations=lumped, sizes=SMALL)
    with pytest.raises(UsageError, match="fewer than 500 outputs"):
        populations.calibrate(
            library, name="x", rng=rng, relations=labels, outputs=(500,), sizes=SMALL
        )
    with pytest.raises(UsageError, match="cannot be called"):
        populations.calibrate(library, name="../x", rng=rng)
    with pytest.raises(UsageError, match=r"no model of .* has 20 outputs"):
        populations.calibrate(Library.create(tmp_path / "empty"), name="x", rng=rng)
