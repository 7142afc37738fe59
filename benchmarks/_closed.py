"""Task: which of the known models, when it is one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _baselines import cosine, manhattan, standardised
from _corpora import Corpus, corpus, folds_of, frame_of
from _pairs import drawn, summaries
from _prompts import weighted

from provenance.attribution.known_pairs import rows_of
from provenance.attribution.same_source import scores
from provenance.library import discriminant
from provenance.library.discriminant.net import log_softmax
from provenance.library.space import fit
from provenance.signatures import blocks, named

CORPUS = "alpaca_eval"
OUTPUTS = (1, 10, 100)
ENROLLED = (25, 50, 100)  # prompts a model is enrolled with, beside all 150
REPEATS = 5
AMONG = 91  # a closed set of as many models as the target is for
Chosen = Mapping[int, np.ndarray]
# Places of outputs by model: of suspects, and of those that are known; then (suspects, known).
Scored = Callable[[Chosen, Chosen], np.ndarray]
Rows = dict[str, dict[str, Any]]


def closed(folder: Path) -> Rows:
    """Top-1 of the model and of its family.

    Prompts in three parts: the space is fitted on 130, models are enrolled with their answers to
    150, suspects answer the other 149. In the first rows the space was fitted on the same models
    (a library's own), in the last on models of other units. Sets of 91 are drawn at random from
    the 134, so twins of one base are in them as often as they are in the corpus.

    *All 280* prompts that no suspect answers: two spaces, each fitted on half of them and enrolled
    with the other half. *Two discriminants of a half* is what `identify` has of a library's own
    models (`closed_fit`): it needs their texts, as no other task does, and says nothing of a model
    outside the set. *With the discriminant* adds one of all 280 to the space's score. All of it,
    and the weights of the sum, was chosen inside the 280, on disjoint prompts, before it met an
    answer to the 149.
    """
    data = corpus(folder, CORPUS)
    seen = np.random.default_rng(0).permutation(int(data.prompt.max()) + 1)
    parts = seen[:130], seen[130:280], seen[280:]
    every = np.arange(len(data.names))
    chosen = [np.random.default_rng(k).choice(every, AMONG, replace=False) for k in range(10)]
    ours = {"all models": [every], f"{AMONG} of them": chosen}
    among = {f"{AMONG} of them": chosen}
    score = _in_space(data, every, parts[0])
    rows = _tried(data, parts[1], parts[2], score, ours)
    for k in ENROLLED:
        rows |= _labelled(f"enrolled with {k}", _tried(data, parts[1][:k], parts[2], score, among))
    halves = _halves(seen[:280])
    space = _crossed(data, every, halves)
    rows |= _labelled("all 280", _tried(data, seen[:280], parts[2], space, ours))
    both = _with_discriminant(data, halves, parts[2], space)
    for label, own in both.items():
        rows |= _labelled(label, _tried(data, seen[:280], parts[2], own, ours))
    for label, peer in _peers(folder, data, parts[1]).items():
        rows |= _labelled(label, _tried(data, parts[1], parts[2], peer, among))
    fold = folds_of(data.unit, np.random.default_rng(0))
    for number in range(int(fold.max()) + 1):
        own = np.flatnonzero(fold[data.unit] == number)
        score = _in_space(data, np.setdiff1d(every, own), parts[0])
        label = f"{len(own)} of units that the fit lacks ({number + 1})"
        rows |= _tried(data, parts[1], parts[2], score, {label: [own]})
        # None of these models built the space, so all that they answered may enrol them.
        rows |= _labelled("all 280", _tried(data, seen[:280], parts[2], score, {label: [own]}))
    return rows


def _labelled(label: str, rows: Rows) -> Rows:
    return {f"{label}, {name}": row for name, row in rows.items()}


def _bundles(
    data: Corpus, prompts: np.ndarray, n: int, repeats: int
) -> list[dict[int, np.ndarray]]:
    """Places of ``n`` outputs a model, drawn anew for each repeat."""
    g = np.random.default_rng(n)
    tested = np.flatnonzero(np.isin(data.prompt, prompts))
    return [
        {m: tested[c] for m, c in drawn(data, tested, prompts, n, g).items()}
        for _ in range(repeats)
    ]


def _known(data: Corpus, prompts: np.ndarray) -> dict[int, np.ndarray]:
    enrolled = np.flatnonzero(np.isin(data.prompt, prompts))
    return {m: enrolled[data.model[enrolled] == m] for m in range(len(data.names))}


def _tried(
    data: Corpus,
    enrolled: np.ndarray,
    tested: np.ndarray,
    score: Scored,
    sets: Mapping[str, list[np.ndarray]],
) -> Rows:
    known = _known(data, enrolled)
    rows: Rows = {}
    for n in OUTPUTS:
        hits: dict[str, list[tuple[bool, bool]]] = {label: [] for label in sets}
        for suspects in _bundles(data, tested, n, REPEATS):
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


def _in_space(data: Corpus, models: np.ndarray, fitted: np.ndarray) -> Scored:
    inside = np.isin(data.prompt, fitted) & np.isin(data.model, models)
    training = data.training.only(np.flatnonzero(inside))
    space = fit(training, rng=np.random.default_rng(1))
    rest = np.flatnonzero(~inside)
    rows = np.zeros((len(data.model), space.dimensions))
    rows[rest] = rows_of(data.training, rest, space)

    def score(suspects: Chosen, known: Chosen) -> np.ndarray:
        return scores(summaries(rows, suspects), summaries(rows, known), space)

    return score


def _halves(prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    drawn_ = np.random.default_rng(5).permutation(prompts)
    return drawn_[: len(drawn_) // 2], drawn_[len(drawn_) // 2 :]


def _crossed(data: Corpus, models: np.ndarray, halves: tuple[np.ndarray, np.ndarray]) -> Scored:
    """Mean score of two spaces, each fitted on one half and enrolled with the other."""
    spaces = [_in_space(data, models, half) for half in halves]

    def score(suspects: Chosen, known: Chosen) -> np.ndarray:
        found = []
        for space, half in zip(spaces, halves, strict=True):
            free = {m: c[~np.isin(data.prompt[c], half)] for m, c in known.items()}
            found.append(space(suspects, free))
        return np.mean(found, axis=0)

    return score


def _with_discriminant(
    data: Corpus, halves: tuple[np.ndarray, np.ndarray], tested: np.ndarray, space: Scored
) -> dict[str, Scored]:
    """Fitted on all that may be seen, alone and added to the space's score."""
    logs = np.zeros((len(data.model), len(data.names)), dtype=np.float32)
    mean = np.zeros_like(logs)
    sources: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {n: [] for n in OUTPUTS}
    every = np.arange(len(data.names))
    for fitted, held in (halves, halves[::-1]):
        found = _learnt(data, fitted)
        _fill(logs, found, data, held)
        _fill(mean, found, data, tested)
        inner = _crossed(data, every, _halves(fitted))
        known = _known(data, fitted)
        for n in OUTPUTS:
            for suspects in _bundles(data, held, n, REPEATS):
                sources[n].append(
                    (_summed(logs, suspects), inner(suspects, known), np.array(list(suspects)))
                )
    weights = {
        n: weighed([np.concatenate(s) for s in (own[0], own[1])], np.concatenate(own[2]))
        for n, own in ((n, list(zip(*made, strict=True))) for n, made in sources.items())
    }
    _fill(logs, _learnt(data, np.concatenate(halves)), data, tested)

    def alone(suspects: Chosen, known: Chosen) -> np.ndarray:
        return _summed(logs, suspects)

    def added(suspects: Chosen, known: Chosen) -> np.ndarray:
        one, two = weights[len(next(iter(suspects.values())))]
        return one * _summed(logs, suspects) + two * space(suspects, known)

    def of_halves(suspects: Chosen, known: Chosen) -> np.ndarray:
        return _summed(mean, suspects)

    return {
        "two discriminants of a half": of_halves,
        "discriminant alone": alone,
        "with the discriminant": added,
    }


def _learnt(data: Corpus, prompts: np.ndarray) -> discriminant.Discriminant:
    train = np.flatnonzero(np.isin(data.prompt, prompts))
    rng = np.random.default_rng(0)
    return discriminant.fit(data.training.only(train), data.names, data.names, rng=rng)


def _fill(
    logs: np.ndarray, found: discriminant.Discriminant, data: Corpus, prompts: np.ndarray
) -> None:
    """Add what it says of the outputs to some prompts."""
    rest = np.flatnonzero(np.isin(data.prompt, prompts))
    logs[rest] += found.logs_of(data.training.only(rest))


def weighed(sources: Sequence[np.ndarray], truth: np.ndarray) -> np.ndarray:
    """How much each source counts: the largest likelihood of a softmax over the candidates.

    Parameters
    ----------
    sources
        Each of shape (bundles, candidates), larger is more alike.
    truth
        Shape (bundles,): place of the true candidate.
    """
    from scipy.optimize import minimize

    stacked = np.stack(sources)
    scale = stacked.std(axis=(1, 2))
    stacked = stacked / scale[:, None, None]
    at = np.arange(len(truth)), truth

    def loss(c: np.ndarray) -> float:
        return -float(log_softmax(np.tensordot(c, stacked, 1))[at].mean())

    found = minimize(loss, np.ones(len(sources)), method="Nelder-Mead").x
    return np.maximum(found, 0) / scale


def _summed(logs: np.ndarray, suspects: Chosen) -> np.ndarray:
    return np.array([logs[c].sum(axis=0) for c in suspects.values()], dtype=np.float64)


def _peers(folder: Path, data: Corpus, enrolled: np.ndarray) -> dict[str, Scored]:
    """Cosine of mean TF-IDF rows less the mean of all enrolled ones, and both Deltas."""
    import scipy.sparse as sp

    texts = frame_of(folder, CORPUS).output
    made = [b["char_ngrams"].astype(np.float32) for b in blocks(named("char_ngrams"), texts)]
    whole = sp.csr_array(sp.vstack(made, format="csr"))
    present = np.bincount(whole.indices, minlength=whole.shape[1])
    rows = weighted(whole[:, np.argsort(-present)[:30_000]])
    centre = np.asarray(rows[np.isin(data.prompt, enrolled)].mean(axis=0)).ravel()

    def score(suspects: Chosen, known: Chosen) -> np.ndarray:
        return cosine(_means(rows, suspects) - centre, _means(rows, known) - centre)

    return {"characters, TF-IDF centroid": score} | _deltas(folder, data, enrolled)


def _deltas(folder: Path, data: Corpus, enrolled: np.ndarray) -> dict[str, Scored]:
    texts = frame_of(folder, CORPUS).output
    made = [np.asarray(b["function_words"]) for b in blocks(named("function_words"), texts)]
    inside = np.flatnonzero(np.isin(data.prompt, enrolled))
    rows = standardised(np.concatenate(made), inside)
    return {
        "Burrows' Delta": lambda a, b: -manhattan(_means(rows, a), _means(rows, b)),
        "cosine Delta": lambda a, b: cosine(_means(rows, a), _means(rows, b)),
    }


def _means(rows: Any, chosen: Chosen) -> np.ndarray:
    return np.array([np.asarray(rows[c].mean(axis=0)).ravel() for c in chosen.values()])
