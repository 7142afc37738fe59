"""Which lines of ratios a population gets, and what each of them covers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from provenance.attribution.calibration import Across
from provenance.attribution.gathering import Population
from provenance.attribution.known_pairs import FEWEST_UNITS
from provenance.attribution.ratios import language_of
from provenance.transcript import Completion

__all__ = ["Line", "lengths_of", "lines_of", "rests_on", "shared_language", "slug", "units_of"]

_AGREEING = 0.9  # share of the models whose texts must be in one language for it to be the scope


@dataclass(frozen=True, slots=True)
class Line:
    """Kinds of prompts that share a line; what it is called; the genres that it covers."""

    kinds: tuple[str, ...]
    label: str
    genres: tuple[str, ...]


def lines_of(population: Population, across: Sequence[Across]) -> list[Line]:
    """One for all kinds of prompts where it holds on each that was left out, else one a kind."""
    kinds = tuple(sorted(set(population.kinds)))
    if len(kinds) == 1:
        return [Line(kinds, "", kinds if kinds[0] else ())]
    tested = tuple(sorted({a.left_out for a in across}))
    if len(tested) > 1 and all(a.holds for a in across):
        # Of these genres only: that it holds on each of them says little of yet another.
        return [Line(tested, "", tested)]
    return [
        Line((kind,), kind, (kind,))
        for kind in kinds
        if len(units_of(population, (kind,))) >= FEWEST_UNITS
    ]


def shared_language(population: Population) -> str:
    """The language of the texts; empty, for any, where the models do not agree on one."""
    found = Counter(
        language_of([Completion(text=t) for t in texts]) for texts in population.samples
    )
    language, models = found.most_common(1)[0]
    return language if models >= _AGREEING * len(population.samples) else ""


def units_of(population: Population, kinds: Sequence[str]) -> tuple[str, ...]:
    """Of the models that answered these kinds, each once."""
    own = zip(population.units, population.kinds, strict=True)
    return tuple(sorted({unit for unit, kind in own if kind in kinds}))


def slug(label: str) -> str:
    """For the name of a file."""
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:32]


def lengths_of(population: Population, kinds: Sequence[str]) -> tuple[float, float]:
    """Smallest and largest mean length of a model's outputs, and a quarter beyond.

    A new model may be a little terser or longer than each of the known ones; far beyond them the
    ratios were not measured.
    """
    n = np.bincount(population.training.models)
    total = np.bincount(population.training.models, population.characters)
    means = (total / n)[[k in kinds for k in population.kinds]]
    return float(np.floor(means.min() / 1.25)), float(np.ceil(means.max() * 1.25))


def rests_on(name: str, population: Population, kinds: Sequence[str]) -> str:
    """How many models, units and outputs a calibration rests on."""
    chosen = np.array([k in kinds for k in population.kinds])
    outputs = int(chosen[population.training.models].sum())
    return (
        f"{name}: {int(chosen.sum())} models of {len(units_of(population, kinds))} units, "
        f"{outputs:,} outputs"
    )
