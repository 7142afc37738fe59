"""Pairs of bundles whose origin is known, scored as a suspect will be: what calibration needs.

Three uses of a model's outputs are kept apart by prompt (`library.parts`): `FITTED` parts fit
spaces, the rest of the enrolled parts stand for the model as a reference, the held-out parts stand
for a suspect. And pairs are scored in a space that neither of their units was fitted on: each unit
is left out once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.same_source import scores
from provenance.errors import UsageError
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Bundle, Library, Moments
from provenance.library.relations import Relations
from provenance.library.space import Labelled, Sizes, Space, Training, fit, read

__all__ = [
    "FEWEST_UNITS",
    "FITTED",
    "OUTPUTS",
    "REFERENCE",
    "Population",
    "Progress",
    "Scored",
    "gather",
    "rows_of",
    "score_pairs",
    "split_units",
]

FITTED = ENROLLED[: len(ENROLLED) // 2]
REFERENCE = tuple(part for part in ENROLLED if part not in FITTED)
OUTPUTS = (25, 50, 100, 188)  # of a suspect, as far as the population has them
MOST = 500  # outputs of a model that are read: more would crowd out the others
FOLDS = 4
REPEATS = 3
FEWEST_UNITS = 6  # to fit a space
_FEWEST_OUTPUTS = 20  # of a model, to take part
_SAMPLED = 20  # outputs of a model that its language is told by
_SHARE = 0.5  # of the models that must have so many outputs for a size to be used

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


class Progress(Protocol):
    """Told a step, or how far it is: done, total, and the model's name."""

    def __call__(self, step: str, done: int | None = None, total: int = 0, name: str = "") -> None:
        """Show it."""


@dataclass(frozen=True, slots=True)
class Population:
    """Outputs of many models, read once.

    Attributes
    ----------
    training
        All outputs as `library.space.read` gives them.
    parts
        Shape (outputs,): the part of each output's prompt.
    characters
        Shape (outputs,): length of each text.
    models, units
        Names, in the order of the codes of ``training``.
    labels
        What is known of the models.
    bundles
        Ids of the bundles that the outputs come from.
    sources
        Where the texts come from, with their terms.
    samples
        Some texts of each model, to tell their language by.
    """

    training: Training
    parts: Codes
    characters: Codes
    models: tuple[str, ...]
    units: tuple[str, ...]
    labels: Relations
    bundles: tuple[str, ...]
    sources: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]

    @property
    def unit_names(self) -> tuple[str, ...]:
        """The different units."""
        return tuple(sorted(set(self.units)))


@dataclass(frozen=True, slots=True)
class Scored:
    """Pairs of bundles: a suspect's, on held-out prompts, and a reference's, on others.

    Attributes
    ----------
    score
        Shape (pairs,).
    suspect, reference
        Shape (pairs,): codes of the models; equal for a same-source pair.
    n_suspect, n_reference
        Shape (pairs,): outputs.
    fold
        Shape (pairs,): number of the space that scored it.
    models, units
        Names by code.
    """

    score: Floats
    suspect: Codes
    reference: Codes
    n_suspect: Codes
    n_reference: Codes
    fold: Codes
    models: tuple[str, ...]
    units: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.score)

    @property
    def same(self) -> NDArray[np.bool_]:
        """Whether both bundles are one model's."""
        same: NDArray[np.bool_] = self.suspect == self.reference
        return same

    @property
    def same_unit(self) -> NDArray[np.bool_]:
        """Whether both models belong to one unit (a model and itself too)."""
        codes = {u: i for i, u in enumerate(dict.fromkeys(self.units))}
        unit = np.array([codes[u] for u in self.units])
        same: NDArray[np.bool_] = unit[self.suspect] == unit[self.reference]
        return same

    def only(self, chosen: NDArray[np.bool_]) -> Scored:
        """Some of the pairs."""
        return Scored(
            self.score[chosen],
            self.suspect[chosen],
            self.reference[chosen],
            self.n_suspect[chosen],
            self.n_reference[chosen],
            self.fold[chosen],
            self.models,
            self.units,
        )


def gather(
    library: Library,
    *,
    relations: Relations | None = None,
    bundles: Sequence[Bundle] | None = None,
    view: str = "raw",
    most: int = MOST,
    rng: np.random.Generator,
    say: Progress | None = None,
) -> Population:
    """Read the outputs of a library, at most ``most`` of a model, drawn at random.

    Parameters
    ----------
    relations
        Labels over those of the library.
    bundles
        Of these only; those without texts count nothing.
    view
        "raw" or "canonical".

    Raises
    ------
    UsageError
        If too few models or units are left.
    """
    labels = _labels(library, relations)
    found = [b for b in (library.bundles() if bundles is None else bundles) if b.has_texts]
    grouped: dict[str, list[Bundle]] = {}
    for bundle in found:
        grouped.setdefault(bundle.name, []).append(bundle)
    if not any(sum(b.outputs for b in own) >= _FEWEST_OUTPUTS for own in grouped.values()):
        raise UsageError(
            f"no model of {library.path} has {_FEWEST_OUTPUTS} outputs whose texts are here: there "
            "is nothing to calibrate on"
        )
    parts: list[int] = []
    characters: list[int] = []
    kept: list[str] = []
    samples: list[tuple[str, ...]] = []

    def documents() -> Iterator[Labelled]:
        for number, (name, own) in enumerate(sorted(grouped.items())):
            if say is not None:
                say("reading", number + 1, len(grouped), name)
            read_ = [o for b in own for o in library.outputs(b) if o.output.strip()]
            if len(read_) < _FEWEST_OUTPUTS:
                continue
            if len(read_) > most:
                # In the order of storage: neighbours stay neighbours, and none is taken twice.
                chosen = np.sort(rng.choice(len(read_), most, replace=False))
                read_ = [read_[i] for i in chosen]
            unit = labels.unit_of(name)
            kept.append(name)
            samples.append(tuple(o.output for o in read_[:: -(-len(read_) // _SAMPLED)]))
            for output in read_:
                parts.append(int(output.prompt_digest, 16) % PARTS)
                characters.append(len(output.output))
                yield Labelled(name, unit, output.prompt_digest, output.output)

    training = read(documents(), view=view)
    return Population(
        training=training,
        parts=np.array(parts, dtype=np.int64),
        characters=np.array(characters, dtype=np.int64),
        models=tuple(kept),
        units=tuple(labels.unit_of(m) for m in kept),
        labels=labels,
        bundles=tuple(b.id for m in kept for b in grouped[m]),
        sources=tuple(sorted({f"{b.source} ({b.licence})" for m in kept for b in grouped[m]})),
        samples=tuple(samples),
    )


def score_pairs(
    population: Population,
    *,
    rng: np.random.Generator,
    sizes: Sizes | None = None,
    outputs: Sequence[int] = OUTPUTS,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    say: Progress | None = None,
) -> Scored:
    """Score pairs of models in spaces that neither of their units was fitted on.

    Parameters
    ----------
    rng
        Draws the folds, the projections and the outputs of each bundle.
    outputs
        Sizes of the suspect's bundle; a size that fewer than half of the models have is left out.
        The reference has as many, and once more all that it has.
    folds
        In how many parts the units are left out; fewer where the units do not suffice.
    repeats
        How often the units are split anew: two units have pairs only where one fold holds both.

    Raises
    ------
    UsageError
        If the units do not suffice for two folds.
    """
    usable = _usable_sizes(population, outputs)
    fitted = np.isin(population.parts, FITTED)
    splits = [split_units(population, folds=folds, rng=rng) for _ in range(repeats)]
    left_out = [(split, fold) for split in splits for fold in range(int(split.max()) + 1)]
    pieces: list[Scored] = []
    for number, (split, fold) in enumerate(left_out):
        if say is not None:
            say("spaces with units left out", number, len(left_out))
        inside = split[population.training.models] == fold
        space = fit(
            population.training.only(np.flatnonzero(fitted & ~inside)), rng=rng, sizes=sizes
        )
        documents = np.flatnonzero(~fitted & inside)
        rows = rows_of(population.training, documents, space)
        pieces += _scored(population, documents, rows, space, number, usable, rng)
    if not pieces:
        raise UsageError(
            "no model has outputs to two different sets of prompts: record more prompts"
        )
    return _joined(pieces)


def rows_of(training: Training, documents: Codes, space: Space) -> Floats:
    """Coordinates of documents that were read already, shape (documents, d)."""
    made = []
    for name, channel in space.channels.items():
        place = np.searchsorted(training.columns[name], channel.columns)
        made.append(channel.of_kept(training.counts[name][documents][:, place]))
    stacked = np.concatenate([*made, training.measures[documents]], axis=1).astype(np.float32)
    return space.finish.apply(stacked).astype(np.float64)


def split_units(population: Population, *, folds: int, rng: np.random.Generator) -> Codes:
    """The fold of each model; units stay whole, folds are about as large, fits get units enough.

    Raises
    ------
    UsageError
        If there are not units enough for two folds.
    """
    sizes: dict[str, int] = {}
    for unit in population.units:
        sizes[unit] = sizes.get(unit, 0) + 1
    # At random among units of one size, the largest first.
    order = sorted(rng.permutation(sorted(sizes)).tolist(), key=lambda u: -sizes[u])
    for k in range(min(folds, len(order) // 2), 1, -1):
        filled = [0] * k
        counts = [0] * k
        fold_of: dict[str, int] = {}
        for unit in order:
            # The emptiest fold, and among these the one with the fewest units.
            fold = min(range(k), key=lambda f: (filled[f], counts[f]))
            fold_of[unit] = fold
            filled[fold] += sizes[unit]
            counts[fold] += 1
        if len(order) - max(counts) >= FEWEST_UNITS:
            return np.array([fold_of[u] for u in population.units], dtype=np.int64)
    raise UsageError(
        f"the models belong to {len(order)} units ({', '.join(order[:8])}): to fit a space on "
        f"{FEWEST_UNITS} and score pairs of others takes some more. Add models of other makers, "
        "or say in the relations file which belong to which unit"
    )


def _scored(
    population: Population,
    documents: Codes,
    rows: Floats,
    space: Space,
    fold: int,
    usable: Sequence[int],
    rng: np.random.Generator,
) -> Iterator[Scored]:
    models = population.training.models[documents]
    part = population.parts[documents]
    names = np.unique(models)
    held = {m: np.flatnonzero((models == m) & np.isin(part, HELD_OUT)) for m in names}
    kept = {m: np.flatnonzero((models == m) & np.isin(part, REFERENCE)) for m in names}
    for n in usable:
        for equal in (True, False):
            a = [m for m in names if len(held[m]) >= n]
            least = n if equal else _FEWEST_OUTPUTS // 2
            b = [m for m in names if len(kept[m]) >= least]
            if not a or not b:
                continue
            suspects = [_moments(rows, rng.choice(held[m], n, replace=False)) for m in a]
            chosen = [rng.choice(kept[m], n, replace=False) if equal else kept[m] for m in b]
            references = [_moments(rows, c) for c in chosen]
            found = scores(suspects, references, space)
            yield Scored(
                score=found.ravel(),
                suspect=np.repeat(np.array(a), len(b)),
                reference=np.tile(np.array(b), len(a)),
                n_suspect=np.full(found.size, n),
                n_reference=np.tile(np.array([r.n for r in references]), len(a)),
                fold=np.full(found.size, fold),
                models=population.models,
                units=population.units,
            )


def _moments(rows: Floats, chosen: Codes) -> Moments:
    own = rows[chosen]
    spread = own.var(axis=0, ddof=1) if len(own) > 1 else np.zeros(own.shape[1])
    return Moments(len(own), own.mean(axis=0), spread)


def _joined(pieces: Sequence[Scored]) -> Scored:
    return Scored(
        np.concatenate([p.score for p in pieces]),
        np.concatenate([p.suspect for p in pieces]),
        np.concatenate([p.reference for p in pieces]),
        np.concatenate([p.n_suspect for p in pieces]),
        np.concatenate([p.n_reference for p in pieces]),
        np.concatenate([p.fold for p in pieces]),
        pieces[0].models,
        pieces[0].units,
    )


def _usable_sizes(population: Population, outputs: Sequence[int]) -> list[int]:
    """Sizes that enough models have on held-out prompts."""
    held = population.training.models[np.isin(population.parts, HELD_OUT)]
    have = np.bincount(held, minlength=len(population.models))
    usable = [n for n in sorted(set(outputs)) if (have >= n).mean() >= _SHARE]
    if not usable:
        raise UsageError(
            f"half of the models have fewer than {min(outputs)} outputs to the held-out half of "
            f"the prompts (the median is {int(np.median(have))}): record more, or ask for fewer "
            "with --outputs"
        )
    return usable


def _labels(library: Library, relations: Relations | None) -> Relations:
    own = library.relations()
    return own if relations is None else Relations(models={**own.models, **relations.models})
