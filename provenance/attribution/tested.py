"""What the tests of a comparison found, as findings: one a test, the families, the yardstick."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from provenance.attribution import substitutes
from provenance.attribution.betting import Betting
from provenance.attribution.equality import Equality, draws_by_family
from provenance.attribution.observations import Observations
from provenance.attribution.verdict import PANEL
from provenance.findings import (
    Family,
    Finding,
    Yardstick,
)
from provenance.library.panel import Member
from provenance.stats.distance import mean_squared_distance, yardstick
from provenance.stats.substitutes import PanelResult

__all__ = [
    "NULL",
    "equality_findings",
    "family_tests",
    "panel_findings",
    "sequential_finding",
    "undecided",
    "yardstick_of",
]

NULL = "same_deployment"
_ESTIMAND = "mean over cells of the squared distance of category probabilities"


def sequential_finding(
    betting: Betting | None, observations: Observations, *, early: bool
) -> list[Finding]:
    """What bets made of the pairs; nothing where there were none."""
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


def undecided(findings: list[Finding], *, early: bool) -> list[Finding]:
    """Where a study stopped early, tests that were planned for its end only describe."""
    if not early:
        return findings
    return [
        f.model_copy(update={"exploratory": True, "p_adjusted": None, "speaks_to": ()})
        for f in findings
    ]


def equality_findings(tests: Equality, observations: Observations, alpha: float) -> list[Finding]:
    """The fused test of each family."""
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


def panel_findings(
    towards: PanelResult | None,
    members: Sequence[Member],
    tests: Equality,
    observations: Observations,
    alpha: float,
    seed: int,
) -> list[Finding]:
    """The test towards a panel, and the lower limit of what anything else answers."""
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


def family_tests(tests: Equality, observations: Observations, *, early: bool) -> tuple[Family, ...]:
    """What each family of probes showed."""
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


def yardstick_of(
    observations: Observations, rules: Mapping[str, Any], seed: int
) -> Yardstick | None:
    """How far halves of the reference lie apart; None where they cannot be measured."""
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
