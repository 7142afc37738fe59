"""Pairs of bundles with known relations, and how many independent ones they are worth.

Pairs share models, and models share makers: 6,720 pairs of 15 × 8 models are worth about 230 at the
1% tail. So everything is counted and resampled by *unit*, the group that holds all models that
share weights, fixed before any score is seen.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError

__all__ = ["TAIL", "Pairs", "effective_different", "effective_same"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int64]
TAIL = 0.01


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of bundles.

    Attributes
    ----------
    scores
        Shape (m,): larger means more alike.
    first
        Shape (m,): whether the first hypothesis of the pair of hypotheses is true.
    units_a, units_b
        Shape (m,): codes of the units of both sides.
    """

    scores: Floats
    first: Flags
    units_a: Codes
    units_b: Codes

    def __post_init__(self) -> None:
        """Check the shapes."""
        shapes = {getattr(self, name).shape for name in self.__slots__}
        if len(shapes) != 1 or self.scores.ndim != 1:
            raise UsageError(f"pairs need arrays of one length, found {sorted(shapes)}")
        if not np.isfinite(self.scores).all():
            raise UsageError("pairs hold scores that are not finite")
        if not self.first.any() or self.first.all():
            raise UsageError("pairs of both kinds are needed")

    @classmethod
    def of(
        cls,
        scores: Floats,
        first: Flags,
        units_a: Sequence[Hashable],
        units_b: Sequence[Hashable],
    ) -> Pairs:
        """With units as names."""
        codes: dict[Hashable, int] = {}
        both = [
            np.array([codes.setdefault(u, len(codes)) for u in units], dtype=np.int64)
            for units in (units_a, units_b)
        ]
        return cls(np.asarray(scores, dtype=np.float64), np.asarray(first, dtype=bool), *both)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def units(self) -> Codes:
        """Codes of all units that occur."""
        return np.unique(np.concatenate([self.units_a, self.units_b]))

    def only(self, chosen: Flags) -> Pairs:
        """Some of the pairs.

        Raises
        ------
        UsageError
            If one kind is missing among them.
        """
        return Pairs(*(getattr(self, name)[chosen] for name in self.__slots__))

    def within(self, units: Codes) -> Flags:
        """Which pairs have both sides in these units."""
        return np.isin(self.units_a, units) & np.isin(self.units_b, units)

    def multiplicity(self, units: Codes) -> Floats:
        """Weights of the pairs when units are drawn with replacement: the product of both counts.

        A pair within one unit has the count itself.
        """
        counts = np.bincount(units, minlength=int(self.units.max()) + 1).astype(np.float64)
        a, b = counts[self.units_a], counts[self.units_b]
        return np.where(self.units_a == self.units_b, a, a * b)


def effective_same(pairs: Pairs) -> int:
    """N_s: units with a pair for which the first hypothesis is true."""
    first = pairs.first
    return len(np.unique(np.concatenate([pairs.units_a[first], pairs.units_b[first]])))


def effective_different(pairs: Pairs, *, tail: float = TAIL) -> float:
    """N_d: how many independent pairs the others are worth at their upper tail.

    One a pair of units, and never more than p(1 − p)/Var, where p is the share of pairs above the
    score that a share ``tail`` of them exceeds, and Var its variance by a jackknife over units.
    """
    others = ~pairs.first
    a, b = pairs.units_a[others], pairs.units_b[others]
    low, high = np.minimum(a, b), np.maximum(a, b)
    couples = len(np.unique(low * (int(high.max()) + 1) + high))
    scores = pairs.scores[others]
    threshold = np.quantile(scores, 1 - tail)
    above = scores > threshold
    p = float(above.mean())
    units = np.unique(np.concatenate([a, b]))
    if p == 0 or len(units) < 3:
        return float(couples)
    left_out = []
    for unit in units:
        rest = (a != unit) & (b != unit)
        if rest.any():
            left_out.append(float(above[rest].mean()))
    n = len(left_out)
    # Each pair has two units, so leaving one out takes each pair twice over all units.
    variance = (n - 1) / n * float(np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    return float(couples) if variance == 0 else float(min(couples, p * (1 - p) / variance))
