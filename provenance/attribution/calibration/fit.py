"""From scores of known pairs to a likelihood ratio: logistic regression on one score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration.pairs import Pairs

__all__ = ["Line", "fit_line", "resampled_lines"]

Floats = NDArray[np.float64]
_LN10 = float(np.log(10.0))
_STEPS = 100
# Of the slope on standardised scores: pairs that are parted wholly have no finite one.
_RIDGE = 1e-5


@dataclass(frozen=True, slots=True)
class Line:
    """log10 LR = intercept + slope · score; the slope is never negative."""

    intercept: float
    slope: float

    def ratios(self, scores: Floats) -> Floats:
        """log10 likelihood ratios, not clipped."""
        found: Floats = self.intercept + self.slope * np.asarray(scores, dtype=np.float64)
        return found


def fit_line(pairs: Pairs, weights: Floats | None = None) -> Line | None:
    """Fit a line.

    Parameters
    ----------
    pairs
        Known ones.
    weights
        Shape (len(pairs),), at least 0: how often a pair counts. Both kinds then weigh alike in
        sum, so that the fitted log odds are the log of a likelihood ratio.

    Returns
    -------
    Line or None
        None where one kind has no weight.

    Notes
    -----
    Weighted logistic regression by Newton's method, with a slight ridge on the slope (Brümmer &
    du Preez 2006; Morrison 2013). A negative slope, that is scores that say the opposite of what
    they should, becomes a ratio of 1 everywhere.
    """
    own = np.ones(len(pairs)) if weights is None else np.asarray(weights, dtype=np.float64)
    first = pairs.first
    if own[first].sum() <= 0 or own[~first].sum() <= 0:
        return None
    w = np.where(first, own / own[first].sum(), own / own[~first].sum()) / 2
    centre = float(np.average(pairs.scores, weights=w))
    spread = float(np.sqrt(np.average((pairs.scores - centre) ** 2, weights=w))) or 1.0
    x = (pairs.scores - centre) / spread
    y = first.astype(np.float64)
    intercept = slope = 0.0
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(intercept + slope * x, -500, 500)))
        error = w * (p - y)
        gradient = np.array([error.sum(), (error * x).sum() + _RIDGE * slope])
        curve = w * p * (1 - p)
        hessian = np.array(
            [
                [curve.sum() + 1e-12, (curve * x).sum()],
                [(curve * x).sum(), (curve * x * x).sum() + _RIDGE],
            ]
        )
        step = np.linalg.solve(hessian, gradient)
        # Steps of bounded length: far out the curvature is flat and a full step overshoots.
        step *= min(1.0, 4.0 / max(1e-12, float(np.abs(step).max())))
        intercept -= float(step[0])
        slope -= float(step[1])
        if float(np.abs(step).max()) < 1e-10:
            break
    if slope <= 0:
        return Line(0.0, 0.0)
    return Line((intercept - slope * centre / spread) / _LN10, slope / spread / _LN10)


def resampled_lines(
    pairs: Pairs, *, rng: np.random.Generator, times: int, extremes_below: int
) -> list[Line]:
    """Lines on units drawn with replacement; with few units those that leave one out, too.

    Parameters
    ----------
    times
        Draws; those without both kinds of pairs are left out.
    extremes_below
        With fewer units than this the leave-one-out lines are added.
    """
    units = pairs.units
    lines = []
    for _ in range(times):
        drawn = rng.choice(units, len(units))
        lines.append(fit_line(pairs, pairs.multiplicity(drawn)))
    if len(units) < extremes_below:
        for unit in units:
            rest = (pairs.units_a != unit) & (pairs.units_b != unit)
            lines.append(fit_line(pairs, rest.astype(np.float64)))
    return [line for line in lines if line is not None]
