"""Task: a space, thresholds and ratios of one corpus on whole other ones."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _corpora import FOLDS, corpus, folds_of, space_rows
from _pairs import (
    OTHER,
    SAME,
    Found,
    auc,
    chosen_weight,
    compared,
    drawn,
    halves,
    held_out,
    judged,
    scored,
    summaries,
    told,
)

sys.path.insert(0, str(Path(__file__).parent))
from relations import convert

from provenance.attribution.calibration import metrics
from provenance.library.space import UNUSUAL, fit

SOURCE = "alpaca_eval"
# Outputs a side, as far as a corpus has them on disjoint prompts.
TARGETS = {"stories": (25, 60), "misguided": (25, 36), "reasoning_gsm": (25, 100)}
REPEATS = 3


def transfer(folder: Path) -> dict[str, dict[str, Any]]:
    """Fitted on the source without the units that are tested, judged by the source's thresholds.

    A unit that is tested takes no part in the line, threshold, bound and weight of the unusual
    (`chosen_weight`) that judge it; or this weight is fixed.

    Units are those of `relations.py`, in which a maker has one name in all corpora.
    """
    units = convert(folder / "models.csv")
    names = sorted({units.unit_of(m) for m in units.models})
    source = corpus(folder, SOURCE)
    code = np.array([names.index(units.unit_of(m)) for m in source.names])
    # Large units apart, so that each fold leaves models enough; small ones spread, so units enough.
    sizes_of = np.ceil(np.sqrt(np.maximum(1, np.bincount(code, minlength=len(names))))).astype(int)
    fold = folds_of(np.repeat(np.arange(len(names)), sizes_of), np.random.default_rng(0))
    data = {n: corpus(folder, n) for n in TARGETS}
    sizes = sorted({n for wanted in TARGETS.values() for n in wanted})
    plain = held_out({("raw", ""): source}, source.unit, sizes, repeats=2)
    found: dict[tuple[str, int], list[Found]] = {}
    for number in range(FOLDS):
        train = np.flatnonzero(fold[code[source.model]] != number)
        training = source.training.only(train)
        training = replace(training, units=code[np.unique(source.model[train])])
        space = fit(training, rng=np.random.default_rng(number))
        for name, own in data.items():
            unit = np.array([names.index(units.unit_of(m)) for m in own.names])
            test = np.flatnonzero(fold[unit[own.model]] == number)
            if not len(test):
                continue
            rows = space_rows(space, own, test)
            for repeat in range(REPEATS):
                one, two, g = halves(own, test, repeat)
                for n in TARGETS[name]:
                    a, b = drawn(own, test, one, n, g), drawn(own, test, two, n, g)
                    if a and b:
                        score, unusual = scored(summaries(rows, a), summaries(rows, b), space)
                        pairs = compared(score, unit, list(a), list(b), number, unusual=unusual)
                        found.setdefault((name, n), []).append(pairs)
    apart = {
        f: {n: _without(plain[n, "raw", ""], fold[code] == f) for n in sizes} for f in range(FOLDS)
    }
    weights = {f: chosen_weight(list(pairs.values())) for f, pairs in apart.items()}
    fixed = dict.fromkeys(weights, UNUSUAL)
    rows_: dict[str, dict[str, Any]] = {}
    for (name, n), parts in found.items():
        whole = Found.joined(parts)
        for suffix, own in (("", weights), (f", weight of the unusual {UNUSUAL}", fixed)):
            above, ratio = np.zeros(len(whole.score), dtype=bool), np.zeros(len(whole.score))
            for f, pairs in apart.items():
                inside = whole.fold == f
                # None of these pairs is of the fold that is judged.
                rest = replace(pairs[n], fold=np.full(len(pairs[n].score), -1))
                above[inside], ratio[inside] = judged(rest, whole.only(inside), weights=own)
            scored_ = whole.weighing(own)
            same, other = ratio[whole.kind == SAME], ratio[whole.kind == OTHER]
            rows_[f"{SOURCE} → {name}, {n}{suffix}"] = (
                {"auc": auc(scored_.of(SAME), scored_.of(OTHER)), "weights": list(own.values())}
                | told(whole, above, ratio)
                | {"cllr": metrics.cllr(same, other), "cllr_min": metrics.cllr_min(same, other)}
            )
    return rows_


def _without(pairs: Found, models: np.ndarray) -> Found:
    """Those that touch none of some models, which are marked."""
    return pairs.only(~(models[pairs.i] | models[pairs.j]))
