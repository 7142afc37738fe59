"""Routing by time: did a side's answers change at some moment of the study, and when?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.observations import CellObservations, Observations
from provenance.attribution.order import Order, is_timed, sequence
from provenance.attribution.verdict import Reasons
from provenance.findings import Finding
from provenance.stats.multiplicity import holm
from provenance.stats.permutation import PermutationNull
from provenance.stats.serial import serial_test
from provenance.stats.switch import SwitchResult, switch_test
from provenance.transcript import ROLES, Record, Role

_RESAMPLES = 999
# Easily reached: where in doubt the repeats are a cache's, and no moment is named.
_STILL = 0.1


@dataclass(frozen=True, slots=True)
class Switching:
    """Exploratory findings, and a reason for each side that changed."""

    findings: tuple[Finding, ...]
    reasons: Reasons


def examine_switch(
    observations: Observations, order: Order, *, rules: Mapping[str, Any], seed: int
) -> Switching:
    """Look for one moment before and after which a side's answers differ.

    Exploratory: it says when to look and rejects nothing; a reason that it gives only keeps a study
    from being called consistent. The test of drift, which is
    part of the rules, asks another question: whether answers move with time at all. A switch makes
    neighbours alike, as a cache does; so where answers repeat each other, a reason is given only if
    they no longer do on either side of the moment.
    """
    timed = [role for role in ROLES if is_timed(observations, role)]
    found: dict[Role, SwitchResult] = {}
    for role in timed:
        cells = observations.used()
        found[role] = switch_test(
            [sequence(cell, role) for cell in cells],
            [_times(observations, cell, role) for cell in cells],
            resamples=_RESAMPLES,
            rng=np.random.default_rng([seed, 12, ROLES.index(role)]),
        )
    if not timed:
        return Switching((), [])
    adjusted = holm([found[role].p_value for role in timed])
    level = float(rules["serial_alpha"])
    findings, reasons = [], []
    for role, p in zip(timed, adjusted, strict=True):
        outcome = found[role]
        findings.append(_finding(role, outcome, float(p), level))
        repeating = order.repeats[role][0] <= level
        if p <= level and not (repeating and _still_repeats(observations, role, outcome, seed)):
            values: dict[str, Any] = {"side": role, "p": float(p), "after": outcome.before}
            if outcome.moment is not None:
                values["when_utc"] = _when(observations, role, outcome.moment)
            reasons.append(("changed_during_study", values))
    return Switching(tuple(findings), reasons)


def _times(observations: Observations, cell: CellObservations, role: Role) -> NDArray[np.float64]:
    """When each draw was asked: its slot where the plan set the order, else the recorded time.

    Slots are the same whatever the concurrency, so that the same seed gives the same numbers.
    """
    records = [r for r in cell.records if r.role == role]
    if observations.blocked:
        return np.array(sorted(float(r.slot) for r in records))
    return np.array(sorted(_timestamp(r) for r in records))


def _timestamp(record: Record) -> float:
    return datetime.fromisoformat(record.started_utc or "").timestamp()


def _when(observations: Observations, role: Role, moment: float) -> str:
    """The recorded time of the last draw before the moment."""
    records = [r for cell in observations.used() for r in cell.records if r.role == role]
    if observations.blocked:
        before = [_timestamp(r) for r in records if r.slot <= moment]
    else:
        before = [t for r in records if (t := _timestamp(r)) <= moment]
    return datetime.fromtimestamp(max(before), UTC).isoformat(timespec="seconds")


def _still_repeats(
    observations: Observations, role: Role, outcome: SwitchResult, seed: int
) -> bool:
    """Whether answers repeat each other before the moment and after it, each part by itself."""
    parts = []
    for cell in observations.used():
        codes, times = sequence(cell, role), _times(observations, cell, role)
        later = times > (outcome.moment or 0.0)
        parts += [codes[~later], codes[later]]
    null = PermutationNull(np.random.default_rng([seed, 13]), resamples=_RESAMPLES)
    return serial_test(parts, null=null).p_repeat <= _STILL


def _finding(role: Role, outcome: SwitchResult, adjusted: float, level: float) -> Finding:
    return Finding(
        name=f"switch/{role}",
        p_value=outcome.p_value,
        p_adjusted=adjusted,
        alpha=level,
        effect=outcome.distance,
        estimand=(
            "squared distance of the side's own answers before and after the moment that stands "
            "out most, mean over cells"
        ),
        null="no_switch",
        exactness="exact",
        assumptions=("known_reading", "independent_draws"),
        exploratory=True,
        n_reference=outcome.draws if role == "reference" else None,
        n_suspect=outcome.draws if role == "suspect" else None,
        method=(
            "Counts before each of 39 moments, the largest standardised difference taken; a side's "
            "answers permuted within cell; Holm over the two sides"
        ),
        citation="Phipson & Smyth 2010",
        values={"after": outcome.before, "resamples": _RESAMPLES},
    )
