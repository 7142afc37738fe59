"""Pairs of bundles whose origin is known, scored as a suspect will be: what calibration needs.

Three uses of a model's outputs are kept apart by prompt (`library.parts`): `FITTED` parts fit
spaces, the rest of the enrolled parts stand for the model as a reference, the held-out parts stand
for a suspect. And pairs are scored in a space that neither of their units was fitted on: each unit
is left out once.

Models are paired only with models that answered the same kind of prompts (`gathering.kinds_of`):
outputs of two genres are told apart whoever wrote them, and such pairs would make every figure
look better than it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.gathering import FEWEST_OUTPUTS, Population, Progress
from provenance.attribution.layouts import unlike
from provenance.attribution.same_source import parts, shrunk
from provenance.errors import UsageError
from provenance.library.parts import ENROLLED, HELD_OUT
from provenance.library.population import Moments
from provenance.library.space import UNUSUAL, Formats, Sizes, Space, Training, fit

__all__ = [
    "FEWEST_UNITS",
    "FITTED",
    "OUTPUTS",
    "REFERENCE",
    "Scored",
    "rows_of",
    "score_pairs",
    "split_units",
]

FITTED = ENROLLED[: len(ENROLLED) // 2]
REFERENCE = tuple(part for part in ENROLLED if part not in FITTED)
OUTPUTS = (25, 50, 100, 188)  # of a suspect, as far as the population has them
FOLDS = 4
REPEATS = 3
FEWEST_UNITS = 6  # to fit a space
_SHARE = 0.5  # of the models that must have so many outputs for a size to be used

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]


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
    models, units, kinds
        Names by code.
    unlike
        Shape (pairs,): whether the two bundles are laid out too unlike to be compared as they are.
    unusual
        Shape (pairs,): what the weight of the unusual multiplies in the score; None where scores
        have no such part.
    weight
        That weight.
    """

    score: Floats
    suspect: Codes
    reference: Codes
    n_suspect: Codes
    n_reference: Codes
    fold: Codes
    models: tuple[str, ...]
    units: tuple[str, ...]
    kinds: tuple[str, ...]
    unlike: NDArray[np.bool_]
    unusual: Floats | None = None
    weight: float = UNUSUAL

    def __len__(self) -> int:
        return len(self.score)

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Which pairs are of models that answered one kind of prompts."""
        chosen: NDArray[np.bool_] = np.array([k == kind for k in self.kinds])[self.suspect]
        return chosen

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
            self.kinds,
            self.unlike[chosen],
            None if self.unusual is None else self.unusual[chosen],
            self.weight,
        )

    def weighing(self, weight: float) -> Scored:
        """The same pairs with another weight of the unusual."""
        if self.unusual is None or weight == self.weight:
            return self
        score = self.score + (weight - self.weight) * self.unusual
        return replace(self, score=score, weight=weight)


def score_pairs(
    population: Population,
    *,
    rng: np.random.Generator,
    sizes: Sizes | None = None,
    outputs: Sequence[int] = OUTPUTS,
    folds: int = FOLDS,
    repeats: int = REPEATS,
    fit_on: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
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
    fit_on
        Kinds of prompts that spaces are fitted on; None: all.
    kinds
        Kinds whose pairs are scored; None: all.

    Raises
    ------
    UsageError
        If the units do not suffice for two folds.
    """
    every = sorted(set(population.kinds))
    wanted = every if kinds is None else sorted(kinds)
    usable = {k: _usable_sizes(population, k, outputs) for k in wanted}
    if not any(usable.values()):
        raise _too_small(population, outputs)
    kind = np.array(population.kinds)[population.training.models]
    fitted = np.isin(population.parts, FITTED)
    source = np.isin(kind, every if fit_on is None else sorted(fit_on))
    splits = [split_units(population, folds=folds, rng=rng) for _ in range(repeats)]
    left_out = [(split, fold) for split in splits for fold in range(int(split.max()) + 1)]
    pieces: list[Scored] = []
    for number, (split, fold) in enumerate(left_out):
        if say is not None:
            say("spaces with units left out", number, len(left_out))
        inside = split[population.training.models] == fold
        chosen = np.flatnonzero(fitted & ~inside & source)
        if len({population.units[m] for m in np.unique(population.training.models[chosen])}) < (
            FEWEST_UNITS
        ):
            continue
        space = fit(population.training.only(chosen), rng=rng, sizes=sizes)
        for one in wanted:
            documents = np.flatnonzero(~fitted & inside & (kind == one))
            if len(documents) and usable[one]:
                rows = rows_of(population.training, documents, space)
                pieces += _scored(population, documents, rows, space, number, usable[one], rng)
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
    return space.finish.apply(stacked)


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
    most = min(folds, len(order) // 2)
    # The emptiest fold, and among these the one with the fewest units; where few units would be
    # left to fit on, the other way round.
    for k, by_count in [(k, False) for k in range(most, 1, -1)] + [(most, True)] * (most > 1):
        filled = [0] * k
        counts = [0] * k
        fold_of: dict[str, int] = {}
        for unit in order:
            fold = min(
                range(k),
                key=lambda f: (counts[f], filled[f]) if by_count else (filled[f], counts[f]),
            )
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
            least = n if equal else FEWEST_OUTPUTS // 2
            b = [m for m in names if len(kept[m]) >= least]
            if not a or not b:
                continue
            drawn = [rng.choice(held[m], n, replace=False) for m in a]
            suspects = [_moments(rows, c) for c in drawn]
            chosen = [rng.choice(kept[m], n, replace=False) if equal else kept[m] for m in b]
            references = [_moments(rows, c) for c in chosen]
            found, unusual = parts(suspects, references, space)
            unusual = shrunk(unusual, suspects, references)
            found += space.unusual * unusual
            formats = population.formats[documents]
            strange = unlike(
                [_formats(formats[c]) for c in drawn], [_formats(formats[c]) for c in chosen]
            )
            yield Scored(
                score=found.ravel(),
                suspect=np.repeat(np.array(a), len(b)),
                reference=np.tile(np.array(b), len(a)),
                n_suspect=np.full(found.size, n),
                n_reference=np.tile(np.array([r.n for r in references]), len(a)),
                fold=np.full(found.size, fold),
                models=population.models,
                units=population.units,
                kinds=population.kinds,
                unlike=strange.ravel(),
                unusual=unusual.ravel(),
                weight=space.unusual,
            )


def _formats(rows: Codes) -> Formats:
    total = rows.sum(axis=0)
    return Formats(len(rows), tuple(total[:-1].tolist()), int(total[-1]))


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
        pieces[0].kinds,
        np.concatenate([p.unlike for p in pieces]),
        np.concatenate([p.unusual for p in pieces if p.unusual is not None]),
        pieces[0].weight,
    )


def _held_out(population: Population) -> Codes:
    """Outputs of each model on held-out prompts."""
    held = population.training.models[np.isin(population.parts, HELD_OUT)]
    return np.bincount(held, minlength=len(population.models)).astype(np.int64)


def _usable_sizes(population: Population, kind: str, outputs: Sequence[int]) -> list[int]:
    """Sizes that enough models of a kind have on held-out prompts."""
    have = _held_out(population)[[k == kind for k in population.kinds]]
    return [n for n in sorted(set(outputs)) if len(have) and (have >= n).mean() >= _SHARE]


def _too_small(population: Population, outputs: Sequence[int]) -> UsageError:
    middle = int(np.median(_held_out(population)))
    return UsageError(
        f"half of the models have fewer than {min(outputs)} outputs to the held-out half of the "
        f"prompts (the median is {middle}): record more, or ask for fewer with --outputs"
    )
