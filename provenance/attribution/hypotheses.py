"""Which known pairs speak for and against a hypothesis, by the labels of a library."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Pairs
from provenance.attribution.known_pairs import FEWEST_UNITS, Scored
from provenance.attribution.related import FEWEST_SAME, surely
from provenance.library.relations import Relations

__all__ = ["AGAINST", "HYPOTHESES", "pairs_for"]

AGAINST = "none_of_these"
HYPOTHESES = ("same_weights", "derived", "common_base")


def pairs_for(
    hypothesis: str, scored: Scored, labels: Relations, *, alike_only: bool = False
) -> dict[int, Pairs] | str:
    """Pairs for a hypothesis against models of other units, by the suspect's outputs; or why not.

    A pair counts in favour where the labels say ``sure``; where they leave it open it counts
    nowhere. The reference has at least as many outputs as the suspect. With ``alike_only`` pairs of
    unlike format count nowhere: a suspect gets no ratio for those either.
    """
    if alike_only:
        scored = scored.only(~scored.unlike)
    if not len(scored):
        return f"{hypothesis}: no pair has outputs enough"
    first = _holds(hypothesis, scored, labels)
    codes = {u: i for i, u in enumerate(dict.fromkeys(scored.units))}
    unit = np.array([codes[u] for u in scored.units], dtype=np.int64)
    units = len(np.unique(unit[scored.suspect[first]]))
    if units < FEWEST_SAME:
        return (
            f"{hypothesis}: {units} units have a pair of bundles for which it surely holds, "
            f"{FEWEST_SAME} are needed"
        )
    found: dict[int, Pairs] = {}
    for n in np.unique(scored.n_suspect).tolist():
        chosen = (scored.n_suspect == n) & (scored.n_reference >= n) & (first | ~scored.same_unit)
        there = np.unique(unit[scored.suspect[chosen]])
        if not first[chosen].any() or first[chosen].all() or len(there) < FEWEST_UNITS:
            continue
        some = scored.only(chosen)
        found[int(n)] = Pairs(some.score, first[chosen], unit[some.suspect], unit[some.reference])
    return found or f"{hypothesis}: too few units have two bundles of one size"


def _holds(hypothesis: str, scored: Scored, labels: Relations) -> NDArray[np.bool_]:
    if hypothesis == "same_weights":
        return scored.same
    axis: Any = hypothesis
    models = len(scored.models)
    known = np.zeros((models, models), dtype=bool)
    for i, j in zip(*np.nonzero(_together(scored)), strict=True):
        a, b = scored.models[i], scored.models[j]
        known[i, j] = surely(labels, a, b, axis)
    found: NDArray[np.bool_] = known[scored.suspect, scored.reference]
    return found


def _together(scored: Scored) -> NDArray[np.bool_]:
    """Which pairs of models have a score, within one unit."""
    models = len(scored.models)
    there = np.zeros((models, models), dtype=bool)
    there[scored.suspect[scored.same_unit], scored.reference[scored.same_unit]] = True
    return there
