"""Codes of a study document as sentences. Part of `provenance.dossier.wording`: call them there.

One table for each field that holds codes; a code that no table holds is a sentence already.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    "stand_ins_larger": (
        "What stands in for the suspect holds more outputs than the suspect, so that it varies "
        "less. That sets hold the true model as often as is stated rests on measurement then: .95 "
        "and .97 of them where .95 is, by 10 outputs against 30 and 24."
    ),
    "margins_off": (
        "What parts the library's models was not used for the p-values: it was learnt without one "
        "of them or from few of its outputs, or the suspect has far fewer outputs than what stands "
        "in for it. `provenance library calibrate` learns it anew."
    ),
    "prompts_by_id": (
        "The recording keeps no words of its prompts, so they were told by their ids. If its ids "
        "stand for other prompts than the library's, its genre is taken wrongly and answers to "
        "different prompts are compared as answers to one."
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
    "reformatted": (
        "a host that re-formats the answers of a model in the library or adds words to them, after "
        "which a ratio below 1 says nothing"
    ),
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
    "none_of_these": "Every model of the library was rejected.",
    "models_differ": (
        "What parts the models was learnt of others than these: `provenance library calibrate` "
        "learns it anew."
    ),
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


def sentence(table: Mapping[str, str], code_or_sentence: str) -> str:
    """The sentence of a code of ``table``; what is no code is a sentence already."""
    return table.get(code_or_sentence, code_or_sentence)


def hypothesis(code: str) -> str:
    """A hypothesis in words."""
    return HYPOTHESES.get(code, code.replace("_", " "))
