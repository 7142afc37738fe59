"""Reason codes of `identify` and `attribute` as sentences. Part of `provenance.dossier.wording`."""

from __future__ import annotations

from collections.abc import Sequence

from provenance.dossier.numbers import count, counted, left_open, p_value, percent
from provenance.dossier.reasons import _reason
from provenance.dossier.sentences import hypothesis as called

_NAMED = 6


def _times(log10_lr: float) -> str:
    """A ratio above 1, as people say it."""
    ratio = 10**log10_lr
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _ratio(log10_lr: float) -> str:
    """Any ratio: ``3.2``, ``1/12``."""
    return _times(log10_lr) if log10_lr >= 0 else f"1/{_times(-log10_lr)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED:,} more" if len(names) > _NAMED else shown


NEW_MAKERS = (
    " What compares them had learnt from these units, too: of makers that are new to it more get a "
    "set. `provenance library calibrate` measures how many."
)


WHOLLY = ", from what compares bundles as well"


def sizes_of(rates: Sequence[Sequence[float]], rate: float, *, margins: bool) -> str:
    """What more outputs would bring, as a sentence; empty where nothing else was measured."""
    if not rates or [r for _, r in rates] == [rate]:
        return ""
    said = ", ".join(f"{percent(r)} at {n:,.0f}" for n, r in rates)
    if margins or rate in [r for _, r in rates]:
        return f" By outputs of a bundle: {said}."
    return f" With more outputs, where what parts the models is used as well: {said}."


@_reason
def in_the_set(names: Sequence[str], family: str, alpha: float, models: int) -> str:
    """Models of one family are not rejected."""
    who = names[0] if len(names) == 1 else f"{_listed(names)} (family {family})"
    rest = models - len(names)
    return (
        f"Not excluded: {who}. Each of the other {counted(rest, 'model')} of the library was "
        f"rejected at α = {alpha:g}. Siblings write alike, so a set names a family sooner than a "
        "version."
    )


@_reason
def strangers_get_sets(names: Sequence[str], rate: float, alpha: float) -> str:
    """A set that says little: most makers outside the library get one."""
    return (
        f"Not excluded at α = {alpha:g}: {_listed(names)}. But {percent(rate)} of the bundles of "
        "makers outside the library get a set as well, so this one hardly tells a model of the "
        "library from a stranger. More outputs, or a library of more makers, tell more."
    )


@_reason
def set_is_empty(p: float, alpha: float, models: int) -> str:
    """Each model of the library is rejected."""
    return (
        f"Each of the {counted(models, 'model')} of the library was rejected at α = {alpha:g} "
        f"(largest p = {p_value(p, alpha)}). A model of the library under another system prompt, "
        "other decoding, on prompts of another genre or wording, or re-formatted by a gateway can "
        "be rejected too."
    )


@_reason
def several_families(names: Sequence[str], family_names: Sequence[str], alpha: float) -> str:
    """The set spans families."""
    kinds = counted(len(family_names), "family", "families")
    return (
        f"Not excluded: {counted(len(names), 'model')} of {kinds} ({_listed(family_names)}), at "
        f"α = {alpha:g}. More outputs of the suspect, on more prompts, make the set smaller."
    )


@_reason
def too_few_bundles(have: int, needed: int, alpha: float) -> str:
    """No model can be rejected at this level."""
    return (
        f"The library holds {counted(have, 'model')} with a second bundle; {count(needed)} are "
        f"needed before any model can be rejected at α = {alpha:g}. Add models, or choose a "
        "larger α."
    )


@_reason
def too_few_outputs(have: int, needed: int) -> str:
    """Too little text to compare."""
    return (
        f"Only {counted(have, 'output')} of the suspect can be compared with the library; at least "
        f"{count(needed)} are needed. Outputs on prompts that the library holds count only where "
        "they fall into the first half of the prompts."
    )


@_reason
def repeated_answers(outputs: int, distinct: int, side: str = "suspect") -> str:
    """Copies."""
    return (
        f"Only {count(distinct)} of the {side}'s {counted(outputs, 'output')} differ from each "
        "other, as where a cache answers: nothing is concluded from copies. Ask more prompts, or "
        "record one answer of each."
    )


@_reason
def shared_words(outputs: int, beginning: int, ending: int, made: int) -> str:
    """The same first or last words, of the model or of a host."""
    return (
        f"{_sharing('suspect', outputs, beginning, ending)} The model may write so, or a host may "
        f"have added them: {counted(made, 'comparison')} were made, with these words and without "
        "them. A model is excluded only if each of them excludes it, and has its ratio from the "
        "one in which it fits best; the order of a closed set is of the texts in which some model "
        "does. So sets may be larger, and a maker outside the library may get one more "
        "often, than without such words."
    )


@_reason
def words_taken_off(side: str, outputs: int, beginning: int, ending: int) -> str:
    """The same words of one side, taken off both."""
    return (
        f"{_sharing(side, outputs, beginning, ending)} A host may have added them: suspect and "
        "reference were compared without these words, wherever an output of either has them."
    )


def _sharing(side: str, outputs: int, beginning: int, ending: int) -> str:
    said = [f"{count(n)} {verb}" for n, verb in ((beginning, "begin"), (ending, "end")) if n]
    return f"Of the {side}'s {counted(outputs, 'output')} {' and '.join(said)} with the same words."


@_reason
def answers_do_not_fit(p: float, prompts: int) -> str:
    """The answers could as well be to other prompts."""
    return (
        f"The answers do not belong to their {counted(prompts, 'prompt')} any more than in random "
        f"order would (p = {p:.2g}): they were not compared prompt by prompt. One constant answer, "
        "answers in another order, or text that was no answer to these prompts look so. At eight "
        "prompts or more nothing is concluded from such answers."
    )


@_reason
def no_second_draws(prompts: int, have: int, needed: int, alpha: float) -> str:
    """Too few models answered these prompts twice to compare prompt by prompt."""
    return (
        f"The suspect answered {counted(prompts, 'prompt')} of the library, but they were not "
        f"compared prompt by prompt: {counted(have, 'model')} answered them twice, and "
        f"{count(needed)} are needed at α = {alpha:g}. Add second draws or sessions of the same "
        "prompts, and calibrate again."
    )


@_reason
def sketches_outdated(prompts: int) -> str:
    """The library's sketches of answers are of another version than this tool makes."""
    return (
        f"Answers to {counted(prompts, 'prompt')} of the library were not compared prompt by "
        "prompt: its sketches of answers are of another version of this tool. Style alone was "
        "compared, which takes ten times the outputs. `provenance library calibrate` makes the "
        "sketches anew where the texts are."
    )


@_reason
def unlike_format(why: str) -> str:
    """The suspect's layout is unlike that of what it is compared with."""
    return (
        f"The suspect's format is unlike that of the texts that it is compared with. {why} A "
        "gateway that re-formats does this. No ratio is given across unlike formats."
    )


@_reason
def outside_the_library(
    rate: float,
    units: int,
    mean_size: float,
    bundle_rate: float | None = None,
    bundles: int | None = None,
    learnt: bool = False,
    unseen: bool = False,
    margins: bool = False,
    by_outputs: Sequence[Sequence[float]] = (),
    upper: float | None = None,
) -> str:
    """How often a stranger gets a set; ``learnt``: what compares bundles had seen it before."""
    over = (
        ""
        if bundle_rate is None or bundles is None
        else f"; of all {counted(bundles, 'bundle')}, {percent(bundle_rate)}, where makers with "
        "many models weigh more"
    )
    return (
        f"A maker outside the library can get a set too: with each of {counted(units, 'unit')} "
        f"left out in turn{WHOLLY if unseen else ''}, {percent(rate)} of its bundles did, averaged "
        f"over units{over}.{left_open(upper, units)}{sizes_of(by_outputs, rate, margins=margins)}"
        f"{NEW_MAKERS if learnt else ''}"
    )


@_reason
def ratio_supports(hypothesis: str, against: str, log10_lr: float, threshold: float) -> str:
    """A calibrated ratio reaches the threshold."""
    return (
        f"The texts are {_times(log10_lr)} times as probable if the suspect is "
        f"{called(hypothesis)} as if it is {called(against)}, for pairs like those of the "
        f"calibration; {_times(threshold)} is what is asked for."
    )


@_reason
def ratio_bounded(
    hypothesis: str, against: str, log10_lr: float, bound: float, threshold: float
) -> str:
    """The calibration is too small for the threshold."""
    speaks = "" if log10_lr >= 0 else ": it speaks against rather than for"
    return (
        f"For {called(hypothesis)} against {called(against)} the ratio is "
        f"{_ratio(log10_lr)}{speaks}. The known pairs support ratios up to {_times(bound)} only: "
        f"whatever the texts, it cannot exceed that, and {_times(threshold)} is asked for. Models "
        "of more makers in the calibration raise the bound."
    )


@_reason
def ratio_contradicts(hypothesis: str, against: str, log10_lr: float) -> str:
    """A calibrated ratio speaks for the alternative."""
    return (
        f"The texts are {_times(-log10_lr)} times as probable if the suspect is "
        f"{called(against)} as if it is {called(hypothesis)}, for pairs like those of the "
        "calibration. A sibling of the same maker gets such ratios too, so it is not excluded."
    )


@_reason
def ratio_weak(hypothesis: str, against: str, log10_lr: float, threshold: float) -> str:
    """No ratio reaches the threshold."""
    return (
        f"The largest ratio is {_ratio(log10_lr)}, for {called(hypothesis)} against "
        f"{called(against)}; {_times(threshold)} is asked for before anything is called supported."
    )


@_reason
def no_ratio(why_not: str = "") -> str:
    """Nothing could be weighed."""
    return f"No pair of hypotheses could be weighed. {why_not}".strip()


@_reason
def leans_to_reference(
    p: float, alpha: float, null_models: int, caught: float | None = None
) -> str:
    """The suspect leans to the reference's outputs more than unrelated models do."""
    power = (
        ""
        if caught is None
        else f" Of models known to be trained on outputs of such a reference, {percent(caught)} "
        "are seen at this level."
    )
    return (
        f"{_as_near(p, null_models)}: p = {p_value(p, alpha)}.{power} Likeness has no direction: "
        "who learned from whom needs dates or parentage."
    )


@_reason
def no_lean_found(p: float, alpha: float, null_models: int, caught: float | None = None) -> str:
    """No unusual resemblance."""
    power = (
        " How many true students would have been seen is not known."
        if caught is None
        else f" Of models known to be trained on outputs of such a reference, {percent(caught)} "
        "would have been seen."
    )
    return (
        f"{_as_near(p, null_models)} (p = {p_value(p, alpha)}): that is not unusual at "
        f"α = {alpha:g}.{power}"
    )


def _as_near(p: float, null_models: int) -> str:
    """How many unrelated models lie as near, from p = (1 + how many) / (models + 1)."""
    nearer = max(0, round(p * (null_models + 1)) - 1)
    return (
        f"Of {counted(null_models, 'unrelated model')} of the population, "
        f"{nearer or 'none'} {'resemble' if nearer > 1 else 'resembles'} the reference as much as "
        "the suspect does"
    )


@_reason
def third_source(name: str, p: float | None = None) -> str:
    """A third model explains the likeness at least as well."""
    how = "" if p is None else f" (to lean so far to any model: p = {p_value(p)})"
    return (
        f"The suspect resembles {name} at least as much as the reference{how}: a common third "
        "source explains the likeness as well."
    )


@_reason
def sibling_as_near(siblings: int) -> str:
    """A model with the suspect's base is as near to the reference."""
    return (
        f"Of {counted(siblings, 'sibling')}, made on the suspect's base without the reference, one "
        "is as near to the reference as the suspect is: what they were made from explains the "
        "likeness."
    )


@_reason
def no_dates() -> str:
    """Nothing is known about direction."""
    return (
        "The library knows no dates of both: which of the two may have learned from the other, or "
        "both from a third, is left open."
    )


@_reason
def dates(reference: str, suspect: str, sure: bool) -> str:
    """What the dates of release allow."""
    said = "" if sure else ", by labels that are not sure"
    if suspect < reference:
        meaning = (
            "a suspect that was out before the reference was hardly trained on its outputs, unless "
            "it was served earlier under another name; the other direction stays open"
        )
    else:
        meaning = "so the dates allow that it learned from the reference, and do not show it"
    return f"The reference was released on {reference}, the suspect on {suspect}{said}: {meaning}."


@_reason
def canonical_view(why: str) -> str:
    """Suspect and reference are compared in the canonical view."""
    return (
        f"Suspect and reference are of unlike format. {why} They are compared in the canonical "
        "view, without case, Markdown and spacing; what that view cannot tell apart stays open, "
        "and a ratio of style is 10 at most, as calibrations hold no re-formatted texts."
    )


@_reason
def other_genre(genre: str, genres: Sequence[str]) -> str:
    """The library answered another kind of prompts."""
    own = f"are of the genre {genre}" if genre else "are of no stated genre"
    return (
        f"The library's models answered prompts of the genres {_listed(genres)}; the suspect's "
        f"{own}. A change of genre looks like a change of model, so no model is excluded and none "
        "is named, and likeness is shown for what it is worth. If the prompts are of one of these "
        "genres, say so with --genre."
    )


@_reason
def likeness_of_other_genre(genre: str, genres: Sequence[str]) -> str:
    """The library cannot say how alike unrelated models are on such prompts."""
    own = f"are of the genre {genre}" if genre else "are of no stated genre"
    return (
        f"The library's models answered prompts of the genres {_listed(genres)}; the suspect's "
        f"{own}. How alike unrelated models are on such prompts is not known, so the likeness is "
        "not ranked. If the prompts are of one of these genres, say so with --genre."
    )


@_reason
def only_empty_answers(side: str, count: int) -> str:
    """A side answered, but with no text."""
    return (
        f"The {side} answered {counted(count, 'time')}, each time without a text: there is nothing "
        "to compare. Empty answers are no evidence for or against an origin."
    )
