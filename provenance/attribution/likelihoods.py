"""What the reference's own weights make of both sides' texts, and which way the sides differ.

The difference enters the exact test of a family as one of its kernels (`likelihood`); which way it
goes is told here, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from provenance.attribution.observations import Observations
from provenance.findings import Finding
from provenance.stats.instruments.likelihood import direction, likelihood
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull
from provenance.transcript import ROLES, Role

# The kind of event that holds the scores of a cell.
EVENT = "likelihood"
# A direction is named where the exploratory test of all cells together has a p-value below this.
_NAMED_BELOW = 0.01
_RESAMPLES = 9_999


@dataclass(frozen=True, slots=True)
class Scores:
    """By slot, the score of its text and the tokens that were read."""

    sums: Mapping[int, float]
    tokens: Mapping[int, int]


def scores_of(events: Sequence[Mapping[str, Any]]) -> Scores | None:
    """The scores that a store holds, None if it holds none."""
    sums: dict[int, float] = {}
    tokens: dict[int, int] = {}
    found = False
    for event in events:
        if event["kind"] != EVENT:
            continue
        found = True
        for slot, value, read in event["values"]["scores"]:
            if value is not None:
                sums[int(slot)] = float(value)
                tokens[int(slot)] = int(read)
    return Scores(sums, tokens) if found else None


def likelihood_finding(
    observations: Observations, scores: Scores | None, *, seed: int
) -> tuple[Finding, ...]:
    """Which side's texts the reference's weights find likelier: exploratory.

    The p-value is that of the instrument ``likelihood`` over all cells that were scored whole. It
    repeats what the tests of the families have used already, so it decides nothing; it says
    whether a direction is worth naming.
    """
    if scores is None:
        return ()
    cells, sums, read = _whole_cells(observations, scores)
    if not cells:
        return ()
    null = PermutationNull(np.random.default_rng([seed, 11]), resamples=_RESAMPLES)
    outcome = likelihood(cells, null=null)
    mean = {role: sums[role] / read[role] if read[role] else None for role in ROLES}
    reference, suspect = mean["reference"], mean["suspect"]
    effect = None if reference is None or suspect is None else suspect - reference
    way = direction(cells)
    reading = "none"
    # Cell by cell and over all tokens: where they disagree there is no one direction.
    if outcome.p_value <= _NAMED_BELOW and effect and way is not None:
        reading = way.reading if (way.difference > 0) == (effect > 0) else "none"
    unit = "block" if observations.blocked else "cell"
    return (
        Finding(
            name="likelihood",
            statistic=outcome.statistic,
            p_value=outcome.p_value,
            effect=effect,
            estimand=(
                "mean over tokens of log p + H under the reference's weights, in nats, suspect "
                "minus reference"
            ),
            null="same_deployment" if observations.blocked else "reference_as_recorded",
            exactness="exact",
            assumptions=(
                f"exchangeable_within_{unit}",
                "independent_draws",
                "missing_independent_of_content",
            ),
            exploratory=True,
            n_reference=outcome.n_reference,
            n_suspect=outcome.n_suspect,
            method=(
                "Texts of both sides scored by the reference's own weights, teacher forced: for "
                "every token its log probability plus the entropy of what was expected, at "
                f"temperature 1. {_SAID[reading]}"
            ),
            citation="Pitman 1937 for the permutation",
            values={
                "reading": reading,
                "cells": len(cells),
                **{str(r): {"mean": mean[r], "tokens": read[r]} for r in ROLES},
                "resamples": len(outcome.null),
                "enumerated": outcome.exact,
            },
        ),
    )


_SAID = {
    "sharper": (
        "The suspect's tokens are likelier than those weights draw them: sharper decoding (a lower "
        "temperature, top-p) does that"
    ),
    "flatter": (
        "The suspect's tokens are less likely than those weights draw them: damaged or other "
        "weights do that, and so does flatter decoding (a higher temperature)"
    ),
    "none": "No direction stands out",
}


def _whole_cells(
    observations: Observations, scores: Scores
) -> tuple[list[CellDraws], dict[Role, float], dict[Role, int]]:
    """Cells whose draws all have a score, and sums over their draws of scores and tokens."""
    cells: list[CellDraws] = []
    sums: dict[Role, float] = dict.fromkeys(ROLES, 0.0)
    read: dict[Role, int] = dict.fromkeys(ROLES, 0)
    for cell in observations.used():
        own = cell.draws.scores
        if own is None or not np.isfinite(own).all():
            continue
        cells.append(replace(cell.draws, values=own[:, None]))
        for record in cell.records:
            sums[record.role] += scores.sums[record.slot]
            read[record.role] += scores.tokens[record.slot]
    return cells, sums, read
