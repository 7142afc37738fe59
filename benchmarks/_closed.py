"""Task: which of the known models, when it is one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _corpora import Corpus, corpus, folds_of, frame_of
from _pairs import drawn, summaries
from _prompts import weighted

from provenance.attribution.known_pairs import rows_of
from provenance.attribution.same_source import scores
from provenance.library.space import fit
from provenance.signatures import blocks, named

OUTPUTS = (1, 10, 100)
REPEATS = 5
AMONG = 91  # a closed set of as many models as the target is for
Scored = Callable[[dict[int, np.ndarray], dict[int, np.ndarray]], np.ndarray]


def closed(folder: Path) -> dict[str, dict[str, Any]]:
    """Top-1 of the model and of its family.

    Prompts in three parts: the space is fitted on 130, models are enrolled with their answers to
    150, suspects answer the other 149. In the first rows the space was fitted on the same models
    (a library's own), in the last on models of other units. Sets of 91 are drawn at random from
    the 134, so twins of one base are in them as often as they are in the corpus.
    """
    data = corpus(folder, "alpaca_eval")
    seen = np.random.default_rng(0).permutation(int(data.prompt.max()) + 1)
    parts = seen[:130], seen[130:280], seen[280:]
    every = np.arange(len(data.names))
    chosen = [np.random.default_rng(k).choice(every, AMONG, replace=False) for k in range(10)]
    score = _in_space(data, every, parts)
    rows = _tried(data, parts, score, {"all models": [every], f"{AMONG} of them": chosen})
    rows |= {
        f"characters, TF-IDF centroid, {k}": v
        for k, v in _tried(
            data, parts, _centroids(folder, data, parts), {f"{AMONG} of them": chosen}
        ).items()
    }
    fold = folds_of(data.unit, np.random.default_rng(0))
    for number in range(int(fold.max()) + 1):
        own = np.flatnonzero(fold[data.unit] == number)
        score = _in_space(data, np.setdiff1d(every, own), parts)
        label = f"{len(own)} of units that the fit lacks ({number + 1})"
        rows |= _tried(data, parts, score, {label: [own]})
    return rows


def _tried(
    data: Corpus,
    parts: tuple[np.ndarray, ...],
    score: Scored,
    sets: dict[str, list[np.ndarray]],
) -> dict[str, dict[str, Any]]:
    enrolled = np.flatnonzero(np.isin(data.prompt, parts[1]))
    tested = np.flatnonzero(np.isin(data.prompt, parts[2]))
    known = {m: enrolled[data.model[enrolled] == m].copy() for m in range(len(data.names))}
    rows: dict[str, dict[str, Any]] = {}
    for n in OUTPUTS:
        g = np.random.default_rng(n)
        hits: dict[str, list[tuple[bool, bool]]] = {label: [] for label in sets}
        for _ in range(REPEATS):
            places = drawn(data, tested, parts[2], n, g)
            suspects = {m: tested[c] for m, c in places.items()}
            found = score(suspects, known)
            names, candidates = np.array(list(suspects)), np.array(list(known))
            for label, chosen in sets.items():
                for own in chosen:
                    r, c = np.isin(names, own), np.isin(candidates, own)
                    best = candidates[c][found[np.ix_(r, c)].argmax(axis=1)]
                    true = names[r]
                    same = data.family[best] == data.family[true]
                    hits[label] += zip(best == true, same, strict=True)
        for label, found_ in hits.items():
            top, family = np.mean(found_, axis=0)
            rows[f"{label}, {n}"] = {"top1": float(top), "family": float(family)}
    return rows


def _in_space(data: Corpus, models: np.ndarray, parts: tuple[np.ndarray, ...]) -> Scored:
    inside = np.isin(data.prompt, parts[0]) & np.isin(data.model, models)
    training = data.training.only(np.flatnonzero(inside))
    space = fit(training, rng=np.random.default_rng(1))
    rest = np.flatnonzero(~np.isin(data.prompt, parts[0]))
    rows = np.zeros((len(data.model), space.dimensions))
    rows[rest] = rows_of(data.training, rest, space)

    def score(suspects: dict[int, np.ndarray], known: dict[int, np.ndarray]) -> np.ndarray:
        return scores(summaries(rows, suspects), summaries(rows, known), space)

    return score


def _centroids(folder: Path, data: Corpus, parts: tuple[np.ndarray, ...]) -> Scored:
    """Cosine of mean TF-IDF rows less the mean of all enrolled ones."""
    import scipy.sparse as sp

    texts = frame_of(folder, "alpaca_eval").output
    made = [b["char_ngrams"].astype(np.float32) for b in blocks(named("char_ngrams"), texts)]
    whole = sp.csr_array(sp.vstack(made, format="csr"))
    present = np.bincount(whole.indices, minlength=whole.shape[1])
    rows = weighted(whole[:, np.argsort(-present)[:30_000]])
    centre = np.asarray(rows[np.isin(data.prompt, parts[1])].mean(axis=0)).ravel()

    def means(chosen: dict[int, np.ndarray]) -> np.ndarray:
        found = np.array([np.asarray(rows[c].mean(axis=0)).ravel() for c in chosen.values()])
        found = found - centre
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def score(suspects: dict[int, np.ndarray], known: dict[int, np.ndarray]) -> np.ndarray:
        return means(suspects) @ means(known).T

    return score
