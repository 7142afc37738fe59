"""The steps from counts to coordinates, each fitted once and then only applied.

A *channel* takes one hashed signature: chosen columns, log(1 + count) × weight, length 1, then a
projection to some hundred coordinates. A *finish* puts the coordinates of all channels and the
named signatures together, standardises and clips them, and turns them towards what parts models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from provenance.library.space.numbers import Floats, discriminants, leading_directions

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    Sparse: TypeAlias = csr_array[Any, tuple[int, int]]

CLIP = 4.0  # standard deviations: a longer tail is one strange output
Small = NDArray[np.float32]
Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Channel:
    """One hashed signature, projected.

    Attributes
    ----------
    columns
        Shape (k,), ascending: the columns that are read.
    weights
        Shape (k,): idf.
    projection
        Shape (k, r), with the scale of the columns in it.
    """

    columns: Codes
    weights: Small
    projection: Small

    def apply(self, rows: Sparse) -> Small:
        """Coordinates, shape (n, r), of counts over all columns."""
        return self.of_kept(columns_of(rows, self.columns))

    def of_kept(self, kept: Sparse) -> Small:
        """The same for counts over the kept columns."""
        made: Small = np.asarray(scaled(kept, self.weights) @ self.projection, dtype=np.float32)
        return made


def columns_of(rows: Sparse, columns: Codes) -> Sparse:
    """``rows[:, columns]`` for ascending columns, in time that hangs on what is there.

    scipy makes a table of all columns first, a million here, for every few texts.
    """
    from scipy.sparse import csr_array

    place = np.searchsorted(columns, rows.indices)
    place[place == len(columns)] = 0
    there = columns[place] == rows.indices if len(columns) else np.zeros(len(place), dtype=bool)
    before = np.concatenate([[0], np.cumsum(there)])
    return csr_array(
        (rows.data[there], place[there], before[rows.indptr]), shape=(rows.shape[0], len(columns))
    )


def fit_channel(
    counts: Sparse,
    columns: Codes,
    models: Codes,
    *,
    keep: int,
    rank: int,
    between: int,
    sample: int,
    rng: np.random.Generator,
    telling: float = 0.25,
) -> Channel:
    """Choose columns and directions.

    Before directions are looked for, a column is divided by the root of its mean, so that common
    ones do not rule, and multiplied by a power of how well it parts models (`tells_apart`).

    Parameters
    ----------
    counts
        Shape (documents, c): counts over candidate columns.
    columns
        Shape (c,): which columns of the signature these are.
    models
        Shape (documents,): codes of the models.
    keep
        Columns to keep, those that most documents have.
    rank, between
        Directions of the documents, and of the means of models.
    sample
        Documents that the first are found on.
    telling
        Exponent of how well a column tells models apart; 0: all alike.
    """
    chosen, weights = commonest(counts, keep)
    rows = scaled(counts[:, chosen], weights)
    n = rows.shape[0]
    scale = 1 / np.sqrt(np.maximum(np.asarray(rows.mean(axis=0)).ravel(), 1e-9))
    if telling:
        scale *= tells_apart(rows, models) ** telling
    scale32: Small = (scale / np.median(scale)).astype(np.float32)
    rows = _times(rows, scale32)
    drawn = rng.choice(n, sample, replace=False) if n > sample else np.arange(n)
    directions = leading_directions(rows[np.sort(drawn)], rank, rng=rng)
    means = _means(rows, models)
    means -= means.mean(axis=0)
    apart = leading_directions(means, min(between, len(means) - 1), rng=rng)
    basis = np.linalg.qr(np.concatenate([directions, apart], axis=1))[0]
    return Channel(columns[chosen], weights, (basis * scale32[:, None]).astype(np.float32))


@dataclass(frozen=True, slots=True)
class Finish:
    """From the coordinates of all channels to those of the space.

    Attributes
    ----------
    centre, spread
        Shape (D,): of the coordinates before the turn.
    turn
        Shape (D, d).
    origin
        Shape (d,): weighted mean of the models, taken off: far from it a bundle is unusual.
    """

    centre: Small
    spread: Small
    turn: Small
    origin: Small

    def apply(self, coordinates: Small) -> Floats:
        """Rows of the space, shape (n, d).

        Summed in double: another machine, which adds in another order, must find the same numbers.
        """
        made: Floats = self.standard(coordinates).astype(np.float64) @ self.turn - self.origin
        return made

    def standard(self, coordinates: Small) -> Small:
        """Standardised and clipped, shape (n, D)."""
        made: Small = np.clip((coordinates - self.centre) / self.spread, -CLIP, CLIP)
        return made


def fit_finish(
    coordinates: Small, models: Codes, units: Codes, *, dimensions: int, ridge: float
) -> Finish:
    """Standardise, then find the directions that part models.

    A model counts 1/√m, where m models share its unit (``units``, shape (models,)): a base with
    dozens of descendants does not rule the directions, and yet they count more than one model.
    """
    centre = coordinates.mean(axis=0)
    spread = coordinates.std(axis=0)
    spread[spread < 1e-6] = 1.0
    standard = np.clip((coordinates - centre) / spread, -CLIP, CLIP).astype(np.float64)
    shared = np.unique(units, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(shared[2][shared[1]])
    found = discriminants(standard, models, dimensions, ridge=ridge, weights=weights)
    turn = found.astype(np.float32)
    turned = standard.astype(np.float32) @ turn
    origin = np.average(_means(turned, models), axis=0, weights=weights)
    return Finish(centre, spread, turn, origin.astype(np.float32))


def spreads(rows: Floats, models: Codes, dimensions: int) -> tuple[Floats, Floats]:
    """Variance between models and within one, for each dimension, on models that were not fitted.

    Returns
    -------
    between, within
        Shape (dimensions,): unbiased variance of the true means of models, and the mean variance
        of one output about its model's mean.
    """
    found = np.unique(models)
    n = np.array([np.sum(models == m) for m in found])
    means = np.array([rows[models == m].mean(axis=0) for m in found])
    within = np.mean([rows[models == m].var(axis=0, ddof=1) for m in found], axis=0)
    noise = within * np.mean(1 / n)
    between = np.maximum(means.var(axis=0, ddof=1) - noise, 1e-3 * within)
    return between[:dimensions], within[:dimensions]


def measured(values: Floats) -> Small:
    """Named measures on a scale on which rates and counts have short tails."""
    made: Small = (np.sign(values) * np.log1p(np.abs(values) * 100) / 4).astype(np.float32)
    return made


def commonest(counts: Sparse, keep: int) -> tuple[Codes, Small]:
    """The columns that most rows have, ascending, and the idf of each; shape (k,), k ≤ ``keep``."""
    present = np.bincount(counts.indices, minlength=counts.shape[1])
    chosen = np.sort(np.argsort(-present, kind="stable")[:keep])
    chosen = chosen[present[chosen] > 0]
    weights = np.log((1 + counts.shape[0]) / (1 + present[chosen])) + 1
    return chosen, weights.astype(np.float32)


def scaled(kept: Sparse, weights: Small) -> Sparse:
    """log(1 + count) × weight, rows of length 1."""
    rows = kept.astype(np.float32)
    # In double, then rounded: logarithms of two machines differ in the last digit.
    logs = np.log1p(rows.data.astype(np.float64)).astype(np.float32)
    rows.data = logs * weights[rows.indices]
    lengths = np.sqrt(np.add.reduceat(np.append(rows.data**2, 0), _starts(rows)))
    lengths[np.diff(rows.indptr) == 0] = 1.0
    rows.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(rows.indptr)).astype(np.float32)
    return rows


def _starts(rows: Sparse) -> NDArray[np.int64]:
    return np.minimum(rows.indptr[:-1], len(rows.data)).astype(np.int64)


def _times(rows: Sparse, scale: Small) -> Sparse:
    made = rows.copy()
    made.data = made.data * scale[made.indices]
    return made


def tells_apart(rows: Sparse | Small, models: Codes) -> Floats:
    """How well each column tells models apart, shape (k,).

    Its variance between the means of models over that within a model, less what chance gives.
    """
    sizes = np.bincount(models)
    there = sizes > 0
    if there.sum() < 2:
        return np.ones(rows.shape[1])
    means = _means(rows, models)[there].astype(np.float64)
    between = means.var(axis=0, ddof=1)
    mean = np.asarray(rows.mean(axis=0), dtype=np.float64).ravel()
    square = np.asarray((rows * rows).mean(axis=0), dtype=np.float64).ravel()
    within = np.maximum(square - mean**2 - between, 1e-12)
    ratio = between / within - np.mean(1 / sizes[there])
    found: Floats = np.maximum(ratio, 1e-4)
    return found


def _means(rows: Sparse | Small, models: Codes) -> Small:
    from scipy.sparse import csr_array

    g = int(models.max()) + 1
    counts = np.bincount(models, minlength=g)
    member = csr_array(
        ((1 / counts[models]).astype(np.float32), (models, np.arange(len(models)))),
        shape=(g, len(models)),
    )
    product = member @ rows
    dense = product if isinstance(product, np.ndarray) else product.toarray()
    return np.asarray(dense, dtype=np.float32)
