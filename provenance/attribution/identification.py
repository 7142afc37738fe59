"""From a suspect's texts and a library to the models that cannot be excluded: pure functions.

Two ways to compare bundles as a whole, the first that the library allows (prompt by prompt, which
comes before both, is `same_prompts`):

*other sessions*: the suspect answered the prompts that were enrolled, and enough models have a
second session; its nonconformity stands among those of second sessions.

*other prompts*: outputs on the first half of the prompts (by their words, `library.parts`) against
outputs that were enrolled on the second half, for the suspect and for what stands in for it. A
suspect that answered none of the library's prompts is used whole.

And two views. Texts are compared as they stand. A model whose format is unlike the suspect's is
compared in the canonical view, too, if the library has a space of it, and rejected only if both
comparisons reject it (`open_set.either`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.layouts import unlike
from provenance.attribution.open_set import (
    Inclusion,
    OpenSet,
    either,
    false_inclusion,
    needed,
    open_set,
)
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments
from provenance.library.space.formats import Formats

__all__ = [
    "Compared",
    "Identification",
    "Suspect",
    "View",
    "aligned",
    "identify",
    "own_parts",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# Bundles that are left out in turn to measure false inclusion, at most: each is compared with all.
_TRIED = 300
FEWEST = 10  # outputs below which nothing is compared
_EVERY = tuple(range(PARTS))


class Scores(Protocol):
    """A score for every pair: larger means more alike; shape (len(a), len(b))."""

    def __call__(self, a: Sequence[Moments], b: Sequence[Moments]) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Suspect:
    """The suspect's outputs in the space.

    Attributes
    ----------
    rows
        Shape (outputs, d).
    parts
        Shape (outputs,): the part of each output's prompt.
    prompts
        Digests of its prompts.
    asked
        Digest of each output's prompt, in the order of the rows.
    formats
        Shape (outputs, classes + 1), as in `library.population.Profile`; None where not known.
    """

    rows: Floats
    parts: NDArray[np.int64]
    prompts: frozenset[str]
    asked: tuple[str, ...] = ()
    formats: Ints | None = None

    def formats_of(self, parts: Sequence[int]) -> Formats | None:
        """How the outputs in some parts are laid out; None where that is not known."""
        if self.formats is None:
            return None
        chosen = self.formats[np.isin(self.parts, list(parts))]
        total = chosen.sum(axis=0)
        return Formats(len(chosen), tuple(total[:-1].tolist()), int(total[-1]))

    def by_prompt(self, prompts: Sequence[str]) -> Floats:
        """Mean row of each of these prompts, all of which it answered; shape (prompts, d)."""
        asked = np.array(self.asked)
        return np.array([self.rows[asked == p].mean(axis=0) for p in prompts])

    def moments(self, parts: Sequence[int]) -> Moments | None:
        """Over the outputs in some parts; None where there is none."""
        chosen = self.rows[np.isin(self.parts, list(parts))]
        if not len(chosen):
            return None
        variance = chosen.var(axis=0, ddof=1) if len(chosen) > 1 else np.zeros(chosen.shape[1])
        return Moments(len(chosen), chosen.mean(axis=0), variance)


@dataclass(frozen=True, slots=True)
class View:
    """A suspect and a library in one space, and the score in it."""

    suspect: Suspect
    enrolled: Enrolled
    scores: Scores


@dataclass(frozen=True, slots=True)
class Identification:
    """What a library says about a suspect.

    Attributes
    ----------
    found
        The set and its p-values, in the order of the library's models.
    scores
        Shape (models,): of the suspect against each; NaN where it has nothing enrolled.
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
    plain
        Shape (models,): scores in the canonical view; None without such a view.
    prompts
        How many were compared prompt by prompt; None where bundles were compared as a whole.
    relative
        Whether scores are over what each model is expected to have with itself.
    """

    found: OpenSet
    scores: Floats
    outputs: tuple[int, ...]
    suspect_outputs: int
    comparison: Literal["other_prompts", "other_sessions", "same_prompts"]
    inclusion: Inclusion | None
    unlike: Flags
    plain: Floats | None = None
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
        """Scores to put the models in order by: in the view that decides most of them."""
        return self.plain if self.plain is not None and self.mostly_canonical else self.scores


@dataclass(frozen=True, slots=True)
class Compared:
    """What is held against what.

    Attributes
    ----------
    own
        Of the suspect; None where nothing of it can be compared.
    theirs, stand_ins
        Of each model: enrolled, and in the suspect's place.
    repeated
        Further bundles in the suspect's place, of models that have enough.
    own_parts, their_parts, stand_in_parts
        Parts of the prompts that these come from.
    """

    comparison: Literal["other_prompts", "other_sessions"]
    own: Moments | None
    theirs: list[Moments | None]
    stand_ins: list[Moments | None]
    own_parts: tuple[int, ...]
    their_parts: tuple[int, ...]
    stand_in_parts: tuple[int, ...]
    repeated: Mapping[int, list[Moments]] = field(default_factory=dict)

    @classmethod
    def of(cls, suspect: Suspect, enrolled: Enrolled, alpha: float) -> Compared:
        """By the rule of the module."""
        if _again(suspect, enrolled, alpha):
            first = [enrolled.moments(m.sessions[:1], _EVERY) for m in enrolled.models]
            second = [
                enrolled.moments(m.sessions[1:2], _EVERY) if len(m.sessions) > 1 else None
                for m in enrolled.models
            ]
            more = {
                k: [b for row in m.sessions[1:] if (b := enrolled.moments([row], _EVERY))]
                for k, m in enumerate(enrolled.models)
                if len(m.sessions) > needed(alpha)
            }
            own = suspect.moments(_EVERY)
            return cls("other_sessions", own, first, second, _EVERY, _EVERY, _EVERY, more)
        foreign = enrolled.asked is not None and not (suspect.prompts & enrolled.asked)
        parts = _EVERY if foreign else HELD_OUT
        own = suspect.moments(parts)
        taken = own_parts(enrolled, 0 if own is None else own.n)
        theirs = [enrolled.moments(m.sessions, ENROLLED) for m in enrolled.models]
        stand_ins = [enrolled.moments(m.sessions, taken) for m in enrolled.models]
        return cls("other_prompts", own, theirs, stand_ins, parts, ENROLLED, taken)

    def formats(self, enrolled: Enrolled) -> tuple[list[Formats | None], list[Formats | None]]:
        """How what was enrolled, and what stands in for a suspect, is laid out."""
        again = self.comparison == "other_sessions"
        theirs = [
            enrolled.formats_of(m.sessions[:1] if again else m.sessions, self.their_parts)
            for m in enrolled.models
        ]
        stand_ins = [
            enrolled.formats_of(m.sessions[1:2] if again else m.sessions, self.stand_in_parts)
            for m in enrolled.models
        ]
        return theirs, stand_ins


def identify(
    suspect: Suspect,
    enrolled: Enrolled,
    scores: Scores,
    *,
    alpha: float,
    rng: np.random.Generator,
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
    raw = _Tested.of(compared, scores, alpha)
    second = found = None
    if plain is not None:
        theirs_plain = aligned(plain.enrolled, enrolled)
        second = _Tested.of(Compared.of(plain.suspect, theirs_plain, alpha), plain.scores, alpha)
    if second is not None:
        found = either(raw.found, second.found, strange, alpha=alpha)
    return Identification(
        found=found or raw.found,
        scores=raw.scores,
        outputs=tuple(0 if m is None else m.n for m in compared.theirs),
        suspect_outputs=compared.own.n,
        comparison=compared.comparison,
        inclusion=_inclusion(enrolled, raw, second, (stand_ins, theirs), alpha, rng),
        unlike=strange,
        plain=None if second is None else second.scores,
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    """One view: scores of the suspect and of what stands in for it, and the test."""

    compared: Compared
    compare: Scores
    scores: Floats
    own: Floats
    found: OpenSet

    @classmethod
    def of(cls, compared: Compared, compare: Scores, alpha: float) -> _Tested:
        theirs = compared.theirs
        scores = np.full(len(theirs), np.nan)
        there = _enough(theirs)
        if compared.own is not None and there.any():
            scores[there] = compare([compared.own], _kept(theirs, there))[0]
        own = np.full(len(theirs), np.nan)
        twice = _enough(compared.stand_ins) & there
        own[twice] = _diagonal(compare, _kept(compared.stand_ins, twice), _kept(theirs, twice))
        repeated = {
            k: compare(kept, [their])[:, 0]
            for k, bundles in compared.repeated.items()
            if (their := theirs[k]) is not None
            and there[k]
            and (kept := [b for b in bundles if b.n >= FEWEST])
        }
        found = open_set(scores, own, alpha=alpha, repeated=repeated)
        return cls(compared, compare, scores, own, found)

    def cross(self, rows: Ints) -> Floats:
        """Score of stand-ins of some models against all enrolled ones."""
        found = np.full((len(rows), len(self.own)), np.nan)
        there = _enough(self.compared.theirs)
        stand_ins = self.compared.stand_ins
        usable = np.array([(m := stand_ins[i]) is not None and m.n >= FEWEST for i in rows])
        if usable.any():
            bundles = [m for i in rows[usable] if (m := stand_ins[i]) is not None]
            found[np.ix_(usable, there)] = self.compare(bundles, _kept(self.compared.theirs, there))
        return found


def _enough(bundles: Sequence[Moments | None]) -> Flags:
    return np.array([m is not None and m.n >= FEWEST for m in bundles], dtype=bool)


def _kept(bundles: Sequence[Moments | None], chosen: Flags) -> list[Moments]:
    return [m for m, keep in zip(bundles, chosen, strict=True) if keep and m is not None]


def aligned(plain: Enrolled, enrolled: Enrolled) -> Enrolled:
    """With the models in the same order; one that is missing has no session."""
    rows = {(m.name, m.version, m.genre): m.sessions for m in plain.models}
    return replace(
        plain,
        models=tuple(
            replace(m, sessions=rows.get((m.name, m.version, m.genre), ())) for m in enrolled.models
        ),
    )


def own_parts(enrolled: Enrolled, n: int) -> tuple[int, ...]:
    """The held-out parts that stand in for a suspect of ``n`` outputs.

    As many as come nearest to ``n`` outputs, the same for all models, and hold `FEWEST` of a
    typical model: a suspect with fewer is compared with bundles that are larger than itself.
    """
    rows = sorted({row for m in enrolled.models for row in m.sessions})
    sizes = enrolled.n[np.ix_(rows, list(HELD_OUT))]
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0
    fewest = 1 + int(np.argmax(np.median(np.cumsum(sizes, axis=1), axis=0) >= FEWEST))
    return HELD_OUT[: int(np.clip(round(n / typical), fewest, len(HELD_OUT)))]


def _diagonal(scores: Scores, a: Sequence[Moments], b: Sequence[Moments]) -> Floats:
    """Scores of the i-th against the i-th, in blocks."""
    step = 32
    found = [np.diagonal(scores(a[i : i + step], b[i : i + step])) for i in range(0, len(a), step)]
    return np.concatenate(found) if found else np.zeros(0)


def _again(suspect: Suspect, enrolled: Enrolled, alpha: float) -> bool:
    """Whether the suspect's prompts are the library's, and there are enough second sessions."""
    if enrolled.asked is None or not suspect.prompts <= enrolled.asked:
        return False
    counts = [len(m.sessions) for m in enrolled.models]
    return sum(c > 1 for c in counts) >= needed(alpha) or max(counts, default=0) > needed(alpha)


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
        plain = (second.cross(rows), second.own, strange)
    units = [m.unit for m in enrolled.models]
    return false_inclusion(raw.cross(rows), rows, raw.own, units, alpha=alpha, plain=plain)
