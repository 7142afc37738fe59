"""Task: spaces without a signature, and of one alone, when the suspect changes its texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _corpora import CHANGES, Corpus, corpus
from _pairs import OTHER, RELATIVE, SAME, Found, auc, described, held_out, judged, threshold

from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import named

CORPUS = "alpaca_eval"
OUTPUTS = (25, 100)
REPEATS = 3


def ablations(folder: Path) -> dict[str, dict[str, Any]]:
    """TPR at 1% FPR and AUC, raw view, by what the space reads and what the suspect alone did.

    Spaces are fitted anew without each signature, and on each alone, with the same folds and
    bundles. ``tpr``: at the threshold of pairs whose texts are as they are, frozen on the other
    folds. ``tpr_known``: at that of pairs changed alike, so where one knows what the suspect did:
    what is left to be told, not what a reader gets. ``auc``: of pairs changed alike, against other
    units.
    """
    data = {("raw", change): corpus(folder, CORPUS, change=change) for change in ("", *CHANGES)}
    unit = data["raw", ""].unit
    rows: dict[str, dict[str, Any]] = {}
    for label, (hashed, measured) in _families().items():
        kept = {key: _kept(own, hashed, measured) for key, own in data.items()}
        found = held_out(kept, unit, OUTPUTS, repeats=REPEATS)
        for n in OUTPUTS:
            plain = found[n, "raw", ""]
            for change in ("", *CHANGES):
                name = f"{label}, {change or 'as it is'}, {n}"
                rows[name] = _told(plain, found[n, "raw", change])
            rows[f"{label}, as it is, {n}"]["cllr_unclipped"] = described(plain)["cllr_unclipped"]
        print(f"  {label}: TPR {rows[f'{label}, as it is, 100']['tpr']:.3f}", flush=True)
    return rows


def _told(plain: Found, found: Found) -> dict[str, float]:
    above, _ = judged(plain, found)
    known = []
    for fold in np.unique(found.fold):
        inside = found.fold == fold
        known.append(found.only(inside).of(SAME) > threshold(found.only(~inside), 0.01))
    return {
        "auc": auc(found.of(SAME), found.of(OTHER)),
        "auc_related": auc(found.of(SAME), found.of(RELATIVE)),
        "tpr": float(above[found.kind == SAME].mean()),
        "tpr_known": float(np.concatenate(known).mean()),
    }


def _families() -> dict[str, tuple[Sequence[str], Sequence[str]]]:
    """Hashed and named signatures of each space."""
    return {
        "all": (HASHED, NAMED),
        **{f"without {n}": ([h for h in HASHED if h != n], NAMED) for n in HASHED},
        **{f"without {n}": (HASHED, [m for m in NAMED if m != n]) for n in NAMED},
        **{f"{n} alone": ((n,), ()) for n in HASHED},
        **{f"{n} alone": ((), (n,)) for n in NAMED},
    }


def _kept(data: Corpus, hashed: Sequence[str], measured: Sequence[str]) -> Corpus:
    whole = data.training
    ends = np.cumsum([0, *(s.width for s in named(*NAMED))])
    own = [np.arange(a, b) for n, a, b in zip(NAMED, ends, ends[1:], strict=False) if n in measured]
    measures = whole.measures[:, np.concatenate([np.zeros(0, dtype=int), *own])]
    counts = {n: whole.counts[n] for n in hashed}
    return replace(data, training=replace(whole, counts=counts, measures=measures))
