"""Tasks: lineage, and whose outputs a student was trained on. All answer the same prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _corpora import Corpus, corpus, frame_of, labels_of
from _pairs import auc
from _prompts import by_prompt, centred, runs, weighted
from _released import STUDENTS, TEACHERS

from provenance.attribution.likeness import likeness

CORPUS = "alpaca_eval"
RUN = 3  # words: two models that share a rare run of three share more than a topic
ALPHA = 0.05
Rows = dict[str, dict[str, Any]]


def lineage(folder: Path) -> Rows:
    """AUC of related pairs against unrelated ones, by kind of relation.

    Ours: shared runs of three words weighted by their rarity among the answers to a prompt, less
    each model's mean likeness to a population in which every unit counts alike. Unrelated: other
    units, and no known teacher between them. Pairs share models; `units` says how many independent
    groups a row has.
    """
    data, labels = corpus(folder, CORPUS), labels_of(folder, CORPUS)
    labels = labels.loc[data.names]
    kinds = _relations(labels, data)
    texts = frame_of(folder, CORPUS).output.str[:6_000]
    k = len(data.names)
    weights = 1 / np.bincount(data.unit)[data.unit]
    total, times = np.zeros((k, k)), np.zeros((k, k))
    for answers in by_prompt(data.prompt):
        rows = runs([texts.iat[i] for i in answers], RUN)
        m = data.model[answers]
        like = centred((rows @ rows.T).toarray(), weights[m])
        at = np.ix_(m, m)
        total[at] += like / max(1e-9, like[~np.eye(len(m), dtype=bool)].std())
        times[at] += 1
    ours = total / np.maximum(times, 1)
    plain = {f"{name}, TF-IDF cosine": _alike(data, name) for name in ("word_ngrams", "skeleton")}
    upper = np.triu(np.ones((k, k), dtype=bool), 1)
    found: Rows = {}
    for label, table in {"ours": ours, **plain}.items():
        null = table[upper & kinds["unrelated"]]
        for kind, chosen in kinds.items():
            if kind == "unrelated":
                continue
            pairs = upper & chosen
            found[f"{label}, {kind}"] = {
                "auc": auc(table[pairs], null),
                "pairs": int(pairs.sum()),
                "units": len(np.unique(data.unit[np.flatnonzero(pairs.any(axis=1))])),
            }
    for base, group in _bases(labels, kinds["same base, other family"] & upper):
        found[f"ours, same base, other family: {base}"] = {
            "auc": auc(ours[group], ours[upper & kinds["unrelated"]]),
            "pairs": int(group.sum()),
        }
    return found


def teacher(folder: Path) -> Rows:
    """Whose outputs: the candidate, public before the student, that its lines are most like.

    Students: those whose one teacher is sure. A right answer names the teacher's group (all its
    dated versions). Ours: likeness of kinds of lines, prompt by prompt, less that of models of
    other units. It was chosen among some forty variants on these same students, so its figure is
    optimistic. The interval is Clopper–Pearson over students; students of one maker are not
    independent, so it is too narrow.
    """
    data = corpus(folder, CORPUS)
    labels = labels_of(folder, CORPUS).loc[data.names]
    place = {m: i for i, m in enumerate(data.names)}
    truth = {s: labels.trained_on_outputs_of[s] for s in STUDENTS if s in place}
    lines, words = _alike(data, "line_types"), _alike(data, "word_ngrams")
    said = {
        "ours": _nearest(_leaning(lines, data), data, place, truth),
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


def _relations(labels: pd.DataFrame, data: Corpus) -> dict[str, np.ndarray]:
    k = len(labels)
    place = {m: i for i, m in enumerate(labels.index)}
    direct, taught = np.zeros((k, k), dtype=bool), np.zeros((k, k), dtype=bool)
    for name, parent in labels.parent_checkpoint.dropna().items():
        if parent in place and parent != name:
            direct[place[name], place[parent]] = True
    for name, teachers in labels.trained_on_outputs_of.dropna().items():
        for one in teachers.split(";"):
            for model in TEACHERS.get(one.strip(), ()):
                if model in place and model != name:
                    taught[place[name], place[model]] = True
    direct, taught = direct | direct.T, taught | taught.T
    base = pd.factorize(labels.base_model.fillna(labels.index.to_series()))[0]
    other = data.unit[:, None] != data.unit[None, :]
    family = (data.family[:, None] == data.family[None, :]) & ~direct
    same_base = (base[:, None] == base[None, :]) & ~direct & ~family
    return {
        "direct": direct,
        "same family": family,
        "same base, other family": same_base,
        "teacher and student": taught & other,
        "unrelated": other & ~taught,
    }


def _bases(labels: pd.DataFrame, pairs: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for unit in labels.supergroup.unique():
        inside = (labels.supergroup == unit).to_numpy()
        group = pairs & inside[:, None] & inside[None, :]
        if group.sum() >= 10:
            yield unit, group


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
