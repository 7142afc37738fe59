"""Reason codes of `attribute`: the step between two dates, what ratios were worth, and one's self.

Part of `provenance.dossier.wording`.
"""

from __future__ import annotations

from collections.abc import Sequence

from provenance.dossier.numbers import count, counted, p_value, percent, significant
from provenance.dossier.numbers import interval as ends
from provenance.dossier.origin_reasons import _listed
from provenance.dossier.reasons import _reason

_NOT_A_RATIO = (
    "Another version, system prompt or decoding after the date can move it in the same way; who "
    "learned from whom is not in it. It enters no likelihood ratio and does not decide the label."
)


@_reason
def step_to_reference(
    step: float,
    p: float,
    alpha: float,
    prompts: int,
    controls: Sequence[str],
    as_far: int,
    rank: float | None = None,
    interval: Sequence[float] | None = None,
    level: float = 0.95,
    way: float | None = None,
    view: str = "",
) -> str:
    """The suspect moved towards the reference between two dates."""
    return (
        f"Between the two dates the suspect moved towards the reference{_seen(view)}: "
        f"{_size(step, interval, level, way)}, on {counted(prompts, 'prompt')}; "
        f"p = {p_value(p, alpha)} if nothing changed. "
        f"{_rather(controls, as_far, rank, alpha)} {_NOT_A_RATIO}"
    )


@_reason
def no_step_found(
    step: float,
    p: float,
    alpha: float,
    prompts: int,
    controls: Sequence[str],
    as_far: int,
    rank: float | None = None,
    interval: Sequence[float] | None = None,
    level: float = 0.95,
    way: float | None = None,
    view: str = "",
) -> str:
    """No step towards the reference stands out."""
    where = ", away from it," if step < 0 else ""
    return (
        f"Between the two dates no step towards the reference stands out{_seen(view)}: the mean "
        f"step is {_size(step, interval, level, way, where)}, on "
        f"{counted(prompts, 'prompt')}; p = {p_value(p, alpha)} if nothing changed, at "
        f"α = {alpha:g}. Measured away from {_listed(controls)}. A smaller step, or one that was "
        "made before the first date, is not excluded. It enters no likelihood ratio."
    )


@_reason
def step_not_measured(have: int, needed: int) -> str:
    """Too few prompts that every side answered."""
    return (
        "Whether the suspect moved between the two dates could not be measured: before, after, the "
        f"reference and every control have {counted(have, 'prompt')} in common, "
        f"{count(needed)} are needed. Ask all of them the same battery."
    )


@_reason
def misleading_ratios(
    outputs: int,
    units: int,
    same_units: float,
    same_below_1: float,
    same_below_1_upper: float,
    different_above_1: float,
    different_above_1_upper: float,
) -> str:
    """How often ratios of this calibration speak for the wrong side."""
    return (
        f"How often such ratios mislead, at {counted(outputs, 'output')} a side, on known pairs "
        f"whose makers took no part in the fit: {percent(same_below_1)} of those for which the "
        f"hypothesis holds got a ratio below 1 (95% limit {percent(same_below_1_upper)}). "
        f"{percent(different_above_1)} of those of different makers got one above 1 (95% limit "
        f"{percent(different_above_1_upper)}). They come from {counted(units, 'unit')}, "
        f"{significant(same_units, 3)} of them with a pair for which it holds."
    )


@_reason
def same_endpoint(endpoint: str) -> str:
    """Suspect and reference are one endpoint."""
    return (
        f"Suspect and reference are the same endpoint, {endpoint}: it was compared with itself. "
        "Whatever the ratio, it says nothing about any other model; it shows at most what a "
        "comparison of one model with itself looks like."
    )


@_reason
def same_texts(shared: int, of: int) -> str:
    """Word for word the same texts on both sides."""
    return (
        f"Of {counted(of, 'prompt')} that both sides answered at length, {count(shared)} have word "
        "for word the same answer: one recording under two names, a cache, a relay that passes the "
        "reference's answers on, or one model at temperature 0. Sides are compared on different "
        "prompts, so the copies do not raise the ratio; but a recording that is compared with its "
        "copy says nothing of where the suspect comes from."
    )


def _seen(view: str) -> str:
    return " (without case, Markdown and spacing)" if view == "canonical" else ""


def _size(
    step: float,
    interval: Sequence[float] | None,
    level: float,
    way: float | None,
    where: str = "",
) -> str:
    known = (
        ""
        if interval is None
        else f" ({percent(level)} interval {ends((interval[0], interval[1]))})"
    )
    whole = (
        f"; {significant(way)} lay between them before, measured alike"
        if way is not None and way > 0
        else ""
    )
    return f"{significant(step)}{where}{known}{whole}"


def _rather(controls: Sequence[str], as_far: int, rank: float | None, alpha: float) -> str:
    """Whether it leads to the reference rather than to a control."""
    who = f"{counted(len(controls), 'control')} ({_listed(controls)})"
    if rank is None:
        return f"One control ({_listed(controls)}) does not tell whether it leads there alone."
    near = f"as far towards {count(as_far)} of" if as_far else "less far towards each of"
    needed = round(1 / alpha) - 1
    few = f" ({count(needed)} controls are needed to reach α)" if len(controls) < needed else ""
    return (
        f"It moved {near} {who}: p = {p_value(rank, alpha)} if the reference is one more of "
        f"these{few}."
    )
