"""The models of a library as candidates: in which order, with which ratio and proposition.

A part of `origin`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.identification import Identification
from provenance.attribution.known import Known
from provenance.attribution.layouts import MOST_UNLIKE
from provenance.attribution.ratios import Ratio, Told
from provenance.attribution.same_prompts import Placed
from provenance.findings import Candidate, Proposition

__all__ = ["candidates", "ordered", "propositions", "weigh"]


def weigh(
    found: Identification | None, known: Known, told: Told, placed: Placed | None = None
) -> dict[int, Ratio]:
    """In the view in which each model is compared; none in one that sees an unlike format.

    In the canonical view a ratio has a limit of its own (`layouts.MOST_UNLIKE`).
    Prompt by prompt where the models were compared so: ``placed`` names the prompts.
    """
    if found is None:
        return {}
    if found.prompts is not None:
        return _weigh_matched(found, known, told, placed)
    weighed = {}
    canonical = found.canonical
    for i in np.flatnonzero(~np.isnan(found.scores)).tolist():
        plain = known.plain if canonical[i] else None
        ratios = known.main.ratios if plain is None else plain.ratios
        scores = found.scores if plain is None or found.plain is None else found.plain
        if ratios is not None:
            ratio = ratios.same_model(
                float(scores[i]),
                found.suspect_outputs,
                found.outputs[i],
                told,
                unlike=bool(found.unlike[i]) and plain is None and known.sees_format,
            )
            weighed[i] = ratio if plain is None else ratio.limited(MOST_UNLIKE)
    return weighed


def _weigh_matched(
    found: Identification, known: Known, told: Told, placed: Placed | None
) -> dict[int, Ratio]:
    ratios = None if known.matched is None else known.matched.of(relative=found.relative)
    if ratios is None or placed is None or found.prompts is None:
        return {}
    prompts, battery = found.prompts, placed.battery
    return {
        i: ratios.same_model(float(score), prompts, prompts, told, battery=battery)
        for i, score in enumerate(found.scores.tolist())
    }


def ordered(found: Identification | None) -> list[int]:
    """Models, those in the set first, then by likeness."""
    if found is None:
        return []
    there = np.flatnonzero(~np.isnan(found.scores))
    scores = found.shown
    key = lambda i: (not found.found.included[i], -np.nan_to_num(scores[i], nan=-np.inf))  # noqa: E731
    return sorted((int(i) for i in there), key=key)


def candidates(
    found: Identification | None,
    enrolled: Enrolled,
    weighed: Mapping[int, Ratio],
    order: Sequence[int],
    canonical: NDArray[np.bool_],
) -> tuple[Candidate, ...]:
    """Every model with its p-value and ratio, in order; ``canonical``: which that view decides."""
    if found is None:
        return ()
    rows = []
    for i in order:
        model, ratio = enrolled.models[i], weighed.get(i)
        assessed = ratio is not None and ratio.assessed
        rows.append(
            Candidate(
                name=model.name,
                version=model.version or None,
                family=model.family,
                maker=model.maker or None,
                outputs=found.outputs[i],
                p_value=None
                if np.isnan(found.found.p_values[i])
                else float(found.found.p_values[i]),
                in_set=bool(found.found.included[i]),
                log10_lr=ratio.log10_lr if assessed and ratio is not None else None,
                sensitivity_interval=ratio.interval if assessed and ratio is not None else None,
                clipped=bool(assessed and ratio is not None and ratio.clipped),
                view="canonical" if canonical[i] or found.prompts is not None else "raw",
            )
        )
    return tuple(rows)


def propositions(
    found: Identification | None,
    weighed: Mapping[int, Ratio],
    order: Sequence[int],
    why: str,
) -> tuple[Proposition, ...]:
    """The nearest model against another maker; the rest of the pairs with why not.

    ``why``: why a model has no ratio, where none has.
    """
    pair = ("same_weights", "none_of_these")
    first: Proposition
    if found is None or not order:
        first = Proposition(hypothesis=pair[0], against=pair[1], why_not="no_candidates")
    else:
        ratio = weighed.get(order[0])
        first = (
            Proposition(hypothesis=pair[0], against=pair[1], why_not=why)
            if ratio is None
            else ratio.proposition(*pair)
        )
    rest = (
        ("derived", "none_of_these", "needs_reference"),
        ("common_base", "none_of_these", "needs_reference"),
        ("trained_on_outputs", "not", "needs_reference"),
        ("mixed", "whole", "style_cannot_tell"),
    )
    return (first, *(Proposition(hypothesis=h, against=a, why_not=w) for h, a, w in rest))
