"""Teacher-forced likelihood: what one model makes of both sides' texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from provenance.stats.instruments._engine import (
    InstrumentResult,
    permuted,
    values_of,
    with_values,
)
from provenance.stats.layout import CellDraws, Layout, comparable
from provenance.stats.parts import directed, standard_scores
from provenance.stats.permutation import PermutationNull, Statistic

Reading = Literal["sharper", "flatter"]


def likelihood(cells: Sequence[CellDraws], *, null: PermutationNull) -> InstrumentResult:
    """Test whether a model gives the texts of both sides the same score.

    Null hypothesis: within each unit (block, or cell without blocks) the texts are exchangeable
    across the sides; then so is any number that is computed from a text alone. Sampling:
    independent draws of one distribution a cell suffice. Unit: a draw. Estimand: the square of
    the sum over cells of the suspect's minus the reference's mean score, each in units of the
    deviation in its cell, over its variance under relabelling. Two-sided (`direction` names the
    side). Labels are permuted within cells and blocks; exact.

    The score meant here is the sum over a text's tokens of log p + H, p the probability that the
    reference's own weights give the token and H the entropy in nats of what they expected there.
    For tokens drawn from those weights at temperature 1 its terms are martingale differences: the
    expectation of a fixed number of them is 0 whatever the prompt. It is the derivative of the log
    likelihood in the inverse temperature, so that no other score sees a slightly lower temperature
    better. Sharper decoding (a lower temperature, top-p) raises it at every token, flatter
    decoding lowers it. Weights that were damaged or replaced mostly lower it, because their texts
    are ones that the reference finds unlikely; that is a rule of experience and not a theorem.
    Source: derived here; the idea of ranks under the reference's likelihood is of Zhu et al. 2025,
    arXiv:2506.06975.

    What breaks it: draws of a side that depend on each other, drift that blocks do not share,
    failures that depend on content; scores computed differently for the sides. So a score must be
    a function of cell and text alone: the tokens are those that encoding the text again gives, and
    its end is not scored, as servers report ends differently. Under the null the expectation is
    then only about 0; the test is as exact as before, for it needs no such number.

    Parameters
    ----------
    cells
        Values of one column are read: the score of each draw, finite.
    null
        How relabellings are drawn, and whether to stop early.

    Raises
    ------
    ValueError
        If a cell has not one finite score a draw.
    """
    return permuted(_scored(cells), null, _statistic)


@dataclass(frozen=True, slots=True)
class Direction:
    """Mean score of the suspect minus that of the reference.

    Attributes
    ----------
    difference
        In the unit of the score, mean over cells weighted by their pairs of draws.
    reference, suspect
        Mean scores over draws of the comparable cells.
    """

    difference: float
    reference: float
    suspect: float

    @property
    def reading(self) -> Reading:
        """What a difference of this sign would mean: decoding that is sharper; or flatter, which
        damaged or other weights look like. Whether there is a difference, the p-value says."""
        return "sharper" if self.difference > 0 else "flatter"


def direction(cells: Sequence[CellDraws]) -> Direction | None:
    """Which way the scores differ: descriptive. None without a comparable cell.

    Parameters
    ----------
    cells
        As for `likelihood`.
    """
    kept = comparable(_scored(cells))
    if not kept:
        return None
    gaps, weights = [], []
    for cell in kept:
        score = values_of(cell)[:, 0]
        gaps.append(float(score[cell.suspect].mean() - score[~cell.suspect].mean()))
        weights.append(cell.n_suspect * cell.n_reference / cell.n)
    scores = np.concatenate([values_of(cell)[:, 0] for cell in kept])
    labels = np.concatenate([cell.suspect for cell in kept])
    return Direction(
        float(np.average(gaps, weights=weights)),
        float(scores[~labels].mean()),
        float(scores[labels].mean()),
    )


def _scored(cells: Sequence[CellDraws]) -> list[CellDraws]:
    checked = with_values(cells, columns=1)
    if any(not np.isfinite(values_of(cell)).all() for cell in checked):
        raise ValueError("expected a finite score for each draw, found NaN or infinity")
    return checked


def _statistic(draws: list[CellDraws], layout: Layout) -> Statistic:
    part = directed(standard_scores([values_of(c)[:, 0] for c in draws], layout), layout)

    def statistic(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return part(layout.centred(labels))[:, None]

    return statistic
