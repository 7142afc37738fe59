"""What others do with free text: TF-IDF, Burrows' and cosine Delta, trees of lexical habits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from _corpora import Corpus, frame_of
from _pairs import Found, Split, compared, drawn, halves, splits

from provenance.signatures import LogTfIdf, blocks, named

WORDS = 500  # of a model, the most over-used: what a tree of habits compares
COMMON = 0.01  # share of outputs that have a word which a Delta reads
Sides = tuple[dict[int, np.ndarray], dict[int, np.ndarray]]
_TEXTS = ("char_ngrams", "word_ngrams", "function_words")


def found_by_baselines(
    folder: Path, data: Corpus, runs: Sequence[tuple[Sequence[int], int, float]]
) -> dict[str, Found]:
    """Scores on the bundles of `held_out`; idf, scales and WCCN are fitted on the training part.

    ``runs``: outputs, repeats and the share of the prompts that is fitted on, as there.
    """
    texts = frame_of(folder, "alpaca_eval").output
    counts = {name: _matrix(name, texts) for name in _TEXTS}
    found: dict[str, Found] = {}
    for outputs, repeats, share in runs:
        found |= _by_texts(counts, data, outputs, repeats, share)
        found |= by_deltas(counts["function_words"], data, outputs, repeats, share)
    return found


def _by_texts(
    counts: Mapping[str, Any], data: Corpus, outputs: Sequence[int], repeats: int, share: float
) -> dict[str, Found]:
    made: dict[str, list[Found]] = {}
    for split in splits(data, data.unit, np.random.default_rng(0), share):
        rows = {}
        usual_words = presence(counts["word_ngrams"], split.train)
        for name in ("char_ngrams", "word_ngrams"):
            weights = LogTfIdf.fitted([counts[name][split.train]], keep=30_000)
            rows[name] = sp.csr_array(weights.apply(counts[name][split.test]))
            if name == "char_ngrams":
                trained = sp.csr_array(weights.apply(counts[name][split.train]))
                centre, scale = _wccn(trained, data.model[split.train])
        words = counts["word_ngrams"][split.test][:, usual_words[0]]
        for n, sides in _bundles(data, split, outputs, repeats):
            a, b = _means(rows["char_ngrams"], sides)
            both = {"character TF-IDF, cosine": cosine(a - centre, b - centre)}
            both["character TF-IDF, WCCN"] = cosine((a - centre) * scale, (b - centre) * scale)
            a, b = _means(rows["word_ngrams"], sides)
            both["word TF-IDF, cosine"] = cosine(a - a.mean(axis=0), b - b.mean(axis=0))
            over = [habits(x, usual_words[1]) for x in _means(words, sides)]
            both["Jaccard of lexical habits"] = jaccard(*over)
            for label, scored in both.items():
                made.setdefault(f"{label}, {n}", []).append(
                    compared(scored, data.unit, *map(list, sides), split.number)
                )
    return {label: Found.joined(parts) for label, parts in made.items()}


def by_deltas(
    words: np.ndarray, data: Corpus, outputs: Sequence[int], repeats: int, share: float
) -> dict[str, Found]:
    """Burrows' and cosine Delta of the rates of function words, on the same bundles."""
    made: dict[str, list[Found]] = {}
    for split in splits(data, data.unit, np.random.default_rng(0), share):
        rows = standardised(words, split.train)[split.test]
        for n, sides in _bundles(data, split, outputs, repeats):
            a, b = _means(rows, sides)
            for label, scored in (
                ("Burrows' Delta", -manhattan(a, b)),
                ("cosine Delta", cosine(a, b)),
            ):
                made.setdefault(f"{label}, {n}", []).append(
                    compared(scored, data.unit, *map(list, sides), split.number)
                )
    return {label: Found.joined(parts) for label, parts in made.items()}


def standardised(words: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Rates less their mean, by their spread; of words that a hundredth of ``train`` has.

    A word that the training outputs hardly have would weigh without bound.
    """
    own = words[train]
    kept = (own > 0).mean(axis=0) >= COMMON
    return (words[:, kept] - own[:, kept].mean(axis=0)) / own[:, kept].std(axis=0)


def _bundles(
    data: Corpus, split: Split, outputs: Sequence[int], repeats: int
) -> Iterator[tuple[int, Sides]]:
    """Those of `held_out`."""
    for repeat in range(repeats):
        one, two, g = halves(data, split.test, repeat)
        for n in outputs:
            yield n, (drawn(data, split.test, one, n, g), drawn(data, split.test, two, n, g))


def _means(rows: Any, sides: Sides) -> list[np.ndarray]:
    return [np.array([np.asarray(rows[c].mean(axis=0)).ravel() for c in s.values()]) for s in sides]


def _matrix(name: str, texts: Sequence[str]):
    parts = [block[name] for block in blocks(named(name), texts)]
    if not sp.issparse(parts[0]):
        return np.concatenate([np.asarray(p) for p in parts])
    whole = sp.csr_array(sp.vstack([p.astype(np.float32) for p in parts], format="csr"))
    kept = np.flatnonzero(np.bincount(whole.indices, minlength=whole.shape[1]) >= 20)
    return whole[:, kept]


def _wccn(rows: sp.csr_array, models: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the models, and one over the spread of an output within its model, by column."""
    g = int(models.max()) + 1
    sizes = np.bincount(models, minlength=g)
    member = sp.csr_array((np.ones(len(models)), (models, np.arange(len(models)))))
    present = sizes > 0
    means = (member @ rows).toarray()[present] / sizes[present, None]
    squares = np.asarray(rows.multiply(rows).mean(axis=0)).ravel()
    within = squares - np.average(means**2, axis=0, weights=sizes[present])
    return means.mean(axis=0), 1 / np.sqrt(np.maximum(within, 1e-9))


def presence(counts: sp.csr_array, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of ordinary frequency, and the share of the training outputs that have each."""
    share = np.bincount(counts[train].indices, minlength=counts.shape[1]) / len(train)
    kept = np.flatnonzero((share > 1e-3) & (share < 0.3))
    return kept, share[kept]


def habits(rates: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Which n-grams a bundle over-uses most."""
    ratio = (rates + 0.01) / (usual + 0.01)
    marked = np.zeros(rates.shape, dtype=bool)
    order = np.argpartition(-ratio, WORDS, axis=1)[:, :WORDS]
    np.put_along_axis(marked, order, True, axis=1)
    return marked


def jaccard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every pair of rows of flags."""
    shared = a.astype(float) @ b.T.astype(float)
    return shared / (a.sum(axis=1)[:, None] + b.sum(axis=1)[None, :] - shared)


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of every pair of rows."""
    a = a / np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-12)
    b = b / np.maximum(np.linalg.norm(b, axis=1, keepdims=True), 1e-12)
    return a @ b.T


def manhattan(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Mean absolute difference of every pair of rows."""
    return np.abs(a[:, None, :] - b[None, :, :]).mean(axis=-1)
