"""Models of a library scored in spaces that never saw their unit: fitted when it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.compared import FEWEST
from provenance.attribution.gathering import Population, Progress
from provenance.attribution.known_pairs import FEWEST_UNITS, FITTED, REFERENCE, rows_of
from provenance.attribution.outsiders import FOLDER, SUBSETS, Outsiders
from provenance.attribution.same_source import scores
from provenance.evidence.files import write_atomically
from provenance.library.population import Library, Moments
from provenance.library.space import Sizes, Space, fit

__all__ = ["GROUPS", "fit_outsiders", "keep_outsiders"]

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
GROUPS = 24  # fits, at most: beyond so many units several leave together
MOST_MODELS = 400
LEAST = 0.75  # of the outputs that stand in, which a bundle must have; it is cut to as many


def keep_outsiders(
    library: Library,
    population: Population,
    *,
    space: Space,
    sizes: Sizes,
    name: str,
    rng: np.random.Generator,
    say: Progress | None = None,
) -> dict[str, Outsiders]:
    """Fit and store one a kind of prompts, as far as there are units enough.

    Parameters
    ----------
    space
        The one that is used, which the others are like in all but the units.
    sizes
        As it was fitted with.
    name
        Begins the names of the files; those of an earlier run are replaced.
    rng, say
        As in `fit_outsiders`.
    """
    folder = library.path / FOLDER
    folder.mkdir(exist_ok=True)
    found = fit_outsiders(population, space=space, sizes=sizes, rng=rng, say=say)
    for number, kind in enumerate(sorted(set(population.kinds))):
        path = folder / f"{name}-{number}.npz"
        if kind in found:
            write_atomically(path, found[kind].to_bytes())
        else:
            path.unlink(missing_ok=True)
    return found


def fit_outsiders(
    population: Population,
    *,
    space: Space,
    sizes: Sizes,
    rng: np.random.Generator,
    say: Progress | None = None,
) -> dict[str, Outsiders]:
    """Score models in spaces that were fitted without their unit, by kind of prompts.

    Parameters
    ----------
    space, sizes
        As in `keep_outsiders`.
    rng
        Draws which units leave together, outputs of bundles, and all that fits draw.
    say
        Told how far it is.

    Returns
    -------
    dict
        Empty where without a unit too few are left to fit a space on. Kinds of more than
        `MOST_MODELS` models are left out.
    """
    groups = _groups(population, rng)
    counts = {k: population.kinds.count(k) for k in sorted(set(population.kinds))}
    kinds = {k: _Kind.of(population, k, rng) for k, n in counts.items() if 1 < n <= MOST_MODELS}
    total = int(groups.max()) + 1
    units = np.array(population.units)
    if total < 2 or min(len(set(units[groups != g])) for g in range(total)) < FEWEST_UNITS:
        return {}
    made: dict[str, list[Floats]] = {k: [] for k in kinds}
    for number, own_rng in enumerate(rng.spawn(total)):
        if say is not None:
            say("what a maker sees that is new to it", number, total)
        inside = groups[population.training.models] == number
        chosen = np.flatnonzero(~inside & np.isin(population.parts, FITTED))
        one = fit(population.training.only(chosen), rng=own_rng, sizes=sizes)
        one = replace(one, unusual=space.unusual)
        for kind, own in kinds.items():
            made[kind].append(_scored(population, own, one, groups[own.models] == number))
    return {k: _joined(space.digest, k, own, made[k], groups) for k, own in kinds.items()}


@dataclass(frozen=True, slots=True)
class _Kind:
    """Models that answered one kind of prompts.

    Attributes
    ----------
    models, names
        Codes, ascending, and names.
    bundles
        Numbers of the outputs in `Outsiders.cross`, by part, subset and model; empty where there
        are too few.
    enrolled
        Of what each has enrolled.
    """

    models: Codes
    names: tuple[str, ...]
    bundles: list[list[list[Codes]]]
    enrolled: list[Codes]

    @classmethod
    def of(cls, population: Population, kind: str, rng: np.random.Generator) -> _Kind:
        models = np.flatnonzero(np.array(population.kinds) == kind)
        own = [np.flatnonzero(population.training.models == m) for m in models]

        def within(parts: Sequence[int]) -> list[Codes]:
            return [c[np.isin(population.parts[c], parts)] for c in own]

        return cls(
            models,
            tuple(population.models[m] for m in models),
            [_alike([within(parts) for parts in subsets], rng) for subsets in SUBSETS],
            within(REFERENCE),
        )


def _alike(subsets: Sequence[Sequence[Codes]], rng: np.random.Generator) -> list[list[Codes]]:
    """Bundles by subset and model, none larger than the first and none much smaller."""

    def cut(own: Codes, n: int) -> Codes:
        if len(own) < max(FEWEST, LEAST * n):
            return own[:0]
        return own if len(own) <= n else np.sort(rng.choice(own, n, replace=False))

    sizes = [len(c) for c in subsets[0]]
    return [[cut(c, n) for c, n in zip(own, sizes, strict=True)] for own in subsets]


def _groups(population: Population, rng: np.random.Generator) -> Codes:
    """Of each model, which fit lacks it: a unit each, or as few as there are fits for."""
    names = population.unit_names
    count = min(len(names), GROUPS)
    place = dict(zip(rng.permutation(names).tolist(), np.arange(len(names)) % count, strict=True))
    return np.array([place[unit] for unit in population.units], dtype=np.int64)


def _scored(population: Population, kind: _Kind, space: Space, left: Flags) -> Floats:
    """Of every model against those that did not leave: (parts, subsets, models, models)."""
    every = [c for part in kind.bundles for subset in part for c in subset]
    documents = np.unique(np.concatenate([*every, *kind.enrolled]))
    rows = rows_of(population.training, documents, space)

    def moments(chosen: Codes) -> Moments | None:
        own = rows[np.searchsorted(documents, chosen)]
        if len(own) < FEWEST:
            return None
        return Moments(len(own), own.mean(axis=0), own.var(axis=0, ddof=1))

    theirs = [moments(c) for c in kind.enrolled]
    there = np.array([t is not None for t in theirs]) & ~left
    against = [t for t, keep in zip(theirs, there, strict=True) if t is not None and keep]
    k = len(kind.models)
    found = np.full((len(SUBSETS), len(SUBSETS[0]), k, k), np.nan)
    for i, subsets in enumerate(kind.bundles):
        for j, subset in enumerate(subsets):
            bundles = [moments(c) for c in subset]
            some = np.array([b is not None for b in bundles])
            if some.any() and against:
                own = [b for b in bundles if b is not None]
                found[i, j][np.ix_(some, there)] = scores(own, against, space)
    return found


def _joined(space: str, kind: str, own: _Kind, fits: Sequence[Floats], groups: Codes) -> Outsiders:
    """Rows of each group in its own fit; of every fit what stands in, against its own."""
    group, rows = groups[own.models], np.arange(len(own.models))
    stacked = np.array(fits, dtype=np.float32)
    cross = stacked[group, :, :, rows].transpose(1, 2, 0, 3)
    alone = np.diagonal(stacked[:, :, 0], axis1=2, axis2=3)
    return Outsiders(space, kind, own.names, group, cross, alone)
