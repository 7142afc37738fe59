"""The benign band: is the suspect further from the reference than known servings of one model?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.observations import CellObservations, Observations
from provenance.findings import BandGroup, BenignBand, Finding
from provenance.library.band import ALWAYS, Band, BenignPair
from provenance.stats.layout import counts
from provenance.stats.ranks import Rank, distances_at_equal_n, grouped_rank

NULL = "within_benign_band"
Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Benign:
    """For the study document, and for its reasons.

    Attributes
    ----------
    rank
        None where no pair of the band could be used.
    """

    band: BenignBand
    findings: tuple[Finding, ...]
    rank: Rank | None


def examine_band(
    observations: Observations,
    band: Band,
    *,
    allow: Sequence[str],
    battery_digest: str,
    model: str,
    alpha: float,
    rules: Mapping[str, Any],
    seed: int,
    early: bool,
) -> Benign:
    """Rank the suspect's distance among those of the band's groups of weights.

    A pair is left out if it was asked another battery, differs in a way that is not allowed, serves
    the very model that is in question (it would not be a further group), or has two draws a side in
    fewer of the suspect's cells than the plan's least coverage. Which pairs are used depends on
    numbers of draws alone, not on answers.

    Parameters
    ----------
    allow
        Kinds of difference that count as benign, beside another host, engine and floating-point
        format.
    model
        Name of the reference's model. Pairs of it are known by this name and by those that its
        answers bear, whatever owner, case or marks they are written with (`_plain`).
    early
        Whether sampling stopped because of what was seen: then a rank is no p-value.
    """
    own = {c.cell.id: counts(c.draws) for c in observations.used() if _least(c) >= 2}
    allowed = (*ALWAYS, *(kind for kind in allow if kind not in ALWAYS))
    names = _names(observations, model)
    reasons = [_why_not(p, own, allowed, battery_digest, names, rules) for p in band.pairs]
    kept = [p for p, reason in zip(band.pairs, reasons, strict=True) if reason is None]
    left_out = Counter(r for r in reasons if r is not None)
    shared = [i for i in own if kept and all(_usable(p, i) for p in kept)]
    if kept and not shared:
        left_out["no_shared_cell"] += len(kept)
    if not shared:
        return Benign(_document(band, allowed, {}, [], left_out, alpha, early=early), (), None)
    tables = [[own[i] for i in shared], *([_table(p, i) for i in shared] for p in kept)]
    distance, *known = distances_at_equal_n(tables, np.random.default_rng([seed, 11]))
    rank, largest = grouped_rank(distance, known, [p.weights for p in kept], alpha=alpha)
    decidable = rank.decidable and not early
    document = _document(
        band, allowed, {str(g): v for g, v in largest.items()}, kept, left_out, alpha, early=early
    )
    draws = sum(min(int(t.sum(axis=1).min()) for t in row) for row in zip(*tables, strict=True))
    finding = Finding(
        name="benign_band",
        statistic=distance,
        p_value=rank.p_value if decidable else None,
        alpha=alpha,
        effect=distance,
        estimand="mean over cells of the squared distance of category probabilities",
        null=NULL,
        exactness="calibrated" if decidable else "descriptive",
        assumptions=("exchangeable_benign_pairs", "independent_draws", "known_reading"),
        exploratory=early,
        n_reference=draws,
        n_suspect=draws,
        method=(
            "Rank of the suspect's distance among the largest of each group of weights, unbiased "
            "U-statistics at equal numbers of draws on the same cells"
        ),
        citation="Vovk, Gammerman & Shafer 2005",
        values={
            "band": band.name,
            "groups": rank.known,
            "pairs": len(kept),
            "as_far": rank.as_far,
            "needed": rank.needed,
            "smallest_p": rank.smallest_p,
            "rank": rank.p_value,
            "cells": len(shared),
        },
    )
    return Benign(document, (finding,), rank)


def _document(
    band: Band,
    allowed: Sequence[str],
    largest: Mapping[str, float],
    kept: Sequence[BenignPair],
    left_out: Counter[str],
    alpha: float,
    *,
    early: bool,
) -> BenignBand:
    from provenance.stats.multiplicity import resamples_needed

    needed = resamples_needed(alpha, 1)
    sizes = Counter(p.weights for p in kept)
    return BenignBand(
        name=band.name,
        digest=band.digest,
        allowed=tuple(allowed),
        groups=tuple(
            BandGroup(weights=name, pairs=sizes[name], distance=value)
            for name, value in largest.items()
        ),
        left_out=dict(sorted(left_out.items())),
        needed=needed,
        decidable=len(largest) >= needed and not early,
    )


def _why_not(
    pair: BenignPair,
    own: Mapping[str, Counts],
    allowed: Sequence[str],
    battery_digest: str,
    names: frozenset[str],
    rules: Mapping[str, Any],
) -> str | None:
    if pair.battery_digest != battery_digest:
        return "other_battery"
    if pair.kind not in allowed:
        return f"{pair.kind}_not_allowed"
    if _plain(pair.weights) in names:
        return "same_weights_as_reference"
    covered = sum(_usable(pair, i) for i in own)
    if not covered or covered < rules["minimum_coverage"] * len(own):
        return "too_few_draws"
    return None


def _names(observations: Observations, model: str) -> frozenset[str]:
    """What the model in question is called: as asked for, and as the reference's server says."""
    served = {
        r.completion.served_model
        for c in observations.used()
        for r in c.records
        if r.role == "reference" and r.completion is not None
    }
    return frozenset(_plain(name) for name in {model, *served} if name)


def _plain(name: str) -> str:
    """A name without its owner, folder, ending, case and marks: ``Qwen/Qwen3-8B`` is ``qwen38b``.

    One that spells the weights otherwise than this is another name.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()
    last = last.removesuffix(":free").removesuffix(":latest").removesuffix(".gguf")
    return "".join(c for c in last if c.isalnum()) or last


def _usable(pair: BenignPair, cell: str) -> bool:
    return cell in pair.cells and min(map(sum, pair.cells[cell])) >= 2


def _table(pair: BenignPair, cell: str) -> Counts:
    return np.array(pair.cells[cell], dtype=np.intp)


def _least(cell: CellObservations) -> int:
    return min(cell.n("reference"), cell.n("suspect"))
