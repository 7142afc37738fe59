"""Tasks: the same model or not, on prompts of its own, under re-formatting, without channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _baselines import found_by_baselines
from _corpora import Corpus, corpus, undone
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
from provenance.library.space import Summary
from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import named

OUTPUTS = (25, 100)
# 188 a side are 376 prompts; the fit has the 53 that are left.
MOST, MOST_SHARE = 188, 0.12
CORPUS = "alpaca_eval"
Rows = dict[str, dict[str, Any]]


def same(folder: Path) -> Rows:
    """Both views at 25, 100 and 188 outputs, and what thresholds and ratios say of related ones."""
    data = {(v, False): corpus(folder, CORPUS, v) for v in ("raw", "canonical")}
    found = _both(data)
    rows: Rows = {"composition": _composition(data["raw", False])}
    for (n, view, _), pairs in sorted(found.items(), key=lambda f: (f[0][1] != "raw", f[0][0])):
        rows[f"{view}, {n}"] = described(pairs)
    return rows


def baselines(folder: Path) -> Rows:
    """The same bundles."""
    data = corpus(folder, CORPUS)
    return {
        label: described(found)
        for label, found in found_by_baselines(folder, data, OUTPUTS, 5).items()
    }


def reformatted_suspect(folder: Path) -> Rows:
    """The suspect alone re-formatted: each view, and the way that `attribute` goes.

    That way: the raw view where formats match, else the canonical one.
    """
    data = {
        (v, c): corpus(folder, CORPUS, v, changed=c) for v in ("raw", "canonical") for c in (0, 1)
    }
    found = held_out(
        {(v, bool(c)): own for (v, c), own in data.items()}, data["raw", 0].unit, (100,)
    )
    plain = {v: found[100, v, False] for v in ("raw", "canonical")}
    rows: Rows = {
        "texts that the canonical view makes the same": {
            "share": undone(folder, CORPUS, "canonical")
        }
    }
    for changed in (False, True):
        said = {v: judged(plain[v], found[100, v, changed]) for v in plain}
        strange = found[100, "raw", changed].unlike
        kind = found[100, "raw", changed].kind
        suffix = "re-formatted" if changed else "as it is"
        for view in plain:
            rows[f"{view} view, {suffix}"] = told(found[100, view, changed], *said[view])
        above, ratio = (
            np.where(strange, c, r) for r, c in zip(said["raw"], said["canonical"], strict=True)
        )
        rows[f"raw or canonical by format, {suffix}"] = told(
            found[100, "raw", changed], above, ratio
        ) | {
            "unlike_same": float(strange[kind == SAME].mean()),
            "unlike_other": float(strange[kind == OTHER].mean()),
        }
    return rows


def ablations(folder: Path) -> Rows:
    """Spaces without one channel, and of one alone."""
    data = corpus(folder, CORPUS)
    rows: Rows = {}
    for label, kept in _ablated(data).items():
        for (n, _, _), found in held_out(
            {("raw", False): kept}, data.unit, OUTPUTS, repeats=3
        ).items():
            told_ = described(found)
            rows[f"{label}, {n}"] = {k: told_[k] for k in ("auc", "tpr", "fpr", "cllr_unclipped")}
    return rows


def controls(folder: Path) -> Rows:
    """What must get no support: one text many times, people's text, shuffled labels."""
    data = corpus(folder, CORPUS)
    found = held_out({("raw", False): data}, data.unit, OUTPUTS)
    rows: Rows = {}
    for n in OUTPUTS:
        plain = found[n, "raw", False]
        folds = {int(u): int(f) for u, f in zip(plain.a, plain.fold, strict=True)}
        shuffled = shuffled_control(pairs_of(plain), folds, np.random.default_rng(4))
        rows[f"labels of units shuffled, {n}"] = {"cllr": shuffled}
    for label, suspects in _strangers(folder, data).items():
        for n, made in suspects.items():
            above, ratio = judged(found[n, "raw", False], made)
            rows[f"{label}, {n}"] = {
                "above": float(above.mean()),
                "over_10": float((ratio > 1).mean()),
                "largest_log10_ratio": float(ratio.max()),
                "pairs": len(ratio),
            }
    return rows


def _both(data: Mapping[tuple[str, bool], Corpus]) -> dict[tuple[int, str, bool], Found]:
    unit = data["raw", False].unit
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


def _ablated(data: Corpus) -> dict[str, Corpus]:
    whole = data.training
    ends = np.cumsum([0, *(s.width for s in named(*NAMED))])
    columns = {n: slice(a, b) for n, a, b in zip(NAMED, ends, ends[1:], strict=False)}

    def kept(hashed: Sequence[str], measured: Sequence[str]) -> Corpus:
        measures = np.zeros_like(whole.measures)
        for name in measured:
            measures[:, columns[name]] = whole.measures[:, columns[name]]
        counts = {n: whole.counts[n] for n in hashed}
        return replace(data, training=replace(whole, counts=counts, measures=measures))

    without = {f"without {n}": kept([h for h in HASHED if h != n], NAMED) for n in HASHED}
    return {
        "all": data,
        **without,
        "without the measures": kept(HASHED, ()),
        "skeleton alone": kept(("skeleton",), ()),
        "format alone": kept(("line_types",), ("format_habits",)),
    }


def _strangers(folder: Path, data: Corpus) -> dict[str, dict[int, Found]]:
    """One text of a model many times, and people's text (the prompts), against every model."""
    people = _people(folder)
    found: dict[str, dict[int, list[Found]]] = {}
    for made in fitted({("raw", False): data}, data.unit):
        space, rows = made.spaces["raw"], made.rows["raw", False]
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
