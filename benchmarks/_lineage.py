"""Task: lineage. All models answer the same prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _baselines import COMMON, cosine, habits, jaccard, manhattan, presence
from _corpora import Corpus, corpus, frame_of, labels_of
from _logistic import logistic
from _pairs import auc
from _prompts import by_prompt, centred, runs, weighted
from _released import TEACHERS

from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import named

CORPUS = "alpaca_eval"
RUN = 3  # words: two models that share a rare run of three share more than a topic
FEWEST, RIDGE = 5, 1e-5  # pairs of other units, for weights; of these
SAME_BASE = "same base, other family"
Rows = dict[str, dict[str, Any]]
Tables = dict[str, np.ndarray]


def lineage(folder: Path) -> Rows:
    """AUC of related pairs against unrelated ones, by kind of relation.

    Ours: shared runs of three words weighted by their rarity among the answers to a prompt, less
    each model's mean likeness to a population in which every unit counts alike. Unrelated: other
    units and families, and no known teacher between them. Pairs share models; ``units`` says how
    many independent groups a row has, ``interval`` draws units with replacement (95%), ``least``
    and ``most`` leave one out.

    *Weights of other units*: a logistic regression on the likeness of runs and of each hashed
    signature, fitted without the pairs that touch a unit, judged on the unit's pairs against the
    unrelated ones that touch it; the mean over pairs. *Runs on these pairs* is ours, so judged.
    """
    data, labels = corpus(folder, CORPUS), labels_of(folder, CORPUS)
    labels = labels.loc[data.names]
    kinds = relations(labels, data)
    ours, plain = _tables(folder, data)
    plain |= _deltas(data)
    upper = np.triu(np.ones((len(data.names),) * 2, dtype=bool), 1)
    null = upper & kinds.pop("unrelated")
    found: Rows = {}
    for label, table in {"ours": ours["runs"], **plain}.items():
        for kind, chosen in kinds.items():
            pairs = upper & chosen
            row = {"auc": auc(table[pairs], table[null]), "pairs": int(pairs.sum())}
            row["units"] = len(np.unique(data.unit[np.flatnonzero(pairs.any(axis=1))]))
            found[f"{label}, {kind}"] = row | (
                _spread(table, pairs, null, data.unit) if label == "ours" else {}
            )
    for kind in ("same family", SAME_BASE):
        found |= _weighed(ours, upper & kinds[kind], null, data.unit, kind)
    base = upper & kinds[SAME_BASE]
    parts = dict(_bases(labels, base)) | _taught(labels, base)
    for label, group in parts.items():
        found[f"ours, {SAME_BASE}: {label}"] = {
            "auc": auc(ours["runs"][group], ours["runs"][null]),
            "pairs": int(group.sum()),
        }
    shared = null & share_teacher(labels)
    found["what hides a base: unrelated that share a teacher, against the other unrelated"] = {
        "auc": auc(ours["runs"][shared], ours["runs"][null & ~shared]),
        "pairs": int(shared.sum()),
    }
    for share in ("a quarter", "half"):
        found[f"ours, {share} of the prompts, {SAME_BASE}"] = {
            "auc": auc(ours[share][base], ours[share][null])
        }
    return found


def relations(labels: pd.DataFrame, data: Corpus) -> Tables:
    """Which pairs of models are related how, each of shape (models, models)."""
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
    alike = data.family[:, None] == data.family[None, :]
    return {
        "direct": direct,
        "same family": alike & ~direct,
        SAME_BASE: (base[:, None] == base[None, :]) & ~direct & ~alike,
        "teacher and student": taught & other,
        # A family can reach over two bases (one recipe of training on both): not unrelated.
        "unrelated": other & ~taught & ~alike & ~direct,
    }


def _tables(folder: Path, data: Corpus) -> tuple[Tables, Tables]:
    """Likeness prompt by prompt, centred on the population; and as others have it."""
    k = len(data.names)
    texts = frame_of(folder, CORPUS).output.str[:6_000]
    rows = {name: weighted(data.training.counts[name]) for name in HASHED}
    weights = 1 / np.bincount(data.unit)[data.unit]
    parts = np.zeros((4, k, k))  # of runs, by quarters of the prompts
    ours = {name: np.zeros((k, k)) for name in HASHED}
    plain = {f"{name}, TF-IDF cosine": np.zeros((k, k)) for name in ("word_ngrams", "skeleton")}
    z, times = np.zeros((k, k)), np.zeros((4, k, k))
    for number, answers in enumerate(by_prompt(data.prompt)):
        m = data.model[answers]
        at, off = np.ix_(m, m), ~np.eye(len(m), dtype=bool)
        made = runs([texts.iat[i] for i in answers], RUN)
        like = {"runs": (made @ made.T).toarray()}
        like |= {n: (r[answers] @ r[answers].T).toarray() for n, r in rows.items()}
        for name, own in like.items():
            c = centred(own, weights[m])
            (parts[number % 4] if name == "runs" else ours[name])[at] += c / max(1e-9, c[off].std())
            if f"{name}, TF-IDF cosine" in plain:
                plain[f"{name}, TF-IDF cosine"][at] += own
        words = like["word_ngrams"]
        z[at] += (words - words.mean(axis=0)) / np.maximum(words.std(axis=0), 1e-6)
        times[number % 4][at] += 1
    every = np.maximum(times.sum(axis=0), 1)
    shares = {"a quarter": parts[0] / np.maximum(times[0], 1)}
    shares["half"] = parts[:2].sum(axis=0) / np.maximum(times[:2].sum(axis=0), 1)
    return (
        {"runs": parts.sum(axis=0) / every, **{n: t / every for n, t in ours.items()}, **shares},
        {n: t / every for n, t in plain.items()} | {"per-prompt z of words": (z + z.T) / every},
    )


def _deltas(data: Corpus) -> Tables:
    """Both Deltas of the function words (of log rates), and lexical habits, of whole models."""
    k = len(data.names)
    ends = np.cumsum([0, *(s.width for s in named(*NAMED))])
    at = NAMED.index("function_words")
    words = data.training.measures[:, ends[at] : ends[at + 1]]
    words = words[:, (words > 0).mean(axis=0) >= COMMON]
    means = np.array([words[data.model == m].mean(axis=0) for m in range(k)], dtype=np.float64)
    standard = (means - means.mean(axis=0)) / (means.std(axis=0) + 1e-9)
    counts = data.training.counts["word_ngrams"]
    kept, usual = presence(counts, np.arange(counts.shape[0]))
    held = counts[:, kept].copy()
    held.data[:] = 1
    rates = np.array([np.asarray(held[data.model == m].mean(axis=0)).ravel() for m in range(k)])
    marked = habits(rates, usual)
    return {
        "Burrows' Delta": -manhattan(standard, standard),
        "cosine Delta": cosine(standard, standard),
        "Jaccard of lexical habits": jaccard(marked, marked),
    }


def _spread(
    table: np.ndarray, pairs: np.ndarray, null: np.ndarray, unit: np.ndarray, times: int = 300
) -> dict[str, Any]:
    """95% interval over units drawn with replacement, and the extremes with one left out."""
    chosen = pairs | null
    i, j = np.nonzero(chosen)
    score, truth, a, b = table[chosen], pairs[chosen], unit[i], unit[j]
    order = np.argsort(score, kind="stable")
    truth, a, b = truth[order], a[order], b[order]

    def of(counts: np.ndarray) -> float:
        w = np.where(a == b, counts[a], counts[a] * counts[b])
        first, second = w * truth, w * ~truth
        if not first.sum() or not second.sum():
            return float("nan")
        return float((first * np.cumsum(second)).sum() / (first.sum() * second.sum()))

    k, g = int(unit.max()) + 1, np.random.default_rng(3)
    drawn = [
        of(np.bincount(g.integers(k, size=k), minlength=k).astype(float)) for _ in range(times)
    ]
    without = [of((np.arange(k) != u).astype(float)) for u in range(k)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return {
        "interval": [float(low), float(high)],
        "least": float(np.nanmin(without)),
        "most": float(np.nanmax(without)),
    }


def _weighed(
    ours: Tables, pairs: np.ndarray, null: np.ndarray, unit: np.ndarray, kind: str
) -> Rows:
    names = ["runs", *HASHED]
    x = np.stack([(ours[n] - ours[n][null].mean()) / ours[n][null].std() for n in names], axis=-1)
    found: dict[str, list[tuple[int, float]]] = {"weights of other units": [], "runs on these": []}
    for u in np.unique(unit):
        touched = (unit == u)[:, None] | (unit == u)[None, :]
        inside, rest = pairs & touched, pairs & ~touched
        if not inside.any() or rest.sum() < FEWEST:
            continue
        weights, _ = logistic(x[rest], x[null & ~touched], ridge=RIDGE)
        for label, w in zip(found, (weights, np.eye(len(names))[0]), strict=True):
            value = auc(x[inside] @ w, x[null & touched] @ w)
            found[label].append((int(inside.sum()), value))
    rows: Rows = {}
    for label, values in found.items():
        n, aucs = np.array(values).T
        rows[f"{label}, {kind}"] = {
            "auc": float(np.average(aucs, weights=n)),
            "pairs": int(n.sum()),
            "units": len(values),
            "least": float(aucs.min()),
            "most": float(aucs.max()),
        }
    return rows


def _bases(labels: pd.DataFrame, pairs: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for unit in labels.supergroup.unique():
        inside = (labels.supergroup == unit).to_numpy()
        group = pairs & inside[:, None] & inside[None, :]
        if group.sum() >= 10:
            yield unit, group


def _taught(labels: pd.DataFrame, pairs: np.ndarray) -> Mapping[str, np.ndarray]:
    known = np.array([bool(t) for t in _teachers(labels)])
    shared, both = share_teacher(labels), known[:, None] & known[None, :]
    return {
        "a teacher shared": pairs & shared,
        "teachers known, none shared": pairs & both & ~shared,
    }


def share_teacher(labels: pd.DataFrame) -> np.ndarray:
    """Which models have a named teacher in common, shape (models, models)."""
    own = _teachers(labels)
    return np.array([[bool(a & b) for b in own] for a in own])


def _teachers(labels: pd.DataFrame) -> list[set[str]]:
    """Named ones: not itself, people or an unknown mixture."""
    own = [{t.strip() for t in str(x).split(";")} for x in labels.trained_on_outputs_of.fillna("")]
    return [
        {t for t in s if t not in ("", "self") and not t.startswith(("none", "unknown"))}
        for s in own
    ]
