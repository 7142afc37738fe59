"""Could what is missing undo a rejection? Failures are never evidence, but they may hide some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.attribution.equality import Equality, equality
from provenance.attribution.observations import CellObservations, Observations
from provenance.attribution.verdict import PANEL
from provenance.findings import Finding
from provenance.stats.imputation import impute, rates_differ
from provenance.stats.layout import CellDraws
from provenance.transcript import ROLES, Role


@dataclass(frozen=True, slots=True)
class Missing:
    """What the failures allow.

    Attributes
    ----------
    failure_p
        P-value that both sides fail equally often, in all and in every family (Fisher's exact
        test; the smallest of the families is multiplied by their number); None if nothing failed.
    side, family
        Who fails more where the rates differ most, and in which family (None: in all).
    worst_case
        Holm-adjusted p-values after worst-case imputation; None where it was not called for.
    findings
        For the study document.
    """

    failure_p: float | None
    side: Role | None
    family: str | None
    worst_case: Mapping[str, float] | None
    findings: tuple[Finding, ...]


def examine_missing(
    observations: Observations,
    tests: Equality,
    *,
    planned: Mapping[Role, int],
    failed: Mapping[Role, int],
    alpha: float,
    rules: Mapping[str, Any],
    seed: int,
) -> Missing:
    """Compare the failure rates; where they differ, ask whether a rejection survives.

    Lost is a draw that failed for good, and one that was answered only when asked again: had the
    first answer stood, it might have been another. Lost draws are filled in, cell by cell, so that
    the sides look as alike as they can, and the tests are run again on the filled cells.
    """
    asked = {
        role: failed[role] + sum(c.answered[role] for c in observations.cells) for role in ROLES
    }
    lost = {
        role: failed[role] + sum(c.asked_again[role] for c in observations.cells) for role in ROLES
    }
    if not any(lost.values()):
        return Missing(None, None, None, None, ())
    p, side, family = _rates(observations, lost, asked)
    findings = [
        Finding(
            name="failure_rates",
            p_value=p,
            alpha=float(rules["failure_alpha"]),
            effect=lost["suspect"] / max(1, asked["suspect"])
            - lost["reference"] / max(1, asked["reference"]),
            estimand="failure rate of the suspect minus that of the reference",
            null="failures_equal",
            exactness="exact",
            n_reference=asked["reference"],
            n_suspect=asked["suspect"],
            method=(
                "Fisher's exact test, two-sided, on draws that failed for good or were answered "
                "only when asked again; over all draws and, times their number, over families"
            ),
        )
    ]
    rejected = any(q <= alpha for q in tests.adjusted.values())
    if p > float(rules["failure_alpha"]) or not rejected:
        return Missing(p, side, family, None, tuple(findings))
    filled: dict[str, list[CellDraws]] = {family: [] for family in tests.results}
    for cell in observations.cells:
        if cell.cell.family in filled and any(cell.answered.values()):
            filled[cell.cell.family].append(
                impute(cell.available, cell.lost("reference"), cell.lost("suspect"))
            )
    panel = PANEL in tests.adjusted
    worst = equality(
        filled,
        alpha=alpha,
        minimum_resamples=int(rules["minimum_resamples"]),
        seed=seed,
        beside=int(panel),
    )
    if panel:
        # Still one of Holm's hypotheses; nothing is filled in for it, so it cannot reject.
        worst = worst.with_panel(1.0)
    findings += [
        Finding(
            name=f"equality_worst_case/{family}",
            statistic=outcome.statistic,
            p_value=outcome.p_value,
            p_adjusted=worst.adjusted[family],
            alpha=alpha,
            null="same_deployment",
            exactness="descriptive",
            n_reference=outcome.n_reference,
            n_suspect=outcome.n_suspect,
            method=(
                "The same test after the failed draws were filled in, greedily, so that the "
                "sides look as alike as they can"
            ),
        )
        for family, outcome in worst.results.items()
    ]
    return Missing(p, side, family, worst.adjusted, tuple(findings))


def _rates(
    observations: Observations, lost: Mapping[Role, int], asked: Mapping[Role, int]
) -> tuple[float, Role, str | None]:
    """The p-value of equal rates, who fails more, and in which family that shows best."""
    strata: list[tuple[str | None, Mapping[Role, int], Mapping[Role, int]]] = [(None, lost, asked)]
    by_family: dict[str, list[CellObservations]] = defaultdict(list)
    for cell in observations.cells:
        by_family[cell.cell.family].append(cell)
    if len(by_family) > 1:
        strata += [
            (
                family,
                {role: sum(c.lost(role) for c in cells) for role in ROLES},
                {role: sum(c.failed[role] + c.answered[role] for c in cells) for role in ROLES},
            )
            for family, cells in by_family.items()
        ]
    found: list[tuple[float, Role, str | None]] = []
    for family, bad, n in strata:
        p = rates_differ(bad["reference"], n["reference"], bad["suspect"], n["suspect"])
        more = bad["suspect"] * n["reference"] > bad["reference"] * n["suspect"]
        times = 1 if family is None else len(by_family)
        found.append((min(1.0, times * p), "suspect" if more else "reference", family))
    return min(found, key=lambda row: row[0])
