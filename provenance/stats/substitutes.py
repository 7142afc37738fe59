"""Tests against substitutes whose answers were measured: has somebody else answered a share?

Three questions, each with its own null:

- `panel_test`: do the sides differ in the direction of any of these substitutes?
- `share_limits`: which shares ε of this one substitute are compatible with the suspect?
- `foreign_share`: at least which share was answered by *anything* else?

There is no upper limit on the share of anything else: a substitute may answer the probed cells
exactly as the reference does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.stats.layout import CellDraws, Layout, comparable, validated
from provenance.stats.permutation import PermutationNull, p_value, relabel, tolerance

# Weight of the substitute in the score log(1 + w·(r/p − 1)): a share of a tenth is what matters.
WEIGHT = 0.1
# Shares at which limits are looked for.
GRID = tuple(np.round(np.concatenate([np.arange(0, 0.3, 0.005), np.arange(0.3, 1.001, 0.02)]), 4))
# An answer is part of an event if the suspect gives it oftener by this many standard errors.
NOTICEABLE = 0.5
# What a substitute never gave still has this many counts, shared by all that is not in its table.
_SMOOTH = 0.5

Counts = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class PanelResult:
    """Outcome of `panel_test`.

    Attributes
    ----------
    statistic, p_value
        The largest standardised score over the substitutes, and its p-value.
    null
        The same of the relabellings, shape (resamples,).
    scores
        Standardised score of each substitute, shape (substitutes,): exploratory.
    leading
        Index of the substitute with the largest score.
    exact
        Whether every relabelling was enumerated. (The p-value is valid either way.)
    """

    statistic: float
    p_value: float
    null: NDArray[np.float64]
    scores: NDArray[np.float64]
    leading: int
    exact: bool


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """Shares ε of one substitute that the suspect's answers do not reject.

    Attributes
    ----------
    lower, upper
        One-sided limits at level α each, from `GRID`; upper is 1 where nothing is rejected.
    alpha
        Of each limit.
    draws
        Of the mixture sample, all cells.
    fits
        Whether any share is left. Without one the suspect is no mixture of the two, and the limits
        mean nothing.
    """

    lower: float
    upper: float
    alpha: float
    draws: int
    fits: bool


def panel_test(
    cells: Sequence[CellDraws],
    panel: Sequence[Sequence[Counts | None]],
    *,
    null: PermutationNull,
) -> PanelResult:
    """Exact test that nobody in a panel answers a share of the suspect's requests.

    Null hypothesis: within each unit (block, or cell without blocks) the draws are exchangeable
    across the sides, as in `fused_test`. Estimand: none; it rejects for differences in the
    direction of a substitute, and is the more powerful there.

    The score of a draw with answer y is log(1 + .1·(r(y)/p(y) − 1)), with r the substitute's
    smoothed share of y and p the pooled share of both sides: near its largest power for a share
    of a tenth (Neyman–Pearson). Scores are summed over the suspect's draws, centred within units
    and standardised by their deviation under relabelling; the largest over the panel is taken in
    each relabelling. Tables and pooled shares do not depend on the labels, so the test is exact
    for any panel that was fixed before.

    Parameters
    ----------
    cells
        Draws by cell.
    panel
        Per substitute and cell, counts over the cell's category codes, shape (k,) with k above
        every code, or None where it was not measured.
    null
        How relabellings are drawn.

    Raises
    ------
    ValueError
        If the panel is empty or its shape is not that of the cells.
    """
    cells = validated(cells)
    if not panel or any(len(member) != len(cells) for member in panel):
        raise ValueError(f"expected one table or None for each of {len(cells)} cells a substitute")
    usable = [i for i, cell in enumerate(cells) if comparable([cell])]
    draws = [comparable([cells[i]])[0] for i in usable]
    if not draws:
        empty = np.zeros(len(panel))
        return PanelResult(0.0, 1.0, np.zeros(1), empty, 0, exact=True)
    layout = Layout.of(draws)
    scores = np.column_stack(
        [
            np.concatenate(
                [_scores(cell, member[i]) for cell, i in zip(draws, usable, strict=True)]
            )
            for member in panel
        ]
    )
    scale = _deviation(layout, scores)
    weights = scores / np.where(scale > 0, scale, np.inf)

    def standardised(labels: NDArray[np.bool_]) -> NDArray[np.float64]:
        return layout.centred(labels) @ weights

    sample = null.sample(layout, lambda labels: standardised(labels).max(axis=1, keepdims=True))
    each = standardised(layout.suspect[None])[0]
    observed = float(sample.observed[0])
    return PanelResult(
        statistic=observed,
        p_value=p_value(observed, sample.null[:, 0], exact=sample.exact),
        null=sample.null[:, 0],
        scores=each,
        leading=int(np.argmax(each)),
        exact=sample.exact,
    )


def share_limits(
    reference: Sequence[Codes],
    suspect: Sequence[Codes],
    substitute: Sequence[Codes],
    *,
    alpha: float,
    rng: np.random.Generator,
    resamples: int = 999,
    draws: int | None = None,
) -> ShareLimits:
    """Limits on the share ε of requests that one substitute R answers, all samples counted.

    Model: in every cell the suspect's draws come from (1 − ε)·P + ε·R, with the same ε; reference
    and substitute draws are independent draws of P and R. For each ε of `GRID` a sample of the
    mixture is put together from reference and substitute draws that are used once (a draw is R's
    with chance ε); under ε it has the law of the suspect's sample, so the labels are exchangeable
    within cells and the permutation p-value is exact. The limits collect the shares that are not
    rejected, one side each. Score: as in `panel_test`, r from substitute draws that stayed out of
    the mixture, p from the pooled sample.

    Coverage is exact for shares on the grid; the limits are widened by one step for those
    between. What breaks it: shares that differ between cells, drift between the recordings of
    the three, draws that depend on each other. The choice of draws is random: another seed gives
    other limits.

    Parameters
    ----------
    reference, suspect, substitute
        Category codes per cell, in one coding; cells where any is empty, or the
        substitute has one draw, are left out.
    alpha
        Level of each one-sided limit.
    draws
        Of the mixture sample a cell, at most; None: as many as the reference has.

    Raises
    ------
    ValueError
        If the three have not the same number of cells, or α is not in (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"expected alpha in (0, 1), found {alpha}")
    if not len(reference) == len(suspect) == len(substitute):
        raise ValueError("expected reference, suspect and substitute to have the same cells")
    samples = [
        _Mixture.of(p, s, r, draws, rng)
        for p, s, r in zip(reference, suspect, substitute, strict=True)
        if min(len(p), len(s), len(r) - 1) > 0
    ]
    total = sum(len(sample.uniform) for sample in samples)
    if not samples:
        return ShareLimits(0.0, 1.0, alpha, 0, fits=True)
    layout = Layout.of([sample.cell() for sample in samples])
    scores = np.concatenate([sample.scores(np.array(GRID)) for sample in samples])
    observed = (layout.centred(layout.suspect[None]) @ scores)[0]
    null = np.concatenate(
        [
            layout.centred(relabel(layout, min(500, resamples - start), rng)) @ scores
            for start in range(0, resamples, 500)
        ]
    )
    slack = np.array([tolerance(column) for column in np.vstack([observed, null]).T])
    low = (1 + (null <= observed + slack).sum(axis=0)) / (resamples + 1)
    high = (1 + (null >= observed - slack).sum(axis=0)) / (resamples + 1)
    # The suspect has less of R than ε would give: small p on the low side rejects ε from above.
    kept_above = np.flatnonzero(low > alpha)
    kept_below = np.flatnonzero(high > alpha)
    last = len(GRID) - 1
    upper = min(last, int(kept_above.max(initial=-1)) + 1)
    lower = max(0, int(kept_below.min(initial=last + 1)) - 1)
    fits = bool(((low > alpha) & (high > alpha)).any())
    return ShareLimits(float(GRID[lower]), float(GRID[upper]), alpha, total, fits)


def foreign_share(
    reference: Sequence[Codes],
    suspect: Sequence[Codes],
    *,
    alpha: float,
    rng: np.random.Generator,
    resamples: int = 999,
) -> float:
    """Lower limit of the share of requests that anything but the reference answers.

    If a share ε is answered otherwise, then for every event A and cell S(A) − P(A) ≤
    ε·(1 − P(A)). Events (sets of answers that the suspect gives more often) are chosen on one
    half of the draws and counted on the other. A share ε is rejected if the suspect's counts
    exceed, in a one-sided permutation test within cells, those of the reference in which each
    draw is turned into an event with chance ε: under a share of at most ε the suspect's events
    are stochastically fewer in every cell, so the limit is exact at level α. The p-value grows
    with ε, so the limit is found by halving.

    Parameters
    ----------
    reference, suspect
        Category codes per cell; cells with fewer than two draws of a side are left out.

    Returns
    -------
    float
        In [0, 1]; 0 where nothing is shown.
    """
    indicators: list[NDArray[np.bool_]] = []
    uniforms: list[NDArray[np.float64]] = []
    blocks: list[CellDraws] = []
    for p, s in zip(reference, suspect, strict=True):
        if min(len(p), len(s)) < 2:
            continue
        p, s = rng.permutation(p), rng.permutation(s)
        learn_p, test_p = np.array_split(p, 2)
        learn_s, test_s = np.array_split(s, 2)
        k = int(max(p.max(), s.max())) + 1
        event = _excess(learn_p, learn_s, k) > NOTICEABLE
        if not event.any():
            continue
        indicators.append(event[np.concatenate([test_p, test_s])])
        uniforms.append(np.concatenate([rng.random(len(test_p)), np.ones(len(test_s))]))
        blocks.append(_pooled(test_p, test_s))
    if not blocks:
        return 0.0
    layout = Layout.of(blocks)
    seen, uniform = np.concatenate(indicators), np.concatenate(uniforms)
    labels = np.concatenate(
        [relabel(layout, min(500, resamples - n), rng) for n in range(0, resamples, 500)]
    )
    centred = layout.centred(labels)
    own = layout.centred(layout.suspect[None])[0]

    def rejected(share: float) -> bool:
        events = (seen | (uniform < share)).astype(np.float64)
        null = centred @ events
        return p_value(float(own @ events), null, exact=False) <= alpha

    low, high = 0.0, 1.0
    if not rejected(0.0):
        return 0.0
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


@dataclass(frozen=True, slots=True)
class _Mixture:
    """One cell of `share_limits`: slots of the mixture, each with a draw of P and one of R."""

    suspect: Codes
    from_reference: Codes
    from_substitute: Codes
    uniform: NDArray[np.float64]
    learnt: Counts  # counts of the substitute's other draws

    @classmethod
    def of(
        cls, p: Codes, s: Codes, r: Codes, draws: int | None, rng: np.random.Generator
    ) -> _Mixture:
        # A third of R's draws stays out for the score. Every slot has a draw of R of its own,
        # whether it turns or not: what is learnt must not know how many turned.
        spare = len(r) - max(1, len(r) // 3)
        slots = min(len(p), spare, len(p) if draws is None else draws)
        k = int(max(p.max(), s.max(), r.max())) + 1
        shuffled = rng.permutation(r)
        return cls(
            suspect=s,
            from_reference=rng.permutation(p)[:slots],
            from_substitute=shuffled[:slots],
            uniform=rng.random(slots),
            learnt=np.bincount(shuffled[slots:], minlength=k).astype(np.float64),
        )

    def cell(self) -> CellDraws:
        return _pooled(self.from_reference, self.suspect)

    def scores(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of the mixture's draws, then of the suspect's: a row a draw, a column a share."""
        turned = self.uniform < shares[:, None]
        mixture = np.where(turned, self.from_substitute, self.from_reference)
        suspect = np.broadcast_to(self.suspect, (len(shares), len(self.suspect)))
        drawn = np.hstack([mixture, suspect])
        k = len(self.learnt)
        of_share = drawn + k * np.arange(len(shares))[:, None]
        pooled = np.bincount(of_share.ravel(), minlength=k * len(shares)).reshape(-1, k)
        score = _log_score(self.learnt, pooled.astype(np.float64))
        return np.take_along_axis(score, drawn, axis=1).T


def _excess(p: Codes, s: Codes, k: int) -> NDArray[np.float64]:
    """How much oftener the suspect gives each answer, in standard errors of the pooled share."""
    a, b = np.bincount(p, minlength=k), np.bincount(s, minlength=k)
    pooled = (a + b + 1) / (len(p) + len(s) + 2)
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(p) + 1 / len(s)))
    excess: NDArray[np.float64] = (b / len(s) - a / len(p)) / error
    return excess


def _pooled(reference: Codes, suspect: Codes) -> CellDraws:
    labels = np.repeat([False, True], [len(reference), len(suspect)])
    return CellDraws(np.concatenate([reference, suspect]), (), labels, None)


def _scores(cell: CellDraws, table: Counts | None) -> NDArray[np.float64]:
    if table is None or not table.sum():
        return np.zeros(cell.n)
    k = max(len(table), int(cell.categories.max()) + 1)
    pooled = np.bincount(cell.categories, minlength=k).astype(np.float64)
    counts = np.zeros(k)
    counts[: len(table)] = table
    return _log_score(counts, pooled)[cell.categories]


def _log_score(substitute: Counts, pooled: Counts) -> NDArray[np.float64]:
    """log(1 + w(r/p − 1)) per category; 0 for categories that were not seen in the pool.

    ``pooled`` may hold several pools, shape (…, k).
    """
    seen = pooled > 0
    k = np.maximum(1, np.count_nonzero(seen | (substitute > 0), axis=-1))[..., None]
    r = (substitute + _SMOOTH / k) / (substitute.sum() + _SMOOTH)
    p = np.where(seen, pooled, 1) / np.maximum(1.0, pooled.sum(axis=-1))[..., None]
    scores: NDArray[np.float64] = np.where(seen, np.log1p(WEIGHT * (r / p - 1)), 0.0)
    return scores


def _deviation(layout: Layout, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviation of the sum of suspect scores under relabelling, per column."""
    size = np.bincount(layout.unit)
    share = np.bincount(layout.unit, weights=layout.suspect) / size
    variance = share * (1 - share) * size / np.maximum(size - 1, 1)
    total = np.zeros(scores.shape[1])
    for column in range(scores.shape[1]):
        values = scores[:, column]
        first = np.bincount(layout.unit, weights=values)
        second = np.bincount(layout.unit, weights=values**2)
        spread = np.maximum(second - first**2 / size, 0)
        total[column] = np.sqrt((variance * spread).sum())
    limit = 1e-9 * max(1.0, float(np.abs(scores).max(initial=0.0)))
    return np.where(total > limit, total, 0.0)
