"""What an analysis knows of a library: its models in one or two spaces, and calibrations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from provenance.attribution.answered import Answered
from provenance.attribution.closed_set import Closed
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.habits import Habits
from provenance.attribution.layouts import RAW
from provenance.attribution.open_set import needed
from provenance.attribution.outsiders import Outsiders
from provenance.attribution.ratios import Ratios
from provenance.library.parts import ENROLLED, HELD_OUT
from provenance.library.relations import Relations
from provenance.library.space import Space

__all__ = ["InSpace", "Known", "Matched", "level_for"]

STRICT, USUAL = 0.01, 0.05


@dataclass(frozen=True, slots=True)
class InSpace:
    """The models in one space; calibrations of scores in it, None where there is none.

    ``closed``: discriminants of its models, None where there is none. ``outsiders``: what a maker
    sees that is new to all of it, by kind of prompts, as far as that was measured.
    """

    enrolled: Enrolled
    space: Space
    ratios: Ratios | None
    closed: Closed | None = None
    outsiders: tuple[Outsiders, ...] = ()

    @property
    def view(self) -> str:
        """In which the space sees texts."""
        return self.space.view

    def outsiders_of(self, genre: str) -> Outsiders | None:
        """Those of the suspect's genre; None where there is none."""
        return next((o for o in self.outsiders if o.covers(genre)), None)


@dataclass(frozen=True, slots=True)
class Matched:
    """Answers prompt by prompt; calibrations of their likeness, None where there is none.

    ``relative``: of likeness over what a model's own draws have (`own_draws`).
    """

    answered: Answered
    ratios: Ratios | None
    relative: Ratios | None = None

    def of(self, *, relative: bool) -> Ratios | None:
        """The calibrations that speak to such scores."""
        return self.relative if relative else self.ratios


@dataclass(frozen=True, slots=True)
class Known:
    """A library, as copied into the evidence.

    Attributes
    ----------
    main
        The space that texts are compared in as they stand, if the library has one.
    plain
        The space of the canonical view, if the library has that besides.
    habits, relations
        Named habits, and labels.
    genre
        Of the suspect's prompts, as the user states it; empty: not stated.
    declared
        Of the battery that the suspect was asked; empty: none, or several.
    matched
        The models' answers prompt by prompt, if the library keeps sketches of them.
    outdated
        Whether it keeps sketches of another version only, so that none is compared.
    """

    main: InSpace
    plain: InSpace | None = None
    habits: Habits | None = None
    relations: Relations = field(default_factory=Relations)
    genre: str = ""
    declared: str = ""
    matched: Matched | None = None
    outdated: bool = False

    @property
    def sees_format(self) -> bool:
        """Whether the main space is one that a re-formatted suspect looks like another model in."""
        return self.main.view == RAW

    @property
    def prompts(self) -> Mapping[str, str]:
        """Digests of the library's prompts by id, as far as an id stands for one."""
        return self.main.enrolled.by_id(self.genre)

    def genre_of(self, prompts: frozenset[str]) -> str:
        """As stated, else of the library's prompts among these, else as the battery declares.

        Empty where it is not known.
        """
        return self.genre or self.main.enrolled.genre_of(prompts) or self.declared

    def only_stated(self, prompts: Iterable[str]) -> bool:
        """Whether the genre is one of the library's by statement, not by the prompts themselves."""
        enrolled, asked = self.main.enrolled, frozenset(prompts)
        genre = self.genre_of(asked)
        return genre in enrolled.stated_genres and enrolled.genre_of(asked) != genre

    def comparable(self, genre: str) -> bool:
        """Whether outputs of this genre may be held against the library's."""
        stated = self.main.enrolled.stated_genres
        return not stated or genre in stated or self._unstated(genre)

    def _unstated(self, genre: str) -> bool:
        """Whether no genre is stated of the suspect's prompts, nor of some of the models."""
        return not genre and any(not m.genre for m in self.main.enrolled.models)

    def within(self, genre: str) -> Known:
        """With the models of one genre, where the library states genres and has it.

        Where none is stated, with those of which none is, if there are such.
        """
        stated = self.main.enrolled.stated_genres
        if genre not in stated and not (stated and self._unstated(genre)):
            return self
        plain, main = self.plain, self.main.enrolled.within(genre)
        names = {m.name for m in main.models}
        return replace(
            self,
            habits=None if self.habits is None else self.habits.only(names),
            main=replace(self.main, enrolled=main),
            plain=None if plain is None else replace(plain, enrolled=plain.enrolled.within(genre)),
        )


def level_for(enrolled: Enrolled, genre: str) -> float:
    """The level where the user names none: .01, or .05 where the library is too small for that.

    It hangs on the library alone, on how many models have outputs on both halves of the prompts,
    and is fixed before anything is asked.
    """
    kept = enrolled.within(genre) if genre in enrolled.stated_genres else enrolled
    twice: dict[str, int] = {}
    for model in kept.models:
        n = enrolled.n[list(model.sessions)]
        both = n[:, list(HELD_OUT)].sum() and n[:, list(ENROLLED)].sum()
        twice[model.genre] = twice.get(model.genre, 0) + int(bool(both))
    most = int(np.max(list(twice.values()), initial=0))
    return USUAL if needed(USUAL) <= most < needed(STRICT) else STRICT
