"""From a suspect's texts and a library to the models that cannot be excluded: pure functions.

Two ways to compare, the first that the library allows:

*other sessions*: the suspect answered the prompts that were enrolled, and enough models have a
second session; its nonconformity stands among those of second sessions.

*other prompts*: outputs on the first half of the prompts (by their words, `library.parts`) against
outputs that were enrolled on the second half, for the suspect and for what stands in for it. A
suspect that answered none of the library's prompts is used whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.open_set import Inclusion, OpenSet, false_inclusion, needed, open_set
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments

__all__ = ["Identification", "Suspect", "identify", "own_bundles"]

Floats = NDArray[np.float64]
# Bundles that are left out in turn to measure false inclusion, at most: the work is quadratic.
_TRIED = 1_500
FEWEST = 10  # outputs below which nothing is compared


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
    """

    rows: Floats
    parts: NDArray[np.int64]
    prompts: frozenset[str]
    asked: tuple[str, ...] = ()

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
    """

    found: OpenSet
    scores: Floats
    outputs: tuple[int, ...]
    suspect_outputs: int
    comparison: Literal["other_prompts", "other_sessions"]
    inclusion: Inclusion | None


def identify(
    suspect: Suspect,
    enrolled: Enrolled,
    scores: Scores,
    *,
    alpha: float,
    rng: np.random.Generator,
) -> Identification | None:
    """Which models of the library cannot be excluded as the suspect's origin.

    Parameters
    ----------
    suspect, enrolled
        In one space.
    scores
        Compares moments.
    alpha
        Level a model.
    rng
        Draws the models that are left out in turn, where there are more than can be tried.

    Returns
    -------
    Identification or None
        None where the suspect has fewer than `FEWEST` outputs that can be compared.

    Notes
    -----
    The null hypothesis, its assumptions and what is covered: `provenance.attribution.open_set`.
    """
    paired = _sessions(suspect, enrolled, alpha)
    comparison: Literal["other_prompts", "other_sessions"]
    if paired is not None:
        comparison, (theirs, stand_ins) = "other_sessions", paired
        own = suspect.moments(range(PARTS))
    else:
        comparison = "other_prompts"
        foreign = enrolled.asked is not None and not (suspect.prompts & enrolled.asked)
        own = suspect.moments(range(PARTS) if foreign else HELD_OUT)
        theirs = [enrolled.moments(m.sessions, ENROLLED) for m in enrolled.models]
        stand_ins = own_bundles(enrolled, 0 if own is None else own.n)
    if own is None or own.n < FEWEST:
        return None
    there = np.array([m is not None and m.n >= FEWEST for m in theirs])
    twice = np.array([m is not None and m.n >= FEWEST for m in stand_ins]) & there
    found = np.full(len(theirs), np.nan)
    found[there] = scores([own], [m for m in theirs if m is not None and m.n >= FEWEST])[0]
    itself = np.full(len(theirs), np.nan)
    itself[twice] = _diagonal(
        scores,
        [m for m, both in zip(stand_ins, twice, strict=True) if both and m is not None],
        [m for m, both in zip(theirs, twice, strict=True) if both and m is not None],
    )
    return Identification(
        found=open_set(found, itself, alpha=alpha),
        scores=found,
        outputs=tuple(0 if m is None else m.n for m in theirs),
        suspect_outputs=own.n,
        comparison=comparison,
        inclusion=_inclusion(enrolled, theirs, stand_ins, twice, scores, alpha, rng),
    )


def own_bundles(enrolled: Enrolled, n: int) -> list[Moments | None]:
    """What stands in for a suspect of ``n`` outputs: each model on held-out prompts.

    As many of the held-out parts as come nearest to ``n`` outputs, the same for all models; never
    fewer than one, so that a suspect with fewer outputs than a part holds is compared with bundles
    that are larger than itself.
    """
    sizes = enrolled.n[:, list(HELD_OUT)]
    typical = float(np.median(sizes[sizes > 0])) if (sizes > 0).any() else 1.0
    parts = HELD_OUT[: int(np.clip(round(n / typical), 1, len(HELD_OUT)))]
    return [enrolled.moments(m.sessions, parts) for m in enrolled.models]


def _diagonal(scores: Scores, a: Sequence[Moments], b: Sequence[Moments]) -> Floats:
    """Scores of the i-th against the i-th, in blocks."""
    step = 32
    found = [np.diagonal(scores(a[i : i + step], b[i : i + step])) for i in range(0, len(a), step)]
    return np.concatenate(found) if found else np.zeros(0)


def _sessions(
    suspect: Suspect, enrolled: Enrolled, alpha: float
) -> tuple[list[Moments | None], list[Moments | None]] | None:
    """First sessions and second ones, if the suspect's prompts are theirs and there are enough."""
    if enrolled.asked is None or not suspect.prompts <= enrolled.asked:
        return None
    if sum(len(m.sessions) > 1 for m in enrolled.models) < needed(alpha):
        return None
    every = range(PARTS)
    first = [enrolled.moments(m.sessions[:1], every) for m in enrolled.models]
    second = [
        enrolled.moments(m.sessions[1:2], every) if len(m.sessions) > 1 else None
        for m in enrolled.models
    ]
    return first, second


def _inclusion(
    enrolled: Enrolled,
    theirs: Sequence[Moments | None],
    stand_ins: Sequence[Moments | None],
    twice: NDArray[np.bool_],
    scores: Scores,
    alpha: float,
    rng: np.random.Generator,
) -> Inclusion | None:
    able = np.flatnonzero(twice)
    if len(able) > _TRIED:
        able = np.sort(rng.choice(able, _TRIED, replace=False))
    rows: list[int] = able.tolist()
    if len(rows) < 2:
        return None
    a = [stand_ins[i] for i in rows]
    b = [theirs[i] for i in rows]
    cross = scores([m for m in a if m is not None], [m for m in b if m is not None])
    return false_inclusion(cross, [enrolled.models[i].unit for i in rows], alpha=alpha)
