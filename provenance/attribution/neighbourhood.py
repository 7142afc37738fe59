"""Where a suspect lies among models: a flat map and a tree with bootstrap support. Descriptive.

Pictures for people: no number of a verdict rests on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.errors import UsageError

__all__ = ["Neighbourhood", "neighbourhood"]

Floats = NDArray[np.float64]
BOOTSTRAP = 200


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """A picture of some bundles.

    Attributes
    ----------
    places
        Shape (bundles, 2): coordinates on the first two principal axes.
    explained
        Share of the variance between the bundles that these two axes hold, in [0, 1].
    merges
        Shape (bundles − 1, 3): left, right and height as `scipy.cluster.hierarchy.linkage` gives
        them (average linkage on Euclidean distances).
    support
        Shape (bundles − 1,): share of bootstrap samples in which the same bundles form a group.
    """

    places: Floats
    explained: float
    merges: Floats
    support: Floats


def neighbourhood(
    sums: Floats,
    counts: Floats,
    *,
    rng: np.random.Generator,
    bootstrap: int = BOOTSTRAP,
) -> Neighbourhood:
    """Lay bundles out and join them.

    Parameters
    ----------
    sums
        Shape (bundles, parts, dimensions): sums of the rows of each bundle's outputs in each part
        of the prompts.
    counts
        Shape (bundles, parts): how many outputs; zero where a bundle has none in a part.
    rng
        Draws the parts of each bootstrap sample, the same for all bundles.
    bootstrap
        How many samples.

    Raises
    ------
    UsageError
        If there are fewer than three bundles, or one has no output.

    Notes
    -----
    Parts of the prompts are resampled with replacement (Felsenstein 1985, with prompts as the
    characters): support says how much a group hangs on which prompts were asked, not whether the
    models share an origin.
    """
    if len(sums) < 3 or (counts.sum(axis=1) == 0).any():
        raise UsageError("a map needs three bundles or more, each with outputs")
    from scipy.cluster.hierarchy import linkage

    means = _means(sums, counts, np.ones(counts.shape[1]))
    centred = means - means.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    places = u[:, :2] * s[:2]
    if places.shape[1] < 2:
        places = np.column_stack([places[:, 0], np.zeros(len(places))])
    total = float((s**2).sum())
    merges = linkage(means, "average")
    groups = list(_groups(merges))
    seen = np.zeros(len(groups))
    for _ in range(bootstrap):
        weights = np.bincount(
            rng.integers(counts.shape[1], size=counts.shape[1]), minlength=counts.shape[1]
        ).astype(float)
        if ((counts * weights).sum(axis=1) == 0).any():
            weights = weights + 1e-6  # a bundle without outputs in these parts keeps its own mean
        drawn = set(_groups(linkage(_means(sums, counts, weights), "average")))
        seen += [group in drawn for group in groups]
    return Neighbourhood(
        places=np.asarray(places, dtype=float),
        explained=float((s[:2] ** 2).sum()) / total if total else 0.0,
        merges=np.asarray(merges[:, :3], dtype=float),
        support=seen / bootstrap if bootstrap else np.full(len(groups), np.nan),
    )


def _means(sums: Floats, counts: Floats, weights: Floats) -> Floats:
    total = np.einsum("bpd,p->bd", sums, weights)
    n = counts @ weights
    means: Floats = total / n[:, None]
    return means


def _groups(merges: Floats) -> Iterator[frozenset[int]]:
    leaves = len(merges) + 1
    groups: list[frozenset[int]] = [frozenset([i]) for i in range(leaves)]
    for left, right in _pairs(merges):
        groups.append(groups[left] | groups[right])
    yield from groups[leaves:]


def _pairs(merges: Floats) -> Sequence[tuple[int, int]]:
    return [(int(left), int(right)) for left, right in merges[:, :2]]
