"""What tests and measures found, and what each cell, family and plan has to do with it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from provenance.transcript import Frozen

Exactness = Literal["exact", "anytime", "calibrated", "descriptive"]


class Finding(Frozen):
    """One test or measure.

    ``p_value`` lies in (0, 1]; ``p_adjusted`` is Holm's over the findings that share the
    decision; ``effect`` estimates ``estimand``. A descriptive finding has no p-value.
    """

    name: str
    speaks_to: tuple[str, ...] = ()
    statistic: float | None = None
    p_value: float | None = Field(default=None, gt=0, le=1)
    p_adjusted: float | None = Field(default=None, gt=0, le=1)
    e_value: float | None = None
    alpha: float | None = None
    effect: float | None = None
    effect_interval: tuple[float | None, float | None] | None = None
    estimand: str | None = None
    null: str | None = None
    exactness: Exactness
    assumptions: tuple[str, ...] = ()
    exploratory: bool = False
    n_reference: int | None = None
    n_suspect: int | None = None
    method: str
    citation: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)


class CellCounts(Frozen):
    """What each side answered in one cell.

    ``reference`` and ``suspect`` map categories to counts, the most frequent first, at most 40
    a side with the rest under "…other". ``examples`` holds, for cells read as text, one short
    answer a side. ``difference`` is the total variation distance between the two empirical
    distributions: descriptive, biased upwards in small samples. What one cell shows was not
    planned to decide: ``exploratory`` is always true.
    """

    id: str
    family: str
    reading: str
    prompt: str
    reference: dict[str, int]
    suspect: dict[str, int]
    n_reference: int
    n_suspect: int
    difference: float | None = None
    exploratory: Literal[True] = True
    examples: dict[str, str] = Field(default_factory=dict)


class Family(Frozen):
    """The probes of one family, tested together."""

    name: str
    cells: int
    n_reference: int
    n_suspect: int
    p_value: float | None = None
    p_adjusted: float | None = None
    effect: float | None = None


class Yardstick(Frozen):
    """How far apart the reference is from itself, on the scale of the effect.

    ``between`` is the distance of the sides, ``within`` that of the reference's own halves
    (mean over random halvings, same number of draws a side), ``within_high`` its 95th
    percentile. Descriptive.
    """

    estimand: str
    between: float | None
    within: float | None
    within_high: float | None
    halvings: int
    draws_a_side: int


class Sensitivity(Frozen):
    """What the plan could have seen, from reference, panel and plan; never from the outcome."""

    alternative: str
    effect_kind: str
    minimum_detectable: float | None
    power: float
    alpha: float
    basis: Literal["planned"] = "planned"


class SubstituteShare(Frozen):
    """Which share of the suspect's answers one member of the panel may have given.

    ``lower`` and ``upper`` are one-sided limits at level ``alpha`` each, over ``cells`` cells in
    which it was measured. ``fits``: some share is compatible; else the suspect is no mixture of
    reference and substitute, and the limits mean nothing. ``parted``: the reference's own answers
    differ from the substitute's; else no share can be excluded.
    """

    name: str
    derivative: bool = False
    cells: int
    lower: float
    upper: float
    alpha: float
    fits: bool = True
    parted: bool
