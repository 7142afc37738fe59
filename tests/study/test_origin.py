"""identify and attribute end to end, on a library of made-up models and through the public API."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

import provenance
from provenance.attribution import populations
from provenance.errors import BudgetExhausted, UsageError
from provenance.evidence.store import Store
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation, Relations
from provenance.library.space import Sizes

WORDS = [f"w{a}{b}ing" if a % 3 else f"w{a}{b}" for a in range(12) for b in "aeiou"]
ENDS = [". ", "! ", "; ", ", ", " - ", ".\n", ".\n\n", ":\n- "]
UNITS, PROMPTS = 20, 96
SMALL = Sizes(columns=2_000, rank=24, between=12, dimensions=8, sample=2_000, folds=3)


def habits(rng):
    return rng.dirichlet(np.full(len(WORDS), 0.3)), rng.dirichlet(np.full(len(ENDS), 0.4))


def text(rng, words, ends):
    parts = []
    for _ in range(rng.integers(3, 7)):
        parts.append(" ".join(rng.choice(WORDS, rng.integers(4, 9), p=words)).capitalize())
        parts.append(rng.choice(ENDS, p=ends))
    return "".join(parts)


class World:
    """A calibrated library, and recordings of new outputs of any model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rng = np.random.default_rng(21)
        self.habits = {f"m{u}": habits(self.rng) for u in range(UNITS)}
        self.habits["stranger"] = habits(self.rng)
        self.library = folder / "library"
        library = Library.create(self.library, name="made up")
        labels = {}
        for u in range(UNITS):
            name = f"m{u}"
            outputs = [Output(f"p{i}", self.text(name)) for i in range(PROMPTS)]
            library.add(name, Recorded(outputs, session="one", licence="made here (CC0)"))
            labels[name] = Relation(unit=f"u{u}", family=f"f{u}", certainty="sure")
        for view in ("raw", "canonical"):
            populations.calibrate(
                library,
                name=f"made-{view}",
                rng=np.random.default_rng(3),
                relations=Relations(models=labels),
                view=view,
                outputs=(12, 30),
                sizes=SMALL,
                repeats=1,
            )

    def text(self, name: str) -> str:
        return text(self.rng, *self.habits[name])

    def some(self, name: str, n: int, salt: str) -> list[str]:
        """Texts that hang on their name alone, whatever ran before."""
        rng = np.random.default_rng(zlib.crc32(f"{name} {salt}".encode()))
        return [text(rng, *self.habits[name]) for _ in range(n)]

    def answers(self, name: str, n: int = 100, *, prompts: str = "q", texts=None) -> str:
        """A recording of new outputs, on prompts that the library does not know."""
        texts = self.some(name, n, prompts) if texts is None else texts
        path = self.folder / f"{name}-{prompts}-{self.rng.integers(1 << 40)}.jsonl"
        rows = [
            {
                "model": name,
                "prompt_id": f"{prompts}{i}",
                "sample": 0,
                "output": texts[i % len(texts)],
            }
            for i in range(n)
        ]
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return f"replay:{path}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def identify(world, suspect, **options):
    options = {"alpha": 0.05, "seed": 1, "formats": [], "new": True} | options
    store = world.folder / f"study-{world.rng.integers(1 << 40)}"
    return provenance.identify(suspect, library=world.library, store=store, **options)


def attribute(world, suspect, reference, **options):
    options = {"alpha": 0.05, "seed": 1, "formats": [], "new": True} | options
    store = world.folder / f"study-{world.rng.integers(1 << 40)}"
    return provenance.attribute(
        suspect, reference=reference, library=world.library, store=store, **options
    )


def test_a_known_model_is_in_the_set(world):
    study = identify(world, world.answers("m3"))
    inside = [c.name for c in study.document.candidates if c.in_set]
    assert "m3" in inside
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


def test_over_all_models_the_set_keeps_its_coverage(world):
    inside = 0
    for u in range(UNITS):
        study = identify(world, world.answers(f"m{u}", 60))
        inside += next(c for c in study.document.candidates if c.name == f"m{u}").in_set
    assert inside >= UNITS - 4  # 95% on average: 16 or fewer of 20 has probability .02


def test_a_stranger_gets_an_empty_set(world):
    study = identify(world, world.answers("stranger"))
    assert study.verdict.label == "none_of_these"
    assert study.unanswered == ()
    assert study.verdict.null == "one_of_the_library"
    assert study.findings[0].p_value == 1 / (UNITS + 1)
    assert not any(c.in_set for c in study.document.candidates)


@pytest.mark.parametrize(
    "texts",
    [
        ["The same constant answer."],
        ["\x1b[31m<script>alert(1)</script> \ud800 \u202e" + "word " * 30, "### " * 5_000],
        ["Нет, это другой язык. " * 20, "他们说的是另一种语言。" * 20],
        [str(f.__doc__) for f in (json.dumps, json.loads, zlib.compress, str.split, int, dict)],
    ],
    ids=["constant", "hostile", "other languages", "human"],
)
def test_odd_texts_get_no_support(world, texts):
    study = identify(world, world.answers("odd", texts=texts), formats=["md", "html"])
    assert study.verdict.label in ("none_of_these", "inconclusive")
    assert all((c.log10_lr or -1) <= 0 for c in study.document.candidates)
    for path in study.written.values():
        content = path.read_text(encoding="utf-8")
        assert "<script>" not in content
        assert "\x1b" not in content


def test_answers_of_all_models_together_are_no_model_of_theirs(world):
    """Prompts and their answers shuffled over models: no ratio speaks for any of them."""
    for salt in "abc":
        texts = [t for u in range(UNITS) for t in world.some(f"m{u}", 5, salt)]
        study = identify(world, world.answers("all", texts=texts))
        assert all((c.log10_lr or -1) < 1 for c in study.document.candidates)
        assert study.verdict.label in ("none_of_these", "inconclusive")


def reformatted(text: str) -> str:
    """What a gateway does, written apart from the canonical view."""
    lines = [line.strip() for line in text.lower().split("\n")]
    return "\n".join(line.replace("- ", "* ", 1) for line in lines if line)


def test_a_reformatted_suspect_is_identified_in_the_canonical_view(world):
    """The suspect alone is re-formatted: no ratio misleads, and its model stays in the set."""
    inside, misleading, unlike = 0, 0, 0
    for u in (0, 2, 5, 8, 11):
        texts = [reformatted(t) for t in world.some(f"m{u}", 100, "re")]
        study = identify(world, world.answers(f"m{u}", texts=texts))
        found = {c.name: c for c in study.document.candidates}
        own = found.pop(f"m{u}")
        inside += own.in_set
        unlike += own.view == "canonical"
        misleading += sum((c.log10_lr or 0) > 1 for c in found.values())
        assert own.log10_lr is None or own.log10_lr > -1
        assert "canonical" in study.document.population.views
    assert unlike == 5
    assert inside >= 4
    assert misleading == 0


def test_a_library_without_the_canonical_view_abstains(world):
    library = Library.open(world.library)
    raw = next(s for s in library.spaces() if library.space(s).view == "raw")
    texts = [reformatted(t) for t in world.some("m4", 100, "re")]
    study = attribute(
        world, world.answers("m4", texts=texts), world.answers("m4", prompts="r"), space=raw
    )
    first = study.document.propositions[0]
    assert not first.assessed
    assert first.why_not is not None
    assert "no ratio is given across unlike formats" in first.why_not
    assert [r.code for r in study.verdict.reasons][:2] == ["no_ratio", "unlike_format"]
    assert study.verdict.label == "inconclusive"
    both = attribute(world, world.answers("m4", texts=texts), world.answers("m4", prompts="r"))
    assert both.document.propositions[0].log10_lr is not None
    assert both.document.propositions[0].log10_lr > -0.5
    assert both.document.population.views == ("canonical",)
    assert both.verdict.reasons[1].code == "canonical_view"


def test_the_level_follows_from_the_library_where_none_is_named(world):
    study = provenance.identify(
        world.answers("m1"), library=world.library, seed=1, formats=[], new=True,
        store=world.folder / "level",
    )  # fmt: skip
    assert study.document.settings["alpha"] == 0.05
    assert study.verdict.reasons[0].code != "too_few_bundles"


def test_an_unknown_genre_is_refused(world):
    with pytest.raises(UsageError, match="has no genre 'odes'; it has: none"):
        identify(world, world.answers("m1"), genre="odes")


def test_too_few_models_for_the_level_is_said(world):
    study = identify(world, world.answers("m1"), alpha=0.01)
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "too_few_bundles"
    assert study.verdict.reasons[0].values == {"have": UNITS, "needed": 99, "alpha": 0.01}


def test_too_few_outputs_and_none_at_all(world):
    study = identify(world, world.answers("m1", 6))
    assert study.verdict.reasons[0].code == "too_few_outputs"
    empty = identify(world, world.answers("m1", 30, texts=["  "]))
    assert empty.verdict.label == "inconclusive"
    assert empty.verdict.reasons[0].code == "only_empty_answers"
    assert empty.verdict.reasons[0].values == {"side": "suspect", "count": 30}
    silent = attribute(world, world.answers("m1", 30), world.answers("m2", 30, texts=[""]))
    assert silent.verdict.reasons[0].values == {"side": "reference", "count": 30}


def test_identify_is_recomputed_by_verify_and_notices_a_touched_copy(world):
    study = identify(world, world.answers("m5"), formats=["md", "json"])
    assert provenance.verify(study.store).ok
    again = provenance.analyse(study.store)
    assert again.verdict == study.verdict
    copy = study.store / "copies" / "population.json"
    copy.write_bytes(copy.read_bytes().replace(b'"m5"', b'"m6"', 1))
    assert not provenance.verify(study.store).ok


def test_an_interrupted_identification_resumes(world):
    suspect = world.answers("m2")
    live = "simulated:" + _simulated(world)
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


def _simulated(world):
    answers = {t.strip(): 1.0 for t in world.some("m2", 40, "live")}
    lines = ",".join(f"{json.dumps(k)} = {1 / len(answers)}" for k in answers)
    path = world.folder / "live.toml"
    path.write_text(f'[models.a]\ncells."*" = {{{lines}}}\n', encoding="utf-8")
    return f"{path},model=a"


def test_the_same_model_is_supported_as_far_as_the_pairs_reach(world):
    ratios, likenesses = [], []
    for u in (1, 4, 6, 9, 12):
        study = attribute(world, world.answers(f"m{u}"), world.answers(f"m{u}", prompts="r"))
        first = study.document.propositions[0]
        assert (first.hypothesis, first.against) == ("same_weights", "none_of_these")
        assert first.log10_lr is not None
        assert first.bound_high is not None
        # Twenty units: the known pairs cannot support a ratio of 100.
        assert first.log10_lr <= first.bound_high < 2
        assert study.verdict.label == "inconclusive"
        assert study.verdict.reasons[0].code == "ratio_bounded"
        ratios.append(first.log10_lr)
        likenesses.append(study.findings[0].p_value)
    assert np.median(ratios) > 0.5
    assert np.median(likenesses) <= 0.1


def test_an_unrelated_model_is_not_supported(world):
    study = attribute(world, world.answers("stranger"), world.answers("m4", prompts="r"))
    assert study.verdict.label == "not_supported"
    first = study.document.propositions[0]
    assert first.log10_lr == first.bound_low
    assert first.clipped
    assert all(
        p.why_not for p in study.document.propositions if p.hypothesis == "trained_on_outputs"
    )


def test_controls_siblings_and_a_change_between_two_dates(world):
    """After: half of the texts are the reference's own kind."""
    n = 200
    own, theirs = world.some("m7", n, "after"), world.some("m4", n, "after")
    mixed = [own[i] if i % 2 else theirs[i] for i in range(n)]
    study = attribute(
        world,
        world.answers("m7", n, texts=mixed),
        world.answers("m4", n),
        before=world.answers("m7", n),
        after=world.answers("m7", n, texts=mixed),
        controls=[world.answers(f"m{i}", n) for i in range(10, 16)],
        siblings=[world.answers("m8", n)],
    )
    named = {f.name: f for f in study.findings}
    assert set(named) >= {"likeness", "siblings", "change", "change_direction"}
    change, direction = named["change"], named["change_direction"]
    assert change.p_value is not None
    assert change.p_value <= 0.02
    assert change.effect is not None
    assert change.effect > 0
    assert direction.p_value is not None
    assert direction.p_value <= 3 / 7
    assert [o.role for o in study.document.others] == [
        *["control"] * 6, "sibling", "before", "after",
    ]  # fmt: skip
    assert all(o.outputs == n and o.root for o in study.document.others)


def test_attribute_is_recomputed_by_verify_and_names_a_touched_store(world):
    study = attribute(world, world.answers("m9"), world.answers("m4"), formats=["md", "json"])
    assert provenance.verify(study.store).ok
    transcript = study.store / "others" / "0-reference" / "transcript.jsonl"
    lines = transcript.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"finish_reason"', b'"finish_reasom"', 1)
    transcript.write_bytes(b"".join(lines))
    found = provenance.verify(study.store)
    assert not found.ok
    assert any("others/0-reference" in problem for problem in found.problems)
    assert found.first_record == 4


def test_before_and_after_belong_together(world):
    suspect, reference = world.answers("m1", 20), world.answers("m2", 20)
    with pytest.raises(UsageError, match="before and after belong together"):
        attribute(world, suspect, reference, before=suspect)
    with pytest.raises(UsageError, match="need a control"):
        attribute(world, suspect, reference, before=suspect, after=suspect)


@pytest.mark.parametrize("role", ["suspect", "reference", "before"])
def test_a_control_is_a_third_model(world, role):
    """Were it the model before, any change at all would count as a step away from it."""
    sides = {name: world.answers(name, 20) for name in ("m1", "m2", "m3")}
    named = dict(zip(("suspect", "reference", "before"), sides.values(), strict=True))
    with pytest.raises(UsageError, match=f"as a control and as {role}"):
        attribute(
            world,
            named["suspect"],
            named["reference"],
            controls=[named[role]],
            before=named["before"],
            after=named["suspect"],
        )


def test_a_library_without_a_space_says_what_to_do(tmp_path, world):
    Library.create(tmp_path / "empty")
    with pytest.raises(UsageError, match="library calibrate"):
        provenance.identify(world.answers("m1", 20), library=tmp_path / "empty", formats=[])
    with pytest.raises(UsageError, match="no library at"):
        provenance.identify(world.answers("m1", 20), library=tmp_path / "none", formats=[])
