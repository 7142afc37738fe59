"""Open-set identification: which models of a library cannot be excluded as the suspect's origin.

A conformal test a model, on bundles. The nonconformity of a bundle to model k is minus its score
against k's *enrolled* outputs; k's own *held-out* outputs give the nonconformity that k itself
shows. The set holds every model that its test does not reject, so siblings that answer alike stay
in it together, and an empty set means that each model of the library was rejected.

Nothing here knows what a score is: larger means more alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration.metrics import upper_limit

__all__ = [
    "Inclusion",
    "OpenSet",
    "Tables",
    "either",
    "false_inclusion",
    "fixed",
    "needed",
    "open_set",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
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
        How many held-out bundles the pooled p-values rest on.
    per_model
        How many models have bundles enough for p-values of their own.
    decidable
        Whether any model can be rejected; if not the set is everything.
    """

    p_values: Floats
    included: Flags
    calibration: int
    decidable: bool
    per_model: int = 0


@dataclass(frozen=True, slots=True)
class Inclusion:
    """How often a maker outside the library gets a non-empty set, measured by leaving units out.

    Attributes
    ----------
    rate
        Mean over units of the share of their bundles with a non-empty set: for a maker drawn at
        random.
    bundle_rate
        Share of all bundles with a non-empty set: for a model drawn at random, so that units of
        many models weigh more.
    bundles, units
        How many were tried.
    mean_size
        Mean number of models in the set of a bundle that should have none.
    unseen
        Whether what compares bundles was fitted without these units, too; if not, a maker that is
        new to it gets a set more often.
    margins
        Whether the rate is of scores with what parts the models (`margins`).
    by_outputs
        Outputs of a bundle and the rate by size, with margins if there are any; where it was
        measured.
    upper
        95% limit of ``rate``, as a mean over so many units that were drawn at random.
    """

    rate: float
    bundle_rate: float
    bundles: int
    units: int
    mean_size: float
    unseen: bool = False
    margins: bool = False
    by_outputs: tuple[tuple[int, float], ...] = ()
    upper: float | None = None


def needed(alpha: float) -> int:
    """The fewest held-out bundles with which a p-value can be at most ``alpha``: 1/α − 1."""
    return int(np.ceil(1 / alpha - 1 - 1e-9))


def open_set(
    suspect: Floats,
    own: Floats,
    *,
    alpha: float,
    repeated: Mapping[int, Floats] | None = None,
) -> OpenSet:
    """Test for every model k: the suspect's bundle is exchangeable with bundles of k.

    p_k = (1 + #{i : own_i ≤ suspect_k}) / (M + 1): conformal, over k's own bundles where there are
    1/α − 1 of them or more, else over one bundle of every model, pooled.

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
    repeated
        Scores of several held-out bundles of one model, by its place.

    Returns
    -------
    OpenSet

    Notes
    -----
    Null hypothesis, for model k: given that the suspect's bundle comes from k, its score against
    k is exchangeable with the M own scores. With bundles of k alone, P(k ∈ set) ≥ 1 − α for k
    itself, on average over calibration. Pooled, and with one model drawn at random from those that
    the library stands for, it holds *on average over models* too (marginal over models): for one
    given model the coverage may be lower. Bundles must be made alike: as many outputs, disjoint
    from what was enrolled, by the same way of choosing. What breaks it: another genre, other
    decoding, a re-formatting host, a session effect that the library's bundles do not have. For
    makers outside the library nothing is promised; see `false_inclusion`. Source: Vovk, Gammerman
    & Shafer 2005, ch. 2.
    """
    calibration = np.sort(own[~np.isnan(own)])
    p_values = _p_values(suspect, calibration)
    pooled = len(calibration) >= needed(alpha)
    rejectable = np.full(len(suspect), pooled)
    enough = {k: v for k, v in (repeated or {}).items() if len(v) >= needed(alpha)}
    for k, scores in enough.items():
        p_values[k] = _p_values(suspect[k : k + 1], np.sort(scores))[0]
        rejectable[k] = True
    scored = ~np.isnan(suspect)
    included = scored & ((p_values > alpha) | ~rejectable)
    return OpenSet(
        p_values, included, len(calibration), bool(pooled or enough), per_model=len(enough)
    )


def either(first: OpenSet, second: OpenSet, unlike: Flags, *, alpha: float) -> OpenSet:
    """One test of two: the larger p-value where formats are unlike, else the first.

    Parameters
    ----------
    first, second
        Of the same models, on texts as they stand and in the canonical view.
    unlike
        Shape (models,): whether the suspect's format is unlike the model's.

    Notes
    -----
    A model is rejected only if its first test rejects it, so the coverage of the first holds
    whatever chooses between them. And a suspect that a host re-formatted, in a way that the
    canonical view undoes, has the coverage of the second.
    """
    both = unlike & ~np.isnan(second.p_values)
    p_values = np.where(both, np.fmax(first.p_values, second.p_values), first.p_values)
    included = first.included | (both & second.included)
    return OpenSet(p_values, included, first.calibration, first.decidable, first.per_model)


class Tables(Protocol):
    """Scores as they are in a library that consists of some models only."""

    def __call__(self, outside: Flags) -> tuple[Floats, Floats]:
        """Of held-out bundles, and of each model against itself, for the models that are left.

        Shapes (bundles, models left) and (models left,); NaN where there is none.
        """


def fixed(cross: Floats, own: Floats) -> Tables:
    """Tables of scores that do not hang on who else is in the library.

    ``cross``: shape (bundles, models); ``own``: as in `open_set`.
    """
    return lambda outside: (cross[:, outside], own[outside])


def false_inclusion(
    tables: Tables,
    rows: NDArray[np.int64],
    units: Sequence[Hashable],
    *,
    alpha: float,
    plain: tuple[Tables, Flags] | None = None,
) -> Inclusion | None:
    """Leave units out in turn: what a maker outside the library would see.

    Parameters
    ----------
    tables
        Scores of held-out bundles, in the order of ``rows``, and of models against themselves.
    rows
        Shape (bundles,): which model each bundle is of.
    units
        The unit (family, or families of one maker) of each model; all models of a unit leave the
        library and the calibration together.
    alpha
        As in `open_set`; p-values are pooled.
    plain
        The same in the canonical view, and which pairs are of unlike format, shape (bundles,
        models), for tests that take `either`.

    Returns
    -------
    Inclusion or None
        None where fewer than two units have a held-out bundle, or where without one of them too
        few are left for α.
    """
    codes: dict[Hashable, int] = {}
    unit = np.array([codes.setdefault(u, len(codes)) for u in units])
    rates: list[float] = []
    sizes: list[int] = []
    for code in dict.fromkeys(unit[rows].tolist()):
        outside = unit != code
        cross, own = tables(outside)
        calibration = _sorted(own)
        if len(calibration) < needed(alpha):
            return None
        inside = np.flatnonzero(unit[rows] == code)
        p = np.array([_p_values(cross[i], calibration) for i in inside])
        if plain is not None:
            second, own = plain[0](outside)
            other = np.array([_p_values(second[i], _sorted(own)) for i in inside])
            p = np.where(plain[1][inside][:, outside], np.fmax(p, other), p)
        found = (p > alpha).sum(axis=1)
        sizes += found.tolist()
        rates.append(float((found > 0).mean()))
    if len(rates) < 2:
        return None
    return Inclusion(
        rate=float(np.mean(rates)),
        bundle_rate=float(np.mean(np.array(sizes) > 0)),
        bundles=len(rows),
        units=len(rates),
        mean_size=float(np.mean(sizes)),
        upper=upper_limit(float(np.mean(rates)), len(rates)),
    )


def _sorted(own: Floats) -> Floats:
    return np.sort(own[~np.isnan(own)])


def _p_values(scores: Floats, calibration: Floats) -> Floats:
    below = np.searchsorted(calibration, scores + _TOLERANCE, side="right")
    p = (1.0 + below.astype(np.float64)) / (len(calibration) + 1.0)
    return np.where(np.isnan(scores), np.nan, p)
