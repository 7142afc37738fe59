"""The rule that turns tests into a label. Pure; every branch leaves its reason by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenance.findings import Label, SubstituteShare
from provenance.transcript import ROLES, Role

# Name of the panel test among the families.
PANEL = "panel"
# Level at which hosts are taken to change the anchors: easily reached, since that only withholds.
# It was chosen once on simulations, and looked at again on other seeds by ``benchmarks/anchors.py``
# (8 cells × 12 draws, 1,000 studies a row, 250 where another model answers; rates at α .05):
# - the hosts move both models by the same step, large or small: "different" in 2 to 4% of studies,
#   with one anchor or three, of 4 to 87% that reject;
# - they do the same to models with other favourites, so that the steps differ: 4 to 8%, above α
#   where the effect is large (.078; .033 at α .01). What anchors assume is the step, not the act;
# - they move the suspect twice as far as the anchors: 23%. No anchor can see that;
# - another model answers: 80% with one anchor, 93% with three, of 96% that reject; with a host
#   effect on top 60 to 68 and 79 to 81%.
HOST_EFFECT_SEEN = 0.5

Reasons = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Case:
    """What the rule looks at.

    Attributes
    ----------
    alpha
        Family-wise level of the study.
    p_adjusted
        Holm-adjusted p-value per family, and of the panel test; empty if no cell could be tested.
    clearest
        Per family, the cell that contributes most.
    leading
        Member of the panel that the suspect's answers lean to most; None without a panel.
    sequential
        (p-value, level, pairs) of the sequential test; None without it. Its level and ``alpha``
        of the tests at the end share the study's α.
    early
        Whether the study stopped because of it: then the tests at the end were not planned for
        this moment, and decide nothing.
    p_worst_case
        P-values after worst-case imputation of missing draws; None where that was not called for.
    planned, completed, used
        Draws per side: asked for, answered, and standing in a block with their partner.
    failed, asked_again
        Per side, draws that failed for good, and those answered only when asked again.
    failure_p, failure_side, failure_family
        P-value that the failure rates are equal, who fails more, and in which family (None: in
        all).
    minimum_coverage, failure_alpha
        From the rules of the plan.
    serial
        Per side, (p-value adjusted over the sides, excess of repeats) of the repeat diagnostic;
        missing where the order of the draws means nothing.
    drift
        Per side, the p-value that its answers change with time, adjusted over the sides. Looked
        at only where the sides were not paired in time (``paired``): there a change of one side
        during its own recording would pass for a difference between the sides.
    serial_alpha
        From the rules of the plan.
    """

    alpha: float
    p_adjusted: Mapping[str, float]
    clearest: Mapping[str, str]
    leading: str | None
    sequential: tuple[float, float, int] | None
    early: bool
    p_worst_case: Mapping[str, float] | None
    planned: Mapping[Role, int]
    completed: Mapping[Role, int]
    used: Mapping[Role, int]
    failed: Mapping[Role, int]
    asked_again: Mapping[Role, int]
    failure_p: float | None
    failure_side: Role | None
    failure_family: str | None
    minimum_coverage: float
    failure_alpha: float
    serial: Mapping[Role, tuple[float, float]]
    drift: Mapping[Role, float]
    paired: bool
    serial_alpha: float


@dataclass(frozen=True, slots=True)
class Held:
    """What anchors say about the suspect's distance.

    Attributes
    ----------
    anchors, as_far, needed
        Anchors that could be used, those at least as far apart as the suspect, and how many it
        takes before a rank can reject at the study's level.
    p
        P-value of the suspect's rank; None with fewer anchors than needed.
    p_excess
        Of the difference in differences: has the suspect something that the anchors have not?
    p_common
        Of the anchors' mean shift: do the hosts change them at all?
    """

    anchors: int
    as_far: int
    needed: int
    p: float | None
    p_excess: float
    p_common: float


def against_anchors(
    label: Label, reasons: Reasons, held: Held | None, *, alpha: float
) -> tuple[Label, Reasons]:
    """Take `different` back where the hosts change the anchors as much.

    Anchors add nothing to a rejection. It stands if the suspect's shift is larger than theirs (with
    enough anchors by its rank, with fewer larger than every one) and is not their shift: either
    the difference in differences is shown at α, or the hosts do not visibly change the anchors and
    the suspect has more than they.
    """
    if label != "different" or held is None:
        return label, reasons
    values: dict[str, Any] = {
        "anchors": held.anchors,
        "as_far": held.as_far,
        "needed": held.needed,
        "alpha": alpha,
        "p_excess": held.p_excess,
        "p_common": held.p_common,
        "rank_p": held.p,
    }
    farther = held.as_far == 0 if held.p is None else held.p <= alpha
    quiet = held.p_common > HOST_EFFECT_SEEN and held.p_excess <= HOST_EFFECT_SEEN
    if farther and (held.p_excess <= alpha or quiet):
        return label, [*reasons, ("beyond_anchors", values)]
    return "inconclusive", [*reasons, ("anchors_shift_alike", values)]


def decide(case: Case) -> tuple[Label, Reasons]:
    """The label of a comparison, and why.

    ``different`` needs a rejection after Holm that survives the worst case of what is missing,
    enough coverage on both sides, and no sign that draws of a side depend on each other.
    ``consistent`` is not said here but by `consistent`, after this.
    """
    blocking = _coverage(case)
    failures = _failures(case)
    if blocking:
        return "inconclusive", [*blocking, *failures]
    rejected = {f: p for f, p in case.p_adjusted.items() if p <= case.alpha and not case.early}
    serial = _serial(case)
    if case.sequential is not None and case.sequential[0] <= case.sequential[1]:
        p, level, pairs = case.sequential
        if serial or failures:
            return "inconclusive", [*serial, *failures]
        return "different", [
            ("rejects_sequentially", {"p": p, "alpha": level, "pairs": pairs, "early": case.early})
        ]
    if rejected:
        family = min(rejected, key=lambda f: rejected[f])
        values = {
            "p": rejected[family],
            "alpha": case.alpha,
            "families": len(case.p_adjusted.keys() - {PANEL}),
            "tests": len(case.p_adjusted),
            "family": None if family == PANEL else family,
            "cell": case.clearest.get(family),
            "substitute": case.leading if family == PANEL else None,
        }
        if serial:
            return "inconclusive", [*serial, *failures]
        if case.p_worst_case is not None:
            worst = min(case.p_worst_case.values())
            if worst > case.alpha:
                return "inconclusive", [
                    ("not_robust_to_missing", {"p_imputed": worst, "p": rejected[family]}),
                    *failures,
                ]
        return "different", [("rejects_same_deployment", values), *failures]
    smallest = min(case.p_adjusted.values())
    return "inconclusive", [
        ("no_difference_found", {"alpha": case.alpha, "p": smallest}),
        *serial,
        *failures,
    ]


def consistent(
    case: Case,
    reasons: Reasons,
    shares: Sequence[SubstituteShare],
    *,
    delta: float,
    panel: str,
    changed: bool = False,
) -> tuple[Label, Reasons, tuple[str, ...]]:
    """Whether a study that found no difference may be called consistent within δ.

    Every member of the panel that the reference can be parted from must have a share that fits
    and an upper limit of at most δ (intersection–union: no correction for their number). Failures
    that differ, draws that may depend on each other or on time, and recordings whose order is not
    known forbid it.

    Parameters
    ----------
    changed
        Whether a side's answers changed at some moment (`switching`): a share that is not the same
        throughout has no limit.

    Returns
    -------
    label, reasons, not_excluded
    """
    if [code for code, _ in reasons] != ["no_difference_found"] or not shares:
        return "inconclusive", reasons, ()
    if not {"reference", "suspect"} <= case.serial.keys():
        return "inconclusive", [*reasons, ("order_unknown", {})], ()
    drifting = [role for role, p in case.drift.items() if p <= case.serial_alpha]
    if drifting:
        found: Reasons = [
            ("drift", {"side": r, "p": case.drift[r], "paired": case.paired}) for r in drifting
        ]
        return "inconclusive", [*reasons, *found], ()
    if changed:  # the reason itself comes with the switch
        return "inconclusive", reasons, ()
    parted = [share for share in shares if share.parted]
    not_excluded = tuple(share.name for share in shares if not share.parted)
    above = sorted((s for s in parted if s.upper > delta), key=lambda s: -s.upper)
    odd = [s.name for s in parted if not s.fits]
    if odd:
        return "inconclusive", [*reasons, ("no_mixture_fits", {"substitute": odd[0]})], ()
    values = {"delta": delta, "panel": panel, "substitutes": len(parted), "alpha": case.alpha}
    if above or not parted:
        values |= {"open": len(above), "not_excluded": len(not_excluded)}
        if above:
            values |= {"substitute": above[0].name, "upper": above[0].upper}
        return "inconclusive", [*reasons, ("share_not_excluded", values)], ()
    return "consistent", [("consistent_within", values)], not_excluded


def _coverage(case: Case) -> Reasons:
    reasons: Reasons = []
    for role in ROLES:
        if case.completed[role] == 0:
            reasons.append(("nothing_answered", {"side": role, "count": case.failed[role]}))
    if reasons:
        return reasons
    for role in ROLES:
        share = case.used[role] / max(1, case.planned[role])
        if share < case.minimum_coverage:
            reasons.append(
                (
                    "too_little_coverage",
                    {"side": role, "share": share, "minimum": case.minimum_coverage},
                )
            )
    if not reasons and not case.p_adjusted:
        reasons.append(("too_little_coverage", {"side": "suspect", "share": 0.0, "minimum": 0.0}))
    return reasons


def _failures(case: Case) -> Reasons:
    if case.failure_p is None or case.failure_p > case.failure_alpha:
        return []
    values = {
        "reference_failed": case.failed["reference"],
        "suspect_failed": case.failed["suspect"],
        "p": case.failure_p,
        "reference_asked_again": case.asked_again["reference"],
        "suspect_asked_again": case.asked_again["suspect"],
        "family": case.failure_family,
    }
    if case.failure_side == "suspect":
        return [("suspect_withholds", values)]
    return [("failures_differ_reference", values)]


def _serial(case: Case) -> Reasons:
    repeating = [
        ("serial_dependence", {"side": role, "p": p, "excess": excess})
        for role, (p, excess) in case.serial.items()
        if p <= case.serial_alpha
    ]
    drifting = [
        ("drift", {"side": role, "p": p, "paired": case.paired})
        for role, p in case.drift.items()
        if p <= case.serial_alpha and not case.paired
    ]
    return [*repeating, *drifting]
