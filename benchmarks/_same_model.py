"""Tasks: the same model or not, on prompts of its own, and under re-formatting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _baselines import found_by_baselines
from _calibrating import ties
from _corpora import Corpus, corpus, labels_of, undone
from _lines import by_lines
from _pairs import (
    OTHER,
    RELATED,
    SAME,
    Found,
    chosen_weights,
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
from provenance.attribution.layouts import MOST_UNLIKE
from provenance.attribution.same_source import scores
from provenance.library.space import UNUSUAL, Summary

OUTPUTS = (25, 100)
# 188 a side are 376 prompts; the fit has the 53 that are left.
MOST, MOST_SHARE = 188, 0.12
RUNS = ((OUTPUTS, 5, 0.5), ((MOST,), 3, MOST_SHARE))  # outputs, repeats, share of the fit
FIXED = f", weight of the unusual {UNUSUAL}"
CORPUS = "alpaca_eval"
Rows = dict[str, dict[str, Any]]


def same(folder: Path) -> Rows:
    """Both views at 25, 100 and 188 outputs, and what thresholds and ratios say of related ones.

    Scores weigh the unusual as a library's calibration would have it weighed on the units of the
    other folds (`chosen_weights`, at 25 and 100 outputs, one for all numbers of outputs); *weight
    of the unusual*: at a fixed one.
    """
    data = {(v, ""): corpus(folder, CORPUS, v) for v in ("raw", "canonical")}
    found = _both(data)
    weights = _weights(found)
    rows: Rows = {"composition": _composition(data["raw", ""])}
    for (n, view, _), pairs in sorted(found.items(), key=lambda f: (f[0][1] != "raw", f[0][0])):
        rows[f"{view}, {n}"] = described(pairs, weights=weights[view]) | {
            "weights": list(weights[view].values())
        }
        rows[f"{view}, {n}{FIXED}"] = described(pairs)
    return rows


def _weights(found: Mapping[tuple[int, str, str], Found]) -> dict[str, dict[int, float]]:
    views = {view for _, view, _ in found}
    return {v: chosen_weights([found[n, v, ""] for n in OUTPUTS]) for v in views}


def baselines(folder: Path) -> Rows:
    """The same bundles."""
    data = corpus(folder, CORPUS)
    return {
        label: described(found) for label, found in found_by_baselines(folder, data, RUNS).items()
    }


def reformatted_suspect(folder: Path) -> Rows:
    """The suspect alone re-formatted: each view, and the way that `attribute` goes.

    That way: the raw view where formats match, else the canonical one with the limit that ratios
    have there (`layouts.MOST_UNLIKE`), and without it. *The lower of both views*
    is possible only where formats match. Tied: models of other units with a teacher or a maker in
    common, or one known to be the other's teacher; *one maker*: only this. Weights of the unusual
    as in `same`. *Line*, *lower of*, *bounded*: other ways to a ratio (`_lines`), on that way.
    """
    views, changes = ("raw", "canonical"), ("", "re-formatted")
    data = {(v, c): corpus(folder, CORPUS, v, change=c) for v in views for c in changes}
    found = held_out(data, data["raw", ""].unit, OUTPUTS)
    labels = labels_of(folder, CORPUS).loc[data["raw", ""].names]
    known = Known(ties(labels, data["raw", ""]), labels.vendor.fillna("").to_numpy())
    weights = _weights(found)
    rows: Rows = {
        "texts that the canonical view makes the same": {
            "share": undone(folder, CORPUS, "canonical")
        }
    }
    fixed = {v: dict.fromkeys(weights[v], UNUSUAL) for v in views}
    for ending, own in (("", weights), (FIXED, fixed)):
        rows |= {k + ending: row for k, row in _by_view(found, changes, known, own).items()}
    plain, tested = found[100, "canonical", ""], found[100, "canonical", "re-formatted"]
    for label, ratio in by_lines(plain, tested, known.tied, weights["canonical"]):
        rows[f"{label}, re-formatted"] = _by_tie(tested, ratio, known) | {
            "under_tenth_same": float((ratio[tested.kind == SAME] < -1).mean())
        }
    return rows


@dataclass
class Known:
    """Which models are tied, shape (models, models); who made each, empty where not known."""

    tied: np.ndarray
    maker: np.ndarray


def _by_view(
    found: Mapping[tuple[int, str, str], Found],
    changes: Sequence[str],
    known: Known,
    weights: Mapping[str, Mapping[int, float]],
) -> Rows:
    views = ("raw", "canonical")
    plain = {v: found[100, v, ""] for v in views}
    rows: Rows = {}
    for change in changes:
        tested = {v: found[100, v, change] for v in views}
        said = {v: judged(plain[v], tested[v], weights=weights[v]) for v in views}
        whole = tested["raw"]
        strange, kind = whole.unlike, whole.kind
        suffix = change or "as it is"
        for view in views:
            rows[f"{view} view, {suffix}"] = told(tested[view], *said[view]) | {
                "weights": list(weights[view].values())
            }
        above, free = (
            np.where(strange, c, r) for r, c in zip(said["raw"], said["canonical"], strict=True)
        )
        ratio = np.where(strange, np.minimum(free, MOST_UNLIKE), free)
        unlike = {
            "unlike_same": float(strange[kind == SAME].mean()),
            "unlike_other": float(strange[kind == OTHER].mean()),
        }
        for way, own in (("", ratio), (", without the limit", free)):
            rows[f"raw or canonical by format{way}, {suffix}"] = (
                told(whole, above, own) | unlike | _by_tie(whole, own, known)
            )
        if not change:
            above, ratio = (np.minimum(r, c) for r, c in zip(*said.values(), strict=True))
            rows["the lower of both views, as it is"] = told(whole, above, ratio) | _by_tie(
                whole, ratio, known
            )
    return rows


def _by_tie(found: Found, ratio: np.ndarray, known: Known) -> dict[str, float]:
    """Ratios over 10 for another maker, and how many pairs of models they come from."""
    other, tied = found.kind == OTHER, known.tied[found.i, found.j]
    one = (known.maker[found.i] == known.maker[found.j]) & (known.maker[found.i] != "")
    over = other & (ratio > 1)
    low, high = np.minimum(found.i, found.j), np.maximum(found.i, found.j)
    return {
        "over_10_other": float(over[other].mean()),
        "over_10_no_tie": float((ratio[other & ~tied] > 1).mean()),
        "over_10_tied": float((ratio[other & tied] > 1).mean()),
        "over_10_pairs": int(over.sum()),
        "over_10_pairs_tied": int((over & tied).sum()),
        "over_10_pairs_one_maker": int((over & one).sum()),
        "over_10_models": len(np.unique(low[over] * len(known.tied) + high[over])),
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
