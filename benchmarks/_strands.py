"""Pairs of models with two strands of evidence each, scored in spaces that saw neither."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from _corpora import Corpus, corpus, folds_of, frame_of
from _prompts import by_prompt, centred, scaled, weighted

from provenance.attribution.known_pairs import FEWEST_UNITS, rows_of
from provenance.attribution.same_source import scores
from provenance.library.population import Moments
from provenance.library.space import Space, fit

FITTED = 60  # outputs a model that a space is fitted on
CHANNELS = ("word_ngrams", "skeleton")  # of matched answers


@dataclass
class Strands:
    """Scores of pairs of models, a strand a column; ``pooled``: of all outputs at once, or NaN.

    ``same``: one model on both sides; two models of one unit have no pair. ``a``, ``b``: units.
    ``fold``: of the space, within its ``repeat``.
    """

    scores: np.ndarray
    pooled: np.ndarray
    same: np.ndarray
    a: np.ndarray
    b: np.ndarray
    fold: np.ndarray
    repeat: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Strands]) -> Strands:
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def only(self, chosen: np.ndarray) -> Strands:
        return Strands(*(getattr(self, f.name)[chosen] for f in fields(self)))


@dataclass(frozen=True)
class Cut:
    """In how many parts units are left out in turn, and how often they are split anew."""

    folds: int
    repeats: int


@dataclass
class Split:
    """Units left out, and the outputs of their models in disjoint sets of prompts.

    ``sets``: by model, places of its outputs in the corpus; the first is what is fitted on.
    """

    repeat: int
    fold: int
    fitted: np.ndarray
    models: list[int]
    sets: list[dict[int, np.ndarray]]


def two_sets_of_prompts(folder: Path, name: str, n: int, cut: Cut) -> Strands:
    """Two sessions: style on two disjoint sets of prompts. Pooled: both sets as one bundle."""
    data = corpus(folder, name)
    parts = []
    for split in _splits(data, cut, sets=4, n=n):
        space = _fit(data, split)
        one, two, three, four = (_rows(data, space, split, s) for s in split.sets)
        tables = [scores(*map(_moments, sides), space) for sides in ((one, two), (three, four))]
        both = [
            _moments([np.concatenate(pair) for pair in zip(a, b, strict=True)])
            for a, b in ((one, three), (two, four))
        ]
        parts.append(_pairs(data, split, tables, scores(*both, space)))
    return Strands.joined(parts)


def two_views(folder: Path, name: str, n: int, cut: Cut) -> Strands:
    """The same texts as they stand and in the canonical view: strands that share everything."""
    views = [corpus(folder, name), corpus(folder, name, "canonical")]
    parts = []
    for split in _splits(views[0], cut, sets=2, n=n):
        tables = []
        for data in views:
            space = _fit(data, split)
            sides = (_moments(_rows(data, space, split, s)) for s in split.sets)
            tables.append(scores(*sides, space))
        parts.append(_pairs(views[0], split, tables, None))
    return Strands.joined(parts)


def style_and_matched(folder: Path, name: str, n: int, cut: Cut) -> Strands:
    """Style on other prompts, and likeness prompt by prompt on those that both sides answered.

    The corpus holds three answers a prompt: suspects give their first, references their second.
    """
    data, frame = corpus(folder, name), frame_of(folder, name)
    sample = frame.groupby(["model", "prompt_id"]).cumcount().to_numpy()
    like = {c: weighted(data.training.counts[c]) for c in CHANNELS}
    parts = []
    for split in _splits(data, cut, sets=2, n=n, sample=sample):
        space = _fit(data, split)
        sides = (_moments(_rows(data, space, split, s)) for s in split.sets)
        style = scores(*sides, space)
        asked = np.unique(data.prompt[np.concatenate([d for s in split.sets for d in s.values()])])
        parts.append(_pairs(data, split, [style, _matched(data, split, sample, like, asked)], None))
    return Strands.joined(parts)


def _matched(data: Corpus, split: Split, sample: np.ndarray, like, asked: np.ndarray) -> np.ndarray:
    """Mean over prompts of centred likeness; the middle is that of models that are not tested."""
    models = np.array(split.models)
    total, count = (np.zeros((len(models), len(models))) for _ in range(2))
    inside = np.flatnonzero(np.isin(data.prompt, asked))
    for places in by_prompt(data.prompt[inside]):
        answers = inside[places]
        others = ~np.isin(data.model[answers], models)
        middle = sum(
            scaled(centred((like[c][answers] @ like[c][answers].T).toarray(), others))
            for c in CHANNELS
        )
        m, s = data.model[answers], sample[answers]
        rows = [{x: i for i, x in enumerate(m) if s[i] == side} for side in (0, 1)]
        for i, a in enumerate(models):
            for j, b in enumerate(models):
                if a in rows[0] and b in rows[1]:
                    total[i, j] += middle[rows[0][a], rows[1][b]]
                    count[i, j] += 1
    return total / np.maximum(count, 1)


def _splits(
    data: Corpus, cut: Cut, *, sets: int, n: int, sample: np.ndarray | None = None
) -> Iterator[Split]:
    """Prompts in one part to fit on and ``sets`` others; with samples, side by side.

    Suspects' sets are even, references' odd.
    """
    every = int(data.prompt.max()) + 1
    for repeat in range(cut.repeats):
        rng = np.random.default_rng([20261125, repeat])
        fold = folds_of(data.unit, rng, cut.folds)
        cuts = np.array_split(rng.permutation(every), sets + (2 if sets > 2 else 1))
        fit_on, tested = np.concatenate(cuts[sets:]), cuts[:sets]
        for number in range(cut.folds):
            inside = fold[data.unit[data.model]] == number
            if len(np.unique(data.unit[data.model[~inside]])) < FEWEST_UNITS:
                continue
            fitted = np.flatnonzero(~inside & np.isin(data.prompt, fit_on))
            drawn: list[dict[int, np.ndarray]] = []
            for side, prompts in enumerate(tested):
                own = inside & np.isin(data.prompt, prompts)
                if sample is not None:
                    own &= sample == side % 2
                places = np.flatnonzero(own)
                own_of = {int(m): places[data.model[places] == m] for m in _known(data, places)}
                enough = {m: p for m, p in own_of.items() if len(p) >= n}
                drawn.append({m: rng.permutation(p)[:n] for m, p in enough.items()})
            models = sorted(set.intersection(*(set(d) for d in drawn)))
            yield Split(repeat, number, _few(data, fitted, rng), models, drawn)


def _known(data: Corpus, places: np.ndarray) -> np.ndarray:
    return np.unique(data.model[places])


def _few(data: Corpus, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """At most `FITTED` outputs a model."""
    model = data.model[places]
    kept = [rng.permutation(places[model == m])[:FITTED] for m in np.unique(model)]
    return np.sort(np.concatenate(kept))


def _fit(data: Corpus, split: Split) -> Space:
    rng = np.random.default_rng([split.repeat, split.fold])
    return fit(data.training.only(split.fitted), rng=rng)


def _rows(data: Corpus, space: Space, split: Split, chosen: dict[int, np.ndarray]) -> list:
    sizes = [len(chosen[m]) for m in split.models]
    documents = np.concatenate([chosen[m] for m in split.models])
    return np.split(rows_of(data.training, documents, space), np.cumsum(sizes)[:-1])


def _moments(bundles: Sequence[np.ndarray]) -> list[Moments]:
    return [Moments(len(r), r.mean(axis=0), r.var(axis=0, ddof=1)) for r in bundles]


def _pairs(
    data: Corpus, split: Split, tables: Sequence[np.ndarray], pooled: np.ndarray | None
) -> Strands:
    models, k = np.array(split.models), len(split.models)
    a, b = np.repeat(models, k), np.tile(models, k)
    kept = (a == b) | (data.unit[a] != data.unit[b])
    whole = np.full(k * k, np.nan) if pooled is None else pooled.ravel()
    return Strands(
        scores=np.stack([t.ravel() for t in tables], axis=1)[kept],
        pooled=whole[kept],
        same=(a == b)[kept],
        a=data.unit[a][kept],
        b=data.unit[b][kept],
        fold=np.full(kept.sum(), split.fold),
        repeat=np.full(kept.sum(), split.repeat),
    )
