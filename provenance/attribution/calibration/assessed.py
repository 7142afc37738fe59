"""What a calibration says of one case."""

from __future__ import annotations

from dataclasses import dataclass, replace

from provenance.findings import EffectiveUnits, KnownPairs, Proposition

__all__ = ["Assessed"]


@dataclass(frozen=True, slots=True)
class Assessed:
    """A log10 likelihood ratio with all that must stand beside it, or why there is none."""

    log10_lr: float | None
    interval: tuple[float, float] | None
    bounds: tuple[float, float] | None
    clipped: bool
    calibration: str
    population: str
    n_same: float | None
    n_different: float | None
    why_not: str | None
    known_pairs: KnownPairs | None = None

    @property
    def assessed(self) -> bool:
        """Whether there is a ratio."""
        return self.log10_lr is not None

    def limited(self, most: float) -> Assessed:
        """The same, at most ``most`` (log10): its interval and bounds, too."""
        if self.log10_lr is None or self.interval is None or self.bounds is None:
            return self
        (low, high), (least, bound) = self.interval, self.bounds
        return replace(
            self,
            log10_lr=min(self.log10_lr, most),
            interval=(min(low, most), min(high, most)),
            bounds=(least, min(bound, most)),
            clipped=self.clipped or self.log10_lr > most,
        )

    def withheld(self, why_not: str) -> Assessed:
        """The same without the ratio."""
        return Assessed(
            *(None, None, None, False, self.calibration, self.population, None, None), why_not
        )

    def proposition(self, hypothesis: str, against: str) -> Proposition:
        """As it stands in a study document."""
        low, high = self.bounds or (None, None)
        return Proposition(
            hypothesis=hypothesis,
            against=against,
            log10_lr=self.log10_lr,
            sensitivity_interval=self.interval,
            bound_low=low,
            bound_high=high,
            clipped=self.clipped,
            calibration=self.calibration,
            population=self.population,
            n_effective=EffectiveUnits(same=self.n_same, different=self.n_different),
            known_pairs=self.known_pairs,
            assessed=self.assessed,
            why_not=self.why_not,
        )
