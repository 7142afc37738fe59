"""The only place where codes become sentences, and where fixed sentences stand.

Short and plain, to be read by a judge. A rejected null is named, with what else can cause it; a
null that was not rejected is never called true. The sentences of reasons stand in `reasons`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from provenance.dossier import origin_reasons as _origin_reasons  # noqa: F401  registers codes
from provenance.dossier import strand_reasons as _strand_reasons  # noqa: F401  registers codes
from provenance.dossier.host_reasons import anchors_note, band_note
from provenance.dossier.numbers import counted, percent, significant
from provenance.dossier.reasons import CAUSES, NOT_THE_SAME, codes, parameters, reason
from provenance.findings import Label, Sensitivity, StudyDocument

__all__ = [
    "CAUSES",
    "NOT_THE_SAME",
    "anchors_note",
    "band_note",
    "codes",
    "parameters",
    "reason",
    "spell",
]

LABELS: dict[Label, str] = {
    "consistent": "Consistent within the stated limits.",
    "different": "The two deployments differ.",
    "inconclusive": "Inconclusive.",
    "supported": "Supported.",
    "not_supported": "Not supported.",
    "known": "A known model cannot be excluded.",
    "none_of_these": "None of the models in the library.",
}

NULLS: dict[str, str] = {
    "same_deployment": "same deployment (the same weights, served the same way)",
    "same_weights": "same weights (possibly served otherwise)",
    "within_benign_band": (
        "the suspect is no further from the reference than known hosts are that serve the same "
        "weights"
    ),
    "host_effect": "the hosts change the suspect as they change the anchors, and no more",
    "no_switch": "a side's answers come from one distribution before and after every moment",
    "reference_as_recorded": "the suspect now answers as the reference did when it was recorded",
    "trained_on_outputs": "not trained on outputs of the reference",
    "one_of_the_library": "the suspect is one of the models of the library",
    "unrelated_to_reference": (
        "the suspect resembles the reference as models of the population do that are unrelated to "
        "it"
    ),
    "unchanged": "the suspect's answers before and after are exchangeable within each prompt",
    "reference_is_a_control": "the suspect moved to the reference no more than to any control",
    "failures_equal": "both sides fail equally often",
    "no_serial_dependence": "answers to the same cell do not depend on their order",
    "no_drift": "a side's answers do not change with time",
}
# The same for the short line of a terminal.
NULL_NAMES: dict[str, str] = {
    "same_deployment": "same deployment",
    "same_weights": "same weights",
    "reference_as_recorded": "the reference as recorded",
}

ASSUMPTIONS: dict[str, str] = {
    "exchangeable_within_cell": (
        "Under the null, answers to one cell are exchangeable between the sides."
    ),
    "exchangeable_within_block": (
        "Under the null, answers to one cell within one block of time are exchangeable between "
        "the sides."
    ),
    "independent_draws": "Answers of a side to the same cell do not depend on each other.",
    "missing_independent_of_content": "Whether an answer is missing does not depend on its text.",
    "same_host_effect": (
        "The host changes the anchor and the suspect in the same way, also at the time when each "
        "was asked."
    ),
    "exchangeable_anchors": (
        "If the hosts alone differ, the suspect's pair is exchangeable with the anchors' pairs."
    ),
    "exchangeable_benign_pairs": (
        "If the weights are the same, this pair belongs to a group that is exchangeable with the "
        "groups of the band."
    ),
    "exchangeable_bundles": (
        "If the suspect is a model of the library, its outputs are exchangeable with those that "
        "stand in for it: the same decoding, no system prompt, no re-formatting."
    ),
    "population_stands_for_others": (
        "The unrelated models of the population stand for what an unrelated suspect would show."
    ),
    "known_reading": "Answers were sorted into categories by a rule fixed before sampling.",
}

LIMITS: dict[str, str] = {
    "unsigned_root": (
        "The evidence is sealed by a digest that is not signed: it shows later changes only to "
        "those who kept the digest."
    ),
    "probes_only": (
        "Only the cells of this battery were compared. Two deployments can agree on these and "
        "differ elsewhere."
    ),
    "no_upper_bound": (
        "A small share of requests that is answered by another model cannot be excluded: a "
        "substitute may answer these cells as the reference does."
    ),
    "moment_only": "The study speaks of the time when it was sampled, not of other times.",
    "host_is_trusted": (
        "The reference endpoint is taken at its word: the study cannot tell what it serves."
    ),
    "reference_recorded": (
        "The reference is a recording: the study compares the suspect now with the reference as it "
        "was recorded, and a change of the reference since then looks like a difference."
    ),
    "power_unknown": (
        "What the plan could have seen is unknown: no panel of substitutes covers these cells."
    ),
    "anchors_apart": (
        "Anchors were not asked when the suspect was, or it is not known when: what a host changed "
        "in between passes for a difference of the suspect, or hides one."
    ),
    "no_order": "The recording keeps no times, so order and repetition could not be examined.",
    "likelihood_direction": (
        "Which way the likelihood differs is a hint and no test: several causes move it the same "
        "way, and they can cancel each other."
    ),
    "replicas_differ": (
        "Log probabilities were compared. They differ between machines of one deployment too: if "
        "each side was always served by a machine of its own, that alone can look like a "
        "difference."
    ),
    "style_not_weights": (
        "Style was compared, not weights: models that were tuned alike write alike, and siblings "
        "get ratios above 1 in up to half of cases."
    ),
    "no_direction": (
        "Likeness has no direction: it does not say which of two models learned from the other, "
        "or both from a third."
    ),
    "session_effect": (
        "What stands in for the suspect was recorded in the same sessions as the library: how much "
        "a model changes from one session or host to the next is not in the p-values."
    ),
    "genre_stated": (
        "The genre of the suspect's prompts is stated, by the battery or the user: they are not "
        "the prompts that the library's models answered. Calibrations rest on other prompts, asked "
        "in another wording, and were tested on genres that were left out, as each of them "
        "records, but not on this wording: a change of wording can look like a change of model."
    ),
    "library_only": "Only models of the library were looked at.",
    "serial_not_assessed": "Whether answers repeat each other could not be assessed.",
}

ALTERNATIVES: dict[str, str] = {
    "engine": "another inference engine or another version of it, with the same weights",
    "precision": "quantisation or another numerical precision of the same weights",
    "system_prompt": "a system prompt or template that one host adds",
    "decoding": "other sampling defaults, such as temperature or top-p",
    "wrapper": "a gateway that rewrites requests or answers",
    "version": "another version or fine-tune of the same model",
    "other_model": "another model",
    "sibling": "a sibling: another version, size or fine-tune from the same maker",
    "same_training_data": "a model of another maker, trained on the same or similar texts",
    "imitation": "a model that was trained on outputs of one in the set",
    "reversed": "the reference was made from the suspect, or trained on its outputs",
    "outside": "a model that is not in the library",
    "reformatted": "a gateway that re-formats the answers of a model in the library",
    "mixture": "a share of requests that another model answers",
    "drift": "a change of one endpoint while it was sampled",
    "chance": "chance, at the stated rate α if the assumptions hold",
}

DEVIATIONS: dict[str, str] = {
    "resumed": "Sampling was interrupted and resumed.",
    "torn_line": "The last line of the transcript was torn by an interruption and removed.",
    "stopped_by_budget": "The budget ended sampling before the plan was done.",
    "side_stopped": "One side was stopped after repeated failures.",
    "stopped_early": "Sampling stopped before its planned end, as the sequential test may.",
    "blocks_out_of_time": "Blocks whose sides answered too far apart were left out.",
}

# Said where a document names none, so that a rejection never stands without its other causes.
DEFAULT_ALTERNATIVES = (
    "engine",
    "precision",
    "system_prompt",
    "decoding",
    "version",
    "other_model",
)
DEFAULT_LIMITS = ("probes_only", "moment_only", "host_is_trusted", "no_upper_bound")

WHY_NOT: dict[str, str] = {
    "no_calibration": "No calibration covers this battery.",
    "format_mismatch": (
        "The formats of the two sides are unlike, as after re-formatting, and the library has no "
        "canonical view that covers this: no ratio is given across unlike formats."
    ),
    "other_genre": "The library's models answered prompts of another genre than the suspect.",
    "answers_do_not_fit": "The suspect's answers do not belong to their prompts.",
    "no_candidates": "No candidate was named.",
    "no_anchor": "No anchor was sampled.",
    "too_few_draws": "Too few of its answers stand where the suspect's do.",
    "answers_repeat": "Its answers repeat each other, as a cache makes them.",
    "no_shared_cell": "No cell holds two answers a side of every pair.",
    "too_few_units": "The calibration holds too few independent units.",
    "too_few_outputs": "There are too few outputs to compare.",
    "students_too_few": (
        "The population holds too few models: nothing is known of how alike unrelated ones are."
    ),
    "lengths_differ": (
        "Too few unrelated models of the population write texts of the suspect's length: nothing "
        "is known of how alike such texts are by chance."
    ),
    "likeness_only": (
        "No calibration holds enough pairs of known teachers and students; the finding “likeness” "
        "says how unusual the likeness is, not what it is worth."
    ),
    "style_cannot_tell": "Style does not tell this pair apart.",
    "needs_reference": "This pair needs a reference to be named.",
}

# The names of hypotheses in a pair, where the code alone does not say enough.
HYPOTHESES: dict[str, str] = {
    "same_weights": "the same model",
    "common_base": "made on the same base",
    "none_of_these": "a model of another maker",
    "common_third_source": "both trained on a common third source",
    "derived": "derived from the reference",
    "mixed": "a share of requests answered by something else",
    "whole": "all requests answered by one model",
    "trained_on_outputs": "trained on outputs of the reference",
    "not": "not trained on them",
}

EXACTNESS: dict[str, str] = {
    "exact": "exact",
    "anytime": "valid at any time",
    "calibrated": "calibrated",
    "descriptive": "descriptive, no test",
}

VERIFY = (
    "With the evidence folder at hand, this command checks the chain of digests and computes the "
    "verdict again from the recorded answers:"
)
VERIFY_LIMIT = (
    "It shows that the evidence was not changed since it was recorded, and that the numbers here "
    "follow from it. It does not show that an endpoint sent these answers, and it does not replace "
    "keeping the folder safe. The root is not signed: who could replace the whole folder could "
    "compute a new one. Compare it with a copy that was kept elsewhere."
)
NOT_STATED = "not stated"
PICKED = (
    "Exploratory: these cells were chosen after looking at the answers. They show where the sides "
    "differ, not how sure that is; the tests above use all cells."
)
YARDSTICK = (
    "Two samples of one endpoint differ by chance too. The yardstick splits the reference into "
    "random halves and measures how far apart they are."
)
SENSITIVITY = (
    "Computed from the plan and a panel of models, some of which stand in for the reference in "
    "turn (the median is shown); the answers of neither side enter."
)
BAND_NAME = "the benign band"
# What is left where even known servings of the same weights do not differ as much.
NARROWER_CAUSES = "a system prompt or a serving unlike those of the band"
HOST_CAN_BE_THE_CAUSE = "The answers differ, but what the hosts change in anchors can explain it."
WITHHELD = (
    "The two deployments differ. The study does not decide whether the model differs or only how "
    "the hosts serve it.",
    "It is no evidence that another model answers, nor that the same one does. Each of these can "
    "cause the difference:",
)
ANCHORS = (
    "An anchor is a model that both hosts are trusted to serve alike. What the hosts change in it "
    "they may change in the suspect too. Distances are on one scale, at equal numbers of draws on "
    "the same cells; about 0 means no difference, and chance makes some negative."
)
ANCHORS_LIMIT = (
    "A host can serve an anchor otherwise on purpose, to excuse the suspect; this would show here "
    "as a large distance of the anchor. And one act of a host moves models with other favourite "
    "answers otherwise: the nearer an anchor's answers are to the suspect's, the more it says."
)
BAND = (
    "The benign band holds pairs of hosts that are known to serve the same weights. Each group of "
    "weights counts once, by its largest distance."
)
SHARES = "Bars show the share of each side's answers that fell into a category; figures are counts."


def sentence(table: Mapping[str, str], code_or_sentence: str) -> str:
    """The sentence of a code of ``table``; what is no code is a sentence already."""
    return table.get(code_or_sentence, code_or_sentence)


def hypothesis(code: str) -> str:
    """A hypothesis in words."""
    return HYPOTHESES.get(code, code.replace("_", " "))


def power(sensitivity: Sequence[Sensitivity]) -> str | None:
    """What the plan could have seen, in one sentence; None where it was not computed."""
    seen = [s for s in sensitivity if s.minimum_detectable is not None]
    if not sensitivity:
        return None
    if not seen:
        return "The plan could have seen none of the alternatives that were looked at."
    seen.sort(key=lambda s: s.minimum_detectable or 0)
    first, last = seen[0], seen[-1]
    start = f"With power {percent(min(s.power for s in seen))} the plan could have seen"
    if len(sensitivity) == 1:
        return f"{start}: {first.alternative}, {first.effect_kind}, at least {detectable(first)}."
    # Names would mislead here: a member that is the reference itself cannot be seen at all.
    return (
        f"{start} {counted(len(seen), 'substitute')} of {len(sensitivity):,} in the panel, if the "
        f"reference were one of its other members: the {first.effect_kind}, from "
        f"{detectable(first)} to {detectable(last)}."
    )


def detectable(sensitivity: Sensitivity) -> str:
    """The smallest detectable effect; shares are rounded up, so that no more is claimed."""
    value = sensitivity.minimum_detectable
    if value is None:
        return "none"
    if sensitivity.effect_kind.startswith("share") and 0 < value <= 1:
        return f"{math.ceil(100 * value - 1e-9)}%"
    return significant(value)


def spell(document: StudyDocument) -> StudyDocument:
    """The document with its codes as sentences: reasons, limits, alternatives, deviations.

    Null hypotheses and assumptions stay codes, for programs; the renderers put them into words.

    Raises
    ------
    ValueError
        For a reason with an unknown code, or one that lacks a value.
    """
    note = power(document.sensitivity) or "What the plan could have seen was not computed."
    reasons = []
    for r in document.verdict.reasons:
        more = {"power_note": note} if r.code == "no_difference_found" else {}
        text = reason(r.code, {**more, **r.values}).text
        reasons.append(r.model_copy(update={"text": text}))
    propositions = tuple(
        p if p.why_not is None else p.model_copy(update={"why_not": sentence(WHY_NOT, p.why_not)})
        for p in document.propositions
    )
    anchors = tuple(
        a if a.why_not is None else a.model_copy(update={"why_not": sentence(WHY_NOT, a.why_not)})
        for a in document.anchors
    )
    return document.model_copy(
        update={
            "verdict": document.verdict.model_copy(update={"reasons": tuple(reasons)}),
            "propositions": propositions,
            "anchors": anchors,
            "limits": tuple(sentence(LIMITS, code) for code in document.limits),
            "alternatives": tuple(sentence(ALTERNATIVES, code) for code in document.alternatives),
            "deviations": tuple(sentence(DEVIATIONS, code) for code in document.deviations),
        }
    )


def says(label: Label, null: str) -> tuple[str, str]:
    """What a label says, and what it does not say."""
    name = sentence(NULLS, null)
    if label == "different":
        return (
            f"The answers would be this far apart only rarely under the null hypothesis: {name}.",
            "It does not say why they differ, nor that the suspect is a worse or a different "
            "model. Each of these can cause a difference:",
        )
    if label == "consistent":
        return (
            "Every substitute of the named panel that the battery can tell apart was excluded "
            "beyond the stated share.",
            "It does not say that the endpoints are the same. These remain possible:",
        )
    if null == "one_of_the_library":
        return _says_of_library(label)
    if null == "unrelated_to_reference":
        return _says_of_origin(label)
    if label == "inconclusive":
        return (
            "The study does not decide whether the two endpoints differ.",
            "It is neither evidence that they are the same nor evidence that they differ. These "
            "remain possible:",
        )
    return (
        "The label speaks of the named hypotheses only.",
        "It does not exclude causes that were not weighed. These remain possible:",
    )


def _says_of_library(label: Label) -> tuple[str, str]:
    doubt = "These remain possible:"
    if label == "known":
        return (
            "If the suspect is a model of the library, the set holds it with the stated "
            "probability, on average over models.",
            "It does not say that the suspect is one of these, nor which version. " + doubt,
        )
    if label == "none_of_these":
        return (
            "The suspect's texts would be this unlike each model's own only rarely if it were "
            "that model.",
            "It does not say that the suspect is new: only these models, as they were recorded, "
            "were looked at. " + doubt,
        )
    return (
        "The library and the suspect's texts do not settle which model this is.",
        "It does not say that the suspect is one of the models that were not excluded, nor which "
        "of them. " + doubt,
    )


def _says_of_origin(label: Label) -> tuple[str, str]:
    doubt = "These remain possible:"
    if label == "supported":
        return (
            "The texts are far more probable under the named hypothesis than under its "
            "alternative, for pairs like those of the calibration.",
            "It is not the probability that the hypothesis is true: that needs what is known "
            "besides the texts. " + doubt,
        )
    if label == "not_supported":
        return (
            "The texts are more probable if the suspect comes from another maker than under any "
            "hypothesis that was weighed.",
            "It does not exclude a sibling of the reference, nor a model that was made from it and "
            "then changed its style. " + doubt,
        )
    return (
        "The strands of evidence that could be weighed do not settle it.",
        "It is too little to speak for or against an origin in the reference. " + doubt,
    )
