"""How alike two bundles are, for telling one model from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.library.space import Space

__all__ = ["Bundled", "parts", "score", "scores", "shrunk"]

Floats = NDArray[np.float64]
# A bundle's own spread counts as much as the usual one where it has this many outputs.
PRIOR_OUTPUTS = 20
CAP = 30.0  # squared standard errors: one strange dimension cannot decide
UNUSUAL_OUTPUTS = 25  # at which it counts half that two bundles are alike and unusual
MOST_UNUSUAL = 4.0  # the most of the models that spaces were tried on came to 3
# Two bundles of one model come to .4 or more; less is one text many times, and no better evidence.
CLOSEST = 0.25
SCALES = (0.25, 4.0)  # of a bundle's spread against the usual one
_BLOCK = 2_000_000  # numbers held at once


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
    """How close two bundles lie for their noise, and how unusual the place is.

    Parameters
    ----------
    a, b
        Bundles in the space.
    space
        Gives, for each dimension, the variance between models λ and within one ω.

    Returns
    -------
    ndarray
        Shape (len(a), len(b)); larger is more alike, symmetric in a pair.

    Notes
    -----
    s = −log D + β log T with

    - D = Σ w·min((ā − b̄)²/(v_a + v_b), 30) / Σ w, about 1 for two bundles of one model and at
      least .25;
    - v = (τkω + (1 − τ)·s²)/n, the variance of a bundle's mean: s² is its own, k the mean of s²/ω
      over dimensions, within ¼ … 4 (some models vary more in everything), τ = 20/(20 + n);
    - w = (λ/(λ + ω/n_a + ω/n_b))²: a dimension counts as far as the variance between models stands
      out from the noise of these two bundles;
    - T = mean of min(((ā + b̄)/2)²/(λ + (v_a + v_b)/4), 30), at most 4: how far from the middle of
      all models both lie. To be alike in the middle, where most models are, says less;
    - β = u·25/(25 + n), n the harmonic mean of n_a and n_b: the more outputs, the less a
      coincidence matters. u is the space's: a library's calibration chooses it on known pairs
      (`weighing.choose`), and 1.2 is what spaces have that were made before it did.

    Without k, T and the square of w, of models and prompts that the space never saw .45 instead of
    .65 are found at 25 outputs and 1% false positives (``benchmarks/attribution.py``). The form is
    that of a Gaussian likelihood ratio of two covariances (Prince & Elder 2007), made robust: that
    ratio itself does far worse. It is a score, not a likelihood ratio: what it is worth is measured
    on known pairs. Two bundles that share prompts, or a model of the fit on prompts of the fit,
    look more alike than they are.
    """
    close, unusual = parts(a, b, space)
    close += space.unusual * shrunk(unusual, a, b)
    return close


def shrunk(unusual: Floats, a: Sequence[Bundled], b: Sequence[Bundled]) -> Floats:
    """log T, the less the more outputs: what the weight of the unusual multiplies."""
    inverse = 1 / _outputs(a)[:, None] + 1 / _outputs(b)[None, :]
    found: Floats = UNUSUAL_OUTPUTS / (UNUSUAL_OUTPUTS + 2 / inverse) * unusual
    return found


def parts(a: Sequence[Bundled], b: Sequence[Bundled], space: Space) -> tuple[Floats, Floats]:
    """What `scores` is made of: −log D and log T, each of shape (len(a), len(b))."""
    left, right = _stacked(a, space), _stacked(b, space)
    close, unusual = np.empty((len(a), len(b))), np.empty((len(a), len(b)))
    step = max(1, _BLOCK // max(1, right.mean.size))
    for start in range(0, len(a), step):
        rows = slice(start, start + step)
        close[rows], unusual[rows] = _block(left.part(rows), right, space)
    return close, unusual


@dataclass(frozen=True, slots=True)
class _Stack:
    """Means and their variances, shape (bundles, d); outputs, shape (bundles,)."""

    mean: Floats
    error: Floats
    n: Floats

    def part(self, rows: slice) -> _Stack:
        return _Stack(self.mean[rows], self.error[rows], self.n[rows])


def _outputs(bundles: Sequence[Bundled]) -> Floats:
    return np.array([b.n for b in bundles], dtype=np.float64)


def _block(a: _Stack, b: _Stack, space: Space) -> tuple[Floats, Floats]:
    inverse = 1 / a.n[:, None] + 1 / b.n[None, :]
    error = a.error[:, None, :] + b.error[None, :, :]
    apart = (a.mean[:, None, :] - b.mean[None, :, :]) ** 2
    apart = np.minimum(apart / error, CAP)
    weights = space.between / (space.between + space.within * inverse[..., None])
    weights *= weights
    distance = (apart * weights).sum(axis=-1) / weights.sum(axis=-1)
    middle = (a.mean[:, None, :] + b.mean[None, :, :]) ** 2 / 4
    unusual = np.minimum(middle / (space.between + error / 4), CAP).mean(axis=-1)
    close: Floats = -np.log(np.maximum(distance, CLOSEST))
    return close, np.log(np.clip(unusual, 1e-12, MOST_UNUSUAL))


def _stacked(bundles: Sequence[Bundled], space: Space) -> _Stack:
    d = space.dimensions
    n = _outputs(bundles)
    means = np.array([b.mean for b in bundles], dtype=np.float64).reshape(len(bundles), d)
    own = np.array([b.variance for b in bundles], dtype=np.float64).reshape(len(bundles), d)
    trust = (PRIOR_OUTPUTS / (PRIOR_OUTPUTS + n))[:, None]
    scale = np.clip((own / space.within).mean(axis=1, keepdims=True), *SCALES)
    # One output has no spread of its own.
    trust[n < 2] = 1.0
    scale[n < 2] = 1.0
    error = (trust * scale * space.within + (1 - trust) * own) / n[:, None]
    return _Stack(means, np.maximum(error, 1e-12), n)
