"""How alike two bundles are, for telling one model from others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.library.space import Space

__all__ = ["Bundled", "score", "scores"]

Floats = NDArray[np.float64]
# A bundle's own spread counts as much as the usual one where it has this many outputs.
PRIOR_OUTPUTS = 20
CAP = 30.0  # squared standard errors: one strange dimension cannot decide
_BLOCK = 4_000_000  # numbers held at once


class Bundled(Protocol):
    """Number of outputs, mean and variance of one output; shapes (), (d,), (d,)."""

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def mean(self) -> Floats: ...  # noqa: D102
    @property
    def variance(self) -> Floats: ...  # noqa: D102


def score(a: Bundled, b: Bundled, space: Space) -> float:
    """`scores` of one pair."""
    return float(scores([a], [b], space)[0, 0])


def scores(a: Sequence[Bundled], b: Sequence[Bundled], space: Space) -> Floats:
    """Minus the log of the weighted mean squared distance in standard errors.

    Parameters
    ----------
    a, b
        Bundles in the space.
    space
        Gives, for each dimension, the variance between models λ and within one ω.

    Returns
    -------
    ndarray
        Shape (len(a), len(b)); about zero for two bundles of one model, lower for others,
        symmetric in a pair.

    Notes
    -----
    s = −log(Σ w·min((ā − b̄)²/(v_a + v_b), 30) / Σ w) with v = (τω + (1 − τ)·s²)/n,
    τ = 20/(20 + n), s² the bundle's own variance, and w = λ/(λ + ω/n_a + ω/n_b): a dimension counts
    as much as its between-model variance stands out from the noise of these two bundles. It is a
    score, not a likelihood ratio: what it is worth is measured on known pairs.
    """
    left, left_error, n_a = _stacked(a, space)
    right, right_error, n_b = _stacked(b, space)
    found = np.empty((len(a), len(b)))
    step = max(1, _BLOCK // max(1, right.size))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        noise = space.within / n_a[rows, None, None] + space.within / n_b[None, :, None]
        weights = space.between / (space.between + noise)
        apart = (left[rows, None, :] - right[None, :, :]) ** 2
        apart /= left_error[rows, None, :] + right_error[None, :, :]
        mean = (np.minimum(apart, CAP) * weights).sum(axis=-1) / weights.sum(axis=-1)
        found[rows] = -np.log(np.maximum(mean, 1e-12))
    return found


def _stacked(
    bundles: Sequence[Bundled], space: Space
) -> tuple[Floats, Floats, NDArray[np.float64]]:
    d = space.dimensions
    n = np.array([b.n for b in bundles], dtype=np.float64)
    means = np.array([b.mean for b in bundles], dtype=np.float64).reshape(len(bundles), d)
    own = np.array([b.variance for b in bundles], dtype=np.float64).reshape(len(bundles), d)
    trust = (PRIOR_OUTPUTS / (PRIOR_OUTPUTS + n))[:, None]
    # One output has no spread of its own.
    trust[n < 2] = 1.0
    error = (trust * space.within + (1 - trust) * own) / n[:, None]
    return means, np.maximum(error, 1e-12), n
