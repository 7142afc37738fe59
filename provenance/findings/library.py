"""The suspect among the models of a library: what `identify` and `attribute` found there.

The library and what its numbers rest on, the candidates, their habits, the map and the tree.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from provenance.transcript import Frozen


class FalseInclusion(Frozen):
    """How often a maker outside the library gets a non-empty set: measured by leaving units out.

    ``rate`` is the mean over units of the share of their bundles, ``bundle_rate`` the share of all
    bundles, where units of many models weigh more. ``unseen``: what compares bundles was fitted
    without each unit, too, as for a maker that is new to it; if not, the rate is too low for one.
    ``margins``: of scores with what parts the models. ``by_outputs``: outputs of a bundle and the
    rate, for several sizes, with margins if the library has them. ``upper``: 95% limit of the
    rate over units (Clopper & Pearson 1934), for makers drawn as these were.
    """

    rate: float
    bundle_rate: float | None = None
    bundles: int
    units: int
    mean_size: float
    unseen: bool = False
    margins: bool = False
    by_outputs: tuple[tuple[int, float], ...] = ()
    upper: float | None = None


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


class ClosedMember(Frozen):
    """A model of a closed set."""

    name: str
    family: str | None = None


class ClosedTests(Frozen):
    """How often such an order was right: counts of bundles of ``outputs`` of known models.

    On other prompts, with one of the two discriminants, as many bundles of each model: of
    ``bundles`` in how many the true model came ``first`` and among the ``first_three``, and a model
    of its ``family`` came first; how many were ``as_far_ahead``, the lead of the first over the
    second being no smaller an output than the suspect's, and in how many of these the true model
    came first.
    """

    outputs: int
    bundles: int
    first: int
    first_three: int
    family: int
    as_far_ahead: int
    as_far_ahead_first: int


class ClosedSet(Frozen):
    """Which model of the library the suspect would be, if it is one of them.

    ``first`` are the models that its outputs fit best, in order; ``lead`` the log likelihood of the
    first over the second in nats, over all ``outputs``, not calibrated. Whether the suspect is one
    of the ``models`` is what the set of candidates is about. ``why_not``: why there is no order.
    ``missing``: models of the library that are not among them, as those added since.
    ``discriminants``: their digests.
    """

    models: int
    outputs: int
    genre: str | None = None
    view: Literal["raw", "canonical"] = "raw"
    discriminants: tuple[str, ...]
    first: tuple[ClosedMember, ...] = ()
    lead: float | None = None
    missing: tuple[str, ...] = ()
    tests: ClosedTests | None = None
    why_not: str | None = None


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
