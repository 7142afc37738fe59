"""What is drawn of a calibration, kept with it: Tippett and ECE curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration.metrics import ece, pav_ratios, tippett
from provenance.transcript import Frozen

__all__ = ["Curves"]

Floats = NDArray[np.float64]
_POINTS = 61
_PRIORS = np.linspace(-2.5, 2.5, 51)


class Curves(Frozen):
    """Of ratios of pairs whose units took no part in the fit.

    ``ratios`` (log10) with the shares of same-source pairs and of others that reach each: Tippett.
    ``priors`` (log10 odds) with the empirical cross-entropy in bits of the ratios, of the same
    ratios re-calibrated on these very pairs, and of saying nothing: ECE.
    """

    ratios: tuple[float, ...]
    same: tuple[float, ...]
    different: tuple[float, ...]
    priors: tuple[float, ...]
    cost: tuple[float, ...]
    cost_min: tuple[float, ...]
    cost_nothing: tuple[float, ...]

    @property
    def below_one(self) -> float:
        """Share of same-source pairs whose ratio is below 1: misleading. The middle point is 1."""
        return round(1 - self.same[len(self.same) // 2], 4)

    @classmethod
    def of(cls, same: Floats, different: Floats) -> Curves:
        """From log10 ratios, as reported (clipped); rounded to four digits after the point."""
        reach = float(np.ceil(10 * max(np.abs(same).max(), np.abs(different).max())) / 10) or 0.1
        points = np.linspace(-reach, reach, _POINTS)
        shares = tippett(same, different, points)
        # Infinite ratios cost nothing where they are right and everything where they are wrong.
        best = [np.clip(r, -300, 300) for r in pav_ratios(same, different)]
        nothing = np.zeros(1)
        rows = (
            points,
            *shares,
            _PRIORS,
            ece(same, different, _PRIORS),
            ece(best[0], best[1], _PRIORS),
            ece(nothing, nothing, _PRIORS),
        )
        return cls(**dict(zip(cls.model_fields, map(_rounded, rows), strict=True)))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(v) for v in np.round(values, 4))
