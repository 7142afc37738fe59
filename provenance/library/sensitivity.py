"""What a plan could see: the smallest share of each panel member's answers that it detects.

Power comes from the plan, the panel and the reference; never from the suspect's outcome. Before
sampling the reference is unknown, so the panel's own members stand in for it in turn and the
median is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np

from provenance.battery import Cell
from provenance.findings import Sensitivity
from provenance.library.panel import Panel
from provenance.stats.power import plan_power

POWER = 0.8
_STAND_INS = 3
_WORST = 2.0  # "not even all of it", for medians

Table = Mapping[str, Mapping[str, int]]


def planned_sensitivity(
    cells: Sequence[Cell],
    n_reference: Sequence[int],
    n_suspect: Sequence[int],
    *,
    alpha: float,
    panel: Panel,
    seed: int,
    reference: Table | None = None,
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
        unchanged, which understates the power.
    reference
        Answer counts of the reference by cell. None: members of the panel stand in.
    """
    known = [m for m in panel.members if any(c.id in m.cells for c in cells)]
    if not known:
        return ()
    references: list[tuple[str | None, Table]]
    if reference is not None:
        references = [(None, reference)]
    else:
        complete = [m for m in known if all(c.id in m.cells for c in cells)]
        stand_ins = complete[:: max(1, len(complete) // _STAND_INS)][:_STAND_INS]
        references = [(m.name, m.cells) for m in stand_ins]
    shares: dict[str, list[float]] = {member.name: [] for member in known}
    for number, (name, table) in enumerate(references):
        rng = np.random.default_rng([seed, 3, number])
        asked = [
            (cell, n, m)
            for cell, n, m in zip(cells, n_reference, n_suspect, strict=True)
            if n and m and table.get(cell.id)
        ]
        if not asked:
            continue
        families: dict[str, int] = {}
        categories = [
            sorted({c for t in (table, *(m.cells for m in known)) for c in t.get(cell.id, ())})
            for cell, _, _ in asked
        ]
        power = plan_power(
            [_shares(table[cell.id], c) for (cell, _, _), c in zip(asked, categories, strict=True)],
            [n for _, n, _ in asked],
            [m for _, _, m in asked],
            alpha=alpha,
            rng=rng,
            families=[families.setdefault(cell.family, len(families)) for cell, _, _ in asked],
        )
        for member in known:
            if member.name == name:
                continue
            answers = [
                _shares(member.cells.get(cell.id) or table[cell.id], c)
                for (cell, _, _), c in zip(asked, categories, strict=True)
            ]
            share = power.minimum_detectable_dilution(answers, power=POWER)
            shares[member.name].append(_WORST if share is None else share)
    return tuple(
        Sensitivity(
            alternative=member,
            effect_kind="share of requests that it answers instead",
            minimum_detectable=value if (value := median(found)) <= 1 else None,
            power=POWER,
            alpha=alpha,
        )
        for member, found in shares.items()
        if found
    )


def _shares(
    counts: Mapping[str, int], categories: Sequence[str]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    values = np.array([counts.get(c, 0) for c in categories], dtype=np.float64)
    shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = values / values.sum()
    return shares
