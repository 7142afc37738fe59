"""From a plan and its transcript to the study document: a pure function of the evidence.

Reasons, limits, alternatives and deviations leave here as codes; the dossier's wording turns
them into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from provenance.attribution import conduct, describe, substitutes
from provenance.attribution.anchors import AnchorRecords
from provenance.attribution.betting import Betting
from provenance.attribution.equality import Equality, draws_by_family, equality
from provenance.attribution.hosts import weigh_hosts
from provenance.attribution.likelihoods import likelihood_finding, scores_of
from provenance.attribution.missing import examine_missing
from provenance.attribution.observations import Observations, observe
from provenance.attribution.order import examine_order
from provenance.attribution.switching import examine_switch
from provenance.attribution.tested import (
    NULL,
    equality_findings,
    family_tests,
    panel_findings,
    sequential_finding,
    undecided,
    yardstick_of,
)
from provenance.attribution.verdict import Case, consistent, decide
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    Proposition,
    Sensitivity,
    StudyDocument,
    SubstituteShare,
    Verdict,
)
from provenance.library.band import Band
from provenance.library.panel import Panel
from provenance.library.sensitivity import planned_sensitivity
from provenance.stats.parts import TEXT
from provenance.transcript import ROLES, Role, Transcript


def analyse_transcript(
    plan: Mapping[str, Any],
    cells: Sequence[Cell],
    transcript: Transcript,
    events: Sequence[Mapping[str, Any]],
    *,
    plan_digest: str,
    root: str | None,
    panel: Panel | None,
    anchors: Sequence[AnchorRecords] = (),
    band: Band | None = None,
) -> StudyDocument:
    """The study document of a comparison.

    Parameters
    ----------
    plan
        As in ``plan.json``.
    cells
        The store's own copy of the battery.
    transcript
        All records.
    events
        What the store noted beside them (capabilities, sides that stopped, repairs).
    plan_digest, root
        Of the store.
    panel
        Answer tables of plausible substitutes, for the planned power.
    anchors
        Models that both hosts are trusted to serve alike, each from its own store.
    band
        Benign pairs, as copied into the evidence.
    """
    rules, settings, seed = plan["rules"], plan["settings"], plan["seed"]
    stopped = next((e["values"] for e in events if e["kind"] == "stopped_early"), None)
    planned = _planned(plan, None if stopped is None else stopped["slots"])
    totals = {role: sum(planned[role]) for role in ROLES}
    failed = {role: len(transcript.failed(role)) for role in ROLES}
    scores = scores_of(events)
    observations = observe(
        transcript,
        cells,
        blocked=plan["blocked"],
        max_lag_s=rules["max_lag_s"],
        scores=None if scores is None else scores.sums,
    )
    betting = _bet(plan, cells, transcript, panel) if settings.get("sequential") else None
    alpha = settings["alpha"] - (0.0 if betting is None else betting.level)
    order = examine_order(observations, rules=rules, seed=seed)
    members, coded = substitutes.coded(observations, panel)
    tests = equality(
        draws_by_family(observations),
        alpha=alpha,
        minimum_resamples=rules["minimum_resamples"],
        seed=seed,
        beside=1 if members else 0,
    )
    towards = substitutes.against_panel(members, coded, resamples=tests.resamples, seed=seed)
    if towards is not None:
        tests = tests.with_panel(towards.p_value)
    missing = examine_missing(
        observations,
        tests,
        planned=totals,
        failed=failed,
        alpha=alpha,
        rules=rules,
        seed=seed,
    )
    case = Case(
        alpha=alpha,
        p_adjusted=tests.adjusted,
        clearest=_clearest(tests, observations),
        sequential=None
        if betting is None
        else (betting.betting.p_value, betting.level, betting.betting.pairs),
        early=stopped is not None,
        leading=None if towards is None else members[towards.leading].name,
        p_worst_case=missing.worst_case,
        planned=totals,
        completed={role: len(transcript.completed(role)) for role in ROLES},
        used={role: sum(c.n(role) for c in observations.used()) for role in ROLES},
        failed=failed,
        asked_again={role: sum(c.asked_again[role] for c in observations.cells) for role in ROLES},
        failure_p=missing.failure_p,
        failure_side=missing.side,
        failure_family=missing.family,
        minimum_coverage=rules["minimum_coverage"],
        failure_alpha=rules["failure_alpha"],
        serial=order.repeats,
        drift=order.drift,
        paired=plan["blocked"],
        serial_alpha=rules["serial_alpha"],
    )
    label, reasons = decide(case)
    switching = examine_switch(observations, order, rules=rules, seed=seed)
    shares: tuple[SubstituteShare, ...] = ()
    not_excluded: tuple[str, ...] = ()
    delta = float(settings["delta"])
    # Their limits hold for draws whose number was fixed before, not where the answers ended them.
    if towards is not None and label == "different" and not case.early:
        shares = substitutes.shares(members, coded, alpha=alpha, seed=seed, only=towards.leading)
    elif panel is not None and any(code == "no_difference_found" for code, _ in reasons):
        shares = substitutes.shares(members, coded, alpha=alpha, seed=seed)
        label, reasons, not_excluded = consistent(
            case,
            reasons,
            shares,
            delta=delta,
            panel=panel.name,
            changed=bool(switching.reasons),
        )
    endpoints = {role: Endpoint.parse(plan["endpoints"][role]) for role in ROLES}
    hosts = weigh_hosts(
        label,
        reasons,
        observations,
        anchors=anchors,
        band=band,
        plan=plan,
        model=endpoints["reference"].model,
        alpha=alpha,
        early=stopped is not None,
    )
    label, reasons = hosts.label, [*hosts.reasons, *switching.reasons]
    sensitivity = _sensitivity(cells, planned, panel, alpha=alpha)
    return StudyDocument(
        **describe.asked(plan, cells, plan_digest),
        reference=_side("reference", endpoints, transcript, events),
        suspect=_side("suspect", endpoints, transcript, events),
        verdict=Verdict(
            label=label,
            null=NULL,
            delta=delta if label == "consistent" else None,
            panel=panel.name if panel is not None and label == "consistent" else None,
            not_excluded=not_excluded,
            reasons=describe.reasons(reasons),
        ),
        findings=(
            *sequential_finding(betting, observations, early=stopped is not None),
            *undecided(
                [
                    *equality_findings(tests, observations, alpha),
                    *panel_findings(towards, members, tests, observations, alpha, seed),
                ],
                early=stopped is not None,
            ),
            *hosts.findings,
            *missing.findings,
            *order.findings,
            *switching.findings,
            *likelihood_finding(observations, scores, seed=seed),
            *conduct.examine_conduct(transcript, events),
        ),
        propositions=_propositions(),
        cells=tuple(describe.cell_counts(c) for c in observations.cells),
        families=family_tests(tests, observations, early=case.early),
        yardstick=yardstick_of(observations, rules, seed),
        sensitivity=tuple(sensitivity),
        substitutes=shares,
        anchors=hosts.anchors,
        band=hosts.band,
        coverage=describe.coverage(observations, transcript, planned),
        failures=describe.failures(transcript, cells),
        usage=describe.with_anchors(
            describe.usage(
                transcript,
                plan["prices"],
                endpoints,
                {role: conduct.pilot_answers(events, role) for role in ROLES},
            ),
            [anchor.usage() for anchor in anchors],
        ),
        alternatives=_alternatives("different" if hosts.withheld else label),
        deviations=_deviations(plan, events, observations),
        limits=(
            *_limits(endpoints, sensitivity, timed=bool(order.repeats)),
            *(() if scores is None else ("likelihood_direction",)),
            *(("replicas_differ",) if settings.get("logprobs") else ()),
            *hosts.limits,
        ),
        evidence=describe.evidence(plan, transcript, root),
    )


def _sensitivity(
    cells: Sequence[Cell],
    planned: Mapping[Role, Sequence[int]],
    panel: Panel | None,
    *,
    alpha: float,
) -> tuple[Sensitivity, ...]:
    """Power of the plan: neither side's answers enter."""
    if panel is None:
        return ()
    return planned_sensitivity(
        cells, planned["reference"], planned["suspect"], alpha=alpha, panel=panel
    )


def _planned(plan: Mapping[str, Any], slots: int | None) -> dict[Role, list[int]]:
    """Draws per side and cell, up to the slot where the study stopped early."""
    counts: dict[Role, list[int]] = {role: [0] * len(plan["cells"]) for role in ROLES}
    for role, cell, _draw, _block in plan["slots"][:slots]:
        counts[role][cell] += 1
    return counts


def _bet(
    plan: Mapping[str, Any], cells: Sequence[Cell], transcript: Transcript, panel: Panel | None
) -> Betting:
    betting = Betting(plan, cells, panel)
    for record in transcript:
        betting.add(record)
    return betting


def _side(
    role: Role,
    endpoints: Mapping[Role, Endpoint],
    transcript: Transcript,
    events: Sequence[Mapping[str, Any]],
) -> Any:
    records = [r for r in transcript if r.role == role]
    other = endpoints["suspect" if role == "reference" else "reference"]
    return describe.side(endpoints[role], other, records, conduct.capabilities(events, role))


def _clearest(tests: Equality, observations: Observations) -> dict[str, str]:
    """Per family, the cell that contributes most to its test: descriptive.

    Not for families that are compared as texts: there the categories of a cell show little.
    """
    return {
        family: cells[int(np.argmax(tests.results[family].contributions))].cell.id
        for family, cells in observations.families().items()
        if not set(tests.kernels[family]) & set(TEXT)
    }


def _propositions() -> tuple[Proposition, ...]:
    """The pairs that equality tests cannot weigh, each with the reason."""
    pairs = (
        ("same_weights", "none_of_these"),
        ("derived", "none_of_these"),
        ("common_base", "none_of_these"),
        ("trained_on_outputs", "not"),
        ("mixed", "whole"),
    )
    return tuple(
        Proposition(hypothesis=h, against=a, assessed=False, why_not="no_calibration")
        for h, a in pairs
    )


def _alternatives(label: str) -> tuple[str, ...]:
    if label == "different":
        return (
            *("engine", "precision", "system_prompt", "decoding", "wrapper", "version"),
            *("other_model", "mixture", "drift", "chance"),
        )
    return ("engine", "precision", "decoding", "version", "other_model", "mixture")


def _deviations(
    plan: Mapping[str, Any],
    events: Sequence[Mapping[str, Any]],
    observations: Observations,
) -> tuple[str, ...]:
    kinds = {event["kind"] for event in events}
    found = [
        code
        for kind, code in (
            ("resumed", "resumed"),
            ("repaired", "torn_line"),
            ("stopped", "side_stopped"),
            ("stopped_early", "stopped_early"),
        )
        if kind in kinds
    ]
    if observations.blocks_out_of_time:
        found.append("blocks_out_of_time")
    return (*found, *plan["notes"])


def _limits(
    endpoints: Mapping[Role, Endpoint], sensitivity: Sequence[Sensitivity], *, timed: bool
) -> tuple[str, ...]:
    limits = ["probes_only", "moment_only", "host_is_trusted", "no_upper_bound", "unsigned_root"]
    if endpoints["reference"].provider == "replay":
        limits.append("reference_recorded")
    if not timed:
        limits.append("no_order")
    if not sensitivity:
        limits.append("power_unknown")
    return tuple(limits)
