"""Reason codes of anchors, the benign band and time. Part of `provenance.dossier.wording`."""

from __future__ import annotations

from provenance.dossier.numbers import count, counted, moment, p_value, percent
from provenance.dossier.reasons import _reason
from provenance.findings import BenignBand, Finding

__all__ = ["anchors_note", "band_note"]

_LEFT_OUT = {
    "other_battery": "asked another battery",
    "quantisation_not_allowed": "quantised, which --allow quantisation would let in",
    "same_weights_as_reference": "of the very weights in question",
    "too_few_draws": "with too few draws where this study has some",
    "no_shared_cell": "that share no cell",
}
_ANCHORS = "models that both hosts are trusted to serve alike"


@_reason
def beyond_anchors(
    anchors: int,
    as_far: int,
    needed: int,
    alpha: float,
    p_excess: float,
    p_common: float,
    rank_p: float | None = None,
) -> str:
    """The suspect differs more than the anchors do."""
    rank = "" if rank_p is None else f" (rank p = {p_value(rank_p, alpha)})"
    start = (
        f"{_far(as_far, anchors)}{rank}. Anchors are {_ANCHORS}: what the hosts change in them has "
        f"p = {p_value(p_common, alpha)}, what the suspect has beyond it p = "
        f"{p_value(p_excess, alpha)} (difference in differences)."
    )
    if rank_p is None:
        return f"{start} {_few(anchors, needed, alpha)}"
    return (
        f"{start} This rejects an effect of the hosts that anchors and suspect share. What a host "
        "does to this model alone is not excluded."
    )


@_reason
def anchors_shift_alike(
    anchors: int,
    as_far: int,
    needed: int,
    alpha: float,
    p_excess: float,
    p_common: float,
    rank_p: float | None = None,
) -> str:
    """Anchors shift as much as the suspect."""
    rank = "" if rank_p is None else f" (rank p = {p_value(rank_p, alpha)})"
    few = f" {_few(anchors, needed, alpha)}" if rank_p is None else ""
    return (
        f"{_far(as_far, anchors)}{rank}. Anchors are {_ANCHORS}: what the hosts change in them has "
        f"p = {p_value(p_common, alpha)}, what the suspect has beyond it p = "
        f"{p_value(p_excess, alpha)} (difference in differences). The hosts can be the cause, so "
        f"no difference of the model is claimed.{few}"
    )


@_reason
def anchors_left_out(left_out: int, anchors: int) -> str:
    """Some anchors could not be used."""
    who = "The anchor" if anchors == 1 else f"Of {counted(anchors, 'anchor')}, {count(left_out)}"
    return (
        f"{who} could not be used: too few answers, or answers that repeat each other. That "
        "changes nothing in the verdict."
    )


@_reason
def beyond_benign_band(
    band: str, groups: int, as_far: int, needed: int, alpha: float, p: float
) -> str:
    """The band is rejected as well."""
    return (
        f"The test rejects the benign band {band} as well: {_wide(as_far, groups)}, p = "
        f"{p_value(p, alpha)}, at or below α = {alpha:g}. The suspect is further from the "
        "reference than hosts are that serve the same weights, if such pairs are like this one."
    )


@_reason
def not_beyond_benign_band(
    band: str, groups: int, as_far: int, needed: int, alpha: float, p: float
) -> str:
    """The band is not rejected."""
    return (
        f"The benign band {band} is not rejected: {_wide(as_far, groups)}, p = "
        f"{p_value(p, alpha)} at α = {alpha:g}. A difference of this size can come from serving "
        "the same weights in another way. Only same deployment is rejected."
    )


@_reason
def band_cannot_tell(
    band: str, groups: int, as_far: int, needed: int, alpha: float, early: bool = False
) -> str:
    """Too few groups of weights."""
    why = (
        "sampling stopped because of what was seen, and a rank is no p-value then"
        if early
        else f"{counted(groups, 'group')} of weights cannot reject it at α = {alpha:g}, "
        f"{count(needed)} would be needed"
    )
    return (
        f"Whether the difference lies in the benign band {band} cannot be told: {why}. As a "
        f"description, {_wide(as_far, groups)}. Only same deployment is rejected."
    )


@_reason
def band_unusable(band: str, alpha: float, left_out: int) -> str:
    """No pair of the band can be compared."""
    return (
        f"Whether the difference lies in the benign band {band} cannot be told: none of its "
        f"{counted(left_out, 'pair')} can be compared with this study. Only same deployment is "
        "rejected."
    )


@_reason
def changed_during_study(
    side: str, p: float, after: float | None = None, when_utc: str | None = None
) -> str:
    """A side's answers changed at some moment."""
    when = f" at about {moment(when_utc)}" if when_utc else ""
    when += f", after {percent(after)} of its draws" if after is not None else ""
    return (
        f"The answers of the {side} changed{when} (p = {p_value(p)}, exploratory). A share of "
        "requests that another model answers may have changed then, or the deployment."
    )


def _far(as_far: int, anchors: int) -> str:
    if not as_far:
        return "No anchor shows as large a difference as the suspect"
    if anchors == 1:
        return "The anchor shows as large a difference as the suspect"
    show = "shows" if as_far == 1 else "show"
    return (
        f"Of {count(anchors)} anchors {count(as_far)} {show} as large a difference as the suspect"
    )


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _wide(as_far: int, groups: int) -> str:
    if not as_far:
        return f"none of {counted(groups, 'group')} of known weights differs as much"
    return f"{count(as_far)} of {counted(groups, 'group')} of known weights differ as much"


def _few(anchors: int, needed: int, alpha: float) -> str:
    return (
        f"With {counted(anchors, 'anchor')} this only describes: a p-value of α = {alpha:g} needs "
        f"{count(needed)}, so anchors can take a difference back and cannot confirm one."
    )


def anchors_note(finding: Finding) -> str:
    """What the finding ``anchors`` says, in words."""
    v = finding.values
    rank = _lower(_far(v["as_far"], v["anchors"]))
    tail = (
        f"the rank has p = {p_value(finding.p_value, finding.alpha)}"
        if finding.p_value is not None
        else f"with fewer than {count(v['needed'])} anchors the rank is no p-value at this α"
    )
    return (
        f"{counted(v['anchors'], 'anchor')} could be used, on {counted(v['cells'], 'cell')}: "
        f"{rank}; {tail}. What the hosts change in the anchors has p = "
        f"{p_value(v['p_common_shift'], finding.alpha)}; what the suspect has beyond their mean, "
        f"the difference in differences, p = "
        f"{p_value(v['p_difference_in_differences'], finding.alpha)}. {_apart(v.get('apart_s'))}"
    )


def _apart(seconds: float | None) -> str:
    if seconds is None:
        return "When anchors and suspect were asked is not known of every draw."
    units = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
    size, unit = next((u for u in units if seconds >= 2 * u[0]), units[-1])
    apart = f"{seconds / size:.0f} {unit}" if seconds >= 1 else "under a second"
    return f"The middle of the anchors' draws and that of the suspect's lie at most {apart} apart."


def band_note(band: BenignBand, finding: Finding | None) -> str:
    """What the band holds, and whether it can decide anything."""
    groups = counted(len(band.groups), "group")
    text = f"It has {groups} of weights that can be compared with this study. "
    out = [f"{count(n)} {_LEFT_OUT.get(code, code)}" for code, n in band.left_out.items()]
    if out:
        text += f"Pairs left out: {'; '.join(out)}. "
    if finding is None:
        return text + "Nothing can be ranked."
    if finding.p_value is not None:
        return text + f"The rank has p = {p_value(finding.p_value, finding.alpha)}."
    return text + (
        f"{count(band.needed)} would be needed at this α, so it cannot be told whether the "
        "difference lies inside."
    )
