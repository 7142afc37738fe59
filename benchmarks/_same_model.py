"""Tasks: the same model or not, on prompts of its own, and under re-formatting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _baselines import found_by_baselines
from _calibrating import ties
from _corpora import Corpus, corpus, labels_of, undone
from _pairs import (
    OTHER,
    RELATED,
    SAME,
    Found,
    compared,
    described,
    drawn,
    fitted,
    held_out,
    judged,
    pairs_of,
    summaries,
    told,
)

from provenance.attribution.calibration import shuffled_control
from provenance.attribution.same_source import scores
from provenance.library.space import UNUSUAL, Summary

OUTPUTS = (25, 100)
# 188 a side are 376 prompts; the fit has the 53 that are left.
MOST, MOST_SHARE = 188, 0.12
RUNS = ((OUTPUTS, 5, 0.5), ((MOST,), 3, MOST_SHARE))  # outputs, repeats, share of the fit
LESS = 0.6  # another weight of the unusual
CORPUS = "alpaca_eval"
Rows = dict[str, dict[str, Any]]


def same(folder: Path) -> Rows:
    """Both views at 25, 100 and 188 outputs, and what thresholds and ratios say of related ones."""
    data = {(v, ""): corpus(folder, CORPUS, v) for v in ("raw", "canonical")}
    found = _both(data)
    rows: Rows = {"composition": _composition(data["raw", ""])}
    for (n, view, _), pairs in sorted(found.items(), key=lambda f: (f[0][1] != "raw", f[0][0])):
        rows[f"{view}, {n}"] = described(pairs)
    return rows


def baselines(folder: Path) -> Rows:
    """The same bundles."""
    data = corpus(folder, CORPUS)
    return {
        label: described(found) for label, found in found_by_baselines(folder, data, RUNS).items()
    }


def reformatted_suspect(folder: Path) -> Rows:
    """The suspect alone re-formatted: each view, and the way that `attribute` goes.

    That way: the raw view where formats match, else the canonical one. *The lower of both views*
    is possible only where formats match. Tied: models of other units with a teacher or a maker in
    common, or one known to be the other's teacher.
    """
    views, changes = ("raw", "canonical"), ("", "re-formatted")
    data = {(v, c): corpus(folder, CORPUS, v, change=c) for v in views for c in changes}
    found = held_out(data, data["raw", ""].unit, (100,))
    tied = ties(labels_of(folder, CORPUS).loc[data["raw", ""].names], data["raw", ""])
    rows: Rows = {
        "texts that the canonical view makes the same": {
            "share": undone(folder, CORPUS, "canonical")
        }
    }
    for weight in (UNUSUAL, LESS):
        ending = "" if weight == UNUSUAL else f", weight of the unusual {weight}"
        weighed = {key: pairs.weighing(weight) for key, pairs in found.items()}
        rows |= {k + ending: row for k, row in _by_view(weighed, changes, tied).items()}
    return rows


def _by_view(
    found: Mapping[tuple[int, str, str], Found], changes: Sequence[str], tied: np.ndarray
) -> Rows:
    views = ("raw", "canonical")
    plain = {v: found[100, v, ""] for v in views}
    rows: Rows = {}
    for change in changes:
        said = {v: judged(plain[v], found[100, v, change]) for v in views}
        whole = found[100, "raw", change]
        strange, kind = whole.unlike, whole.kind
        suffix = change or "as it is"
        for view in views:
            rows[f"{view} view, {suffix}"] = told(found[100, view, change], *said[view])
        above, ratio = (
            np.where(strange, c, r) for r, c in zip(said["raw"], said["canonical"], strict=True)
        )
        rows[f"raw or canonical by format, {suffix}"] = (
            told(whole, above, ratio)
            | {
                "unlike_same": float(strange[kind == SAME].mean()),
                "unlike_other": float(strange[kind == OTHER].mean()),
            }
            | _by_tie(whole, ratio, tied)
        )
        if not change:
            above, ratio = (np.minimum(r, c) for r, c in zip(*said.values(), strict=True))
            rows["the lower of both views, as it is"] = told(whole, above, ratio) | _by_tie(
                whole, ratio, tied
            )
    return rows


def _by_tie(found: Found, ratio: np.ndarray, tied: np.ndarray) -> dict[str, float]:
    """Ratios over 10 for another maker, and how many pairs of models they come from."""
    other, known = found.kind == OTHER, tied[found.i, found.j]
    over = other & (ratio > 1)
    low, high = np.minimum(found.i, found.j), np.maximum(found.i, found.j)
    return {
        "over_10_no_tie": float((ratio[other & ~known] > 1).mean()),
        "over_10_tied": float((ratio[other & known] > 1).mean()),
        "over_10_pairs": int(over.sum()),
        "over_10_pairs_tied": int((over & known).sum()),
        "over_10_models": len(np.unique(low[over] * len(tied) + high[over])),
        "over_10_same": float((ratio[found.kind == SAME] > 1).mean()),
        "largest_log10_other": float(ratio[other].max()),
    }


def controls(folder: Path) -> Rows:
    """What must get no support: one text many times, people's text, shuffled labels."""
    data = corpus(folder, CORPUS)
    found = held_out({("raw", ""): data}, data.unit, OUTPUTS)
    rows: Rows = {}
    for n in OUTPUTS:
        plain = found[n, "raw", ""]
        folds = {int(u): int(f) for u, f in zip(plain.a, plain.fold, strict=True)}
        shuffled = shuffled_control(pairs_of(plain), folds, np.random.default_rng(4))
        rows[f"labels of units shuffled, {n}"] = {"cllr": shuffled}
    for label, suspects in _strangers(folder, data).items():
        for n, made in suspects.items():
            above, ratio = judged(found[n, "raw", ""], made)
            rows[f"{label}, {n}"] = {
                "above": float(above.mean()),
                "over_10": float((ratio > 1).mean()),
                "largest_log10_ratio": float(ratio.max()),
                "pairs": len(ratio),
            }
    return rows


def _both(data: Mapping[tuple[str, str], Corpus]) -> dict[tuple[int, str, str], Found]:
    unit = data["raw", ""].unit
    found = held_out(data, unit, OUTPUTS)
    return found | held_out(data, unit, (MOST,), share=MOST_SHARE, repeats=3)


def _composition(data: Corpus) -> dict[str, Any]:
    return {
        "models": len(data.names),
        "units": len(np.unique(data.unit)),
        "prompts": len(np.unique(data.prompt)),
        "negatives_other_units": 1 - RELATED,
        "negatives_of_the_unit": RELATED,
    }


def _strangers(folder: Path, data: Corpus) -> dict[str, dict[int, Found]]:
    """One text of a model many times, and people's text (the prompts), against every model."""
    people = _people(folder)
    found: dict[str, dict[int, list[Found]]] = {}
    for made in fitted({("raw", ""): data}, data.unit):
        space, rows = made.spaces["raw"], made.rows["raw", ""]
        test, number = made.split.test, made.split.number
        g = np.random.default_rng(50 + number)
        human = space.rows(people)
        for n in OUTPUTS:
            b = drawn(data, test, np.unique(data.prompt), n, g)
            models = summaries(rows, b)
            said = g.choice(len(test), 60, replace=False)
            suspects = {
                "one text of a model many times": [
                    Summary.of_rows(np.repeat(rows[i : i + 1], n, axis=0), "") for i in said
                ],
                "people's text": [
                    Summary.of_rows(human[g.choice(len(human), n, replace=False)], "")
                    for _ in range(20)
                ],
            }
            for label, own in suspects.items():
                scored = scores(own, models, space)
                pairs = compared(scored, data.unit, [-1] * len(own), list(b), number)
                found.setdefault(label, {}).setdefault(n, []).append(pairs)
    return {k: {n: Found.joined(p) for n, p in v.items()} for k, v in found.items()}


def _people(folder: Path) -> list[str]:
    """What people wrote: the longer prompts of the corpus."""
    prompts = pd.read_parquet(folder / "prompts.parquet")
    own = prompts[prompts.corpus == CORPUS].prompt
    return [p for p in own if len(p) >= 80]
