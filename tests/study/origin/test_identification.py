"""identify end to end, on a library of made-up models and through the public API."""

from __future__ import annotations

import json
import shutil
import zlib
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

import provenance
from provenance.attribution.against import against, margins_of
from provenance.attribution.holding import Texts, scores_in
from provenance.attribution.identification import identify
from provenance.attribution.origin import decide
from provenance.cli.library_quality import new_makers, of_new_makers
from provenance.cli.outcome import exit_code
from provenance.dossier.sections.closed import closed as closed_section
from provenance.dossier.sections.origin import candidates
from provenance.dossier.terminal import summary
from provenance.errors import BudgetExhausted, UsageError
from provenance.evidence.store import Store
from provenance.library.parts import prompt_digest
from provenance.library.population import Library, Output, Recorded
from provenance.settings import Settings
from provenance.study.libraries import read_copies
from provenance.transcript import Completion, Transcript

UNITS = 20


def test_a_known_model_is_in_the_set(world):
    study = world.identify(world.answers("m3"))
    inside = [c.name for c in study.document.candidates if c.in_set]
    assert "m3" in inside
    assert any("the ratio is 10 at most there" in str(b) for b in candidates(study.document))
    assert study.document.candidates[0].name == "m3"
    assert len(inside) <= 3
    population = study.document.population
    assert population is not None
    assert population.calibration_bundles == UNITS
    assert population.decidable
    assert population.suspect_outputs == 100
    assert study.document.candidates[0].log10_lr is not None
    finding = study.findings[0]
    assert finding.name == "open_set"
    assert finding.p_value == study.document.candidates[0].p_value


def test_what_a_maker_outside_would_see_is_that_of_one_that_is_new_to_the_space(world):
    """Measured when the library was calibrated, at the size of this suspect and at others."""
    study = world.identify(world.answers("m3"))
    inclusion = study.document.population.false_inclusion
    assert inclusion.unseen
    assert inclusion.units == UNITS
    assert len(inclusion.by_outputs) >= 2
    assert inclusion.rate in dict(inclusion.by_outputs).values()
    said = next(r for r in study.verdict.reasons if r.code == "outside_the_library")
    assert "left out in turn, from what compares bundles as well" in said.text
    assert "By outputs of a bundle" in said.text
    told = new_makers(Library.open(world.library))
    assert [n["alpha"] for n in told] == [0.05]
    rates = [(r["outputs"], r["rate"]) for r in told[0]["rates"]]
    assert rates == [tuple(pair) for pair in inclusion.by_outputs]
    assert of_new_makers(told[0]).startswith("A maker outside the library: gets a set at α = 0.05")


def test_a_library_that_did_not_measure_it_says_that_the_share_is_too_low(world, tmp_path):
    older = tmp_path / "older"
    shutil.copytree(world.library, older)
    shutil.rmtree(older / "outsiders")
    study = provenance.identify(world.answers("m3"), library=older, out=tmp_path / "out")
    inclusion = study.document.population.false_inclusion
    assert not inclusion.unseen
    assert inclusion.by_outputs == ()
    said = next(r for r in study.verdict.reasons if r.code == "outside_the_library")
    assert "had learnt from these units, too" in said.text


def test_a_set_that_most_strangers_would_get_concludes_nothing(world):
    study = world.identify(world.answers("m3"))
    with Store.open(study.store) as store:
        known = read_copies(store)
    enrolled = known.main.enrolled
    answers = world.some("m3", 40, "q")
    texts = Texts(tuple(Completion(text=t) for t in answers), tuple(map(str, range(40))))
    found = against(texts, known, alpha=0.05, seed=1).found
    assert found is not None
    for rate, label in ((0.5, "known"), (0.51, "inconclusive")):
        told = replace(found, inclusion=replace(found.inclusion, rate=rate))
        said, reasons = decide(told, enrolled, texts, Transcript(()), 0.05)
        assert said == label
        assert ("strangers_get_sets" in [code for code, _ in reasons]) == (rate > 0.5)


def test_over_all_models_the_set_keeps_its_coverage(world):
    """On the function that a study calls: to record each suspect would prove no more.

    Null: the suspect's bundle is the model's; unit: a bundle of 60 outputs, one a model; source:
    Vovk, Gammerman & Shafer 2005. Breaks if suspects and models are compared on unlike bundles.
    """
    study = world.identify(world.answers("m0", 60))
    with Store.open(study.store) as store:
        known = read_copies(store).main
    inside = 0
    for u in range(UNITS):
        completions = tuple(Completion(text=t) for t in world.some(f"m{u}", 60, "q"))
        prompts = tuple(prompt_digest(f"q{i}") for i in range(60))
        found = identify(
            Texts(completions, prompts).in_space(known.space),
            known.enrolled,
            scores_in(known.space),
            alpha=0.05,
            rng=np.random.default_rng(u),
        )
        place = [m.name for m in known.enrolled.models].index(f"m{u}")
        inside += bool(found.found.included[place])
        if u == 0:
            first = next(c for c in study.document.candidates if c.name == "m0")
            assert first.p_value == pytest.approx(found.found.p_values[place])
    assert inside >= UNITS - 4  # 95% on average: 15 or fewer of 20 has probability .003


def test_a_stranger_gets_an_empty_set(world):
    study = world.identify(world.answers("stranger"))
    assert study.verdict.label == "none_of_these"
    assert study.unanswered == ()
    assert study.verdict.null == "one_of_the_library"
    assert study.findings[0].p_value == 1 / (UNITS + 1)
    assert not any(c.in_set for c in study.document.candidates)


@pytest.mark.parametrize(
    "texts",
    [
        ["The same constant answer."],
        ["\x1b[31m<script>alert(1)</script> \ud800 \u202e" + "word " * 30, "### " * 2_000],
        ["Нет, это другой язык. " * 20, "他们说的是另一种语言。" * 20],
        [str(f.__doc__) for f in (json.dumps, json.loads, zlib.compress, str.split, int, dict)],
    ],
    ids=["constant", "hostile", "other languages", "human"],
)
def test_odd_texts_get_no_support(world, texts):
    study = world.identify(world.answers("odd", 40, texts=texts), formats=["md", "html"])
    assert study.verdict.label in ("none_of_these", "inconclusive")
    assert all((c.log10_lr or -1) <= 0 for c in study.document.candidates)
    for path in study.written.values():
        content = path.read_text(encoding="utf-8")
        assert "<script>" not in content
        assert "\x1b" not in content


def test_answers_of_all_models_together_are_no_model_of_theirs(world):
    """Prompts and their answers shuffled over models: no ratio speaks for any of them."""
    for salt in "ab":
        texts = [t for u in range(UNITS) for t in world.some(f"m{u}", 3, salt)]
        study = world.identify(world.answers("all", 60, texts=texts))
        assert all((c.log10_lr or -1) < 1 for c in study.document.candidates)
        assert study.verdict.label in ("none_of_these", "inconclusive")


def test_a_reformatted_suspect_is_identified_in_the_canonical_view(world):
    """The suspect alone is re-formatted: its model stays in the set, and no ratio exceeds 10."""
    inside, misleading, unlike, ordered = 0, 0, 0, 0
    for u in (0, 2, 5):
        texts = [world.reformatted(t) for t in world.some(f"m{u}", 60, "re")]
        study = world.identify(world.answers(f"m{u}", 60, texts=texts))
        found = {c.name: c for c in study.document.candidates}
        own = found.pop(f"m{u}")
        inside += own.in_set
        unlike += own.view == "canonical"
        misleading += sum((c.log10_lr or 0) > 1 for c in found.values())
        assert own.log10_lr is None or 1 >= own.log10_lr > -1
        assert "canonical" in study.document.population.views
        closed = study.document.closed_set
        ordered += closed.view == "canonical" and f"m{u}" in [m.name for m in closed.first[:3]]
    assert unlike == 3
    assert ordered >= 2
    assert inside >= 2
    assert misleading == 0


def test_the_level_follows_from_the_library_where_none_is_named(world):
    study = provenance.identify(
        world.answers("m1"), library=world.library, seed=1, formats=[], new=True,
        store=world.folder / "level",
    )  # fmt: skip
    assert study.document.settings["alpha"] == 0.05
    assert study.verdict.reasons[0].code != "too_few_bundles"


def test_an_unknown_genre_is_refused(world):
    with pytest.raises(UsageError, match="has no genre 'odes'; it has: none"):
        world.identify(world.answers("m1"), genre="odes")


def test_too_few_models_for_the_level_is_said(world):
    study = world.identify(world.answers("m1"), alpha=0.01)
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "too_few_bundles"
    assert study.verdict.reasons[0].values == {"have": UNITS, "needed": 99, "alpha": 0.01}


def test_too_few_outputs_and_none_at_all(world):
    study = world.identify(world.answers("m1", 6))
    assert study.verdict.reasons[0].code == "too_few_outputs"
    assert study.unanswered == ()
    empty = world.identify(world.answers("m1", 30, texts=["  "]))
    assert empty.verdict.label == "inconclusive"
    assert empty.verdict.reasons[0].code == "only_empty_answers"
    assert empty.verdict.reasons[0].values == {"side": "suspect", "count": 30}
    assert empty.unanswered == ("suspect",)
    assert exit_code(empty, Settings(seed=1)) == 1
    silent = world.attribute(world.answers("m1", 30), world.answers("m2", 30, texts=[""]))
    assert silent.verdict.reasons[0].values == {"side": "reference", "count": 30}
    assert silent.unanswered == ("reference",)


def test_copies_are_no_bundle_of_a_models_answers(world):
    """One answer of a known model many times: nothing is concluded, by either question."""
    once = world.some("m6", 1, "copies")
    study = world.identify(world.answers("m6", 40, texts=once))
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].values == {"outputs": 40, "distinct": 1}
    assert study.document.closed_set.why_not == "answers_repeat"
    assert all(c.p_value is None and c.log10_lr is None for c in study.document.candidates)
    assert "differ from each other" in study.verdict.reasons[0].text
    weighed = world.attribute(world.answers("m6", 40, texts=once), world.answers("m6", 40))
    assert weighed.verdict.label == "inconclusive"
    assert "repeated_answers" in [r.code for r in weighed.verdict.reasons]
    assert not any(p.assessed for p in weighed.document.propositions)
    assert [f.name for f in weighed.findings if f.name == "likeness"] == []


def test_a_suspect_of_fewer_outputs_than_what_stands_in_is_told_so(world):
    """Stand-ins hold a part or more of the prompts, nine outputs or so; margins are off then."""
    study = world.identify(world.answers("m3", 60))
    assert not any("holds more outputs than the suspect" in said for said in study.document.limits)
    assert not any("What parts the library's models" in said for said in study.document.limits)
    assert "A quarter of how much better" in study.findings[0].method
    with Store.open(study.store) as store:
        known = read_copies(store)
    prompts = tuple(prompt_digest(f"q{i}") for i in range(11))
    # As if the library's sessions had been twice as long.
    enrolled = replace(known.main.enrolled, n=known.main.enrolled.n * 2)
    texts = Texts(tuple(Completion(text=t) for t in world.some("m3", 11, "q")), prompts)
    found = identify(
        texts.in_space(known.main.space),
        enrolled,
        scores_in(known.main.space),
        alpha=0.05,
        rng=np.random.default_rng(3),
        margins=margins_of(known.main, "", texts),
    )
    assert found.small
    assert not found.margins
    assert np.array_equal(found.tested, found.scores)


def test_a_model_that_was_added_later_is_named(world, tmp_path):
    library = tmp_path / "grown"
    shutil.copytree(world.library, library)
    grown = Library.open(library)
    outputs = [Output(f"p{i}", t) for i, t in enumerate(world.some("m1", 72, "late"))]
    grown.add("late", Recorded(outputs, session="one", licence="made here (CC0)"))
    for digest in grown.spaces():
        grown.profile(grown.space(digest))
    study = provenance.identify(
        world.answers("m3", 60), library=library, alpha=0.05, seed=1, formats=[],
        store=tmp_path / "study",
    )  # fmt: skip
    assert study.document.closed_set.missing == ("late",)
    assert any("What parts the library's models" in said for said in study.document.limits)


def test_one_output_is_enough_to_say_which_it_would_be(world):
    study = world.identify(world.answers("m1", 1))
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "too_few_outputs"
    closed = study.document.closed_set
    assert closed is not None
    assert (closed.models, closed.outputs, closed.view) == (UNITS, 1, "raw")
    assert closed.tests is not None
    assert closed.tests.outputs == 1
    assert closed.tests.bundles == 2 * 5 * UNITS


def test_the_order_of_a_closed_set_is_that_of_its_tests(world):
    """Unit: a bundle of 30 new outputs, one a model; 20 of them, and the first of each is right at
    the rate that was tested, within what 20 bundles show (binomial, 1 in 1,000)."""
    study = world.identify(world.answers("m3"))
    tests = study.document.closed_set.tests
    assert (tests.outputs, study.document.closed_set.outputs) == (30, 100)
    with Store.open(study.store) as store:
        closed = read_copies(store).main.closed
    assert closed is not None
    halves = closed.pairs()[0]
    right = 0
    for u in range(UNITS):
        own = halves.logs(world.some(f"m{u}", 30, "new")).sum(axis=0)
        right += int(own.argmax()) == halves.models.index(f"m{u}")
    assert binom.cdf(right, UNITS, tests.first / tests.bundles) > 0.001
    line = summary(study.document, width=80, color=False, dossier=None)
    assert "If it is one of these 20 models: m3 fits best" in " ".join(line.split())


def test_an_order_at_odds_with_the_set_is_said_to_be(world):
    document = world.identify(world.answers("m3")).document
    line = summary(document, width=400, color=False, dossier=None)
    assert "The set excludes" not in line
    named = [c.model_copy(update={"in_set": c.name == "m7"}) for c in document.candidates]
    odd = document.model_copy(update={"candidates": tuple(named)})
    line = summary(odd, width=400, color=False, dossier=None)
    assert "The set excludes m3, which comes first here." in line
    assert "in a share of up to 0.05" in line
    pages = "\n".join(str(block) for block in closed_section(odd))
    assert "The set excludes m3, which comes first here." in pages
    none = document.model_copy(
        update={"candidates": tuple(c.model_copy(update={"in_set": False}) for c in named)}
    )
    assert "The set excludes" not in summary(none, width=400, color=False, dossier=None)


def test_where_every_model_was_rejected_nothing_is_put_in_order(world):
    study = world.identify(world.answers("stranger"))
    assert study.verdict.label == "none_of_these"
    closed = study.document.closed_set
    assert closed is not None
    assert (closed.why_not, closed.first, closed.tests) == ("none_of_these", (), None)


def test_identify_is_recomputed_by_verify_and_notices_a_touched_copy(world):
    study = world.identify(world.answers("m5"), formats=["md", "json"])
    assert provenance.verify(study.store).ok
    again = provenance.analyse(study.store)
    assert again.verdict == study.verdict
    assert again.closed_set == study.document.closed_set
    copy = study.store / "copies" / "population.json"
    copy.write_bytes(copy.read_bytes().replace(b'"m5"', b'"m6"', 1))
    assert not provenance.verify(study.store).ok


def test_an_interrupted_identification_resumes(world):
    suspect = world.answers("m2")
    live = world.simulated()
    store = world.folder / "interrupted"
    options = {
        "library": world.library,
        "alpha": 0.05,
        "formats": [],
        "store": store,
        "battery": "style",
    }
    with pytest.raises(BudgetExhausted):
        provenance.identify(live, max_requests=20, **options)
    assert not Store.open(store).finished
    study = provenance.identify(live, max_requests=500, **options)
    assert study.document.coverage.suspect == 90
    assert provenance.verify(store).ok
    assert suspect.startswith("replay:")


def test_a_library_without_a_space_says_what_to_do(tmp_path, world):
    Library.create(tmp_path / "empty")
    with pytest.raises(UsageError, match="library calibrate"):
        provenance.identify(world.answers("m1", 20), library=tmp_path / "empty", formats=[])
    with pytest.raises(UsageError, match="no library at"):
        provenance.identify(world.answers("m1", 20), library=tmp_path / "none", formats=[])
