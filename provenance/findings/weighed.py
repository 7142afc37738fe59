"""Likelihood ratios of pairs of hypotheses, and what such ratios were worth on known pairs."""

from __future__ import annotations

from provenance.transcript import Frozen


class EffectiveUnits(Frozen):
    """Independent units behind a calibration."""

    same: float | None = None
    different: float | None = None


class KnownPairs(Frozen):
    """What ratios like this one were worth on pairs of known origin, at ``outputs`` a side.

    Pairs of ``units`` that took no part in the fit; ``n_effective`` of the proposition says how
    many independent ones these are. Misleading are ratios below 1 where the hypothesis holds
    (``same_below_1``), and above 1 for different makers (``different_above_1``), each with its
    one-sided 95% limit over the effective pairs. ``cllr``: mean cost in bits, 1 says nothing;
    ``cllr_floor``: the least that is possible within the bounds.
    """

    outputs: int
    units: int
    same_below_1: float
    same_below_1_upper: float
    different_above_1: float
    different_above_1_upper: float
    cllr: float
    cllr_floor: float


class Proposition(Frozen):
    """A likelihood ratio for a pair of hypotheses, or why there is none."""

    hypothesis: str
    against: str
    log10_lr: float | None = None
    sensitivity_interval: tuple[float, float] | None = None
    bound_low: float | None = None
    bound_high: float | None = None
    clipped: bool = False
    calibration: str | None = None
    population: str | None = None
    n_effective: EffectiveUnits = EffectiveUnits()
    known_pairs: KnownPairs | None = None
    assessed: bool = False
    why_not: str | None = None
