"""How many units of a library hold a pair of models for which a hypothesis surely holds.

A calibration rests on units, not on pairs: a hundred students of one base are one unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from provenance.library.relations import Relations

__all__ = ["FEWEST_SAME", "surely", "units_holding", "why_none"]

FEWEST_SAME = 3  # units with a pair for which the hypothesis holds, for a line to be fitted
Axis = Literal["derived", "common_base"]
# Which labels a pair of models needs, in the words of a relations file.
_LABELS: dict[str, str] = {
    "derived": "`parent` among the library's own models",
    "common_base": "the same `base`",
}


def surely(labels: Relations, model: str, other: str, axis: Axis) -> bool:
    """Whether the labels say so for sure; models that share their weights are another question."""
    if model == other or labels.link(model, other, "same_weights").holds:
        return False
    link = labels.link(model, other, cast(Any, axis))
    return link.holds is True and link.certainty == "sure"


def units_holding(units: Mapping[str, Sequence[str]], labels: Relations, axis: Axis) -> list[str]:
    """The units with such a pair, sorted; ``units``: the models of each."""
    return sorted(
        unit
        for unit, models in units.items()
        if any(surely(labels, a, b, axis) for a in models for b in models)
    )


def why_none(hypothesis: str, units: Mapping[str, Sequence[str]], labels: Relations) -> str:
    """Why a library has no ratio for a hypothesis: what it holds, and what a fit needs."""
    if hypothesis not in _LABELS:
        return "no_calibration"
    axis = cast(Axis, hypothesis)
    found = units_holding(units, labels, axis)
    held = "none" if not found else f"{len(found):,} ({', '.join(found[:5])})"
    start = (
        f"Of the library's {len(units):,} unit{'s' * (len(units) != 1)} that answered such prompts "
        f"{held} {'hold' if len(found) > 1 else 'holds'} two models for which it is surely so"
    )
    needs = (
        f"a calibration needs {FEWEST_SAME} such units, by labels that are sure (in the relations "
        f"file, {_LABELS[axis]})"
    )
    if len(found) >= FEWEST_SAME:
        return f"{start}, but none was fitted: `provenance library calibrate` can try it."
    return f"{start}; {needs}. `provenance library calibrate` fits one on your own."
