"""Task: two independent samples of answers to the same few probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from _corpora import FOLDS, folds_of, frame_of, labels_of, reformatted
from _pairs import Found, compared, described
from _prompts import by_prompt, centred, scaled, weighted

from provenance.attribution.matched import cosine_weights, likenesses
from provenance.library.sketches import CHANNELS, sketches
from provenance.signatures import blocks, named

PROBES = (5, 10, 25)
SAMPLES, REPEATS = 3, 20
FULL = ("char_ngrams", "word_ngrams", "skeleton")
Rows = dict[str, dict[str, Any]]


def matched(folder: Path) -> Rows:
    """Ours: sketches, prompt by prompt, less what models of other units than the two answer.

    As `identify` scores a suspect: one draw a probe against one enrolled draw, or against two. The
    re-formatted rows change the suspect alone. Beside: the counts in full, as texts stand, centred
    on models of other folds (what sketches and the canonical view cost), and uncentred cosines.

    Unit: a pair of models. A model's samples are draws of one session to the same probes, so this
    says nothing of other sessions. Units are makers; the corpus has nine. That bounds our rows:
    where both makers are left out the middle rests on seven, the one per cent of others that are
    most alike are a few pairs such as grok-3-mini and deepseek-r1-0528, and the misses are mostly
    draws of one or two models that lie near the middle (mistral-small-3, minimax-01).
    """
    frame, labels = frame_of(folder, "misguided"), labels_of(folder, "misguided")
    names = sorted(frame.model.unique())
    unit = pd.factorize(labels.loc[names].supergroup)[0]
    fold = folds_of(unit, np.random.default_rng(0))[unit]
    place = _place(frame)
    found: dict[str, list[Found]] = {}
    tables = _tables(frame, fold, place)
    shape = tuple(int(p.max()) + 1 for p in place)
    kept = _sketched(frame.output, place, shape)
    changed = _sketched(frame.output.map(reformatted), place, shape)
    for number in range(FOLDS):
        own = np.flatnonzero(fold == number)
        for n in PROBES:
            g = np.random.default_rng(n)
            for _ in range(REPEATS):
                probes, order = g.permutation(shape[0])[:n], g.permutation(SAMPLES)
                i, j = order[:2]
                scored = {
                    label: np.nanmean(table[number][probes][:, :, i][:, own][..., own, j], axis=0)
                    for label, table in tables.items()
                }
                rows = kept[probes]
                for label, suspect, enrolled in (
                    ("ours", rows[:, :, i], rows[:, :, j]),
                    ("ours, two draws enrolled", rows[:, :, i], _mean(rows[:, :, order[1:]])),
                    ("ours, suspect re-formatted", changed[probes][:, :, i], rows[:, :, j]),
                ):
                    scored[label] = _ours(suspect[:, own], enrolled[:, own], _mean(rows), unit, own)
                for label, table in scored.items():
                    pairs = compared(table, unit, own.tolist(), own.tolist(), number)
                    found.setdefault(f"{label}, {n} probes", []).append(pairs)
    return {label: described(Found.joined(parts)) for label, parts in found.items()}


def _place(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prompt, model and sample of each answer."""
    model = pd.factorize(frame.model, sort=True)[0]
    sample = frame.groupby(["model", "prompt_id"]).cumcount().to_numpy()
    return pd.factorize(frame.prompt_id)[0], model, sample


def _sketched(texts: pd.Series, place: tuple[np.ndarray, ...], shape: tuple[int, ...]):
    """Shape (prompts, models, samples, d); NaN where there is no answer."""
    made = sketches(texts)
    found = np.full((*shape, made.shape[1]), np.nan, dtype=np.float32)
    found[place] = made
    return found


def _mean(rows: np.ndarray) -> np.ndarray:
    """Over the samples that are there."""
    there = ~np.isnan(rows[..., :1])
    many = there.sum(axis=2)
    found = np.where(there, rows, 0).sum(axis=2) / np.maximum(many, 1)
    found[np.broadcast_to(many == 0, found.shape)] = np.nan
    return found.astype(np.float32)


def _ours(a: np.ndarray, b: np.ndarray, population: np.ndarray, unit: np.ndarray, own: np.ndarray):
    """Of prompts first to `likenesses`, which has bundles first."""
    members = population.swapaxes(0, 1)
    return likenesses(
        a.swapaxes(0, 1),
        b.swapaxes(0, 1),
        members,
        units_a=unit[own],
        units_b=unit[own],
        units=unit,
        channels=CHANNELS,
        weights=cosine_weights(members, unit, CHANNELS),
    ).score


def _tables(
    frame: pd.DataFrame, fold: np.ndarray, place: tuple[np.ndarray, ...]
) -> dict[str, np.ndarray]:
    """Likeness of every two answers to a prompt, by fold; NaN where one is missing."""
    prompt, model, sample = place
    rows = {n: weighted(_counts(n, frame.output)) for n in FULL}
    shape = (FOLDS, int(prompt.max()) + 1, *2 * (int(model.max()) + 1, SAMPLES))
    labels = ("in full, as texts stand", "words, TF-IDF cosine", "characters, TF-IDF cosine")
    tables = {label: np.full(shape, np.nan) for label in labels}
    for number in range(FOLDS):
        for answers in by_prompt(prompt):
            m, s, p = model[answers], sample[answers], prompt[answers[0]]
            like = {n: (r[answers] @ r[answers].T).toarray() for n, r in rows.items()}
            others = fold[m] != number
            at = (number, p, m[:, None], s[:, None], m[None, :], s[None, :])
            tables[labels[0]][at] = sum(scaled(centred(g, others)) for g in like.values())
            tables[labels[1]][at] = like["word_ngrams"]
            tables[labels[2]][at] = like["char_ngrams"]
    return tables


def _counts(name: str, texts: pd.Series) -> sp.csr_array:
    whole = sp.csr_array(sp.vstack([b[name] for b in blocks(named(name), texts)], format="csr"))
    return whole[:, np.flatnonzero(np.bincount(whole.indices, minlength=whole.shape[1]) >= 4)]
