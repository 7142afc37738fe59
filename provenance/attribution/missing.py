"""Could what is missing undo a rejection? Failures are never evidence, but they may hide some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.attribution.equality import Equality, equality
from provenance.attribution.observations import Observations
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
        Fisher's exact p-value that both sides fail equally often; None if nothing failed.
    worst_case
        Holm-adjusted p-values after worst-case imputation; None where it was not called for.
    findings
        For the study document.
    """

    failure_p: float | None
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

    Failures are those of asked requests. The missing draws are filled in, cell by cell, so that
    the sides look as alike as they can, and the tests are run again on the filled cells.
    """
    if not any(failed.values()):
        return Missing(None, None, ())
    asked = {
        role: failed[role] + sum(c.answered[role] for c in observations.cells) for role in ROLES
    }
    p = rates_differ(failed["reference"], asked["reference"], failed["suspect"], asked["suspect"])
    findings = [
        Finding(
            name="failure_rates",
            p_value=p,
            alpha=float(rules["failure_alpha"]),
            effect=failed["suspect"] / max(1, asked["suspect"])
            - failed["reference"] / max(1, asked["reference"]),
            estimand="failure rate of the suspect minus that of the reference",
            null="failures_equal",
            exactness="exact",
            n_reference=asked["reference"],
            n_suspect=asked["suspect"],
            method="Fisher's exact test, two-sided, on final failures",
        )
    ]
    rejected = any(q <= alpha for q in tests.adjusted.values())
    if p > float(rules["failure_alpha"]) or not rejected:
        return Missing(p, None, tuple(findings))
    filled: dict[str, list[CellDraws]] = {family: [] for family in tests.results}
    for cell in observations.cells:
        if cell.cell.family in filled and any(cell.answered.values()):
            filled[cell.cell.family].append(
                impute(cell.available, cell.failed["reference"], cell.failed["suspect"])
            )
    worst = equality(
        filled, alpha=alpha, minimum_resamples=int(rules["minimum_resamples"]), seed=seed
    )
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
    return Missing(p, worst.adjusted, tuple(findings))
