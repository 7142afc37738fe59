"""What is held against what: a suspect and models, as bundles of outputs in a space.

Two ways to compare bundles as a whole, the first that the library allows (prompt by prompt, which
comes before both, is `same_prompts`):

*other sessions*: the suspect answered the prompts that were enrolled, and enough models have a
second session; its nonconformity stands among those of second sessions.

*other prompts*: outputs on the first half of the prompts (by their words, `library.parts`) against
outputs that were enrolled on the second half, for the suspect and for what stands in for it. A
suspect that answered none of the library's prompts is used whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.margins import Margins
from provenance.attribution.open_set import needed
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments
from provenance.library.space.formats import Formats

if TYPE_CHECKING:
    from provenance.attribution.outsiders import Outsiders

__all__ = ["FEWEST", "Compared", "Scores", "Suspect", "View", "aligned", "own_parts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FEWEST = 10  # outputs below which nothing is compared
_EVERY = tuple(range(PARTS))


class Scores(Protocol):
    """A score for every pair: larger means more alike; shape (len(a), len(b))."""

    def __call__(self, a: Sequence[Moments], b: Sequence[Moments]) -> Floats:
        """Score them."""


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
    """A suspect and a library in one space, the score in it, what parts the models, outsiders."""

    suspect: Suspect
    enrolled: Enrolled
    scores: Scores
    margins: Margins | None = None
    outsiders: Outsiders | None = None


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


def _again(suspect: Suspect, enrolled: Enrolled, alpha: float) -> bool:
    """Whether the suspect's prompts are the library's, and there are enough second sessions."""
    if enrolled.asked is None or not suspect.prompts <= enrolled.asked:
        return False
    counts = [len(m.sessions) for m in enrolled.models]
    return sum(c > 1 for c in counts) >= needed(alpha) or max(counts, default=0) > needed(alpha)
