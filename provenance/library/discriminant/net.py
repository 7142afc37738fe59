"""Softmax regressions and networks with one hidden layer, fitted on sparse rows.

Small enough to read, and the same on every machine with numpy; what they are for is said in
`provenance.library.discriminant`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Sparse: TypeAlias = csr_array[Any, tuple[int, int]]

__all__ = ["LINEAR", "NETWORK", "Inputs", "Kept", "Net", "Recipe", "log_softmax"]

Small = NDArray[np.float32]
Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a net is fitted.

    Attributes
    ----------
    hidden
        Hidden units, half of which are dropped in each step; 0: linear.
    epochs, batch
        Passes over the outputs, and outputs in a step.
    rate
        Of the first step; it falls to 0 in a straight line.
    ridge
        Half of it times the squared weights is added to the mean log loss.
    """

    hidden: int
    epochs: int
    batch: int
    rate: float
    ridge: float


# Chosen with what `columns.COLUMNS` says.
LINEAR = Recipe(hidden=0, epochs=5, batch=512, rate=0.04, ridge=1e-5)
NETWORK = Recipe(hidden=128, epochs=6, batch=256, rate=0.01, ridge=3e-6)
_MOST = 127
FEWEST_STEPS = 300  # where outputs are few they are passed more often


@dataclass(frozen=True, slots=True)
class Inputs:
    """Outputs as rows: weighted n-grams, mostly 0, and measures, which never are.

    Attributes
    ----------
    counts
        Shape (outputs, c).
    measures
        Shape (outputs, m).
    """

    counts: Sparse
    measures: Small

    def __len__(self) -> int:
        return len(self.measures)

    @property
    def width(self) -> int:
        """c + m."""
        return int(self.counts.shape[1] + self.measures.shape[1])

    def only(self, chosen: Codes) -> Inputs:
        """Some of the outputs."""
        return Inputs(self.counts[chosen], self.measures[chosen])

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """Lines of shape (outputs, k), of weights of shape (c + m, k)."""
        split = self.counts.shape[1]
        found: NDArray[Any] = self.counts @ weights[:split] + self.measures @ weights[split:]
        return found

    def back(self, errors: Small) -> Small:
        """The gradient of the weights, from that of the lines."""
        return np.concatenate([self.counts.T @ errors, self.measures.T @ errors])


@dataclass(frozen=True, slots=True)
class Net:
    """log p(model | output): a log softmax of lines in the inputs, or in one hidden layer.

    Attributes
    ----------
    weights
        One array of shape (width, models), or two: (width, hidden) and (hidden, models).
    offsets
        As many, one number a column.
    """

    weights: tuple[Small, ...]
    offsets: tuple[Small, ...]

    @classmethod
    def fitted(
        cls,
        rows: Inputs,
        models: Codes,
        recipe: Recipe,
        rng: np.random.Generator,
        *,
        said: Callable[[int, int], None] | None = None,
    ) -> Net:
        """Least mean log loss by Adam, stopped after the recipe's epochs.

        Parameters
        ----------
        models
            Shape (outputs,): codes 0 … k − 1.
        said
            Told the step and how many there are.
        """
        n, k = len(models), int(models.max()) + 1
        batch = min(recipe.batch, n)
        each = n // batch
        steps = max(recipe.epochs * each, FEWEST_STEPS)
        widths = [rows.width, *([recipe.hidden] if recipe.hidden else []), k]
        weights = [np.zeros((a, b), np.float32) for a, b in pairwise(widths)]
        if recipe.hidden:
            weights[0] += 0.02 * rng.standard_normal(weights[0].shape, np.float32)
        net = cls(tuple(weights), tuple(np.zeros(b, np.float32) for b in widths[1:]))
        fitted = (*net.weights, *net.offsets)
        adam = [_Adam(np.zeros_like(p), np.zeros_like(p)) for p in fitted]
        order = np.zeros(0, dtype=np.int64)
        for step in range(steps):
            if step % each == 0:
                order = rng.permutation(n)
            chosen, order = order[:batch], order[batch:]
            down = net._gradients(rows.only(chosen), models[chosen], rng)
            for w, g in zip(net.weights, down, strict=False):
                g += recipe.ridge * w
            rate = recipe.rate * (1 - step / steps)
            for p, g, own in zip(fitted, down, adam, strict=True):
                own.moved(p, g, rate, step + 1)
            if said is not None:
                said(step + 1, steps)
        return net

    def logs(self, rows: Inputs) -> Floats:
        """log p, shape (outputs, models).

        In double: another machine, which adds in another order, must find the same numbers.
        """
        first = self.weights[0].astype(np.float64)
        lines = rows.times(first) + self.offsets[0]
        for w, b in zip(self.weights[1:], self.offsets[1:], strict=True):
            lines = np.maximum(lines, 0) @ w.astype(np.float64) + b
        found: Floats = log_softmax(lines)
        return found

    def _gradients(self, rows: Inputs, models: Codes, rng: np.random.Generator) -> list[Small]:
        """Of the mean log loss, by weights and then offsets; half of the hidden units are 0."""
        lines: NDArray[Any] = rows.times(self.weights[0]) + self.offsets[0]
        hidden = kept = None
        if len(self.weights) == 2:
            kept = (2 * ((lines > 0) & (rng.random(lines.shape, np.float32) < 0.5))).astype(
                np.float32
            )
            hidden = lines * kept
            lines = hidden @ self.weights[1] + self.offsets[1]
        error = np.exp(log_softmax(lines))
        error[np.arange(len(models)), models] -= 1
        error /= len(models)
        if hidden is None or kept is None:
            return [rows.back(error), error.sum(axis=0)]
        first = (error @ self.weights[1].T) * kept
        return [rows.back(first), hidden.T @ error, first.sum(axis=0), error.sum(axis=0)]


@dataclass(slots=True)
class _Adam:
    """Kingma & Ba (2015), with a memory of 100 steps for the squares."""

    mean: Small
    square: Small

    def moved(self, values: Small, gradient: Small, rate: float, step: int) -> None:
        """One step of ``values``, in place."""
        self.mean *= 0.9
        self.mean += 0.1 * gradient
        self.square *= 0.99
        self.square += 0.01 * gradient**2
        root = np.sqrt(self.square / (1 - 0.99**step)) + 1e-8
        values -= (rate / (1 - 0.9**step)) * self.mean / root


def log_softmax(lines: NDArray[Any]) -> NDArray[Any]:
    """Rows less the log of the sum of their exponentials."""
    less = lines - lines.max(axis=1, keepdims=True)
    found: NDArray[Any] = less - np.log(np.exp(less).sum(axis=1, keepdims=True))
    return found


@dataclass(frozen=True, slots=True)
class Kept:
    """A net as a file keeps it: whole numbers of one byte, which tell models apart as well.

    Attributes
    ----------
    weights
        Of each layer, within ±127.
    scales
        What each column of it is multiplied by.
    offsets
        As in `Net`.
    """

    weights: tuple[NDArray[np.int8], ...]
    scales: tuple[Small, ...]
    offsets: tuple[Small, ...]

    @classmethod
    def of(cls, net: Net) -> Kept:
        """Rounded to the 127th part of the largest weight of a column."""
        scales = [np.abs(w).max(axis=0) / np.float32(_MOST) for w in net.weights]
        scales = [np.where(s > 0, s, np.float32(1)).astype(np.float32) for s in scales]
        rounded = [np.rint(w / s).astype(np.int8) for w, s in zip(net.weights, scales, strict=True)]
        return cls(tuple(rounded), tuple(scales), net.offsets)

    def net(self) -> Net:
        """To compute with."""
        layers = zip(self.weights, self.scales, strict=True)
        return Net(tuple(w.astype(np.float32) * s for w, s in layers), self.offsets)
