"""What a plan could see: the smallest share of each panel member's answers that it detects.

Power is that of the decision: Holm over the families and the panel test. It comes from the plan
and the panel alone. The reference is not known before it is sampled, and
afterwards its few draws are too noisy to stand for its distribution (a substitute that answers
exactly alike would look detectable). So members of the panel stand in for it in turn, and the
median is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import median

import numpy as np

from provenance.battery import Cell
from provenance.canonical import digest
from provenance.findings import Sensitivity
from provenance.library.panel import Member, Panel
from provenance.stats.power import plan_power

POWER = 0.8
_SEED = 20261123  # of the simulation: one plan has one sensitivity, whatever the study's seed
_STAND_INS = 4
# Places for answers that a stand-in gives, and for answers of a member that it never gave.
_OWN = 24
_FOREIGN = 12
_WORST = 2.0  # "not even all of it", for medians

Table = Mapping[str, Mapping[str, int]]
Shares = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
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
    members = [m for m in hashed.panel.members if any(row[0] in m.cells for row in plan)]
    found: dict[str, list[float]] = {m.name: [] for m in members}
    for number, stand_in in enumerate(_stand_ins(members)):
        asked = [row for row in plan if stand_in.cells.get(row[0])]
        if not asked:
            continue
        own = [_most_frequent(stand_in.cells[cell]) for cell, _, _, _ in asked]
        families: dict[str, int] = {}
        answers = {
            member.name: [
                _shares(member.cells.get(row[0]) or table, table)
                for row, table in zip(asked, own, strict=True)
            ]
            for member in members
        }
        power = plan_power(
            [_own_shares(table) for table in own],
            [n for _, _, n, _ in asked],
            [m for _, _, _, m in asked],
            alpha=alpha,
            rng=np.random.default_rng([_SEED, number]),
            families=[families.setdefault(family, len(families)) for _, family, _, _ in asked],
            panel=list(answers.values()),
        )
        for member in members:
            if member.name == stand_in.name:
                continue
            share = power.minimum_detectable_dilution(answers[member.name], power=POWER)
            found[member.name].append(_WORST if share is None else share)
    return {
        name: round(value, 3) if (value := median(values)) <= 1 else None
        for name, values in found.items()
        if values
    }


def _stand_ins(members: Sequence[Member]) -> list[Member]:
    """A few members from all over the panel, as references."""
    originals = [m for m in members if not m.derivative] or list(members)
    if not originals:
        return []
    places = np.linspace(0, len(originals) - 1, min(_STAND_INS, len(originals)))
    return [originals[round(float(place))] for place in places]


def _most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """A stand-in's answers without its rarest, which would only slow the simulation."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return dict(ordered[:_OWN])


def _own_shares(counts: Mapping[str, int]) -> Shares:
    """Probabilities of the stand-in's answers, then room for answers that it never gave."""
    values = np.array([*counts.values(), *[0] * _FOREIGN], dtype=np.float64)
    shares: Shares = values / values.sum()
    return shares


def _shares(counts: Mapping[str, int], reference: Mapping[str, int]) -> Shares:
    """Probabilities of a member's answers over the same places.

    What an answer is called means nothing to the test, so the answers that the stand-in never
    gave take the spare places, the most frequent first; what does not fit is one answer.
    """
    foreign = sorted((n for c, n in counts.items() if c not in reference), reverse=True)
    foreign = [*foreign[: _FOREIGN - 1], sum(foreign[_FOREIGN - 1 :])]
    foreign += [0] * (_FOREIGN - len(foreign))
    values = np.array([*(counts.get(c, 0) for c in reference), *foreign], dtype=np.float64)
    shares: Shares = values / values.sum()
    return shares
