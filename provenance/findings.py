"""The study document: the frozen types behind ``study.json``.

Everything that a reader of a study may see is here; every renderer works from it alone. Unknown
is None, never NaN. ``provenance/study.schema.json`` is generated from `StudyDocument`; a test
keeps the two equal.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from provenance.transcript import Frozen

# 1: first version.
SCHEMA_VERSION = 1

Label = Literal[
    "consistent",
    "different",
    "inconclusive",
    "supported",
    "not_supported",
    "known",
    "none_of_these",
]
Exactness = Literal["exact", "anytime", "calibrated", "descriptive"]


class Side(Frozen):
    """One endpoint as it was asked for and as it answered.

    ``requested`` is the endpoint string; ``served`` the model names that answers carried, with
    counts; ``fingerprints`` likewise; ``options`` the endpoint's options (never a key);
    ``capabilities`` what was found supported, ignored or refused.
    """

    requested: str
    label: str
    served: dict[str, int] = Field(default_factory=dict)
    fingerprints: dict[str, int] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    capabilities: dict[str, Any] = Field(default_factory=dict)
    first_utc: str | None = None
    last_utc: str | None = None


class Declaration(Frozen):
    """Who asked, why, and with whose authority, as stated by the user; None: not stated."""

    asked_by: str | None = None
    purpose: str | None = None
    authorised_by: str | None = None


class BatteryRef(Frozen):
    """Which questions were asked."""

    name: str
    digest: str
    cells: int


class Reason(Frozen):
    """Why the verdict is what it is: a code for programs, a sentence for people."""

    code: str
    text: str
    values: dict[str, Any] = Field(default_factory=dict)


class Verdict(Frozen):
    """The label, the null hypothesis that it speaks of, and why."""

    label: Label
    null: str
    delta: float | None = None
    panel: str | None = None
    not_excluded: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


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


class Candidate(Frozen):
    """A model of the library, weighed as the origin of the suspect's texts.

    ``p_value`` is that of a conformal test of "the suspect's bundle is one of this model's";
    ``in_set``: not rejected. ``outputs`` of the model were compared. ``log10_lr`` weighs "the same
    model" against "a model of another maker"; None where no calibration covers the case. ``view``:
    the texts as they stand, or canonical where the formats are unlike.
    """

    name: str
    version: str | None = None
    family: str | None = None
    maker: str | None = None
    outputs: int
    p_value: float | None = Field(default=None, gt=0, le=1)
    in_set: bool
    log10_lr: float | None = None
    sensitivity_interval: tuple[float, float] | None = None
    clipped: bool = False
    view: Literal["raw", "canonical"] = "raw"


class FalseInclusion(Frozen):
    """How often a maker outside the library gets a non-empty set: measured by leaving units out.

    ``rate`` is the mean over units of the share of their bundles, ``bundle_rate`` the share of all
    bundles, where units of many models weigh more.
    """

    rate: float
    bundle_rate: float | None = None
    bundles: int
    units: int
    mean_size: float


class Population(Frozen):
    """The library that a suspect was held against, and what its numbers rest on.

    ``calibration_bundles`` held-out bundles, one a model, give the p-values: coverage is marginal
    over models, or "per_model" where some models have bundles enough of their own. ``comparison``
    says which outputs were compared, ``views`` whether as they stand or in the canonical view.
    ``genre`` is that of the suspect's prompts, as stated or found, ``genres`` those of the library;
    empty where it states none. ``ratio_bounds`` are the smallest and largest log10 ratio that its
    known pairs can support for "the same model".
    """

    name: str
    digest: str
    models: int
    units: int
    space: str
    calibration: str | None = None
    sources: tuple[str, ...] = ()
    alpha: float
    calibration_bundles: int
    decidable: bool
    comparison: Literal["other_prompts", "other_sessions", "same_prompts"]
    suspect_outputs: int
    coverage: Literal["marginal", "per_model"] = "marginal"
    views: tuple[str, ...] = ()
    genre: str | None = None
    genres: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    ratio_bounds: tuple[float, float] | None = None
    false_inclusion: FalseInclusion | None = None


class Other(Frozen):
    """A further endpoint of a study: a control, a sibling, the suspect before or after."""

    role: Literal["control", "sibling", "before", "after"]
    side: Side
    outputs: int
    root: str | None = None


class AnchorPair(Frozen):
    """A model that both hosts are trusted to serve alike, asked on either.

    ``distance`` is on the scale of the finding "anchors", at equal numbers of draws on the same
    cells as the suspect's. ``why_not``: why it was left out.
    """

    reference: Side
    suspect: Side
    distance: float | None = None
    n_reference: int
    n_suspect: int
    used: bool
    why_not: str | None = None
    root: str | None = None


class BandGroup(Frozen):
    """Benign pairs of one set of weights: how many, and the largest of their distances."""

    weights: str
    pairs: int
    distance: float


class BenignBand(Frozen):
    """Pairs of hosts known to serve the same weights, and which of them could be used.

    ``allowed`` kinds of difference count as benign. ``left_out`` maps a reason to how many pairs.
    ``decidable``: there are ``needed`` groups or more, else nothing can be rejected.
    """

    name: str
    digest: str
    allowed: tuple[str, ...]
    groups: tuple[BandGroup, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    needed: int
    decidable: bool


class Habit(Frozen):
    """A habit of writing that the suspect shares with a model and few others have.

    ``suspect``, ``model`` and ``population`` are rates in ``unit``; ``share_below`` is the share
    of unrelated models whose rate is lower than the suspect's. ``quote`` is from the suspect's own
    words. Chosen after looking: descriptive.
    """

    name: str
    model: str
    unit: str
    suspect: float
    of_model: float
    population: float
    share_below: float
    quote: str = ""


class MapPoint(Frozen):
    """A model's place in a two-dimensional picture of the library; axes have no unit."""

    name: str
    family: str | None = None
    role: Literal["library", "suspect", "reference", "control", "sibling"] = "library"
    x: float
    y: float


class Merge(Frozen):
    """Two groups of models that join in the tree: leaves count from 0 in the order of the points.

    Group k made by merge i has the number leaves + i. ``support`` is the share of bootstrap
    samples of the coordinates in which the same leaves form a group.
    """

    left: int
    right: int
    height: float
    support: float | None = None


class LibraryMap(Frozen):
    """The neighbourhood of the suspect in the library. Descriptive."""

    points: tuple[MapPoint, ...]
    merges: tuple[Merge, ...] = ()
    explained: float
    bootstrap: int = 0


class Coverage(Frozen):
    """Draws planned and obtained."""

    planned: int
    completed: int
    used: int
    reference: int
    suspect: int
    cells_planned: int
    cells_used: int
    blocks_excluded_for_lag: int = 0


class FailureCount(Frozen):
    """Final failures of one kind."""

    side: Literal["reference", "suspect"]
    kind: str
    family: str
    count: int
    example: str = ""


class UsageTotal(Frozen):
    """What the study cost: attempts, tokens as the servers counted them, dollars if priced."""

    requests: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens: int | None = None
    usd: float | None = None
    by_side: dict[str, dict[str, float | int | None]] = Field(default_factory=dict)


class EvidenceRef(Frozen):
    """The transcript that this document can be recomputed from."""

    records: int
    root: str | None
    earlier_runs: int = 0


class StudyDocument(Frozen):
    """The whole study, as written to ``study.json`` and printed by ``--json``."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    created_utc: str
    question: str
    declaration: Declaration = Declaration()
    reference: Side
    suspect: Side
    battery: BatteryRef
    plan_digest: str
    settings: dict[str, Any]
    environment: dict[str, str]
    seed: int
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    propositions: tuple[Proposition, ...] = ()
    cells: tuple[CellCounts, ...] = ()
    families: tuple[Family, ...] = ()
    yardstick: Yardstick | None = None
    sensitivity: tuple[Sensitivity, ...] = ()
    substitutes: tuple[SubstituteShare, ...] = ()
    others: tuple[Other, ...] = ()
    anchors: tuple[AnchorPair, ...] = ()
    band: BenignBand | None = None
    population: Population | None = None
    candidates: tuple[Candidate, ...] = ()
    habits: tuple[Habit, ...] = ()
    map: LibraryMap | None = None
    coverage: Coverage
    failures: tuple[FailureCount, ...] = ()
    usage: UsageTotal
    alternatives: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    evidence: EvidenceRef
