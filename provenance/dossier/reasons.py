"""Reason codes as sentences. Part of `provenance.dossier.wording`, which is where to call them.

What a code's sentence needs stands in its function's arguments; further values are kept in the
reason and not printed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from provenance.dossier.numbers import count, counted, moment, p_value, percent
from provenance.findings import Reason

_Sentence = Callable[..., str]
_REASONS: dict[str, _Sentence] = {}

CAUSES = "another engine, another precision or a system prompt"
OTHER_CAUSES = f"{CAUSES[0].upper()}{CAUSES[1:]} can cause this."
NOT_THE_SAME = "This is not evidence that they are the same."


def _reason(function: _Sentence) -> _Sentence:
    _REASONS[function.__name__] = function
    return function


def codes() -> tuple[str, ...]:
    """All reason codes."""
    return tuple(_REASONS)


def parameters(code: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the values that the sentence of ``code`` needs, and of those that it can use.

    Raises
    ------
    ValueError
        For an unknown code.
    """
    arguments = inspect.signature(_function(code)).parameters.values()
    empty = inspect.Parameter.empty
    return (
        tuple(a.name for a in arguments if a.default is empty),
        tuple(a.name for a in arguments if a.default is not empty),
    )


def reason(code: str, values: Mapping[str, Any]) -> Reason:
    """A reason with its sentence.

    Raises
    ------
    ValueError
        For an unknown code, or if the sentence needs a value that is missing.
    """
    needed, usable = parameters(code)
    missing = [name for name in needed if name not in values]
    if missing:
        raise ValueError(f"reason {code!r} needs the values {', '.join(missing)}")
    given = {name: values[name] for name in (*needed, *usable) if name in values}
    return Reason(code=code, text=_function(code)(**given), values=dict(values))


def _function(code: str) -> _Sentence:
    try:
        return _REASONS[code]
    except KeyError:
        known = ", ".join(_REASONS)
        raise ValueError(f"unknown reason code {code!r}; known codes: {known}") from None


@_reason
def rejects_same_deployment(
    p: float,
    alpha: float,
    families: int | None = None,
    family: str | None = None,
    cell: str | None = None,
    tests: int | None = None,
    substitute: str | None = None,
) -> str:
    """The exact test of same deployment rejects."""
    corrected = f", Holm over {counted(families, 'family', 'families')}" if families else ""
    if tests and families and tests > families:
        corrected += " and the panel test"
    where = f" The suspect's answers lean to those of {substitute}." if substitute else ""
    where += f" It is clearest in the family {family}" if family else ""
    where += f", cell {cell}." if where and cell else "." if where else ""
    return (
        f"The test rejects same deployment: p = {p_value(p, alpha)}{corrected}, "
        f"at or below α = {alpha:g}.{where} The cause is not determined. {OTHER_CAUSES}"
    )


@_reason
def rejects_sequentially(p: float, alpha: float, pairs: int, early: bool = False) -> str:
    """The sequential test of same deployment rejects."""
    when = "and sampling stopped there" if early else "before the plan was done"
    return (
        f"The sequential test rejects same deployment after {counted(pairs, 'pair')} of draws, "
        f"{when}: p = {p_value(p, alpha)}, at or below its share of α, {alpha:g}. The cause is not "
        f"determined. {OTHER_CAUSES}"
    )


@_reason
def no_difference_found(alpha: float, p: float | None = None, power_note: str | None = None) -> str:
    """Nothing was rejected."""
    smallest = "" if p is None else f" (smallest adjusted p = {p_value(p, alpha)})"
    note = f" {power_note}" if power_note else ""
    return f"No difference found at α = {alpha:g}{smallest}. {NOT_THE_SAME}{note}"


@_reason
def consistent_within(delta: float, panel: str, substitutes: int, alpha: float) -> str:
    """Every substitute that can be told apart is excluded beyond δ."""
    models = counted(substitutes, "substitute")
    return (
        f"No difference found. For each of {models} of the panel {panel} that the battery can tell "
        f"from the reference, a share above {percent(delta)} of the requests is rejected at "
        f"α = {alpha:g}. A substitute that is not in the panel is not excluded."
    )


@_reason
def share_not_excluded(
    delta: float,
    panel: str,
    open: int = 0,
    substitute: str | None = None,
    upper: float | None = None,
) -> str:
    """Some substitute may answer more than δ."""
    if substitute is None or upper is None:
        return f"The battery can tell no substitute of the panel {panel} from the reference."
    others = f", and {counted(open - 1, 'other')} more than {percent(delta)}" if open > 1 else ""
    return (
        f"These answers allow that {substitute} gave up to {percent(upper)} of them{others}. With "
        "more draws the limit falls."
    )


@_reason
def no_mixture_fits(substitute: str) -> str:
    """The model behind the limits does not hold."""
    return (
        f"No mixture of the reference's answers and those of {substitute} fits the suspect's, so "
        "no share can be excluded and nothing is called consistent."
    )


@_reason
def order_unknown() -> str:
    """Without times no repeats can be looked for."""
    return (
        "A recording without times does not show whether answers were repeated by a cache, so "
        "nothing is called consistent."
    )


@_reason
def too_little_coverage(side: str, share: float, minimum: float) -> str:
    """Too few draws of a side can be used."""
    if minimum <= 0:
        return "No cell holds usable draws of both sides, so nothing could be tested."
    return (
        f"Only {percent(share)} of the planned draws of the {side} can be used; the plan asks for "
        f"at least {percent(minimum)}."
    )


@_reason
def nothing_answered(side: str, count: int, kind: str | None = None) -> str:
    """A side gave no answer at all."""
    kinds = f", mostly {kind}" if kind else ""
    return (
        f"The {side} gave no answer: {counted(count, 'request')} failed{kinds}. "
        "Failed requests are no evidence of a difference."
    )


@_reason
def suspect_withholds(
    reference_failed: int,
    suspect_failed: int,
    p: float,
    reference_asked_again: int = 0,
    suspect_asked_again: int = 0,
    family: str | None = None,
) -> str:
    """The suspect fails more often."""
    lost = _lost("suspect", suspect_failed, suspect_asked_again)
    other = _lost("reference", reference_failed, reference_asked_again, short=True)
    return (
        f"{lost}, {other} (p = {p_value(p)}{_within(family)}). What was withheld may differ from "
        "what was answered. This decides nothing by itself."
    )


@_reason
def failures_differ_reference(
    reference_failed: int,
    suspect_failed: int,
    p: float,
    reference_asked_again: int = 0,
    suspect_asked_again: int = 0,
    family: str | None = None,
) -> str:
    """The reference fails more often."""
    lost = _lost("reference", reference_failed, reference_asked_again)
    other = _lost("suspect", suspect_failed, suspect_asked_again, short=True)
    return (
        f"{lost}, {other} (p = {p_value(p)}{_within(family)}). What was not answered may differ "
        "from what was answered. This decides nothing by itself."
    )


def _lost(side: str, failed: int, again: int, *, short: bool = False) -> str:
    number = count(failed) if short else counted(failed, "request")
    who = f"the {side}" if short else f"The {side} failed"
    more = f" and answered {count(again)} only when asked again" if again else ""
    return f"{who} on {number}{more}"


def _within(family: str | None) -> str:
    return f", clearest in the family {family}" if family else ""


@_reason
def not_robust_to_missing(p_imputed: float, p: float | None = None) -> str:
    """The rejection depends on draws that are missing."""
    observed = "" if p is None else f" on the answers that came (p = {p_value(p)})"
    return (
        f"The test rejects{observed}, but not if the missing answers are filled in as unfavourably "
        f"as possible (p = {p_value(p_imputed)}). So no difference is claimed."
    )


@_reason
def serial_dependence(side: str, p: float, excess: float | None = None) -> str:
    """Draws of a side repeat each other."""
    more = f"; an estimated {percent(excess)} are copies" if excess and excess > 0 else ""
    return (
        f"Answers of the {side} repeat the one before (p = {p_value(p)}{more}). A cache "
        "or sticky routing can do this. The test assumes that draws do not depend on each other, "
        "so its p-value cannot be relied on."
    )


@_reason
def drift(side: str, p: float, paired: bool = True) -> str:
    """A side changed while it was sampled."""
    if not paired:
        return (
            f"The answers of the {side} changed while they were recorded (p = {p_value(p)}). The "
            "two sides were not asked at the same times, so such a change could pass for a "
            "difference between them."
        )
    return (
        f"The answers of the {side} changed during the study (p = {p_value(p)}). Draws were taken "
        "in blocks that pair both sides in time, which protects the test against changes that "
        "both share, not against a change of one side."
    )


@_reason
def stopped_by_budget(done: int, planned: int) -> str:
    """The budget ended first."""
    return (
        f"The budget ended the study after {count(done)} of {counted(planned, 'planned request')}."
    )


@_reason
def blocks_out_of_time(count: int, lag_s: float | None = None) -> str:
    """Blocks whose sides lie too far apart."""
    limit = "the planned lag" if lag_s is None else f"the planned {lag_s:g} seconds"
    which = "block, which was" if count == 1 else "blocks, which were"
    return (
        f"The two sides answered further apart than {limit} in {count:,} {which} left out. The "
        "rule was fixed in the plan."
    )


@_reason
def reference_is_recorded(recorded_utc: str | None = None) -> str:
    """The reference was sampled earlier."""
    when = f" (last answer {moment(recorded_utc)})" if recorded_utc else ""
    return (
        f"The reference is a recording{when}. The test compares the suspect now with the "
        "reference as it was recorded; a change of the reference since then looks like a "
        "difference."
    )


@_reason
def served_model_differs(reference: str, suspect: str) -> str:
    """The sides name different models."""
    return (
        f"The reference calls itself {reference}, the suspect {suspect}. A served name is a claim "
        "of the server; it neither adds to nor takes from the verdict."
    )


@_reason
def fingerprint_changed(side: str) -> str:
    """A system fingerprint changed during the study."""
    return (
        f"The system fingerprint of the {side} changed during the study. Its operator may have "
        "changed the deployment."
    )


@_reason
def one_sided_empty_answers(side: str | None = None, share: float | None = None) -> str:
    """Only one side answers with empty text."""
    who = f"the {side}" if side else "one side"
    often = "" if share is None else f" ({percent(share)} of its answers)"
    return (
        f"Only {who} gives empty answers{often}. A gateway, a filter or a token limit can cause "
        "this as well as another model."
    )


@_reason
def decoding_refused(side: str, parameter: str) -> str:
    """A sampling parameter was refused."""
    return (
        f"The {side} refused the sampling parameter {parameter}, so its default applied. "
        "A difference in this parameter alone can cause different answers."
    )
