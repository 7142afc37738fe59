"""The figures of a study, as blocks that every format draws in its own way.

They are made from the study document alone, and say nothing that does not stand in words beside
them: each has a text for those who cannot see it, and no meaning is left to colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from provenance.dossier.blocks import LABEL, Dots, Mark, Tick
from provenance.dossier.numbers import p_value, significant
from provenance.dossier.text import clip
from provenance.findings import Family

_MOST_TICKS = 6
_APART = 0.15


def family_p_values(families: Sequence[Family], alpha: float | None) -> Dots | None:
    """The adjusted p-values of the families on a logarithmic axis; None where there is none."""
    tested = [(f, f.p_adjusted) for f in families if f.p_adjusted is not None]
    if not tested:
        return None
    least = min([p for _, p in tested] + ([alpha] if alpha else []))
    decades = max(1, math.ceil(-math.log10(least) - 1e-9))

    def place(p: float) -> float:
        return _within(1 + math.log10(p) / decades)

    marks = tuple(
        Mark(f.name, place(p), p_value(p, alpha), alpha is not None and p <= alpha)
        for f, p in tested
    )
    step = math.ceil(decades / (_MOST_TICKS - 1))
    ticks = tuple(Tick(place(10.0**-d), significant(10.0**-d)) for d in range(decades, -1, -step))
    line = None if alpha is None else Tick(place(alpha), f"α {alpha:g}")
    caption = "Adjusted p-value of each family, on a logarithmic axis: the further to the left, "
    caption += "the rarer under the null hypothesis."
    if alpha is not None:
        caption += f" Filled diamonds lie at or below α = {alpha:g}, open circles above."
    return Dots(caption, _in_words("p adjusted", marks), marks, ticks, line)


def family_effects(families: Sequence[Family], alpha: float | None) -> Dots | None:
    """The effects of the families on a linear axis with zero; None where there is none."""
    measured = [(f, f.effect) for f in families if f.effect is not None and math.isfinite(f.effect)]
    if not measured:
        return None
    low = min(0.0, *(e for _, e in measured))
    high = max(0.0, *(e for _, e in measured))
    width = (high - low) or 1.0

    def place(effect: float) -> float:
        return _within((effect - low) / width)

    marks = tuple(
        Mark(
            f.name,
            place(effect),
            significant(effect),
            alpha is not None and f.p_adjusted is not None and f.p_adjusted <= alpha,
        )
        for f, effect in measured
    )
    # Zero has the line and its label; beside it, only an end that is far enough away is named.
    ends = (end for end in (low, high) if abs(place(end) - place(0.0)) > _APART)
    ticks = tuple(Tick(place(end), significant(end)) for end in ends)
    caption = "Effect in each family, marked as above; 0 is no difference. What it estimates stands"
    caption += " under “How each was computed”."
    return Dots(caption, _in_words("effect", marks), marks, ticks, Tick(place(0.0), "0"))


def _in_words(measure: str, marks: Sequence[Mark]) -> str:
    return "; ".join(f"{clip(m.label, LABEL)}: {measure} {m.value}" for m in marks)


def _within(place: float) -> float:
    return min(1.0, max(0.0, place))
