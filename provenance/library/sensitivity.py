"""What a plan could see: the smallest share of each panel member's answers that it detects.

Power is that of the decision: Holm over the families and the panel test. It comes from the plan
and the panel alone. The reference is not known before it is sampled, and
afterwards its few draws are too noisy to stand for its distribution (a substitute that answers
exactly alike would look detectable). So members of the panel stand in for it in turn, and the
median is told. Their own tables are noisy too: eleven answers that are all one are not a model that
answers nothing else. So each of them answers as a draw from what its table leaves open
(`library.smoothing`); tables that were taken for the truth promised to see shares half as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import median

import numpy as np

from provenance.battery import Cell
from provenance.canonical import digest
from provenance.findings import Sensitivity
from provenance.library.panel import Member, Panel
from provenance.library.promised import measured_shares, tables_of
from provenance.library.smoothing import smoothed
from provenance.stats.power import plan_power

POWER = 0.8
_SEED = 20261123  # of the simulation: one plan has one sensitivity, whatever the study's seed
_STAND_INS = 4
_FEWEST = 4  # cells of the plan that a stand-in was measured on, if any member was on so many
_WORST = 2.0  # "not even all of it", for medians

PlanRow = tuple[str, str, int, int]


def planned_sensitivity(
    cells: Sequence[Cell],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    *,
    alpha: float,
    panel: Panel,
) -> tuple[Sensitivity, ...]:
    """Smallest detectable dilution by each panel member.

    Parameters
    ----------
    cells, n_reference, n_suspect
        The plan: cells, and draws of each side in them.
    alpha
        Family-wise level; Holm over the families of the plan.
    panel
        Members measured on no cell of the plan are left out; cells that a member lacks count as
        unchanged, which understates the power. For the plan of a shipped battery at its own
        draws the panel file holds the figures already.
    """
    plan = tuple(
        (cell.id, cell.family, int(n), int(m))
        for cell, n, m in zip(cells, n_reference, n_suspect, strict=True)
        if n and m
    )
    shares = panel.planned.get(plan_key(plan, alpha))
    if shares is None:
        shares = detectable_shares(plan, alpha, _Hashed(panel))
    return tuple(
        Sensitivity(
            alternative=member,
            effect_kind="share of requests that it answers instead",
            minimum_detectable=share,
            power=POWER,
            alpha=alpha,
        )
        for member, share in shares.items()
    )


def plan_key(plan: Sequence[PlanRow], alpha: float) -> str:
    """Names a plan in `Panel.planned`."""
    return digest({"plan": [list(row) for row in plan], "alpha": alpha})


class _Hashed:
    """A panel that can be a key of a cache: by its digest."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._digest = digest([[m.name, m.cells] for m in panel.members])

    def __hash__(self) -> int:
        return hash(self._digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self._digest == other._digest


@lru_cache(maxsize=16)
def detectable_shares(
    plan: tuple[PlanRow, ...], alpha: float, hashed: _Hashed
) -> dict[str, float | None]:
    """Per member, the median share over the stand-ins; None where not even all of it is seen."""
    ids = [row[0] for row in plan]
    members = [m for m in hashed.panel.members if any(cell in m.cells for cell in ids)]
    found: dict[str, list[float]] = {m.name: [] for m in members}
    for number, stand_in in enumerate(_stand_ins(members, ids)):
        others = [m for m in members if m is not stand_in]
        asked = [row for row in plan if sum(stand_in.cells.get(row[0], {}).values())]
        if not others or not asked:
            continue
        drawn = smoothed(ids, members, np.random.default_rng([_SEED, number, 1]))
        cells = [row[0] for row in asked]
        tables = {m.name: tables_of(cells, stand_in, m, drawn) for m in others}
        power = plan_power(
            [p for p, _ in tables[others[0].name]],
            [n for _, _, n, _ in asked],
            [m for _, _, _, m in asked],
            alpha=alpha,
            rng=np.random.default_rng([_SEED, number]),
            families=[family for _, family, _, _ in asked],
            panel=[measured_shares(cells, m, stand_in, drawn) for m in others],
        )
        for name, table in tables.items():
            share = power.minimum_detectable_dilution([r for _, r in table], power=POWER)
            found[name].append(_WORST if share is None else share)
    return {
        name: round(value, 3) if (value := median(values)) <= 1 else None
        for name, values in found.items()
        if values
    }


def _stand_ins(members: Sequence[Member], cells: Sequence[str]) -> list[Member]:
    """A few members from all over the panel, as references."""
    originals = [m for m in members if not m.derivative] or list(members)
    wide = [m for m in originals if sum(cell in m.cells for cell in cells) >= _FEWEST]
    originals = wide or originals
    if not originals:
        return []
    places = np.linspace(0, len(originals) - 1, min(_STAND_INS, len(originals)))
    return [originals[round(float(place))] for place in places]
