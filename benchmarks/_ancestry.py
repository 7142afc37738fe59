"""Task: whose outputs a student was trained on. All models answer the same prompts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _corpora import Corpus, corpus, labels_of
from _logistic import logistic
from _prompts import by_prompt, weighted
from _released import STUDENTS, TEACHERS

from provenance.attribution.likeness import likeness
from provenance.library.space.space import HASHED

CORPUS = "alpaca_eval"
ALPHA = 0.05
Rows = dict[str, dict[str, Any]]


def teacher(folder: Path) -> Rows:
    """Whose outputs: the candidate, public before the student, that its lines are most like.

    Students: those whose one teacher is sure. A right answer names the teacher's group (all its
    dated versions). Ours: likeness of kinds of lines, prompt by prompt, less that of models of
    other units. It was chosen among some forty variants on these same students, so its figure is
    optimistic. The interval is Clopper–Pearson over students; students of one maker are not
    independent, so it is too narrow. *Weights of other units*, the one variant since: a logistic
    regression on the likeness in each hashed signature, fitted on pairs of students and candidates
    without the student's unit. One student is gpt-4-turbo's alone: the macro average, over four
    teachers, is .75 at most while it is missed.
    """
    data = corpus(folder, CORPUS)
    labels = labels_of(folder, CORPUS).loc[data.names]
    place = {m: i for i, m in enumerate(data.names)}
    truth = {s: labels.trained_on_outputs_of[s] for s in STUDENTS if s in place}
    alike = {name: _alike(data, name) for name in HASHED}
    lines, words = alike["line_types"], alike["word_ngrams"]
    said = {
        "ours": _nearest(_leaning(lines, data), data, place, truth),
        "weights of other units": _by_other_units(alike, data, labels, place, truth),
        "lines, not centred": _nearest(lines, data, place, truth),
        "nearest by words, TF-IDF": _nearest(words, data, place, truth),
        "per-prompt z of words": _nearest(_z(data), data, place, truth),
        **{f"always {t}": dict.fromkeys(truth, t) for t in sorted(set(truth.values()))},
    }
    found: Rows = {}
    right = {n: np.array([own[s] == truth[s] for s in truth]) for n, own in said.items()}
    for name, hits in right.items():
        by_teacher = pd.Series(hits).groupby(list(truth.values())).mean()
        ours = right["ours"]
        found[name] = {
            "top1": float(hits.mean()),
            "macro": float(by_teacher.mean()),
            "interval": _interval(int(hits.sum()), len(hits)),
            "students": len(hits),
            "mcnemar_p": _mcnemar(int((ours & ~hits).sum()), int((hits & ~ours).sum())),
        }
    return found | _supported(lines, data, labels, place)


def _alike(data: Corpus, name: str) -> np.ndarray:
    """Mean cosine of the answers to a prompt, shape (models, models)."""
    k = len(data.names)
    rows = weighted(data.training.counts[name])
    total, times = np.zeros((k, k)), np.zeros((k, k))
    for answers in by_prompt(data.prompt):
        at = np.ix_(data.model[answers], data.model[answers])
        total[at] += (rows[answers] @ rows[answers].T).toarray()
        times[at] += 1
    return total / np.maximum(times, 1)


def _z(data: Corpus) -> np.ndarray:
    """Mean over prompts of how many spreads an answer is more like the candidate's than others."""
    k = len(data.names)
    rows = weighted(data.training.counts["word_ngrams"])
    total, times = np.zeros((k, k)), np.zeros((k, k))
    for answers in by_prompt(data.prompt):
        like = (rows[answers] @ rows[answers].T).toarray()
        z = (like - like.mean(axis=0)) / np.maximum(like.std(axis=0), 1e-6)
        at = np.ix_(data.model[answers], data.model[answers])
        total[at] += z
        times[at] += 1
    return total / np.maximum(times, 1)


def _leaning(table: np.ndarray, data: Corpus) -> np.ndarray:
    """Likeness to a candidate less that of models of other units than the candidate's."""
    other = data.unit[:, None] != data.unit[None, :]
    return table - (table * other).sum(axis=0) / other.sum(axis=0)


def _nearest(
    table: np.ndarray, data: Corpus, place: Mapping[str, int], truth: Mapping[str, str]
) -> dict[str, str]:
    """The group of the most alike candidate that came no later and is of another unit."""
    found = {}
    for student in truth:
        i = place[student]
        found[student] = max(
            (table[i, place[m]], group)
            for group, models in TEACHERS.items()
            for m, day in models.items()
            if m in place and day <= STUDENTS[student] and data.unit[place[m]] != data.unit[i]
        )[1]
    return found


def _by_other_units(
    alike: Mapping[str, np.ndarray],
    data: Corpus,
    labels: pd.DataFrame,
    place: Mapping[str, int],
    truth: Mapping[str, str],
) -> dict[str, str]:
    """`_nearest` by a sum of signatures whose weights other units' students gave."""
    group = {place[m]: t for t, models in TEACHERS.items() for m in models if m in place}
    leaning = np.stack([_leaning(t, data) for t in alike.values()], axis=-1)
    taught = [
        {t.strip() for t in x.split(";")} & set(TEACHERS)
        for x in labels.trained_on_outputs_of.fillna("")
    ]
    pairs = np.array(
        [
            (i, c, group[c] in own)
            for i, own in enumerate(taught)
            for c in group
            if own and data.unit[i] != data.unit[c]
        ]
    )
    i, c, true = pairs[:, 0], pairs[:, 1], pairs[:, 2].astype(bool)
    x = leaning / leaning[i, c].std(axis=0)
    found: dict[str, str] = {}
    for student in truth:
        rest = data.unit[i] != data.unit[place[student]]
        known = x[i, c]
        weights, _ = logistic(known[rest & true], known[rest & ~true], ridge=0.01)
        found |= _nearest(x @ weights, data, place, {student: truth[student]})
    return found


def _supported(
    table: np.ndarray, data: Corpus, labels: pd.DataFrame, place: Mapping[str, int]
) -> Rows:
    """Share with p ≤ .05 for a teacher: its students, and models of people's data (must be none).

    The null is that of `provenance.attribution.likeness`: models of other units with no known tie
    to the teacher stand for a suspect that is unrelated to it.
    """
    taught = labels.trained_on_outputs_of.fillna("")
    human = taught.str.startswith("none").to_numpy()
    tie = {t: taught.str.contains(t, regex=False).to_numpy() for t in TEACHERS}
    own = table.copy()
    np.fill_diagonal(own, np.nan)
    found: Rows = {}
    for name in ("text-davinci-003", "gpt-3.5-turbo", "gpt-4"):
        reference = place[next(m for m in TEACHERS[name] if m in place)]
        unknown = (taught == "") | (taught == "self") | human
        free = unknown.to_numpy() & ~tie[name] & (data.unit != data.unit[reference])
        caught: dict[str, list[bool]] = {"students": [], "models of people's data": []}
        for label, suspects in (("students", tie[name]), ("models of people's data", human)):
            for i in np.flatnonzero(suspects):
                rest = np.arange(len(own)) != i
                ranked = likeness(
                    own[i],
                    own[rest],
                    reference,
                    unrelated=free[rest],
                    students=np.zeros(int(rest.sum()), dtype=bool),
                    units=[str(u) for u in data.unit],
                    alpha=ALPHA,
                )
                if ranked is not None:
                    caught[label].append(ranked.p_value <= ALPHA)
        for label, hits in caught.items():
            found[f"p ≤ .05 for {name}: {label}"] = {
                "share": float(np.mean(hits)),
                "of": len(hits),
                "interval": _interval(int(np.sum(hits)), len(hits)),
            }
    return found


def _interval(hits: int, n: int, level: float = 0.95) -> list[float]:
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(1 - tail, hits + 1, n - hits))
    return [low, high]


def _mcnemar(only_ours: int, only_theirs: int) -> float:
    """Exact two-sided p of the students that only one of the two names rightly."""
    from scipy.stats import binomtest

    both = only_ours + only_theirs
    return 1.0 if both == 0 else float(binomtest(only_ours, both).pvalue)
