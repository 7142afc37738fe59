"""Against the panel: the test that looks for its members, and the shares that they may have.

Everything here compares with answer tables that were measured before; a substitute that is not in
the panel, or that answers the probed cells as the reference does, is not looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.observations import CellObservations, Observations
from provenance.attribution.verdict import PANEL
from provenance.findings import Finding, SubstituteShare
from provenance.library.panel import Member, Panel
from provenance.stats.fused import fused_test
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import resamples_needed
from provenance.stats.permutation import PermutationNull
from provenance.stats.substitutes import PanelResult, foreign_share, panel_test, share_limits

_PARTING_RESAMPLES = 199

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Coded:
    """One used cell with the panel's answers in the same codes.

    Attributes
    ----------
    draws
        Both sides.
    tables
        Per member, counts over the codes; None where the member was not measured.
    """

    draws: CellDraws
    tables: tuple[NDArray[np.float64] | None, ...]

    def side(self, *, suspect: bool) -> Codes:
        """The codes of one side."""
        codes: Codes = self.draws.categories[self.draws.suspect == suspect]
        return codes

    def drawn_by(self, member: int) -> Codes:
        """The codes of a member's recorded answers, one a draw."""
        table = self.tables[member]
        if table is None:
            return np.array([], dtype=np.intp)
        return np.repeat(np.arange(len(table), dtype=np.intp), table.astype(np.intp))


def coded(observations: Observations, panel: Panel | None) -> tuple[list[Member], list[Coded]]:
    """Members that were measured on a used cell, and the used cells."""
    used = observations.used()
    if panel is None:
        return [], []
    ids = {c.cell.id for c in used}
    members = [m for m in panel.members if ids & m.cells.keys()]
    return members, [_coded(c, members) for c in used] if members else []


def against_panel(
    members: Sequence[Member], cells: Sequence[Coded], *, resamples: int, seed: int
) -> PanelResult | None:
    """The panel test over all used cells; None without a panel."""
    if not members:
        return None
    tables = [[cell.tables[k] for cell in cells] for k in range(len(members))]
    null = PermutationNull(np.random.default_rng([seed, 5]), resamples=resamples)
    return panel_test([cell.draws for cell in cells], tables, null=null)


def shares(
    members: Sequence[Member],
    cells: Sequence[Coded],
    *,
    alpha: float,
    seed: int,
    only: int | None = None,
) -> tuple[SubstituteShare, ...]:
    """Limits of each member's share in the suspect's answers.

    Parameters
    ----------
    only
        Index of the one member that is looked at; None: all.
    """
    reference = [cell.side(suspect=False) for cell in cells]
    suspect = [cell.side(suspect=True) for cell in cells]
    found = []
    for k, member in enumerate(members):
        if only is not None and k != only:
            continue
        own = [cell.drawn_by(k) for cell in cells]
        limits = share_limits(
            reference,
            suspect,
            own,
            alpha=alpha,
            rng=np.random.default_rng([seed, 6, k]),
            resamples=max(999, resamples_needed(alpha, 1)),
        )
        found.append(
            SubstituteShare(
                name=member.name,
                derivative=member.derivative,
                cells=sum(len(draws) > 0 for draws in own),
                lower=limits.lower,
                upper=limits.upper,
                alpha=alpha,
                fits=limits.fits,
                parted=_parted(reference, own, alpha=alpha, seed=seed + k),
            )
        )
    return tuple(found)


def panel_finding(
    result: PanelResult,
    members: Sequence[Member],
    *,
    adjusted: float,
    alpha: float,
    observations: Observations,
) -> Finding:
    """The panel test as a finding."""
    unit = "block" if observations.blocked else "cell"
    used = observations.used()
    return Finding(
        name=PANEL,
        speaks_to=("same_deployment",),
        statistic=result.statistic,
        p_value=result.p_value,
        p_adjusted=adjusted,
        alpha=alpha,
        null="same_deployment" if observations.blocked else "reference_as_recorded",
        exactness="exact",
        assumptions=(
            f"exchangeable_within_{unit}",
            "independent_draws",
            "missing_independent_of_content",
            "known_reading",
        ),
        n_reference=sum(c.n("reference") for c in used),
        n_suspect=sum(c.n("suspect") for c in used),
        method=(
            f"Labels permuted within {unit}; the suspect's answers scored towards each of "
            f"{len(members)} measured substitutes, the largest score taken in each permutation; "
            "Holm with the families"
        ),
        citation="Phipson & Smyth 2010; Holm 1979",
        values={
            "substitutes": len(members),
            "leading": members[result.leading].name,
            "resamples": len(result.null),
            "enumerated": result.exact,
        },
    )


def foreign_finding(
    cells: Sequence[CellObservations], *, alpha: float, seed: int
) -> Finding | None:
    """The lower limit of what anything else answers."""
    if not cells:
        return None
    reference = [c.draws.categories[~c.draws.suspect] for c in cells]
    suspect = [c.draws.categories[c.draws.suspect] for c in cells]
    limit = foreign_share(
        reference,
        suspect,
        alpha=alpha,
        rng=np.random.default_rng([seed, 7]),
        resamples=max(999, resamples_needed(alpha, 1)),
    )
    return Finding(
        name="foreign_share",
        alpha=alpha,
        effect=limit,
        effect_interval=(limit, 1.0),
        estimand=(
            "share of requests that anything but the reference answers: lower limit, in the cell "
            "where it is largest"
        ),
        exactness="exact",
        exploratory=True,
        assumptions=("exchangeable_within_cell", "independent_draws"),
        n_reference=sum(len(x) for x in reference),
        n_suspect=sum(len(y) for y in suspect),
        method=(
            "Answers that the suspect gives oftener in one half of the draws, counted in the "
            "other; shares rejected by a one-sided permutation test. There is no upper limit"
        ),
    )


def _coded(observed: CellObservations, members: Sequence[Member]) -> Coded:
    codes: dict[str, int] = {}
    for category, code in zip(observed.categories, observed.draws.categories, strict=True):
        codes[category] = int(code)
    tables = [member.cells.get(observed.cell.id) for member in members]
    place = max(codes.values(), default=-1) + 1
    for table in tables:
        for category in table or ():
            if category not in codes:
                codes[category] = place
                place += 1
    arrays: list[NDArray[np.float64] | None] = []
    for table in tables:
        if not table:
            arrays.append(None)
            continue
        counts = np.zeros(place)
        for category, n in table.items():
            counts[codes[category]] = n
        arrays.append(counts)
    return Coded(observed.draws, tuple(arrays))


def _parted(
    reference: Sequence[Codes], member: Sequence[Codes], *, alpha: float, seed: int
) -> bool:
    """Whether the reference's draws differ from the member's: the suspect does not enter."""
    cells = [
        CellDraws(np.concatenate([p, r]), (), np.repeat([False, True], [len(p), len(r)]), None)
        for p, r in zip(reference, member, strict=True)
        if len(p) and len(r)
    ]
    if not cells:
        return False
    resamples = max(_PARTING_RESAMPLES, resamples_needed(alpha, 1))
    null = PermutationNull(np.random.default_rng([seed, 8]), resamples=resamples)
    return fused_test(cells, null=null).p_value <= alpha
