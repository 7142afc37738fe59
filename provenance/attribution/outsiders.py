"""What a maker sees that is new to a library: to its models, and to what its space has learnt.

Leaving a unit out of the comparison alone says too little: the space has learnt what tells its
models from others, and a new maker's it has not. So when a library is calibrated, spaces are fitted
without each unit once more, and bundles of the unit are scored in them against what is left, as
`identify` would. Kept are the scores, which hang on no level; how often a set would not be empty
comes from them when a suspect is there (`inclusion`). Measured (`benchmarks/margins.py`, α .05, 20
outputs, a space of one corpus): 31 models .86 where a space that knows the unit gives .38, 44
models .09 where it gives .02.

Discriminants (`margins`) are not fitted anew: the models of the unit are left out of those that are
compared. With the weight that margins have it comes to the same (.38 and .37, .02 and .02, .43 and
.43).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.compared import FEWEST
from provenance.attribution.gathering import Population, Progress
from provenance.attribution.known_pairs import FEWEST_UNITS, FITTED, REFERENCE, rows_of
from provenance.attribution.margins import Margins
from provenance.attribution.open_set import Tables
from provenance.attribution.same_source import scores
from provenance.errors import EvidenceError
from provenance.evidence.files import write_atomically
from provenance.library.arrays import UNREADABLE, bytes_of, packed, unpacked
from provenance.library.parts import HELD_OUT
from provenance.library.population import Library, Moments
from provenance.library.space import Sizes, Space, fit

__all__ = ["FOLDER", "SUBSETS", "Outsiders", "fit_outsiders", "keep_outsiders"]

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Small = NDArray[np.float32]
FOLDER = "outsiders"  # of a library
FORMAT = 1
GROUPS = 24  # fits, at most: beyond so many units several leave together
MOST_MODELS = 400
# Held-out parts that a bundle is made of, by how many; the first stands in for a suspect.
SUBSETS = tuple(
    tuple(tuple(HELD_OUT[i] for i in chosen) for chosen in subsets)
    for subsets in (
        ((0,), (1,), (2,), (3,)),
        ((0, 1), (2, 3), (0, 2), (1, 3)),
        ((0, 1, 2), (1, 2, 3), (0, 2, 3), (0, 1, 3)),
        ((0, 1, 2, 3),),
    )
)
LEAST = 0.75  # of the outputs that stand in, which a bundle must have; it is cut to as many
_SHARE = 0.5  # of a library's models that must have been measured


@dataclass(frozen=True, slots=True)
class Outsiders:
    """Scores of models of one kind of prompts in spaces that never saw their unit.

    Attributes
    ----------
    space
        Digest of the space that is used, which knows all units.
    kind
        Of the prompts: a genre, or empty.
    models
        Names.
    group
        Shape (models,): which of the fits lacks each.
    cross
        Shape (parts, subsets, models, models): of bundles of each, a row, on so many held-out parts
        of the prompts (`SUBSETS`), with as many outputs as stand in for a suspect, against what
        others have enrolled, in the space of its group. NaN in that group, and where either has too
        few outputs.
    own
        Shape (groups, parts, models): of what stands in for a suspect, the first subset, of each
        against its own, in the space of each group.
    """

    space: str
    kind: str
    models: tuple[str, ...]
    group: Codes
    cross: Small
    own: Small

    def covers(self, genre: str) -> bool:
        """Whether its models answered prompts of a suspect's genre."""
        return self.kind in ("", genre)

    def places(self, names: Sequence[str]) -> Codes | None:
        """Where each of a library's models is here, −1 where it is not.

        None where too few are known for the rest to stand for the library.
        """
        known = {name: i for i, name in enumerate(self.models)}
        found = np.array([known.get(name, -1) for name in names], dtype=np.int64)
        return found if len(found) and (found >= 0).mean() >= _SHARE else None

    def bundles(self, places: Codes, parts: int) -> Codes:
        """What is compared: shape (bundles, 2), which subset, and of which of the models.

        On other prompts than what stands in, where there are any: a suspect answered other prompts,
        too, and what is rare on one set of prompts hangs together.
        """
        known = np.flatnonzero(places >= 0)
        there = ~np.isnan(self.cross[parts - 1][:, places[known]]).all(axis=2)
        there[0] &= ~there[1:].any(axis=0)
        subsets, models = np.nonzero(there)
        return np.stack([subsets, known[models]], axis=1)

    def tables(
        self, places: Codes, bundles: Codes, parts: int, margins: Margins | None = None
    ) -> Tables:
        """Of bundles of some models, as `open_set.false_inclusion` takes them.

        Parameters
        ----------
        places
            As `places` gives them.
        bundles
            As `bundles` gives them, of models that are all known here.
        parts
            How many held-out parts of the prompts a bundle is made of.
        margins
            What parts the library's models, where that counts.
        """
        there = places >= 0
        subsets, models = bundles.T
        cross = np.full((len(bundles), len(places)), np.nan)
        at = np.ix_(np.arange(len(bundles)), np.flatnonzero(there))
        cross[at] = self.cross[parts - 1][subsets[:, None], places[models][:, None], places[there]]

        def without(outside: Flags) -> tuple[Floats, Floats]:
            left = self.group[places[np.flatnonzero(~outside & there)[0]]]
            own, found = np.full(len(places), np.nan), cross
            own[there] = self.own[left, parts - 1][places[there]]
            if margins is not None:
                added = np.array([margins.of_models(s, outside) for s in SUBSETS[parts - 1]])
                own = own + np.diagonal(added[0])
                found = cross + added[subsets, models]
            return found[:, outside], own[outside]

        return without

    def to_bytes(self) -> bytes:
        """The file's bytes: a zip of arrays, without pickles or dates."""
        head = {
            "format": FORMAT,
            "space": self.space,
            "kind": self.kind,
            "models": list(self.models),
        }
        arrays = {part: getattr(self, part) for part in ("group", "cross", "own")}
        return packed(json.dumps(head, ensure_ascii=True, sort_keys=True), arrays)

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the copy of the outsiders") -> Outsiders:
        """Read back `to_bytes`.

        Raises
        ------
        EvidenceError
            If it is something else.
        """
        try:
            head, arrays = unpacked(content)
            if head["format"] != FORMAT:
                raise ValueError(f"format {head['format']}, expected {FORMAT}")
            found = cls(
                str(head["space"]),
                str(head["kind"]),
                tuple(map(str, head["models"])),
                *(arrays[part] for part in ("group", "cross", "own")),
            )
            _check(found)
        except UNREADABLE as error:
            raise EvidenceError(f"{name} holds no scores of outsiders: {error}") from None
        return found

    def to_json(self) -> dict[str, str]:
        """As kept in the evidence of a study."""
        return {"file": base64.b64encode(self.to_bytes()).decode("ascii")}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Outsiders:
        """Read back `to_json`; raises as `from_bytes`."""
        try:
            file = base64.b64decode(content["file"])
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(f"the copy of the outsiders cannot be read: {error}") from None
        return cls.from_bytes(file)

    @classmethod
    def within(cls, library: Library, space: str, genre: str) -> tuple[Outsiders, ...]:
        """Those that a library keeps for a space and a genre; of all where it is empty."""
        paths = sorted((library.path / FOLDER).glob("*.npz"))
        every = (cls.from_bytes(bytes_of(p, "scores of outsiders"), str(p)) for p in paths)
        return tuple(o for o in every if o.space == space and (not genre or o.covers(genre)))


def _check(found: Outsiders) -> None:
    k, groups = len(found.models), len(found.own)
    if found.group.shape != (k,) or found.group.dtype.kind != "i":
        raise ValueError(f"groups of {found.group.shape} for {k} models")
    if k and (found.group.min() < 0 or found.group.max() >= groups):
        raise ValueError("a group without a fit")
    cross, own = (len(SUBSETS), len(SUBSETS[0]), k, k), (groups, len(SUBSETS), k)
    for values, shape in ((found.cross, cross), (found.own, own)):
        if values.shape != shape or values.dtype.kind != "f":
            raise ValueError(f"{values.shape} scores instead of {shape}")


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
