"""Task: what bounds the cost of a ratio, and what could lower it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from _corpora import Corpus, corpus, labels_of
from _lineage import relations, share_teacher
from _logistic import logistic
from _pairs import (
    OTHER,
    RELATIVE,
    SAME,
    Found,
    compared,
    described,
    drawn,
    fitted,
    halves,
    judged,
    scored,
    summaries,
    told,
)

from provenance.attribution import same_source
from provenance.attribution.calibration import metrics

CORPUS = "alpaca_eval"
OUTPUTS, REPEATS = (25, 100), 5
RIDGE = 1e-5
WEIGHTS = (0.0, 0.3, 0.6, 0.9, 1.2, 1.6)  # of the unusual
TRUST = (10, 40, 200)  # outputs at which a bundle's own spread counts half; 20 ships
SHARES = (0.04, 0.08, 0.16, 0.34)  # of relatives among the negatives
Rows = dict[str, dict[str, Any]]
Extra = Mapping[str, np.ndarray]


def ratios(folder: Path) -> Rows:
    """Cllr, raw view, by what the negatives are and by what the line is fitted on.

    Lines are fitted on the pairs of the other folds, so on other units. ``cllr`` is of clipped
    ratios, ``cllr_unclipped`` before; ``cllr_min`` is what re-calibrating on the very test would
    leave, ``floor`` what the bounds alone cost. *Relatives*: models of the same unit are that share
    of the negatives, in fit and test. *Tied*: of other units, but with a teacher or a maker in
    common or one the other's teacher. *Weight of the unusual*: a number of the score (1.2 as it
    is); *chosen on the other folds*: for each fold the one of least Cllr there, as a library's
    calibration chooses its own (`provenance.attribution.weighing`). *With …*: further
    figures of the pair in the regression. *Own spread*: the outputs at which a bundle's own spread
    counts half (20 as it is).
    """
    data = corpus(folder, CORPUS)
    labels = labels_of(folder, CORPUS).loc[data.names]
    tied = ties(labels, data)
    found, extra = _pairs(data)
    rows: Rows = {}
    for n, pairs in found.items():
        rows[f"as it is, {n}"] = _figures(described(pairs)) | {
            f"fold_{f}": cost for f, cost in enumerate(_by_fold(pairs))
        }
        for share in SHARES:
            rows[f"relatives {share:.2f}, {n}"] = _with_relatives(pairs, share)
        rows |= _by_tie(pairs, tied, n)
        for weight in WEIGHTS:
            row = _figures(described(pairs.weighing(weight)))
            rows[f"weight of the unusual {weight}, {n}"] = row
        rows[f"weight chosen on the other folds, {n}"] = _chosen(pairs)
        for label, figures in _covariates(pairs, extra[n]).items():
            ratio = _regressed(pairs, figures)
            rows[f"{label}, {n}"] = _costs(pairs, ratio)
        for trust in TRUST:
            score = extra[n][f"own spread {trust}"]
            rows[f"own spread {trust}, {n}"] = _costs(pairs, _regressed(pairs, [score]))
    return rows


def ties(labels: pd.DataFrame, data: Corpus) -> np.ndarray:
    """Models with a maker or a teacher in common, or one known to be the other's teacher."""
    maker = labels.vendor.fillna("").to_numpy()
    same = (maker[:, None] == maker[None, :]) & (maker != "")[:, None]
    found: np.ndarray = (
        same | share_teacher(labels) | relations(labels, data)["teacher and student"]
    )
    return found


def _pairs(data: Corpus) -> tuple[dict[int, Found], dict[int, Extra]]:
    """The pairs of `held_out`, with the lengths and spreads of both sides."""
    made: dict[int, list[Found]] = {n: [] for n in OUTPUTS}
    extra: dict[int, list[dict[str, np.ndarray]]] = {n: [] for n in OUTPUTS}
    lengths = np.log(np.maximum(1, data.formats[:, -1]))
    for one_ in fitted({("raw", ""): data}, data.unit):
        space, rows, test = one_.spaces["raw"], one_.rows["raw", ""], one_.split.test
        for repeat in range(REPEATS):
            one, two, g = halves(data, test, repeat)
            for n in OUTPUTS:
                sides = drawn(data, test, one, n, g), drawn(data, test, two, n, g)
                a, b = (summaries(rows, s) for s in sides)
                score, unusual = scored(a, b, space)
                made[n].append(
                    compared(
                        score, data.unit, *map(list, sides), one_.split.number, unusual=unusual
                    )
                )
                own: dict[str, np.ndarray] = {}
                for name, (x, y) in {
                    "length": [[lengths[test[c]].mean() for c in s.values()] for s in sides],
                    "spread": [
                        [np.log((m.variance / space.within).mean()) for m in s] for s in (a, b)
                    ],
                }.items():
                    own[f"{name}, sum"] = np.add.outer(x, y).ravel()
                    own[f"{name}, apart"] = np.abs(np.subtract.outer(x, y)).ravel()
                for trust in TRUST:
                    with mock.patch.object(same_source, "PRIOR_OUTPUTS", trust):
                        own[f"own spread {trust}"] = scored(a, b, space)[0].ravel()
                extra[n].append(own)
    return (
        {n: Found.joined(parts) for n, parts in made.items()},
        {n: {k: np.concatenate([p[k] for p in own]) for k in own[0]} for n, own in extra.items()},
    )


def _covariates(pairs: Found, extra: Extra) -> dict[str, list[np.ndarray]]:
    middle = float(np.median(pairs.of(SAME)))
    return {
        "with the length": [pairs.score, extra["length, sum"], extra["length, apart"]],
        "with the spread": [pairs.score, extra["spread, sum"], extra["spread, apart"]],
        "with how unusual the place is": [pairs.score, pairs.unusual],
        "two pieces": [pairs.score, np.minimum(pairs.score - middle, 0)],
    }


def _regressed(pairs: Found, figures: Sequence[np.ndarray], share: float = 0.0) -> np.ndarray:
    """log10 ratios of regressions on the other folds."""
    x = np.stack(figures, axis=-1)
    ratio = np.zeros(len(x))
    for fold in np.unique(pairs.fold):
        inside = pairs.fold == fold
        same, other, related = (~inside & (pairs.kind == k) for k in (SAME, OTHER, RELATIVE))
        second, weights = x[other], None
        if share:
            second = np.concatenate([x[other], x[related]])
            weights = _composed(int(other.sum()), int(related.sum()), share)
        lines, offset = logistic(x[same], second, ridge=RIDGE, weights=weights)
        ratio[inside] = (x[inside] @ lines + offset) / np.log(10)
    return ratio


def _composed(others: int, related: int, share: float) -> np.ndarray:
    return np.repeat([(1 - share) / others, share / related], [others, related])


def _with_relatives(pairs: Found, share: float) -> dict[str, float]:
    ratio = _regressed(pairs, [pairs.score], share)
    same, other, related = (ratio[pairs.kind == k] for k in (SAME, OTHER, RELATIVE))
    weights = _composed(len(other), len(related), share)
    both = np.concatenate([other, related])
    return {"cllr_unclipped": metrics.cllr(same, both, None, weights)}


def _by_tie(pairs: Found, tied: np.ndarray, n: int) -> Rows:
    ratio = _regressed(pairs, [pairs.score])
    other, known = pairs.kind == OTHER, tied[pairs.i, pairs.j]
    rows: Rows = {}
    for label, chosen in (("no known tie", other & ~known), ("tied", other & known)):
        rows[f"negatives of other units, {label}, {n}"] = {
            "cllr_unclipped": metrics.cllr(ratio[pairs.kind == SAME], ratio[chosen]),
            "over_10_other": float((ratio[chosen] > 1).mean()),
            "pairs": int(chosen.sum()),
        }
    return rows


def _costs(pairs: Found, ratio: np.ndarray) -> dict[str, float]:
    same, other = ratio[pairs.kind == SAME], ratio[pairs.kind == OTHER]
    return {
        "cllr_unclipped": metrics.cllr(same, other),
        "cllr_min": metrics.cllr_min(same, other),
    }


def _by_fold(pairs: Found) -> list[float]:
    ratio = _regressed(pairs, [pairs.score])
    return [
        metrics.cllr(*(ratio[(pairs.fold == f) & (pairs.kind == k)] for k in (SAME, OTHER)))
        for f in np.unique(pairs.fold)
    ]


def _chosen(pairs: Found) -> dict[str, Any]:
    """Each fold judged with the weight that costs least on the others."""
    above, ratio = np.zeros(len(pairs.score), dtype=bool), np.zeros(len(pairs.score))
    free, chosen = ratio.copy(), []
    for fold in np.unique(pairs.fold):
        inside = pairs.fold == fold
        rest = pairs.only(~inside)
        costs = [described(rest.weighing(w))["cllr_unclipped"] for w in WEIGHTS]
        chosen.append(WEIGHTS[int(np.argmin(costs))])
        own = pairs.weighing(chosen[-1])
        for whole, part in zip((above, ratio), judged(own, own), strict=True):
            whole[inside] = part[inside]
        free[inside] = _regressed(own, [own.score])[inside]
    same, other = pairs.kind == SAME, pairs.kind == OTHER
    said = told(pairs, above, ratio)
    row = {k: said[k] for k in ("tpr", "fpr", "fpr_upper", "over_10_other")}
    row |= {"cllr": metrics.cllr(ratio[same], ratio[other])} | _costs(pairs, free)
    return row | {"weights": chosen}


def _figures(row: Mapping[str, float]) -> dict[str, float]:
    names = ("auc", "tpr", "fpr", "fpr_upper", "tpr_related_5", "over_10_other")
    return {k: row[k] for k in (*names, "cllr", "cllr_unclipped", "cllr_min", "floor")}
