"""Anchors: what the two hosts change in models that they are trusted to serve alike.

A shift that anchors show as well is the hosts'. Anchors never make a study reject: they can only
turn `different` into `inconclusive`, and where there are enough of them they say with a p-value
that the suspect differs more than a host effect would explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution import conduct, describe
from provenance.attribution.observations import CellObservations, Observations, observe
from provenance.attribution.order import examine_order
from provenance.attribution.verdict import Held
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.findings import AnchorPair, Finding, UsageTotal
from provenance.stats.contrasts import (
    PairedDraws,
    common_shift,
    excess_over,
    inner_products,
    squared_lengths,
)
from provenance.stats.kernels import ngram, ngram_counts
from provenance.stats.ranks import conformal_rank
from provenance.transcript import ROLES, Record, Transcript

NULL = "host_effect"
# Answers longer than this (median of the pooled cell, in characters) are compared as texts too.
_TEXT_FROM = 24
_ORDER_RESAMPLES = 999


@dataclass(frozen=True, slots=True)
class AnchorRecords:
    """One anchor as it was recorded: on the reference's host and on the suspect's."""

    reference: Endpoint
    suspect: Endpoint
    transcript: Transcript
    cells: tuple[Cell, ...]
    blocked: bool
    prices: Mapping[str, Any]
    events: tuple[Mapping[str, Any], ...]
    root: str

    def usage(self) -> UsageTotal:
        """What it cost."""
        return describe.usage(
            self.transcript,
            self.prices,
            {"reference": self.reference, "suspect": self.suspect},
            {role: conduct.pilot_answers(self.events, role) for role in ROLES},
        )


@dataclass(frozen=True, slots=True)
class Anchored:
    """For the study document, and for the rule of the verdict (None: no anchor could be used).

    ``limits`` holds the code "anchors_apart" if an anchor was asked at another time than the
    suspect, or nobody knows when.
    """

    pairs: tuple[AnchorPair, ...]
    findings: tuple[Finding, ...]
    held: Held | None
    limits: tuple[str, ...] = ()

    @property
    def left_out(self) -> int:
        """Anchors that could not be used."""
        return sum(not pair.used for pair in self.pairs)


def examine_anchors(
    observations: Observations,
    anchors: Sequence[AnchorRecords],
    *,
    alpha: float,
    rules: Mapping[str, Any],
    seed: int,
    early: bool,
) -> Anchored:
    """Hold the suspect's shift against those of the anchors.

    An anchor is left out if fewer of its draws than the plan's least coverage stand where the
    suspect's do (a host that fails its anchors gains nothing by it), or if answers of a side repeat
    each other. What is compared, and why it is valid, stands in `stats.contrasts` and
    `stats.ranks`.

    Parameters
    ----------
    early
        Whether sampling stopped because of what was seen: then a rank is no p-value.
    """
    if not anchors:
        return Anchored((), (), None)
    own = {c.cell.id: c for c in observations.used() if _least(c) >= 2}
    read = [
        observe(a.transcript, a.cells, blocked=a.blocked, max_lag_s=rules["max_lag_s"])
        for a in anchors
    ]
    found = [{c.cell.id: c for c in o.used() if _least(c) >= 2} for o in read]
    why = [
        _why_not(own, cells, o, rules=rules, seed=seed)
        for cells, o in zip(found, read, strict=True)
    ]
    kept = [cells for cells, reason in zip(found, why, strict=True) if reason is None]
    shared = [i for i in own if kept and all(i in cells for cells in kept)]
    if not shared:
        pairs = tuple(
            _pair(a, o, reason or "no_shared_cell", None)
            for a, o, reason in zip(anchors, read, why, strict=True)
        )
        return Anchored(pairs, (), None)
    rng = np.random.default_rng([seed, 9])
    drawn = [_drawn([own[i], *(cells[i] for cells in kept)], rng) for i in shared]
    m = len(kept)
    lengths = squared_lengths([inner_products(cell, m + 1) for cell in drawn])
    rank = conformal_rank(float(lengths[0]), lengths[1:].tolist(), alpha=alpha)
    excess, common = excess_over(drawn, m + 1), common_shift(drawn, m + 1)
    decidable = rank.decidable and not early
    held = Held(
        anchors=m,
        as_far=rank.as_far,
        needed=rank.needed,
        p=rank.p_value if decidable else None,
        p_excess=excess.p_value,
        p_common=common.p_value,
    )
    used = [a.transcript for a, reason in zip(anchors, why, strict=True) if reason is None]
    apart = _apart(list(own.values()), used, set(shared))
    distances = iter(lengths[1:].tolist())
    pairs = tuple(
        _pair(a, o, reason, next(distances) if reason is None else None)
        for a, o, reason in zip(anchors, read, why, strict=True)
    )
    draws = sum(len(cell.pair) for cell in drawn)
    finding = Finding(
        name="anchors",
        statistic=float(lengths[0]),
        p_value=held.p,
        alpha=alpha,
        effect=excess.excess,
        estimand=(
            "squared distance of the suspect's step from host to host and the anchors' mean step, "
            "mean over cells"
        ),
        null=NULL,
        exactness="calibrated" if decidable else "descriptive",
        assumptions=("same_host_effect", "exchangeable_anchors", "independent_draws"),
        exploratory=early,
        n_reference=draws // (2 * (m + 1)),
        n_suspect=draws // (2 * (m + 1)),
        method=(
            "Signed contrasts of each pair within cell, at equal numbers of draws; rank of the "
            "suspect's squared length among the anchors', and the difference in differences "
            "against their mean (unbiased U-statistics, gamma tail)"
        ),
        citation="Vovk, Gammerman & Shafer 2005; Gretton et al. 2012; Imhof 1961",
        values={
            "anchors": m,
            "as_far": rank.as_far,
            "needed": rank.needed,
            "smallest_p": rank.smallest_p,
            "rank": rank.p_value,
            "distance": float(lengths[0]),
            "p_difference_in_differences": excess.p_value,
            "p_common_shift": common.p_value,
            "cells": len(shared),
            "apart_s": apart,
        },
    )
    late = apart is None or apart > rules["max_lag_s"]
    return Anchored(pairs, (finding,), held, ("anchors_apart",) if late else ())


def _apart(
    own: Sequence[CellObservations], anchors: Sequence[Transcript], cells: set[str]
) -> float | None:
    """Seconds between the middle of a side's draws and that of the same side of an anchor.

    The most over sides and anchors; None if the time of a draw is not known.
    """
    most = 0.0
    for role in ROLES:
        mine = _middle(r for c in own if c.cell.id in cells for r in c.records if r.role == role)
        for transcript in anchors:
            other = _middle(r for r in transcript.completed(role) if r.cell in cells)
            if mine is None or other is None:
                return None
            most = max(most, abs(mine - other))
    return round(most, 3)


def _middle(records: Iterable[Record]) -> float | None:
    times = [r.started_utc for r in records]
    known = [datetime.fromisoformat(t).timestamp() for t in times if t is not None]
    return median(known) if known and len(known) == len(times) else None


def _least(cell: CellObservations) -> int:
    return min(cell.n("reference"), cell.n("suspect"))


def _why_not(
    own: Mapping[str, CellObservations],
    anchor: Mapping[str, CellObservations],
    observed: Observations,
    *,
    rules: Mapping[str, Any],
    seed: int,
) -> str | None:
    wanted = sum(_least(c) for c in own.values())
    usable = sum(min(_least(c), _least(anchor[i])) for i, c in own.items() if i in anchor)
    if not usable or usable < rules["minimum_coverage"] * wanted:
        return "too_few_draws"
    brief = {**rules, "minimum_resamples": _ORDER_RESAMPLES}
    order = examine_order(observed, rules=brief, seed=seed)
    if any(p <= rules["serial_alpha"] for p, _ in order.repeats.values()):
        return "answers_repeat"
    return None


def _drawn(pairs: Sequence[CellObservations], rng: np.random.Generator) -> PairedDraws:
    """One cell of all pairs, as many draws of every side as the poorest has."""
    n = min(_least(cell) for cell in pairs)
    categories: list[str] = []
    texts: list[str] = []
    for cell in pairs:
        for role in ROLES:
            places = [i for i, r in enumerate(cell.records) if r.role == role]
            chosen = sorted(rng.choice(len(places), n, replace=False))
            categories += [cell.categories[places[i]] for i in chosen]
            texts += [cell.texts[places[i]] for i in chosen]
    sides = np.repeat(np.arange(2 * len(pairs)), n)
    return PairedDraws(_kernel(categories, texts), sides // 2, sides % 2 == 1)


def _kernel(categories: Sequence[str], texts: Sequence[str]) -> NDArray[np.float64]:
    """1 where two answers are read alike; for long answers averaged with their n-gram cosine."""
    _, codes = np.unique(np.array(categories, dtype=object), return_inverse=True)
    equal: NDArray[np.float64] = (codes[:, None] == codes).astype(np.float64)
    if median(len(t) for t in texts) <= _TEXT_FROM:
        return equal
    return (equal + ngram(ngram_counts(texts))) / 2


def _pair(
    anchor: AnchorRecords, observed: Observations, why_not: str | None, distance: float | None
) -> AnchorPair:
    def records(role: str) -> list[Any]:
        return [r for r in anchor.transcript if r.role == role]

    used = observed.used()
    return AnchorPair(
        reference=describe.side(anchor.reference, anchor.suspect, records("reference"), {}),
        suspect=describe.side(anchor.suspect, anchor.reference, records("suspect"), {}),
        distance=distance,
        n_reference=sum(c.n("reference") for c in used),
        n_suspect=sum(c.n("suspect") for c in used),
        used=why_not is None,
        why_not=why_not,
        root=anchor.root,
    )
