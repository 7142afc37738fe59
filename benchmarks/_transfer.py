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
LESS = 0.6  # another weight of the unusual


def transfer(folder: Path) -> dict[str, dict[str, Any]]:
    """Fitted on the source without the units that are tested, judged by the source's thresholds.

    Units are those of `relations.py`, in which a maker has one name in all corpora.
    """
    units = convert(folder / "models.csv")
    names = sorted({units.unit_of(m) for m in units.models})
    source = corpus(folder, SOURCE)
    code = np.array([names.index(units.unit_of(m)) for m in source.names])
    fold = folds_of(np.arange(len(names)), np.random.default_rng(0))
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
    rows_: dict[str, dict[str, Any]] = {}
    for (name, n), parts in found.items():
        whole = Found.joined(parts)
        for weight in (UNUSUAL, LESS):
            own = whole.weighing(weight)
            above, ratio = judged(plain[n, "raw", ""].weighing(weight), own)
            same, other = ratio[own.kind == SAME], ratio[own.kind == OTHER]
            suffix = "" if weight == UNUSUAL else f", weight of the unusual {weight}"
            rows_[f"{SOURCE} → {name}, {n}{suffix}"] = (
                {"auc": auc(own.of(SAME), own.of(OTHER))}
                | told(own, above, ratio)
                | {"cllr": metrics.cllr(same, other), "cllr_min": metrics.cllr_min(same, other)}
            )
    return rows_
