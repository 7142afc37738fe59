"""How good a calibration is, drawn: Tippett and ECE (reliability) curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provenance.dossier.blocks import Line, Plot, Tick
from provenance.dossier.numbers import percent, significant

__all__ = ["Curved", "ece", "tippett"]

Values = Sequence[float]


class Curved(Protocol):
    """`provenance.attribution.calibration.Curves`, as far as it is drawn."""

    @property
    def ratios(self) -> Values: ...  # noqa: D102
    @property
    def same(self) -> Values: ...  # noqa: D102
    @property
    def different(self) -> Values: ...  # noqa: D102
    @property
    def priors(self) -> Values: ...  # noqa: D102
    @property
    def cost(self) -> Values: ...  # noqa: D102
    @property
    def cost_min(self) -> Values: ...  # noqa: D102
    @property
    def cost_nothing(self) -> Values: ...  # noqa: D102


def tippett(curves: Curved, name: str, outputs: int) -> Plot:
    """Shares of pairs of one model, and of two, whose ratio is at least so large."""
    low, high = curves.ratios[0], curves.ratios[-1]

    def line(label: str, shares: Values, style: str, side: str) -> Line:
        places = [(_place(x, low, high), y) for x, y in zip(curves.ratios, shares, strict=True)]
        return Line(label, tuple(places), style, side)  # type: ignore[arg-type]

    wrong = _at(curves.ratios, curves.different, 0.0)
    right = _at(curves.ratios, curves.same, 0.0)
    return Plot(
        caption=(
            f"Tippett plot of {name} at {outputs} outputs a side: pairs whose makers took no part "
            "in the fit. Of a good calibration the solid line stays high and the dashed one falls "
            "before 0."
        ),
        alt=(
            f"{percent(right)} of pairs of one model and {percent(wrong)} of pairs of two makers "
            "have a ratio of 1 or more."
        ),
        lines=(
            line("pairs of one model", curves.same, "solid", "reference"),
            line("pairs of models of two makers", curves.different, "dashed", "suspect"),
        ),
        x_title="log₁₀ likelihood ratio, at least",
        y_title="share of pairs",
        x_ticks=_ticks(low, high),
        y_ticks=_ticks(0.0, 1.0, 4),
        height=0.5,
    )


def ece(curves: Curved, name: str, outputs: int) -> Plot:
    """The cost of using the ratios at each prior, beside the best and beside saying nothing."""
    low, high = curves.priors[0], curves.priors[-1]
    top = max(*curves.cost_nothing, *curves.cost) or 1.0

    def line(label: str, costs: Values, style: str, side: str) -> Line:
        places = [
            (_place(x, low, high), min(1.0, y / top))
            for x, y in zip(curves.priors, costs, strict=True)
        ]
        return Line(label, tuple(places), style, side)  # type: ignore[arg-type]

    at_even = _at(curves.priors, curves.cost, 0.0)
    least = _at(curves.priors, curves.cost_min, 0.0)
    return Plot(
        caption=(
            f"Reliability (ECE) of {name} at {outputs} outputs a side: mean cost in bits of the "
            "ratios at each prior. The gap between solid and dotted is lost by calibration; above "
            "the dashed line ratios do harm."
        ),
        alt=(
            f"At even prior odds the ratios cost {significant(at_even)} bits, re-calibrated on "
            f"these pairs {significant(least)}, and saying nothing 1."
        ),
        lines=(
            line("the ratios as reported", curves.cost, "solid", "reference"),
            line("re-calibrated on these pairs", curves.cost_min, "dotted", "neutral"),
            line("saying nothing", curves.cost_nothing, "dashed", "suspect"),
        ),
        x_title="log₁₀ prior odds",
        y_title="bits",
        x_ticks=_ticks(low, high, 5),
        y_ticks=tuple(Tick(i / 4, significant(top * i / 4)) for i in range(5)),
        height=0.5,
    )


def _place(x: float, low: float, high: float) -> float:
    return (x - low) / (high - low) if high > low else 0.5


def _at(points: Values, values: Values, x: float) -> float:
    """The value at the point that is nearest to ``x``."""
    return min(zip(points, values, strict=True), key=lambda pair: abs(pair[0] - x))[1]


def _ticks(low: float, high: float, steps: int = 6) -> tuple[Tick, ...]:
    values = [low + (high - low) * i / steps for i in range(steps + 1)]
    return tuple(Tick(_place(v, low, high), f"{v:.2g}".replace("-", "−")) for v in values)
