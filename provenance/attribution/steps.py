"""What a study says of the step between two dates: its reason, and its findings.

It is a strand of its own. It enters no likelihood ratio and decides no label: its null is "nothing
changed", which any new version rejects that happens to move the same way.
"""

from __future__ import annotations

from typing import Any

from provenance.attribution.change import LEVEL, Change
from provenance.attribution.strands import Case, NotMeasured
from provenance.findings import Finding

__all__ = ["step_findings", "step_reasons"]

Coded = list[tuple[str, dict[str, Any]]]


def step_reasons(moved: Change | NotMeasured | None, case: Case | None, alpha: float) -> Coded:
    """Where the suspect moved between the two dates, or why that could not be measured."""
    if moved is None or case is None:
        return []
    if isinstance(moved, NotMeasured):
        return [("step_not_measured", {"have": moved.prompts, "needed": moved.needed})]
    sides = case.plain or case.main
    values = {
        "step": moved.step,
        "interval": None if moved.interval is None else list(moved.interval),
        "level": LEVEL,
        "way": moved.way,
        "prompts": moved.prompts,
        "p": moved.p_moved,
        "alpha": alpha,
        "controls": [_named(o.endpoint) for o, _ in sides.others if o.role == "control"],
        "as_far": sum(s >= moved.step - 1e-9 for s in moved.controls),
        "rank": moved.rank,
        "view": sides.known.view,
    }
    return [("step_to_reference" if moved.p_moved <= alpha else "no_step_found", values)]


def step_findings(moved: Change | NotMeasured | None, alpha: float) -> tuple[Finding, ...]:
    """Two: whether anything moved that way, and whether it leads there rather than elsewhere."""
    if not isinstance(moved, Change):
        return ()
    shared: dict[str, Any] = {
        "effect": moved.step,
        "estimand": "mean step towards the reference, away from the controls, per prompt",
        "alpha": alpha,
        "n_suspect": moved.prompts,
        "n_reference": moved.prompts,
    }
    found = [
        Finding(
            name="change",
            p_value=moved.p_moved,
            effect_interval=moved.interval,
            null="unchanged",
            exactness="exact",
            assumptions=("same_host_effect",),
            method=(
                "Before and after exchanged within each prompt; one-sided towards the reference. "
                f"The {LEVEL:.0%} interval holds the steps that the same exchange does not reject"
            ),
            citation="Fisher 1935; Hartigan 1969",
            exploratory=True,
            values={
                "resamples": moved.resamples,
                "enumerated": moved.enumerated,
                "way": moved.way,
            },
            **shared,
        )
    ]
    if moved.rank is not None:
        found.append(
            Finding(
                name="change_direction",
                p_value=moved.rank,
                null="reference_is_a_control",
                exactness="calibrated",
                method="Rank of the step towards the reference among the steps to each control",
                exploratory=True,
                values={"controls": list(moved.controls)},
                **shared,
            )
        )
    return tuple(found)


def _named(endpoint: Any) -> str:
    return str(endpoint.option("model") or endpoint.label)
