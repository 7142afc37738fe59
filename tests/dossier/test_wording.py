import re
from collections.abc import Callable
from typing import Any

import pytest

from provenance.dossier import wording
from provenance.findings import Proposition, Reason, Sensitivity, StudyDocument

VALUES: dict[str, Any] = {
    "paired": False,
    "p": 0.0004,
    "alpha": 0.01,
    "families": 9,
    "family": "one_token",
    "cell": "number-en-1",
    "power_note": "The plan could have seen a share of 12%.",
    "side": "suspect",
    "share": 0.3,
    "minimum": 0.5,
    "kind": "timeout",
    "count": 1,
    "reference_failed": 0,
    "suspect_failed": 9,
    "reference_asked_again": 1,
    "suspect_asked_again": 3,
    "p_imputed": 0.2,
    "excess": 0.2,
    "done": 10,
    "planned": 20,
    "lag_s": 600.0,
    "recorded_utc": "2026-11-20T09:30:11+00:00",
    "reference": "gpt-x",
    "suspect": "gpt-y",
    "parameter": "temperature",
    "delta": 0.1,
    "panel": "core",
    "substitutes": 20,
    "substitute": "gpt-y",
    "upper": 0.26,
    "open": 3,
    "tests": 10,
    "pairs": 64,
    "early": True,
    "names": ["model-a", "model-b"],
    "family_names": ["a", "b"],
    "models": 120,
    "have": 40,
    "needed": 99,
    "why": "bullets in 80% of outputs, 2% in the library's",
    "rate": 0.12,
    "units": 31,
    "mean_size": 0.4,
    "hypothesis": "the same model",
    "against": "a model of another maker",
    "log10_lr": 2.1,
    "threshold": 2.0,
    "bound": 1.3,
    "why_not": "No calibration covers this battery.",
    "null_models": 100,
    "caught": 0.7,
    "name": "gpt-z",
    "siblings": 3,
    "sure": False,
    "genre": "odes",
    "genres": ["puzzles", "code"],
    "anchors": 3,
    "as_far": 1,
    "p_excess": 0.3,
    "p_common": 0.02,
    "rank_p": 0.02,
    "left_out": 2,
    "band": "example",
    "groups": 99,
    "after": 0.4,
    "when_utc": "2026-11-20T09:30:11+00:00",
    "bundle_rate": 0.55,
    "distinct": 2,
    "learnt": True,
    "unseen": True,
    "margins": False,
    "by_outputs": [[20, 0.3], [50, 0.1]],
    "beginning": 40,
    "ending": 39,
    "made": 3,
    "bundles": 31,
    "step": -0.42,
    "interval": [-1.1, 0.3],
    "level": 0.95,
    "way": 2.4,
    "prompts": 90,
    "controls": ["model-a", "model-b"],
    "rank": 0.33,
    "view": "canonical",
    "outputs": 10,
    "same_units": 9.0,
    "same_below_1": 0.29,
    "same_below_1_upper": 0.61,
    "different_above_1": 0.393,
    "different_above_1_upper": 0.676,
    "endpoint": "host/gpt-x",
    "shared": 12,
    "of": 14,
}
FORBIDDEN = re.compile(
    r"\b(match\w*|identif\w*|prov(e|es|en|ed|ing)|certain\w*|confiden\w*)\b", re.I
)
REQUIRED_CODES = {
    "rejects_same_deployment",
    "no_difference_found",
    "too_little_coverage",
    "nothing_answered",
    "suspect_withholds",
    "failures_differ_reference",
    "not_robust_to_missing",
    "serial_dependence",
    "drift",
    "stopped_by_budget",
    "blocks_out_of_time",
    "reference_is_recorded",
    "served_model_differs",
    "fingerprint_changed",
    "one_sided_empty_answers",
    "decoding_refused",
    "in_the_set",
    "set_is_empty",
    "several_families",
    "too_few_bundles",
}


def test_all_codes_are_there() -> None:
    assert set(wording.codes()) >= REQUIRED_CODES


@pytest.mark.parametrize("code", wording.codes())
@pytest.mark.parametrize("full", [True, False])
def test_every_code_makes_sentences(code: str, full: bool) -> None:
    needed, usable = wording.parameters(code)
    names = (*needed, *usable) if full else needed
    values = {name: VALUES[name] for name in names} | {"beyond": 1}
    reason = wording.reason(code, values)
    assert reason.code == code
    assert reason.values == values
    assert re.fullmatch(r"[A-Z].*\.", reason.text)
    assert not FORBIDDEN.search(reason.text)
    assert not re.search(r"\s\s|\bNone\b|\{|\}", reason.text)
    assert max(len(s.split()) for s in re.split(r"(?<=[.;:])\s", reason.text)) <= 32


def test_how_many_unrelated_models_lie_as_near_is_counted_from_the_rank() -> None:
    """Conformal rank: p = (1 + as near) / (models + 1), so 2/44 of 43 models means one of them.

    Null: the suspect is exchangeable with the unrelated models; unit: a model; source: Vovk,
    Gammerman & Shafer 2005. Breaks if a sentence says "more than all" of a p-value that is not the
    smallest.
    """
    values = {"alpha": 0.05, "null_models": 43}
    first = wording.reason("leans_to_reference", values | {"p": 1 / 44}).text
    second = wording.reason("leans_to_reference", values | {"p": 2 / 44}).text
    last = wording.reason("no_lean_found", values | {"p": 1.0}).text
    assert first.startswith(
        "Of 43 unrelated models of the population, none resembles the reference"
    )
    assert second.startswith("Of 43 unrelated models of the population, 1 resembles the reference")
    assert last.startswith("Of 43 unrelated models of the population, 43 resemble the reference")


def test_a_ratio_below_one_is_not_only_said_to_be_bounded_from_above() -> None:
    """A small ratio isn't small because of the upper bound. Breaks if both read alike."""
    values = {
        "hypothesis": "same_weights",
        "against": "none_of_these",
        "bound": 1.08,
        "threshold": 2.0,
    }
    against = wording.reason("ratio_bounded", values | {"log10_lr": -0.61}).text
    towards = wording.reason("ratio_bounded", values | {"log10_lr": 0.5}).text
    assert "the ratio is 1/4.1: it speaks against rather than for." in against
    assert "the ratio is 3.2. The known pairs support ratios up to 12 only" in towards


def test_what_an_origin_study_does_not_say_leaves_siblings_open() -> None:
    """Ratios weigh the same model against other makers: a sibling is neither, and most siblings
    get the ratios of strangers. Breaks if a rejected sameness reads as another origin, or a weak
    ratio as none.
    """
    means, does_not = wording.says("not_supported", "unrelated_to_reference")
    assert "shares an origin" not in means
    assert "does not exclude a sibling" in does_not
    for null in ("unrelated_to_reference", "one_of_the_library"):
        assert "no evidence" not in wording.says("inconclusive", null)[1]


def test_unknown_codes_and_missing_values_are_errors() -> None:
    with pytest.raises(ValueError, match="unknown reason code 'nope'; known codes: rejects"):
        wording.reason("nope", {})
    with pytest.raises(ValueError, match="needs the values p, alpha"):
        wording.reason("rejects_same_deployment", {})


def test_a_rejection_names_its_null_and_other_causes() -> None:
    text = wording.reason("rejects_same_deployment", VALUES).text
    assert "rejects same deployment" in text
    assert "engine, another precision or a system prompt can cause this" in text


def test_a_non_rejection_is_no_evidence_of_sameness() -> None:
    text = wording.reason("no_difference_found", VALUES).text
    assert "No difference found" in text
    assert "not evidence that they are the same" in text
    assert VALUES["power_note"] in text


@pytest.mark.parametrize(
    "table",
    [
        wording.LABELS,
        wording.NULLS,
        wording.ASSUMPTIONS,
        wording.LIMITS,
        wording.ALTERNATIVES,
        wording.DEVIATIONS,
        wording.EXACTNESS,
        wording.WHY_NOT,
        wording.HYPOTHESES,
    ],
)
def test_fixed_sentences_keep_to_the_words(table: dict[str, str]) -> None:
    for text in table.values():
        assert not FORBIDDEN.search(text)


def test_defaults_are_known_codes() -> None:
    assert set(wording.DEFAULT_ALTERNATIVES) <= set(wording.ALTERNATIVES)
    assert set(wording.DEFAULT_LIMITS) <= set(wording.LIMITS)


def test_what_is_no_code_is_a_sentence() -> None:
    assert wording.sentence(wording.LIMITS, "A limit of its own.") == "A limit of its own."


def test_spell_turns_every_code_into_a_sentence(make: Callable[[str], StudyDocument]) -> None:
    document = make("inconclusive")
    coded = document.model_copy(
        update={
            "verdict": document.verdict.model_copy(
                update={
                    "reasons": tuple(
                        r.model_copy(update={"text": ""}) for r in document.verdict.reasons
                    )
                }
            ),
            "limits": ("unsigned_root", "reference_recorded", "A limit of its own."),
            "alternatives": tuple(wording.ALTERNATIVES),
            "deviations": ("resumed",),
            "propositions": (
                Proposition(hypothesis="mixed", against="whole", why_not="no_calibration"),
            ),
        }
    )
    spelt = wording.spell(coded)
    assert all(r.text for r in spelt.verdict.reasons)
    assert [r.values for r in spelt.verdict.reasons] == [r.values for r in coded.verdict.reasons]
    assert spelt.limits[0] == wording.LIMITS["unsigned_root"]
    assert spelt.limits[2] == "A limit of its own."
    assert spelt.propositions[0].why_not == "No calibration covers this battery."
    assert wording.spell(spelt) == spelt


def test_spell_adds_the_planned_power(make: Callable[[str], StudyDocument]) -> None:
    document = make("inconclusive")
    values = {"alpha": 0.01, "p": 0.3}
    bare = document.verdict.model_copy(
        update={"reasons": (Reason(code="no_difference_found", text="", values=values),)}
    )
    panel = tuple(
        Sensitivity(
            alternative=name,
            effect_kind="share of requests that it answers instead",
            minimum_detectable=share,
            power=0.8,
            alpha=0.01,
        )
        for name, share in [("a", 0.4001), ("b", 0.052), ("c", None)]
    )
    spelt = wording.spell(document.model_copy(update={"verdict": bare, "sensitivity": panel}))
    assert spelt.verdict.reasons[0].text.endswith(
        "With power 80% the plan could have seen 2 substitutes of 3 in the panel, if the reference "
        "were one of its other members: the share of requests that it answers instead, from 6% "
        "to 41%."
    )
    assert spelt.verdict.reasons[0].values == values
    unknown = wording.spell(document.model_copy(update={"verdict": bare, "sensitivity": ()}))
    assert unknown.verdict.reasons[0].text.endswith(
        "What the plan could have seen was not computed."
    )
