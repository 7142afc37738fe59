"""Task: lineage. All models answer the same prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _baselines import COMMON, cosine, habits, jaccard, manhattan, presence
from _corpora import Corpus, corpus, frame_of, labels_of
from _logistic import logistic
from _pairs import auc
from _prompts import by_prompt, centred, rare, runs, standardised, weighted
from _released import TEACHERS

from provenance.library.space.space import HASHED, NAMED
from provenance.signatures import named

CORPUS = "alpaca_eval"
LENGTHS, POWERS = (1, 2, 3, 4, 6), (1, 2, 4, 8, 16)  # of runs, in words; of their rarity
FEWEST, RIDGE = 5, 1e-5  # pairs of other units, for weights; of these
SAME_BASE = "same base, other family"
KINDS = ("same family", SAME_BASE)
PLAIN = ", not standardised"
SHARES = {", a quarter": slice(1), ", half": slice(2)}
Rows = dict[str, dict[str, Any]]
Tables = dict[str, np.ndarray]


def lineage(folder: Path) -> Rows:
    """AUC of related pairs against unrelated ones, by kind of relation.

    Ours: shared runs of words weighted by their rarity among the answers to a prompt (`rare`), less
    each model's mean likeness to a population in which every unit counts alike, over the spread of
    that likeness (`standardised`). Unrelated: other units and families, and no known teacher
    between them. Pairs share models; ``units`` says how many independent groups a row has,
    ``interval`` draws units with replacement (95%), ``least`` and ``most`` leave one out.

    Three rows are judged on the pairs that touch a unit, and are the mean over pairs. *Runs chosen
    on other units*: length, power of the rarity and whether likeness is standardised are those of
    the largest AUC over both kinds of relatives without the unit; ours are those that most units
    get, so judged *ours on these*. *Weights of other units*: a logistic regression on all of them
    and on each hashed signature, fitted without the unit. *Weights of these very pairs* are a
    ceiling, judged on all pairs as ours is.

    What did not help (AUC of a base; .866 by runs of four to the fourth power): how alike two
    models' profiles of likeness to others are (.83), leading directions taken off (.83 and less:
    they are bases, not recipes), overlap over what two lengths make expected (.81), capitals and
    numbers alone (.78), shared openings (.75).

    The population must hold both units or neither. Without the reference's unit in it the AUC of a
    base is .97, and of units whose labels were shuffled .7: the families of a suspect make its
    habits look common, but only where they are of another unit.
    """
    data, labels = corpus(folder, CORPUS), labels_of(folder, CORPUS)
    labels = labels.loc[data.names]
    kinds = relations(labels, data)
    ours, plain = _tables(folder, data)
    plain |= _deltas(data)
    upper = np.triu(np.ones((len(data.names),) * 2, dtype=bool), 1)
    null = upper & kinds.pop("unrelated")
    found: Rows = {}
    relatives = {kind: upper & kinds[kind] for kind in KINDS}
    best = _best(ours, relatives, null, data.unit)
    way = Counter(best.values()).most_common(1)[0][0]
    mine = ours[way]
    for label, table in {"ours": mine, **plain}.items():
        for kind, chosen in kinds.items():
            pairs = upper & chosen
            row = {"auc": auc(table[pairs], table[null]), "pairs": int(pairs.sum())}
            row["units"] = len(np.unique(data.unit[np.flatnonzero(pairs.any(axis=1))]))
            found[f"{label}, {kind}"] = row | (
                {"way": way} | _spread(table, pairs, null, data.unit) if label == "ours" else {}
            )
    for kind, pairs in relatives.items():
        found |= _judged(ours, pairs, null, data.unit, kind, best, way)
    base = upper & kinds[SAME_BASE]
    parts = dict(_bases(labels, base)) | _taught(labels, base)
    for label, group in parts.items():
        found[f"ours, {SAME_BASE}: {label}"] = {
            "auc": auc(mine[group], mine[null]),
            "pairs": int(group.sum()),
        }
    shared = null & share_teacher(labels)
    found["what hides a base: unrelated that share a teacher, against the other unrelated"] = {
        "auc": auc(mine[shared], mine[null & ~shared]),
        "pairs": int(shared.sum()),
    }
    for share in SHARES:
        part = ours[f"{way}{share}"]
        found[f"ours{share} of the prompts, {SAME_BASE}"] = {"auc": auc(part[base], part[null])}
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
    made = [_name(*way) for way in product(LENGTHS, POWERS)]
    ours = {name: np.zeros((4, k, k)) for name in (*made, *HASHED)}  # by quarters of the prompts
    plain = {f"{name}, TF-IDF cosine": np.zeros((k, k)) for name in ("word_ngrams", "skeleton")}
    z, times = np.zeros((k, k)), np.zeros((4, k, k))
    for number, answers in enumerate(by_prompt(data.prompt)):
        m = data.model[answers]
        at, off = np.ix_(m, m), ~np.eye(len(m), dtype=bool)
        like = {}
        for length, present in runs([texts.iat[i] for i in answers], LENGTHS).items():
            for power in POWERS:
                own = rare(present, power)
                like[_name(length, power)] = (own @ own.T).toarray()
        like |= {n: (r[answers] @ r[answers].T).toarray() for n, r in rows.items()}
        for name, own in like.items():
            c = centred(own, weights[m])
            ours[name][number % 4][at] += c / max(1e-9, c[off].std())
            if f"{name}, TF-IDF cosine" in plain:
                plain[f"{name}, TF-IDF cosine"][at] += own
        words = like["word_ngrams"]
        z[at] += (words - words.mean(axis=0)) / np.maximum(words.std(axis=0), 1e-6)
        times[number % 4][at] += 1
    every = np.maximum(times.sum(axis=0), 1)
    tables = {f"{n}{PLAIN}": t.sum(axis=0) / every for n, t in ours.items()}
    tables |= {n: standardised(tables[f"{n}{PLAIN}"], weights) for n in ours}
    for label, of in SHARES.items():
        answered = np.maximum(times[of].sum(axis=0), 1)
        parts = {n: ours[n][of].sum(axis=0) / answered for n in made}
        tables |= {f"{n}{PLAIN}{label}": part for n, part in parts.items()}
        tables |= {f"{n}{label}": standardised(part, weights) for n, part in parts.items()}
    return (
        tables,
        {n: t / every for n, t in plain.items()} | {"per-prompt z of words": (z + z.T) / every},
    )


def _name(length: int, power: int) -> str:
    return f"runs of {length}, rarity {power}"


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


def _best(ours: Tables, kinds: Tables, null: np.ndarray, unit: np.ndarray) -> dict[int, str]:
    """For each unit the runs of the largest mean AUC over kinds of relatives without it."""
    made = [_name(*way) for way in product(LENGTHS, POWERS)]
    names = [*made, *(f"{n}{PLAIN}" for n in made)]
    return {
        u: max(
            names,
            key=lambda n: sum(auc(ours[n][p & rest], ours[n][null & rest]) for p in kinds.values()),
        )
        for u, rest in ((u, ~touched) for u, touched in _units(unit))
    }


def _judged(
    ours: Tables,
    pairs: np.ndarray,
    null: np.ndarray,
    unit: np.ndarray,
    kind: str,
    best: Mapping[int, str],
    way: str,
) -> Rows:
    """Ways and weights of other units, on a unit's pairs; weights of all pairs, on themselves."""
    names = [*(_name(*way) for way in product(LENGTHS, POWERS)), *HASHED]
    x = np.stack([(ours[n] - ours[n][null].mean()) / ours[n][null].std() for n in names], axis=-1)
    found: dict[str, list[tuple[int, float]]] = {
        k: [] for k in ("runs chosen on other units", "weights of other units", "ours on these")
    }
    for u, touched in _units(unit):
        inside, rest, other = pairs & touched, pairs & ~touched, null & touched
        if not inside.any() or rest.sum() < FEWEST:
            continue
        weights, _ = logistic(x[rest], x[null & ~touched], ridge=RIDGE)
        sides = (
            (ours[best[u]][inside], ours[best[u]][other]),
            (x[inside] @ weights, x[other] @ weights),
            (ours[way][inside], ours[way][other]),
        )
        for values, (first, second) in zip(found.values(), sides, strict=True):
            values.append((int(inside.sum()), auc(first, second)))
    weights, _ = logistic(x[pairs], x[null], ridge=RIDGE)
    return {f"{label}, {kind}": _over_units(values) for label, values in found.items()} | {
        f"weights of these very pairs, {kind}": {"auc": auc(x[pairs] @ weights, x[null] @ weights)}
    }


def _units(unit: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each, and which pairs of models touch it."""
    for u in np.unique(unit):
        yield int(u), (unit == u)[:, None] | (unit == u)[None, :]


def _over_units(values: list[tuple[int, float]]) -> dict[str, Any]:
    n, aucs = np.array(values).T
    return {
        "auc": float(np.average(aucs, weights=n)),
        "pairs": int(n.sum()),
        "units": len(values),
        "least": float(aucs.min()),
        "most": float(aucs.max()),
    }


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
