"""From a suspect's texts and a library to the models that cannot be excluded: pure functions.

What is held against what: `compared`. Two views: texts are compared as they stand. A model whose
format is unlike the suspect's is compared in the canonical view, too, if the library has a space of
it, and rejected only if both comparisons reject it (`open_set.either`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.compared import FEWEST, Compared, Scores, Suspect, View, aligned
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.inclusion import NewMakers, Seen
from provenance.attribution.layouts import unlike
from provenance.attribution.margins import Margins
from provenance.attribution.open_set import (
    Inclusion,
    OpenSet,
    Tables,
    either,
    false_inclusion,
    fixed,
    open_set,
)
from provenance.attribution.outsiders import Outsiders
from provenance.library.population import Moments
from provenance.library.space.formats import Formats

__all__ = ["Identification", "identify"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# Bundles that are left out in turn to measure false inclusion, at most: each is compared with all.
_TRIED = 300
_LIKE = 0.8  # of the outputs of what stands in for it that a suspect must have to be like it


@dataclass(frozen=True, slots=True)
class Identification:
    """What a library says about a suspect.

    Attributes
    ----------
    found
        The set and its p-values, in the order of the library's models.
    scores
        Shape (models,): of the suspect against each; NaN where it has nothing enrolled.
    tested
        The same with what parts the models (`margins`), where that is known: what was tested.
    outputs
        Outputs of each model that were compared.
    suspect_outputs
        Those of the suspect.
    comparison
        Which way was taken.
    inclusion
        What a maker outside the library would see; None where it could not be measured.
    unlike
        Shape (models,): whether its format is unlike the suspect's.
    plain, plain_tested
        Shape (models,): the same in the canonical view; None without such a view.
    prompts
        How many were compared prompt by prompt; None where bundles were compared as a whole.
    margins
        Whether what was tested holds what parts the models.
    small
        Whether what stands in for the suspect holds more outputs than it.
    relative
        Whether scores are over what each model is expected to have with itself.
    """

    found: OpenSet
    scores: Floats
    tested: Floats
    outputs: tuple[int, ...]
    suspect_outputs: int
    comparison: Literal["other_prompts", "other_sessions", "same_prompts"]
    inclusion: Inclusion | None
    unlike: Flags
    plain: Floats | None = None
    plain_tested: Floats | None = None
    margins: bool = False
    small: bool = False
    prompts: int | None = None
    relative: bool = False

    @property
    def canonical(self) -> Flags:
        """Shape (models,): which of them the canonical view decides."""
        if self.plain is None:
            return np.zeros(len(self.unlike), dtype=bool)
        found: Flags = self.unlike & ~np.isnan(self.plain)
        return found

    @property
    def mostly_canonical(self) -> bool:
        """Whether that view decides most models, as for a suspect that was re-formatted."""
        return int(self.canonical.sum()) * 2 > int(np.sum(~np.isnan(self.scores)))

    @property
    def shown(self) -> Floats:
        """What models are put in order by: what was tested in the view that decides most."""
        plain = self.plain_tested
        return plain if plain is not None and self.mostly_canonical else self.tested


def identify(
    suspect: Suspect,
    enrolled: Enrolled,
    scores: Scores,
    *,
    alpha: float,
    rng: np.random.Generator,
    margins: Margins | None = None,
    outsiders: Outsiders | None = None,
    plain: View | None = None,
) -> Identification | None:
    """Which models of the library cannot be excluded as the suspect's origin.

    Parameters
    ----------
    suspect, enrolled
        In one space, of texts as they stand.
    scores
        Compares moments.
    alpha
        Level a model.
    rng
        Draws the models that are left out in turn, where there are more than can be tried.
    margins
        What parts the models, added to the scores of bundles on other prompts.
    outsiders
        How models score in spaces that never saw their unit.
    plain
        The same in the canonical view.

    Returns
    -------
    Identification or None
        None where the suspect has fewer than `FEWEST` outputs that can be compared.

    Notes
    -----
    The null hypothesis, its assumptions and what is covered: `provenance.attribution.open_set`.
    """
    compared = Compared.of(suspect, enrolled, alpha)
    if compared.own is None or compared.own.n < FEWEST:
        return None
    theirs, stand_ins = compared.formats(enrolled)
    strange = unlike([suspect.formats_of(compared.own_parts)], theirs)[0]
    small = compared.own.n < _LIKE * _typical(compared.stand_ins)
    makers = _new_makers(enrolled, outsiders, margins, plain)
    if small:
        # The mean of fewer outputs varies more, and margins vary most.
        margins, plain = None, None if plain is None else replace(plain, margins=None)
    raw = _Tested.of(View(suspect, enrolled, scores, margins), compared, alpha)
    second = found = None
    if plain is not None:
        plain = replace(plain, enrolled=aligned(plain.enrolled, enrolled))
        second = _Tested.of(plain, Compared.of(plain.suspect, plain.enrolled, alpha), alpha)
        found = either(raw.found, second.found, strange, alpha=alpha)
    inclusion = None
    if makers is not None and compared.comparison == "other_prompts":
        parts = len(compared.stand_in_parts)
        inclusion = makers.inclusion(parts, margins=raw.margins is not None, alpha=alpha)
    return Identification(
        found=found or raw.found,
        scores=raw.scores,
        tested=raw.tested,
        outputs=tuple(0 if m is None else m.n for m in compared.theirs),
        suspect_outputs=compared.own.n,
        comparison=compared.comparison,
        inclusion=inclusion or _inclusion(enrolled, raw, second, (stand_ins, theirs), alpha, rng),
        unlike=strange,
        plain=None if second is None else second.scores,
        plain_tested=None if second is None else second.tested,
        margins=raw.margins is not None,
        small=small,
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    """One view: scores of the suspect and of what stands in for it, and the test.

    ``tested`` and ``own`` are with the margins, where there are any.
    """

    compared: Compared
    compare: Scores
    margins: Margins | None
    scores: Floats
    tested: Floats
    own: Floats
    found: OpenSet

    @classmethod
    def of(cls, view: View, compared: Compared, alpha: float) -> _Tested:
        compare = view.scores
        theirs = compared.theirs
        scores = np.full(len(theirs), np.nan)
        there = _enough(theirs)
        if compared.own is not None and there.any():
            scores[there] = compare([compared.own], _kept(theirs, there))[0]
        own = np.full(len(theirs), np.nan)
        twice = _enough(compared.stand_ins) & there
        own[twice] = _diagonal(compare, _kept(compared.stand_ins, twice), _kept(theirs, twice))
        # Of what second sessions hold, the discriminant has seen a part.
        margins = view.margins if compared.comparison == "other_prompts" else None
        tested = scores
        if margins is not None and compared.own is not None:
            tested = scores + margins.of_suspect(np.isin(view.suspect.parts, compared.own_parts))
            own = own + np.diagonal(margins.of_models(compared.stand_in_parts))
        repeated = {
            k: compare(kept, [their])[:, 0]
            for k, bundles in compared.repeated.items()
            if (their := theirs[k]) is not None
            and there[k]
            and (kept := [b for b in bundles if b.n >= FEWEST])
        }
        found = open_set(tested, own, alpha=alpha, repeated=repeated)
        return cls(compared, compare, margins, scores, tested, own, found)

    def tables(self, rows: Ints) -> Tables:
        """Of stand-ins of some models against all enrolled ones, for libraries of some of these."""
        cross = self._cross(rows)
        if self.margins is None:
            return fixed(cross, self.own)
        margins, parts = self.margins, self.compared.stand_in_parts
        alone = self.own - np.diagonal(margins.of_models(parts))

        def without(outside: Flags) -> tuple[Floats, Floats]:
            added = margins.of_models(parts, outside)
            own = alone[outside] + np.diagonal(added)[outside]
            return cross[:, outside] + added[rows][:, outside], own

        return without

    def _cross(self, rows: Ints) -> Floats:
        """Scores of stand-ins of some models against all enrolled ones, without margins."""
        found = np.full((len(rows), len(self.own)), np.nan)
        there = _enough(self.compared.theirs)
        stand_ins = self.compared.stand_ins
        usable = np.array([(m := stand_ins[i]) is not None and m.n >= FEWEST for i in rows])
        if usable.any():
            bundles = [m for i in rows[usable] if (m := stand_ins[i]) is not None]
            found[np.ix_(usable, there)] = self.compare(bundles, _kept(self.compared.theirs, there))
        return found


def _typical(bundles: Sequence[Moments | None]) -> float:
    return float(np.median([m.n for m in bundles if m is not None and m.n] or [0]))


def _enough(bundles: Sequence[Moments | None]) -> Flags:
    return np.array([m is not None and m.n >= FEWEST for m in bundles], dtype=bool)


def _kept(bundles: Sequence[Moments | None], chosen: Flags) -> list[Moments]:
    return [m for m, keep in zip(bundles, chosen, strict=True) if keep and m is not None]


def _diagonal(scores: Scores, a: Sequence[Moments], b: Sequence[Moments]) -> Floats:
    """Scores of the i-th against the i-th, in blocks."""
    step = 32
    found = [np.diagonal(scores(a[i : i + step], b[i : i + step])) for i in range(0, len(a), step)]
    return np.concatenate(found) if found else np.zeros(0)


def _new_makers(
    enrolled: Enrolled, outsiders: Outsiders | None, margins: Margins | None, plain: View | None
) -> NewMakers | None:
    """None where one of the views that decide was not measured."""
    if outsiders is None or (plain is not None and plain.outsiders is None):
        return None
    second = None
    if plain is not None and plain.outsiders is not None:
        second = Seen(plain.outsiders, plain.margins)
    return NewMakers(enrolled, Seen(outsiders, margins), second)


def _inclusion(
    enrolled: Enrolled,
    raw: _Tested,
    second: _Tested | None,
    formats: tuple[Sequence[Formats | None], Sequence[Formats | None]],
    alpha: float,
    rng: np.random.Generator,
) -> Inclusion | None:
    rows = np.flatnonzero(~np.isnan(raw.own))
    if len(rows) > _TRIED:
        rows = np.sort(rng.choice(rows, _TRIED, replace=False))
    if len(rows) < 2:
        return None
    plain = None
    if second is not None:
        strange = unlike([formats[0][i] for i in rows.tolist()], formats[1])
        plain = (second.tables(rows), strange)
    units = [m.unit for m in enrolled.models]
    return false_inclusion(raw.tables(rows), rows, units, alpha=alpha, plain=plain)
