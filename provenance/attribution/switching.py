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
from provenance.transcript import ROLES, Role

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

    Exploratory: it says when to look, and adds nothing to the verdict. The test of drift, which is
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
            [_times(cell, role) for cell in cells],
            resamples=_RESAMPLES,
            rng=np.random.default_rng([seed, 12, ROLES.index(role)]),
        )
    if not timed:
        return Switching((), [])
    adjusted = holm([found[role].p_value for role in timed])
    level = float(rules["serial_alpha"])
    findings, reasons = [], []
    for role, p in zip(timed, adjusted, strict=True):
        outcome, when = found[role], _utc(found[role].moment)
        findings.append(_finding(role, outcome, float(p), when, level))
        repeating = order.repeats[role][0] <= level
        if p <= level and not (repeating and _still_repeats(observations, role, outcome, seed)):
            values = {"side": role, "p": float(p), "when_utc": when}
            reasons.append(("changed_during_study", values))
    return Switching(tuple(findings), reasons)


def _times(cell: CellObservations, role: Role) -> NDArray[np.float64]:
    moments = (r.started_utc or "" for r in cell.records if r.role == role)
    return np.array(sorted(datetime.fromisoformat(text).timestamp() for text in moments))


def _still_repeats(
    observations: Observations, role: Role, outcome: SwitchResult, seed: int
) -> bool:
    """Whether answers repeat each other before the moment and after it, each part by itself."""
    parts = []
    for cell in observations.used():
        codes, times = sequence(cell, role), _times(cell, role)
        later = times > (outcome.moment or 0.0)
        parts += [codes[~later], codes[later]]
    null = PermutationNull(np.random.default_rng([seed, 13]), resamples=_RESAMPLES)
    return serial_test(parts, null=null).p_repeat <= _STILL


def _finding(
    role: Role, outcome: SwitchResult, adjusted: float, when: str | None, level: float
) -> Finding:
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
        values={"when_utc": when, "resamples": _RESAMPLES},
    )


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
