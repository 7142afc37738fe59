"""Open-set identification: which models of a library cannot be excluded as the suspect's origin.

A conformal test a model, on bundles. The nonconformity of a bundle to model k is minus its score
against k's *enrolled* outputs; k's own *held-out* outputs give the nonconformity that k itself
shows. The set holds every model that its test does not reject, so siblings that answer alike stay
in it together, and an empty set means that each model of the library was rejected.

Nothing here knows what a score is: larger means more alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Inclusion", "OpenSet", "false_inclusion", "needed", "open_set"]

Floats = NDArray[np.float64]
_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True)
class OpenSet:
    """The set of models that are not rejected.

    Attributes
    ----------
    p_values
        Shape (models,), in (0, 1]; NaN where a model has no score.
    included
        Shape (models,): whether p > α, or the model cannot be rejected at all.
    calibration
        How many held-out bundles the p-values rest on (the same number for every model).
    decidable
        Whether ``calibration`` suffices for any p-value to be ≤ α; if not the set is everything.
    """

    p_values: Floats
    included: NDArray[np.bool_]
    calibration: int
    decidable: bool


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How often a maker outside the library gets a non-empty set, measured by leaving units out.

    Attributes
    ----------
    rate
        Mean over units of the share of their bundles with a non-empty set.
    bundles, units
        How many were tried.
    mean_size
        Mean number of models in the set of a bundle that should have none.
    """

    rate: float
    bundles: int
    units: int
    mean_size: float


def needed(alpha: float) -> int:
    """The fewest held-out bundles with which a p-value can be at most ``alpha``: 1/α − 1."""
    return int(np.ceil(1 / alpha - 1 - 1e-9))


def open_set(suspect: Floats, own: Floats, *, alpha: float) -> OpenSet:
    """Test for every model k: the suspect's bundle is exchangeable with bundles of k.

    p_k = (1 + #{i : own_i ≤ suspect_k}) / (M + 1): conformal, one calibration bundle a model,
    pooled over models.

    Parameters
    ----------
    suspect
        Shape (models,): score of the suspect's bundle against the enrolled outputs of each model;
        NaN where there is none.
    own
        Shape (models,): score of each model's held-out bundle against its own enrolled outputs;
        NaN where a model has no second bundle. M of them are numbers.
    alpha
        Level a model.

    Returns
    -------
    OpenSet

    Notes
    -----
    Null hypothesis, for model k: given that the suspect's bundle comes from k, its score against
    k is exchangeable with the M own scores. With one model drawn at random from those that the
    library stands for, P(k ∈ set) ≥ 1 − α *on average over models and over calibration*
    (marginal over models): for one given model the coverage may be lower. Bundles must be made
    alike: as many outputs, disjoint from what was enrolled, by the same way of choosing. What
    breaks it: another genre, other decoding, a re-formatting host, a session effect that the
    library's bundles do not have. For makers outside the library nothing is promised; see
    `false_inclusion`. Source: Vovk, Gammerman & Shafer 2005, ch. 2.
    """
    calibration = np.sort(own[~np.isnan(own)])
    p_values = _p_values(suspect, calibration)
    decidable = len(calibration) >= needed(alpha)
    scored = ~np.isnan(suspect)
    included = (p_values > alpha) & scored if decidable else scored
    return OpenSet(p_values, included, len(calibration), decidable)


def false_inclusion(cross: Floats, units: Sequence[Hashable], *, alpha: float) -> Inclusion | None:
    """Leave units out in turn: what a maker outside the library would see.

    Parameters
    ----------
    cross
        Shape (models, models): score of the held-out bundle of model i against the enrolled
        outputs of model j; NaN where either is missing.
    units
        The unit (family, or families of one maker) of each model; all models of a unit leave the
        library and the calibration together.
    alpha
        As in `open_set`.

    Returns
    -------
    Inclusion or None
        None where fewer than two units have a held-out bundle, or where without one of them too
        few are left for α.
    """
    codes: dict[Hashable, int] = {}
    unit = np.array([codes.setdefault(u, len(codes)) for u in units])
    own = np.diag(cross)
    tried = np.flatnonzero(~np.isnan(own))
    rates: list[float] = []
    sizes: list[int] = []
    for code in dict.fromkeys(unit[tried].tolist()):
        outside = unit != code
        calibration = np.sort(own[outside & ~np.isnan(own)])
        if len(calibration) < needed(alpha):
            return None
        hits = []
        for i in tried[unit[tried] == code]:
            size = int((_p_values(cross[i, outside], calibration) > alpha).sum())
            hits.append(size > 0)
            sizes.append(size)
        rates.append(float(np.mean(hits)))
    if len(rates) < 2:
        return None
    return Inclusion(
        rate=float(np.mean(rates)),
        bundles=len(tried),
        units=len(rates),
        mean_size=float(np.mean(sizes)),
    )


def _p_values(scores: Floats, calibration: Floats) -> Floats:
    below = np.searchsorted(calibration, scores + _TOLERANCE, side="right")
    p = (1.0 + below.astype(np.float64)) / (len(calibration) + 1.0)
    return np.where(np.isnan(scores), np.nan, p)
