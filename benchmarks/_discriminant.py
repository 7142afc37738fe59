"""A discriminant for a closed set: what tells single outputs of just these models apart.

The score of a space is for models that the space never saw. Where every candidate is known and has
hundreds of outputs, what parts these models can be learnt from them: by a softmax regression on
tens of thousands of n-grams, and by networks with one hidden layer on the same, which err on
other outputs. Their log probabilities are added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from _corpora import Corpus
from _prompts import idf_of, weighted

from provenance.library.space.channels import CLIP

# All of this was chosen on 93 of the 280 prompts that no suspect answers, fitted on the other 187:
# top-1 among 91 of 1 and 10 outputs .284 and .750; the linear one alone .258 and .707 (.248 and
# .683 with twice the columns, all counting alike), one network alone .259 and .683, a regression
# on 150 directions a channel .217 and .654. No gain: naive Bayes added, a third network.
# Characters, instead of the skeleton's n-grams, were worse.
COLUMNS = {
    "skeleton": 20_000,
    "word_ngrams": 12_000,
    "line_types": 3_000,
    "openings_closings": 3_000,
}
MEASURES = 0.1  # scale of a measure, whose spread is 1, beside channels of length 1
NETWORKS = 2


@dataclass(frozen=True)
class Recipe:
    """How one is fitted: ``hidden`` units (0: linear), half of them dropped in each step."""

    hidden: int
    epochs: int
    batch: int
    rate: float  # of the first step; it falls to 0 in a straight line
    ridge: float  # half of it times the squared weights is added to the mean log loss


LINEAR = Recipe(hidden=0, epochs=5, batch=512, rate=0.04, ridge=1e-5)
NETWORK = Recipe(hidden=128, epochs=6, batch=256, rate=0.01, ridge=3e-6)


@dataclass(frozen=True)
class Inputs:
    """Outputs as rows: weighted n-grams, and measures, which are never 0."""

    counts: sp.csr_array
    measures: np.ndarray

    @property
    def width(self) -> int:
        return int(self.counts.shape[1] + self.measures.shape[1])

    def only(self, chosen: np.ndarray) -> Inputs:
        return Inputs(self.counts[chosen], self.measures[chosen])

    def times(self, weights: np.ndarray) -> np.ndarray:
        split = self.counts.shape[1]
        return self.counts @ weights[:split] + self.measures @ weights[split:]

    def back(self, errors: np.ndarray) -> np.ndarray:
        """The gradient of the weights, from that of the lines."""
        return np.concatenate([self.counts.T @ errors, self.measures.T @ errors])


def inputs(data: Corpus, train: np.ndarray, others: np.ndarray) -> tuple[Inputs, Inputs]:
    """Of the outputs ``train``, on which everything is fitted, and of ``others``.

    A column counts by the fourth root of its variance between models over that within, less what
    chance gives: what does not part models is held down the more.
    """
    training, models = data.training, data.model[train]
    parts: list[list[sp.csr_array]] = [[], []]
    for name, keep in COLUMNS.items():
        counts = training.counts[name]
        present = np.bincount(counts[train].indices, minlength=counts.shape[1])
        columns = np.sort(np.argsort(-present, kind="stable")[:keep])
        kept, new = (counts[c][:, columns] for c in (train, others))
        idf = idf_of(kept)
        own, rest = weighted(kept, idf), weighted(new, idf)
        scale = sp.diags_array(_scale(own, models))
        for made, rows in zip(parts, (own, rest), strict=True):
            made.append(sp.csr_array(rows @ scale))
    measures = training.measures[train]
    centre, spread = measures.mean(axis=0), measures.std(axis=0)
    spread[spread < 1e-6] = 1.0
    own_, rest_ = (
        MEASURES * np.clip((training.measures[c] - centre) / spread, -CLIP, CLIP)
        for c in (train, others)
    )
    scale_ = _scale(own_, models)
    return tuple(
        Inputs(sp.csr_array(sp.hstack(c, format="csr")), (m * scale_).astype(np.float32))
        for c, m in zip(parts, (own_, rest_), strict=True)
    )


@dataclass(frozen=True)
class Net:
    """log p(model | output): a log softmax of lines in the inputs, or in one hidden layer."""

    weights: tuple[np.ndarray, ...]
    offsets: tuple[np.ndarray, ...]

    @classmethod
    def fitted(
        cls, rows: Inputs, models: np.ndarray, recipe: Recipe, rng: np.random.Generator
    ) -> Net:
        """Least log loss by Adam, stopped after the recipe's epochs."""
        n, k = len(models), int(models.max()) + 1
        widths = [rows.width, *([recipe.hidden] if recipe.hidden else []), k]
        weights = [np.zeros((a, b), np.float32) for a, b in pairwise(widths)]
        if recipe.hidden:
            weights[0] += 0.02 * rng.standard_normal(weights[0].shape, np.float32)
        offsets = [np.zeros(b, np.float32) for b in widths[1:]]
        net = cls(tuple(weights), tuple(offsets))
        adam = [_Adam(np.zeros_like(p), np.zeros_like(p)) for p in (*weights, *offsets)]
        steps = recipe.epochs * (n // recipe.batch)
        for step in range(steps):
            if step % (n // recipe.batch) == 0:
                order = rng.permutation(n)
            batch = order[: recipe.batch]
            order = order[recipe.batch :]
            down = net._gradients(rows.only(batch), models[batch], rng)
            for w, g in zip(weights, down, strict=False):
                g += recipe.ridge * w
            rate = recipe.rate * (1 - step / steps)
            for p, g, own in zip((*weights, *offsets), down, adam, strict=True):
                own.moved(p, g, rate, step + 1)
        return net

    def logs(self, rows: Inputs) -> np.ndarray:
        """Shape (outputs, models)."""
        lines = rows.times(self.weights[0]) + self.offsets[0]
        for w, b in zip(self.weights[1:], self.offsets[1:], strict=True):
            lines = np.maximum(lines, 0) @ w + b
        return _log_softmax(lines)

    def _gradients(
        self, rows: Inputs, models: np.ndarray, rng: np.random.Generator
    ) -> list[np.ndarray]:
        """Of the mean log loss, by weights and then offsets; half of the hidden units are 0."""
        lines = rows.times(self.weights[0]) + self.offsets[0]
        hidden = None
        if len(self.weights) == 2:
            kept = 2 * ((lines > 0) & (rng.random(lines.shape, np.float32) < 0.5))
            kept = kept.astype(np.float32)
            hidden = lines * kept
            lines = hidden @ self.weights[1] + self.offsets[1]
        error = np.exp(_log_softmax(lines))
        error[np.arange(len(models)), models] -= 1
        error /= len(models)
        if hidden is None:
            return [rows.back(error), error.sum(axis=0)]
        first = (error @ self.weights[1].T) * kept
        return [rows.back(first), hidden.T @ error, first.sum(axis=0), error.sum(axis=0)]


@dataclass
class _Adam:
    """Kingma & Ba (2015), with a memory of 100 steps for the squares."""

    mean: np.ndarray
    square: np.ndarray

    def moved(self, values: np.ndarray, gradient: np.ndarray, rate: float, step: int) -> None:
        """One step of ``values``, in place."""
        self.mean *= 0.9
        self.mean += 0.1 * gradient
        self.square *= 0.99
        self.square += 0.01 * gradient**2
        root = np.sqrt(self.square / (1 - 0.99**step)) + 1e-8
        values -= (rate / (1 - 0.9**step)) * self.mean / root


def discriminant(data: Corpus, train: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Sum of log p(model | output), less a constant of the output, of ``others``.

    The linear one and the mean of the networks count alike. Shape (outputs, models).
    """
    rows, rest = inputs(data, train, others)
    models = data.model[train]
    logs = Net.fitted(rows, models, LINEAR, np.random.default_rng(0)).logs(rest)
    for seed in range(NETWORKS):
        net = Net.fitted(rows, models, NETWORK, np.random.default_rng(1 + seed))
        logs += net.logs(rest) / NETWORKS
    return logs


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
        return -float(_log_softmax(np.tensordot(c, stacked, 1))[at].mean())

    found = minimize(loss, np.ones(len(sources)), method="Nelder-Mead").x
    return np.maximum(found, 0) / scale


def _scale(rows: sp.csr_array | np.ndarray, models: np.ndarray) -> np.ndarray:
    """What each column is multiplied by; rows keep their mean squared length."""
    n, sizes = len(models), np.bincount(models)
    member = sp.csr_array((np.ones(n, np.float32), (models, np.arange(n))), (len(sizes), n))
    sums = member @ rows
    means = (sums.toarray() if sp.issparse(sums) else sums) / sizes[:, None]
    squares = np.asarray((rows * rows).sum(axis=0)).ravel() / n
    within = np.maximum(squares - (means**2).mean(axis=0), 1e-12)
    ratio = means.var(axis=0, ddof=1) / within - np.mean(1 / sizes)
    scale = np.maximum(ratio, 1e-4) ** 0.25
    kept = squares.sum() / (scale**2 * squares).sum()
    return (scale * np.sqrt(kept)).astype(np.float32)


def _log_softmax(lines: np.ndarray) -> np.ndarray:
    lines = lines - lines.max(axis=1, keepdims=True)
    return lines - np.log(np.exp(lines).sum(axis=1, keepdims=True))
