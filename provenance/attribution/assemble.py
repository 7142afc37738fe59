"""From a plan and its transcript to the study document: a pure function of the evidence.

Reasons, limits, alternatives and deviations leave here as codes; the dossier's wording turns
them into sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from provenance import __version__
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
from provenance.attribution.verdict import PANEL, Case, consistent, decide
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import (
    BatteryRef,
    Declaration,
    EvidenceRef,
    Family,
    Finding,
    Proposition,
    Reason,
    Sensitivity,
    StudyDocument,
    SubstituteShare,
    Verdict,
    Yardstick,
)
from provenance.library.band import Band
from provenance.library.panel import Member, Panel
from provenance.library.sensitivity import planned_sensitivity
from provenance.stats.distance import mean_squared_distance, yardstick
from provenance.stats.parts import TEXT
from provenance.stats.substitutes import PanelResult
from provenance.transcript import ROLES, Role, Transcript

NULL = "same_deployment"
_ESTIMAND = "mean over cells of the squared distance of category probabilities"


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
        tool_version=__version__,
        created_utc=plan["created_utc"],
        question=plan["question"],
        declaration=Declaration(**plan["declaration"]),
        reference=_side("reference", endpoints, transcript, events),
        suspect=_side("suspect", endpoints, transcript, events),
        battery=BatteryRef(
            name=plan["battery"]["name"], digest=plan["battery"]["digest"], cells=len(cells)
        ),
        plan_digest=plan_digest,
        settings=dict(settings) | {"rules": dict(rules)},
        environment=plan["environment"],
        seed=seed,
        verdict=Verdict(
            label=label,
            null=NULL,
            delta=delta if label == "consistent" else None,
            panel=panel.name if panel is not None and label == "consistent" else None,
            not_excluded=not_excluded,
            reasons=tuple(Reason(code=code, text="", values=values) for code, values in reasons),
        ),
        findings=(
            *_sequential_finding(betting, observations, early=stopped is not None),
            *_undecided(
                [
                    *_test_findings(tests, observations, alpha),
                    *_panel_findings(towards, members, tests, observations, alpha, seed),
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
        families=_families(tests, observations, early=case.early),
        yardstick=_yardstick(observations, rules, seed),
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
        ),
        evidence=EvidenceRef(
            records=len(transcript.attempts), root=root, earlier_runs=plan.get("earlier_runs", 0)
        ),
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


def _sequential_finding(
    betting: Betting | None, observations: Observations, *, early: bool
) -> list[Finding]:
    if betting is None:
        return []
    unit = "block" if observations.blocked else "cell"
    found = betting.betting
    return [
        Finding(
            name="sequential",
            speaks_to=(NULL,),
            p_value=found.p_value,
            e_value=found.e_value,
            alpha=betting.level,
            null=NULL if observations.blocked else "reference_as_recorded",
            exactness="anytime",
            assumptions=(
                f"exchangeable_within_{unit}",
                "independent_draws",
                "missing_independent_of_content",
                "known_reading",
            ),
            n_reference=found.pairs,
            n_suspect=found.pairs,
            method=(
                f"Bets on swapped pairs of draws of one {unit}, each made from the pairs before; "
                "the p-value is one over the highest wealth, so it may be looked at after every "
                "pair. It has a fifth of α, the tests at the end the rest"
            ),
            citation="Ville 1939; Shekhar & Ramdas 2023",
            values={"pairs": found.pairs, "stopped_early": early},
        )
    ]


def _undecided(findings: list[Finding], *, early: bool) -> list[Finding]:
    """Where a study stopped early, tests that were planned for its end only describe."""
    if not early:
        return findings
    return [
        f.model_copy(update={"exploratory": True, "p_adjusted": None, "speaks_to": ()})
        for f in findings
    ]


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


def _test_findings(tests: Equality, observations: Observations, alpha: float) -> list[Finding]:
    unit = "block" if observations.blocked else "cell"
    families = draws_by_family(observations)
    found = []
    for family, outcome in tests.results.items():
        found.append(
            Finding(
                name=f"equality/{family}",
                speaks_to=(NULL,),
                statistic=outcome.statistic,
                p_value=outcome.p_value,
                p_adjusted=tests.adjusted[family],
                alpha=alpha,
                effect=mean_squared_distance(families[family]),
                estimand=_ESTIMAND,
                null=NULL if observations.blocked else "reference_as_recorded",
                exactness="exact",
                assumptions=(
                    f"exchangeable_within_{unit}",
                    "independent_draws",
                    "missing_independent_of_content",
                    "known_reading",
                ),
                n_reference=outcome.n_reference,
                n_suspect=outcome.n_suspect,
                method=(
                    f"Labels permuted within {unit}; {', '.join(tests.kernels[family])} fused into "
                    "one p-value in each permutation; Holm over families"
                ),
                citation="Phipson & Smyth 2010; Holm 1979",
                values={
                    "resamples": outcome.resamples,
                    "enumerated": outcome.exact,
                    "informative": outcome.informative,
                    "kernels_exploratory": dict(outcome.per_kernel),
                },
            )
        )
    return found


def _panel_findings(
    towards: PanelResult | None,
    members: Sequence[Member],
    tests: Equality,
    observations: Observations,
    alpha: float,
    seed: int,
) -> list[Finding]:
    found = []
    if towards is not None:
        found.append(
            substitutes.panel_finding(
                towards,
                members,
                adjusted=tests.adjusted[PANEL],
                alpha=alpha,
                observations=observations,
            )
        )
    foreign = substitutes.foreign_finding(observations.used(), alpha=alpha, seed=seed)
    return [*found, foreign] if foreign is not None else found


def _families(tests: Equality, observations: Observations, *, early: bool) -> tuple[Family, ...]:
    used = observations.families()
    families: dict[str, list[Any]] = {}
    for cell in observations.cells:
        families.setdefault(cell.cell.family, []).append(cell)
    return tuple(
        Family(
            name=family,
            cells=len(cells),
            n_reference=sum(c.n("reference") for c in cells),
            n_suspect=sum(c.n("suspect") for c in cells),
            p_value=tests.results[family].p_value if family in tests.results else None,
            p_adjusted=None if early else tests.adjusted.get(family),
            effect=mean_squared_distance([c.draws for c in used[family]])
            if family in used
            else None,
        )
        for family, cells in families.items()
    )


def _yardstick(observations: Observations, rules: Mapping[str, Any], seed: int) -> Yardstick | None:
    cells = [c.draws for c in observations.used()]
    if not cells:
        return None
    measured = yardstick(cells, halvings=rules["halvings"], rng=np.random.default_rng([seed, 4]))
    if measured is None:
        return None
    return Yardstick(
        estimand=_ESTIMAND,
        between=measured.between,
        within=measured.within,
        within_high=measured.within_high,
        halvings=measured.halvings,
        draws_a_side=measured.draws_a_side,
    )


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
