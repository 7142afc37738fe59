"""A discriminant for a closed set: softmax regression on single outputs, beside the space's score.

The score of a space is for models that the space never saw. Where every candidate is known and has
hundreds of outputs, what parts just these models can be learnt from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from _corpora import Corpus

from provenance.library.space.channels import CLIP, fit_channel

COLUMNS, RANK, SAMPLE = 12_000, 150, 8_000
# Of the summed log loss. Chosen on the inner folds among 20, 75, 280 and 940, as was the scale of
# the coordinates; character n-grams and 300 directions a channel did not help there.
RIDGE = 75.0
STEPS = 60


@dataclass(frozen=True)
class Softmax:
    """log p(model | output), a log softmax of lines in the coordinates."""

    weights: np.ndarray
    offsets: np.ndarray

    @classmethod
    def fitted(cls, rows: np.ndarray, models: np.ndarray) -> Softmax:
        """Least mean log loss with a ridge, by L-BFGS from zero.

        A coordinate is scaled by the root of its variance between models over that within, less
        what chance gives: what does not part models is held down the more.
        """
        from scipy.optimize import minimize

        n, d = rows.shape
        k = int(models.max()) + 1
        scale = _scale(rows, models, k)
        scaled = rows * scale
        truth = np.zeros((n, k), dtype=np.float32)
        truth[np.arange(n), models] = 1
        ridge = RIDGE / n

        def loss(packed: np.ndarray) -> tuple[float, np.ndarray]:
            w, b = packed[: d * k].reshape(d, k), packed[d * k :]
            logs = _log_softmax(scaled @ w.astype(np.float32) + b.astype(np.float32))
            error = (np.exp(logs) - truth) / n
            value = -float(logs[np.arange(n), models].mean()) + ridge * float((w * w).sum())
            down = scaled.T @ error + 2 * ridge * w
            return value, np.concatenate([down.ravel(), error.sum(axis=0)]).astype(np.float64)

        start = np.zeros(d * k + k)
        found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS}).x
        w, b = found[: d * k].reshape(d, k).astype(np.float32), found[d * k :]
        return cls(w * scale[:, None], b.astype(np.float32))

    def logs(self, rows: np.ndarray) -> np.ndarray:
        """Shape (outputs, models)."""
        return _log_softmax(rows @ self.weights + self.offsets)


def coordinates(data: Corpus, train: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of the outputs ``train`` and ``others``: directions of those in ``train``, and measures.

    The directions are those of documents, without labels: directions of the means of models would
    follow the documents that the regression is fitted on.
    """
    training = data.training
    parts: list[list[np.ndarray]] = [[], []]
    for name, counts in training.counts.items():
        own = counts[train]
        channel = fit_channel(
            own,
            np.arange(counts.shape[1]),
            data.model[train],
            keep=COLUMNS // (4 if name == "line_types" else 1),
            rank=RANK,
            between=0,
            sample=SAMPLE,
            rng=np.random.default_rng(2),
        )
        for made, rows in zip(parts, (own, counts[others]), strict=True):
            made.append(channel.of_kept(rows[:, channel.columns]))
    rows, rest = (
        np.concatenate([*made, training.measures[c]], axis=1).astype(np.float32)
        for made, c in zip(parts, (train, others), strict=True)
    )
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread < 1e-6] = 1.0
    return tuple(np.clip((x - centre) / spread, -CLIP, CLIP) for x in (rows, rest))


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


def _scale(rows: np.ndarray, models: np.ndarray, k: int) -> np.ndarray:
    sizes = np.maximum(np.bincount(models, minlength=k), 1)
    means = np.zeros((k, rows.shape[1]))
    np.add.at(means, models, rows)
    means /= sizes[:, None]
    within = np.mean((rows - means[models].astype(np.float32)) ** 2, axis=0, dtype=np.float64)
    ratio = means.var(axis=0, ddof=1) / np.maximum(within, 1e-9) - float(np.mean(1 / sizes))
    scale = np.sqrt(np.maximum(ratio, 1e-4))
    return (scale / np.sqrt(np.mean(scale**2))).astype(np.float32)


def _log_softmax(lines: np.ndarray) -> np.ndarray:
    lines = lines - lines.max(axis=1, keepdims=True)
    return lines - np.log(np.exp(lines).sum(axis=1, keepdims=True))
