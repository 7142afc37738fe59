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
from provenance.library.panel import Member, Panel
from provenance.stats.power import plan_power

POWER = 0.8
_STAND_INS = 4
# Places for answers of a member that the reference never gave.
_FOREIGN = 12
_WORST = 2.0  # "not even all of it", for medians

Table = Mapping[str, Mapping[str, int]]
Shares = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


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
        Answer counts of the reference by cell. None: members of the panel stand in, on the cells
        that were measured for them.
    """
    known = [m for m in panel.members if any(c.id in m.cells for c in cells)]
    if not known:
        return ()
    references: list[tuple[str | None, Table]]
    if reference is not None:
        references = [(None, reference)]
    else:
        references = [(m.name, m.cells) for m in _stand_ins(known)]
    shares: dict[str, list[float]] = {member.name: [] for member in known}
    for number, (name, table) in enumerate(references):
        asked = [
            (cell, n, m)
            for cell, n, m in zip(cells, n_reference, n_suspect, strict=True)
            if n and m and table.get(cell.id)
        ]
        if not asked:
            continue
        families: dict[str, int] = {}
        power = plan_power(
            [_own_shares(table[cell.id]) for cell, _, _ in asked],
            [n for _, n, _ in asked],
            [m for _, _, m in asked],
            alpha=alpha,
            rng=np.random.default_rng([seed, 3, number]),
            families=[families.setdefault(cell.family, len(families)) for cell, _, _ in asked],
        )
        for member in known:
            if member.name == name:
                continue
            answers = [
                _shares(member.cells.get(cell.id) or table[cell.id], table[cell.id])
                for cell, _, _ in asked
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


def _stand_ins(members: Sequence[Member]) -> list[Member]:
    """A few members from all over the panel, as references before there is one."""
    originals = [m for m in members if not m.derivative] or list(members)
    places = np.linspace(0, len(originals) - 1, min(_STAND_INS, len(originals)))
    return [originals[round(float(place))] for place in places]


def _own_shares(counts: Mapping[str, int]) -> Shares:
    """Probabilities of the reference's answers, then room for answers that it never gave."""
    values = np.array([*counts.values(), *[0] * _FOREIGN], dtype=np.float64)
    shares: Shares = values / values.sum()
    return shares


def _shares(counts: Mapping[str, int], reference: Mapping[str, int]) -> Shares:
    """Probabilities of a member's answers over the same places.

    What an answer is called means nothing to the test, so the answers that the reference never
    gave take the spare places, the most frequent first; what does not fit is one answer.
    """
    foreign = sorted((n for c, n in counts.items() if c not in reference), reverse=True)
    foreign = [*foreign[: _FOREIGN - 1], sum(foreign[_FOREIGN - 1 :])]
    foreign += [0] * (_FOREIGN - len(foreign))
    values = np.array([*(counts.get(c, 0) for c in reference), *foreign], dtype=np.float64)
    shares: Shares = values / values.sum()
    return shares
