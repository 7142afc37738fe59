"""attribute end to end, on a library of made-up models and through the public API."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import provenance
import provenance.study
from provenance.dossier.terminal import summary
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.library.population import Library
from provenance.settings import Settings
from provenance.study.attribution import prepare_attribution

UNITS = 20


def test_the_same_model_is_supported_as_far_as_the_pairs_reach(world):
    ratios, likenesses = [], []
    for u in (1, 4, 6, 8, 10):
        own = world.answers(f"m{u}", 60), world.answers(f"m{u}", 60, prompts="r")
        study = world.attribute(*own)
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
    study = world.attribute(world.answers("stranger"), world.answers("m4", prompts="r"))
    assert study.verdict.label == "not_supported"
    first = study.document.propositions[0]
    assert first.log10_lr == first.bound_low
    assert first.clipped
    assert all(
        p.why_not for p in study.document.propositions if p.hypothesis == "trained_on_outputs"
    )


def test_a_library_without_the_canonical_view_abstains(world):
    library = Library.open(world.library)
    raw = next(s for s in library.spaces() if library.space(s).view == "raw")
    texts = [world.reformatted(t) for t in world.some("m6", 60, "re")]
    sides = world.answers("m6", 60, texts=texts), world.answers("m6", 60, prompts="r")
    study = world.attribute(*sides, space=raw)
    first = study.document.propositions[0]
    assert not first.assessed
    assert first.why_not is not None
    assert "no ratio is given across unlike formats" in first.why_not
    assert [r.code for r in study.verdict.reasons][:2] == ["no_ratio", "unlike_format"]
    assert study.verdict.label == "inconclusive"
    both = world.attribute(*sides)
    assert both.document.propositions[0].log10_lr is not None
    assert 1 >= both.document.propositions[0].log10_lr > -0.5
    assert both.document.propositions[0].bound_high <= 1
    assert both.document.population.views == ("canonical",)
    assert [r.code for r in both.verdict.reasons][1:3] == ["misleading_ratios", "canonical_view"]


def test_the_model_that_a_recording_names_is_known_without_being_named(world, tmp_path):
    """A reference that is one of the library's models is no unrelated model, however it is named.

    What breaks it: a recording under a name that the library does not know.
    """
    suspect, plain = world.answers("stranger"), world.answers("m4", prompts="r")
    named = world.attribute(suspect, f"{plain},model=m4")
    found = world.attribute(suspect, plain)
    other = tmp_path / "renamed.jsonl"
    text = Path(plain.removeprefix("replay:")).read_text(encoding="utf-8")
    other.write_text(text.replace('"m4"', '"nobody"'), encoding="utf-8")
    unknown = world.attribute(suspect, f"replay:{other}")
    nulls = [s.findings[0].values["unrelated"] for s in (named, found, unknown)]
    assert nulls[0] == nulls[1] == nulls[2] - 1
    assert named.findings[0].p_value == found.findings[0].p_value
    assert provenance.verify(found.store).ok
    options = {"formats": [], "seed": 1, "yes": True}
    store = provenance.study.sample(f"{plain},model=m4", store=tmp_path / "store", **options)
    again = world.attribute(suspect, f"replay:{store}")
    assert again.findings[0].values["unrelated"] == nulls[0]


@pytest.fixture(scope="module")
def moved(world):
    """A suspect half of whose texts are the reference's own kind after the date, and its study."""
    n = 60
    own, theirs = world.some("m7", n, "after"), world.some("m4", n, "after")
    mixed = [own[i] if i % 2 else theirs[i] for i in range(n)]
    return world.attribute(
        world.answers("m7", n, texts=mixed),
        world.answers("m4", n),
        before=world.answers("m7", n),
        after=world.answers("m7", n, texts=mixed),
        controls=[world.answers(f"m{i}", n) for i in range(10, 14)],
        siblings=[world.answers("m8", n)],
        formats=["md"],
    )


def test_controls_siblings_and_a_change_between_two_dates(moved):
    named = {f.name: f for f in moved.findings}
    assert set(named) >= {"likeness", "siblings", "change", "change_direction"}
    change, direction = named["change"], named["change_direction"]
    assert change.p_value is not None
    assert change.p_value <= 0.05
    assert change.effect is not None
    assert change.effect > 0
    assert direction.p_value is not None
    assert direction.p_value <= 2 / 5
    assert [o.role for o in moved.document.others] == [
        *["control"] * 4, "sibling", "before", "after",
    ]  # fmt: skip
    assert all(o.outputs == 60 and o.root for o in moved.document.others)


def test_a_step_between_two_dates_is_a_reason_and_never_a_ratio(moved):
    """It stands in the verdict, the terminal and the dossier, and moves no proposition.

    Null: before and after are exchangeable within each prompt; unit: a prompt; estimand: the mean
    step towards the reference. Breaks if the step enters a ratio, or is left to the findings.
    """
    change = next(f for f in moved.findings if f.name == "change")
    said = next(r for r in moved.verdict.reasons if r.code == "step_to_reference")
    assert said.values["step"] == change.effect
    assert tuple(said.values["interval"]) == change.effect_interval
    assert change.effect_interval[0] < change.effect < change.effect_interval[1]
    assert len(said.values["controls"]) == 4
    shown = summary(moved.document, width=100, color=False, dossier=None)
    for text in (" ".join(shown.split()), moved.written["md"].read_text(encoding="utf-8")):
        assert "moved towards the reference" in text
        assert "enters no likelihood ratio" in text
    assert all(p.calibration for p in moved.document.propositions if p.assessed)
    # The label is that of the ratios alone.
    assert moved.verdict.reasons[0].code.startswith("ratio_")


def test_a_step_that_could_not_be_measured_is_said(world):
    """Before and after answered other prompts than the reference."""
    study = world.attribute(
        world.answers("m7", 24),
        world.answers("m4", 24, prompts="r"),
        before=world.answers("m7", 24, prompts="b"),
        after=world.answers("m7", 24, prompts="a"),
        controls=[world.answers("m10", 24)],
    )
    said = next(r for r in study.verdict.reasons if r.code == "step_not_measured")
    assert said.values == {"have": 0, "needed": 10}
    assert not any(f.name == "change" for f in study.findings)


def test_attribute_is_recomputed_by_verify_and_names_a_touched_store(world):
    study = world.attribute(world.answers("m9"), world.answers("m4"), formats=["md", "json"])
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
        world.attribute(suspect, reference, before=suspect)
    with pytest.raises(UsageError, match="need a control"):
        world.attribute(suspect, reference, before=suspect, after=suspect)


@pytest.mark.parametrize("role", ["suspect", "reference", "before"])
def test_a_control_is_a_third_model(world, role):
    """Were it the model before, any change at all would count as a step away from it."""
    sides = {name: world.answers(name, 20) for name in ("m1", "m2", "m3")}
    named = dict(zip(("suspect", "reference", "before"), sides.values(), strict=True))
    with pytest.raises(UsageError, match=f"as a control and as {role}"):
        world.attribute(
            named["suspect"],
            named["reference"],
            controls=[named[role]],
            before=named["before"],
            after=named["suspect"],
        )


def test_a_recording_is_not_compared_with_itself(world):
    """It would be "supported" and show nothing. Breaks if a link or a copied store hides it."""
    own, other = world.answers("m1", 20), world.answers("m2", 20)
    linked = world.folder / "linked.jsonl"
    linked.symlink_to(own.removeprefix("replay:"))
    for reference in (own, f"replay:{linked}"):
        with pytest.raises(UsageError, match=r"same recording.*provenance sample"):
            world.attribute(own, reference)
    store = provenance.sample(own, store=world.folder / "stored", formats=[], new=True)
    copied = world.folder / "copied"
    shutil.copytree(store, copied)
    with pytest.raises(UsageError, match="same recording"):
        world.attribute(f"replay:{store}", f"replay:{copied}")
    with pytest.raises(UsageError, match="before and after are the same"):
        world.attribute(own, other, before=own, after=own, controls=[world.answers("m3", 20)])
    with pytest.raises(UsageError, match="as a sibling and as suspect"):
        world.attribute(own, other, siblings=[own])


def test_one_endpoint_on_both_sides_is_said(world):
    """Not an error: it is how one looks at the tool. Breaks if the terminal leaves it out."""
    live = world.simulated()
    study = world.attribute(live, live, battery="style")
    assert "same_endpoint" in [r.code for r in study.verdict.reasons]
    shown = " ".join(summary(study.document, width=100, color=False, dossier=None).split())
    assert "are the same endpoint, live.toml/a: it was compared with itself" in shown
    made = prepare_attribution(
        Endpoint.parse(live), [("reference", Endpoint.parse(live))], world.library,
        Settings(alpha=0.05, seed=2, battery="style", store=world.folder / "warned"),
    )  # fmt: skip
    assert "same endpoint" in made.warnings[0]


def test_one_recording_under_two_names_is_said(world):
    """Word for word the same long answers; unit: a prompt. Two models never write so."""
    texts = [t + " and so on" * 6 for t in world.some("m5", 40, "copied")]
    both = [world.answers("m5", 40, texts=texts) for _ in range(2)]
    copied = world.attribute(*both)
    said = next(r for r in copied.verdict.reasons if r.code == "same_texts")
    assert said.values == {"shared": 40, "of": 40}
    apart = world.attribute(world.answers("m5", 40), world.answers("m6", 40))
    assert "same_texts" not in [r.code for r in apart.verdict.reasons]


def test_a_ratio_says_how_often_such_ratios_mislead(world):
    """Beside it: shares on known pairs with limits, and the bounds of the grade that gave it.

    Unit: units of the library; source: `metrics.upper_limit` (Clopper-Pearson). Breaks if a weak
    calibration can be quoted without them, or if bounds of other grades are printed.
    """
    study = world.attribute(
        world.answers("m2", 30), world.answers("m2", 30, prompts="r"), formats=["md"]
    )
    first = study.document.propositions[0]
    pairs = first.known_pairs
    assert pairs is not None
    # 30 outputs are cut into those of the suspect's half of the prompts.
    assert pairs.outputs == 12
    assert pairs.units == UNITS
    assert 0 <= pairs.same_below_1 < pairs.same_below_1_upper <= 1
    assert 0 <= pairs.different_above_1 < pairs.different_above_1_upper <= 1
    assert study.document.population.ratio_bounds == (first.bound_low, first.bound_high)
    said = next(r for r in study.verdict.reasons if r.code == "misleading_ratios")
    assert said.values["same_below_1"] == pairs.same_below_1
    shown = " ".join(summary(study.document, width=100, color=False, dossier=None).split())
    assert "How often such ratios mislead, at 12 outputs a side" in shown
    dossier = study.written["md"].read_text(encoding="utf-8")
    assert "Misleading evidence" in dossier
    derived = next(p for p in study.document.propositions if p.hypothesis == "derived")
    assert "20 units that answered such prompts none holds two models" in derived.why_not
    assert "a calibration needs 3 such units" in derived.why_not
