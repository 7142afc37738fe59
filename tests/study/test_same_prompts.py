"""identify and attribute where the suspect answered the library's own prompts.

Models are made up: to each prompt everybody uses the prompt's words, each model adds words of its
own that hang on the prompt, and each draw adds noise. Unit: a model, one a unit.
"""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

import provenance
from provenance import dossier
from provenance.attribution import populations
from provenance.attribution.matched_pairs import calibrate_matched
from provenance.dossier.sections.origin import candidates
from provenance.dossier.terminal import summary
from provenance.evidence.store import Store
from provenance.library.population import Library, Output, Recorded, answers
from provenance.library.population.answers import Answers
from provenance.library.relations import Relation, Relations
from provenance.library.sketches import sketches
from provenance.library.space import Sizes
from provenance.study.identification import analysed

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "rk", "lt", "sh")]
UNITS, PROMPTS = 20, 36
SMALL = Sizes(columns=1_000, rank=16, between=8, dimensions=6, sample=1_000, folds=2)


def answer(model: str, prompt: int, draw: str, like: str | None = None) -> str:
    """Hangs on its arguments alone, whatever ran before; ``like``: half of the words are its."""

    def words(n: int, *seed: object) -> list[str]:
        rng = np.random.default_rng(zlib.crc32(repr(seed).encode()))
        return [WORDS[i] for i in rng.choice(len(WORDS), n)]

    own = words(16, model, prompt)
    if like is not None:
        own = words(16, like, prompt)[:8] + own[:8]
    said = words(12, prompt) + own + words(6, model, prompt, draw)
    order = np.random.default_rng(zlib.crc32(repr((model, prompt, draw)).encode()))
    return " ".join(said[i] for i in order.permutation(len(said))).capitalize() + "."


def rendered(study: provenance.Study, form: str) -> str:
    """As people read it, with the white space of its layout made one."""
    document = study.document
    if form == "terminal":
        return " ".join(summary(document, width=80, color=False, dossier=None).split())
    return " ".join(dossier.render(document, form).decode().split())


def recording(folder: Path, name: str, texts: list[str], prompts: range | None = None) -> str:
    path = folder / f"{name}.jsonl"
    rows = [
        {"model": name, "prompt_id": f"p{i}", "sample": 0, "output": text}
        for i, text in zip(prompts or range(PROMPTS), texts, strict=True)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"replay:{path},model={name}"


class World:
    """A library of models that answered each prompt twice, calibrated both ways."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.library = folder, folder / "library"
        library = Library.create(self.library, name="made up")
        labels = {}
        for u in range(UNITS):
            name = f"m{u}"
            outputs = [
                Output(f"p{i}", answer(name, i, f"library {k}"), sample=k)
                for i in range(PROMPTS)
                for k in range(2)
            ]
            library.add(name, Recorded(outputs, session="one", licence="made here (CC0)"))
            labels[name] = Relation(unit=f"u{u}", family=f"f{u}", certainty="sure")
        relations = Relations(models=labels)
        populations.calibrate(
            library,
            name="made",
            rng=np.random.default_rng(3),
            relations=relations,
            outputs=(10,),
            sizes=SMALL,
            repeats=1,
        )
        self.whole = folder / "style alone"
        shutil.copytree(self.library, self.whole)
        self.matched = calibrate_matched(library, name="made", rng=np.random.default_rng(4))

    def texts(self, name: str, like: str | None = None) -> list[str]:
        return [answer(name, i, "suspect", like) for i in range(PROMPTS)]

    def identify(self, suspect: str, library: Path | None = None) -> provenance.Study:
        store = self.folder / f"{zlib.crc32(f'{suspect} {library}'.encode())}"
        return provenance.identify(
            suspect,
            library=library or self.library,
            store=store,
            alpha=0.05,
            seed=1,
            formats=[],
            new=True,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("same"))


def test_known_models_are_alone_in_their_set(world):
    """Each is missing with probability .05 at most, so two of four or more with .014."""
    alone = 0
    for u in range(4):
        study = world.identify(recording(world.folder, f"known-m{u}", world.texts(f"m{u}")))
        document = study.document
        assert document.population.comparison == "same_prompts"
        assert document.population.calibration_bundles == UNITS
        assert document.candidates[0].name == f"m{u}"
        alone += [c.name for c in document.candidates if c.in_set] == [f"m{u}"]
        if document.candidates[0].in_set:
            best = document.propositions[0]
            assert best.calibration == "made-matched-same_weights"
            assert best.log10_lr == pytest.approx(best.bound_high)
    assert alone >= 3
    # The limit is one of bundles of unlike format, and is not spoken of here.
    assert not any("10 at most" in str(block) for block in candidates(document))


def test_words_that_a_host_adds_to_every_answer_hide_no_model(world):
    """Prompt by prompt with the words and without; the answers still belong to their prompts."""
    inside = 0
    for u in range(4, 8):
        texts = [f"Sure, here it is: {t} I hope this helps!" for t in world.texts(f"m{u}")]
        study = world.identify(recording(world.folder, f"hosted-m{u}", texts))
        assert study.document.population.comparison == "same_prompts"
        assert "shared_words" in [r.code for r in study.verdict.reasons]
        assert study.document.candidates[0].name == f"m{u}"
        inside += [c.name for c in study.document.candidates if c.in_set] == [f"m{u}"]
    assert inside >= 3  # two of four or more are missing with probability .014


def test_likeness_is_weighed_over_that_of_the_models_own_draws(world):
    """Of two draws a prompt, those to prompts that the suspect was not asked say how steady it is.

    Nine prompts of 36 leave enough; of all 36 none is left (above), and likeness counts alone.
    """
    made = world.matched.calibrations["own draws: same_weights"]
    assert [g.outputs for g in made.grades] == [5, 10, 25]
    assert made.scope.space != world.matched.calibrations["same_weights"].scope.space
    own = 0
    for u in range(3):
        texts = world.texts(f"m{u}")[:9]
        study = world.identify(recording(world.folder, f"nine-m{u}", texts, range(9)))
        (finding,) = study.findings
        assert "expected to have" in finding.method
        named = {p.calibration for p in study.document.propositions if p.assessed}
        assert named == {made.name}
        own += study.document.candidates[0].name == f"m{u}"
        assert provenance.verify(study.store).ok
    assert own == 3


def test_sketches_of_an_older_scheme_are_left_alone(world):
    """Such a library is compared as before, on other prompts, until it is calibrated again."""
    library = world.folder / "older"
    shutil.copytree(world.library, library)
    (kept,) = (library / "answers").iterdir()
    kept.rename(kept.with_name(f"scheme={'0' * 64}"))
    study = world.identify(recording(world.folder, "older-m2", world.texts("m2")), library)
    assert study.document.population.comparison == "other_prompts"
    reason = next(r for r in study.verdict.reasons if r.code == "sketches_outdated")
    assert reason.values == {"prompts": PROMPTS}
    for form in ("terminal", "md", "html", "json"):
        assert "are of another version of this tool" in rendered(study, form)
    assert provenance.verify(study.store).ok
    elsewhere = recording(world.folder, "apart-m2", world.texts("m2"), range(100, 100 + PROMPTS))
    apart = world.identify(elsewhere, library)
    assert "sketches_outdated" not in {r.code for r in apart.verdict.reasons}
    again = calibrate_matched(Library.open(library), name="made", rng=np.random.default_rng(4))
    assert again.sketched == UNITS
    study = world.identify(recording(world.folder, "newer-m2", world.texts("m2")), library)
    assert study.document.population.comparison == "same_prompts"
    assert study.document.candidates[0].name == "m2"


def test_style_alone_tells_these_models_less_well(world):
    """What the prompts add: the same suspects against the library without its sketches."""
    first = 0
    for u in range(3):
        study = world.identify(
            recording(world.folder, f"style-m{u}", world.texts(f"m{u}")), world.whole
        )
        assert study.document.population.comparison == "other_prompts"
        first += study.document.candidates[0].name == f"m{u}"
    assert first < 3


def test_a_stranger_gets_an_empty_set(world):
    study = world.identify(recording(world.folder, "stranger", world.texts("stranger")))
    assert study.verdict.label == "none_of_these"
    assert study.document.population.comparison == "same_prompts"
    assert study.document.population.false_inclusion.rate <= 0.2
    assert all(c.log10_lr is None or c.log10_lr < 0 for c in study.document.candidates)


@pytest.mark.parametrize("kind", ["constant", "shuffled", "human"])
def test_answers_that_do_not_belong_to_the_prompts_get_no_support(world, kind):
    texts = world.texts("m3")
    if kind == "constant":
        texts = [texts[0]] * PROMPTS
    if kind == "shuffled":
        texts = texts[7:] + texts[:7]
    if kind == "human":
        texts = [str(f.__doc__) for f in (json.dumps, zlib.compress, str.split, dict)] * 9
    study = world.identify(recording(world.folder, kind, texts))
    assert study.verdict.label == "inconclusive"
    (reason,) = study.verdict.reasons
    assert "in random order" in reason.text
    for candidate in study.document.candidates:
        assert candidate.log10_lr is None
        assert candidate.p_value is None
        assert not candidate.in_set
    assert study.document.propositions[0].why_not == (
        "The suspect's answers do not belong to their prompts."
    )


def test_few_shared_prompts_are_compared_as_before(world):
    texts = world.texts("m4")
    study = world.identify(
        recording(world.folder, "few", texts, range(PROMPTS - 4, 2 * PROMPTS - 4))
    )
    assert study.document.population.comparison == "other_prompts"
    assert "answers_do_not_fit" not in {r.code for r in study.verdict.reasons}


def test_without_second_draws_it_says_what_is_missing(world):
    library = world.folder / "once"
    shutil.copytree(world.library, library)
    shutil.rmtree(library / "answers")
    opened = Library.open(library)
    for bundle in opened.bundles():
        own = [o for o in opened.outputs(bundle) if o.sample == 0]
        once = sketches([o.output for o in own])
        answers.add(opened, [Answers(bundle.id, tuple(o.prompt_digest for o in own), once)])
    study = world.identify(recording(world.folder, "once-m7", world.texts("m7")), library)
    assert study.document.population.comparison == "other_prompts"
    reasons = {r.code: r.values for r in study.verdict.reasons}
    assert reasons["no_second_draws"]["have"] == 0
    assert reasons["no_second_draws"]["needed"] == 19


def test_the_store_alone_gives_the_same_study_again(world):
    study = world.identify(recording(world.folder, "again", world.texts("m5")))
    with Store.open(study.store) as store:
        again = analysed(store)
    assert again.candidates == study.document.candidates
    assert again.findings == study.document.findings
    assert provenance.verify(study.store).ok


def test_a_student_leans_to_its_reference_and_an_unrelated_model_does_not(world):
    """Null: 19 or 18 unrelated models, so p can be 1/19 at the least."""
    reference = recording(world.folder, "m6", world.texts("m6"))

    def attributed(name: str, like: str | None) -> provenance.Study:
        suspect = recording(world.folder, name, world.texts(name, like))
        return provenance.attribute(
            suspect,
            reference=reference,
            library=world.library,
            store=world.folder / f"attributed {name}",
            alpha=0.1,
            seed=1,
            formats=[],
            new=True,
        )

    student, other = attributed("student", "m6"), attributed("nobody", None)
    finding = next(f for f in student.findings if f.name == "likeness")
    assert [f.name for f in student.findings if f.exploratory] == ["likeness_other_prompts"]
    assert finding.values["prompts"] == PROMPTS
    assert finding.p_value == finding.values["smallest_p"]
    assert finding.values["unrelated"] >= UNITS - 2
    assert "leans_to_reference" in {r.code for r in student.verdict.reasons}
    finding = next(f for f in other.findings if f.name == "likeness")
    assert finding.p_value > 0.1
    own = {(p.hypothesis): p for p in other.document.propositions}["same_weights"]
    assert own.calibration == "made-matched-same_weights"
    assert own.log10_lr < 0


def test_twelve_shared_prompts_are_enough_to_attribute(world):
    """On disjoint prompts there would be too few outputs; style says nothing then."""
    asked = range(12)
    sides = [
        recording(world.folder, f"few-{name}", world.texts(name, like)[:12], asked)
        for name, like in (("pupil", "m8"), ("m8", None))
    ]
    study = provenance.attribute(
        sides[0],
        reference=sides[1],
        library=world.library,
        store=world.folder / "attributed few",
        alpha=0.1,
        seed=1,
        formats=[],
        new=True,
    )
    (finding,) = study.findings
    assert finding.name == "likeness"
    assert finding.values["prompts"] == 12
    assert finding.n_suspect == 12
    assert study.document.population.comparison == "same_prompts"
    own = study.document.propositions[0]
    assert own.calibration == "made-matched-same_weights"
    assert provenance.verify(study.store).ok


def test_the_calibration_names_its_prompts_and_is_bounded_by_its_units(world):
    made = world.matched.calibrations["same_weights"]
    assert made.scope.kind == "matched"
    assert len(made.scope.battery) == 64
    assert [g.outputs for g in made.grades] == [5, 10, 25]
    for grade in made.grades:
        assert grade.n_same == UNITS
        assert grade.n_different <= UNITS * (UNITS - 1) / 2
    assert made.grades[-1].cllr < 0.2
    assert made.control_cllr > 0.9
    assert set(world.matched.left_out) == {"derived", "common_base"}
    assert world.matched.draws == 1
