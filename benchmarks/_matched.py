"""Task: two independent samples of answers to the same few probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from _corpora import FOLDS, folds_of, frame_of, labels_of
from _pairs import Found, compared, described
from _prompts import by_prompt, centred, scaled, weighted

from provenance.signatures import blocks, named

PROBES = (5, 10, 25)
SAMPLES, REPEATS = 3, 20
CHANNELS = ("char_ngrams", "word_ngrams", "skeleton")


def matched(folder: Path) -> dict[str, dict[str, Any]]:
    """Ours: three channels, centred prompt by prompt on models of other folds. Beside: uncentred.

    Unit: a pair of models. A model's two samples are draws of one session to the same probes, so
    this says nothing of other sessions. Units are makers; the corpus has nine.
    """
    frame, labels = frame_of(folder, "misguided"), labels_of(folder, "misguided")
    names = sorted(frame.model.unique())
    model, prompt = pd.factorize(frame.model, sort=True)[0], pd.factorize(frame.prompt_id)[0]
    sample = frame.groupby(["model", "prompt_id"]).cumcount().to_numpy()
    unit = pd.factorize(labels.loc[names].supergroup)[0]
    fold = folds_of(unit, np.random.default_rng(0))
    rows = {n: weighted(_counts(n, frame.output)) for n in CHANNELS}
    shape = (int(prompt.max()) + 1, len(names), SAMPLES, len(names), SAMPLES)
    methods = {"ours": CHANNELS, "words, centred": CHANNELS[1:2], "skeleton, centred": CHANNELS[2:]}
    plain = {"characters, TF-IDF cosine": CHANNELS[:1], "words, TF-IDF cosine": CHANNELS[1:2]}
    found: dict[str, list[Found]] = {}
    for number in range(FOLDS):
        tables = {label: np.full(shape, np.nan) for label in (*methods, *plain)}
        for answers in by_prompt(prompt):
            m, s, p = model[answers], sample[answers], prompt[answers[0]]
            like = {n: (r[answers] @ r[answers].T).toarray() for n, r in rows.items()}
            others = fold[unit[m]] != number
            middle = {n: scaled(centred(g, others)) for n, g in like.items()}
            at = (p, m[:, None], s[:, None], m[None, :], s[None, :])
            for label, channels in methods.items():
                tables[label][at] = sum(middle[c] for c in channels)
            for label, channels in plain.items():
                tables[label][at] = sum(like[c] for c in channels)
        own = np.flatnonzero(fold[unit] == number)
        for n in PROBES:
            g = np.random.default_rng(n)
            for _ in range(REPEATS):
                probes, (i, j) = g.permutation(shape[0])[:n], g.permutation(SAMPLES)[:2]
                for label, table in tables.items():
                    scored = np.nanmean(table[probes][:, :, i][:, own][..., own, j], axis=0)
                    pairs = compared(scored, unit, own.tolist(), own.tolist(), number)
                    found.setdefault(f"{label}, {n} probes", []).append(pairs)
    return {label: described(Found.joined(parts)) for label, parts in found.items()}


def _counts(name: str, texts: pd.Series) -> sp.csr_array:
    whole = sp.csr_array(sp.vstack([b[name] for b in blocks(named(name), texts)], format="csr"))
    return whole[:, np.flatnonzero(np.bincount(whole.indices, minlength=whole.shape[1]) >= 4)]
