"""Pictures of a library for a study document: a suspect among its models, or these alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from provenance.attribution import neighbourhood
from provenance.attribution.compared import Suspect
from provenance.attribution.enrolled import Enrolled
from provenance.findings import LibraryMap, MapPoint, Merge
from provenance.library.parts import PARTS

__all__ = ["library_map", "suspect_map"]

_ON_THE_MAP = 24


def suspect_map(
    suspect: Suspect | None, enrolled: Enrolled, order: Sequence[int], seed: int
) -> LibraryMap | None:
    """The suspect among the models that it is most like."""
    there = [i for i in order if enrolled.n[list(enrolled.models[i].sessions)].sum()]
    near = there[:_ON_THE_MAP]
    if suspect is None or len(near) < 2:
        return None
    d = suspect.rows.shape[1]
    sums, counts = np.zeros((PARTS, d)), np.zeros(PARTS)
    for part in range(PARTS):
        rows = suspect.rows[suspect.parts == part]
        sums[part], counts[part] = rows.sum(axis=0), len(rows)
    return _drawn(enrolled, near, seed, (sums, counts))


def library_map(enrolled: Enrolled, *, most: int, seed: int = 1) -> LibraryMap | None:
    """Models of a library by themselves, evenly taken where there are more than ``most``."""
    there = [i for i, m in enumerate(enrolled.models) if enrolled.n[list(m.sessions)].sum()]
    if len(there) < 3:
        return None
    step = -(-len(there) // most)
    return _drawn(enrolled, there[::step], seed)


def _drawn(
    enrolled: Enrolled,
    chosen: Sequence[int],
    seed: int,
    suspect: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> LibraryMap:
    d = enrolled.mean.shape[-1]
    first = 0 if suspect is None else 1
    sums = np.zeros((len(chosen) + first, PARTS, d))
    counts = np.zeros((len(chosen) + first, PARTS))
    points: list[MapPoint] = []
    for k, i in enumerate(chosen, first):
        for part in range(PARTS):
            moments = enrolled.moments(enrolled.models[i].sessions, [part])
            if moments is not None:
                sums[k, part], counts[k, part] = moments.mean * moments.n, moments.n
    if suspect is not None:
        sums[0], counts[0] = suspect
    drawn = neighbourhood.neighbourhood(sums, counts, rng=np.random.default_rng([seed, 21]))
    if suspect is not None:
        x, y = drawn.places[0]
        points.append(MapPoint(name="suspect", role="suspect", x=float(x), y=float(y)))
    points += [
        MapPoint(
            name=enrolled.models[i].name, family=enrolled.models[i].family, x=float(x), y=float(y)
        )
        for i, (x, y) in zip(chosen, drawn.places[first:], strict=True)
    ]
    return LibraryMap(
        points=tuple(points),
        merges=tuple(
            Merge(left=int(left), right=int(right), height=float(height), support=float(support))
            for (left, right, height), support in zip(drawn.merges, drawn.support, strict=True)
        ),
        explained=drawn.explained,
        bootstrap=neighbourhood.BOOTSTRAP,
    )
