"""The strands of evidence of an attribution, each computed apart: ratios, change, and `ranking`.

None is multiplied with another: they depend on each other, and neither their product nor a fusion
pays (``benchmarks/dependence.py``). Texts are compared as they stand; a suspect and a reference of
unlike format are compared in the canonical view, or get no ratio where the library has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from provenance.attribution.beside import Beside, beside_of, matched_ratios
from provenance.attribution.calibration import Assessed
from provenance.attribution.change import Change, change_towards
from provenance.attribution.compared import FEWEST, Suspect
from provenance.attribution.holding import Texts, scores_in
from provenance.attribution.known import InSpace, Known
from provenance.attribution.layouts import MOST_UNLIKE, unlike
from provenance.attribution.ratios import Told
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments
from provenance.transcript import Record, Role

__all__ = [
    "PAIRS",
    "Case",
    "NotMeasured",
    "OtherRole",
    "OtherTexts",
    "Sides",
    "case_of",
    "change_of",
    "name_of",
    "ratios_of",
]

PAIRS = (
    ("same_weights", "none_of_these"),
    ("derived", "none_of_these"),
    ("common_base", "none_of_these"),
)
OtherRole = Literal["reference", "control", "sibling", "before", "after"]
_EVERY = tuple(range(PARTS))


@dataclass(frozen=True, slots=True)
class OtherTexts:
    """A further endpoint's records, from a store of its own."""

    role: OtherRole
    endpoint: Endpoint
    records: tuple[Record, ...]
    cells: tuple[Cell, ...]
    root: str | None


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A step that was asked for, on too few prompts that every side answered."""

    prompts: int
    needed: int = FEWEST


@dataclass(frozen=True, slots=True)
class Sides:
    """Everything in one space.

    ``overlap``: suspect and reference, or the library, answered a common prompt.
    """

    known: InSpace
    suspect: Suspect
    reference: Suspect
    suspect_bundle: Moments
    reference_bundle: Moments
    others: tuple[tuple[OtherTexts, Suspect], ...]
    overlap: bool

    @property
    def parts(self) -> tuple[int, ...]:
        """Of the prompts, for whatever stands in the suspect's place."""
        return HELD_OUT if self.overlap else _EVERY

    @property
    def reference_parts(self) -> tuple[int, ...]:
        """Of the prompts, for whatever is compared with."""
        return ENROLLED if self.overlap else _EVERY

    def of(self, role: OtherRole) -> list[Suspect]:
        """Further endpoints of one role."""
        return [s for other, s in self.others if other.role == role]

    def held_out(self, bundle: Suspect) -> Moments | None:
        """A bundle in the suspect's place."""
        found = bundle.moments(self.parts)
        return found if found is not None and found.n >= FEWEST else None


@dataclass(frozen=True, slots=True)
class Case:
    """A suspect, a reference and a library.

    Attributes
    ----------
    known
        With the models of the suspect's genre only, if it is one of the library's.
    main, plain
        In the library's spaces.
    unlike
        Whether the formats of suspect and reference are unlike.
    comparable
        Whether the library's models answered prompts of the suspect's genre.
    genre, reference_genre
        Of the suspect's and the reference's prompts, as stated or found; empty where not known.
    names
        How a library may know reference and suspect.
    beside
        Both among models that answered the same prompts; None where they did not.
    few
        Whether too few outputs are on disjoint prompts to compare bundles as a whole: then only
        ``beside`` speaks.
    """

    known: Known
    main: Sides
    plain: Sides | None
    unlike: bool
    comparable: bool
    genre: str
    reference_genre: str
    names: tuple[str, str]
    beside: Beside | None = None
    few: bool = False

    @property
    def sides(self) -> Sides:
        """In the view in which suspect and reference are compared."""
        return self.plain if self.unlike and self.plain is not None else self.main

    @property
    def abstains(self) -> bool:
        """Whether they cannot be compared: unlike formats, and no canonical view."""
        return self.unlike and self.plain is None and self.known.sees_format


def case_of(
    texts: Mapping[Role, Texts],
    known: Known,
    others: Sequence[OtherTexts],
    names: tuple[str, str],
    seed: int,
) -> Case | None:
    """Everything in the library's spaces; None where a side has too few outputs to compare.

    ``names``: how a library may know reference and suspect (`name_of`).
    """
    if not all(t.completions for t in texts.values()):
        return None
    genre = known.genre_of(frozenset(texts["suspect"].prompts))
    comparable = known.comparable(genre)
    theirs = _genre_beside(texts, known, genre)
    known = known.within(genre)
    beside = _beside(texts, known, others, names, seed) if comparable else None
    main = _sides(texts, known.main, others, known.prompts)
    few = main is None and beside is not None
    if few:
        main = _sides(texts, known.main, others, known.prompts, whole=True)
    if main is None:
        return None
    strange = unlike(
        [main.suspect.formats_of(main.parts)], [main.reference.formats_of(main.reference_parts)]
    )
    return Case(
        known=known,
        main=main,
        plain=None
        if known.plain is None
        else _sides(texts, known.plain, others, known.prompts, whole=few),
        unlike=bool(strange[0, 0]),
        comparable=comparable,
        genre=genre,
        reference_genre=theirs,
        names=names,
        beside=beside,
        few=few,
    )


def _beside(
    texts: Mapping[Role, Texts],
    known: Known,
    others: Sequence[OtherTexts],
    names: tuple[str, str],
    seed: int,
) -> Beside | None:
    prompts = known.prompts
    found = [Texts.of(o.records, o.cells, prompts) for o in others if o.role == "control"]
    controls = [texts for texts in found if texts.completions]
    return beside_of(texts, known, controls, names, np.random.default_rng([seed, 23]))


def _genre_beside(texts: Mapping[Role, Texts], known: Known, genre: str) -> str:
    """The reference's genre: the suspect's where it answered the same prompts, half of its own.

    Else of the library's prompts, else as stated: a change of genre looks like a change of model,
    and no calibration holds pairs across genres.
    """
    own, theirs = (frozenset(texts[r].prompts) for r in ("suspect", "reference"))
    if genre and 2 * len(own & theirs) >= len(theirs):
        return genre
    return known.main.enrolled.genre_of(theirs) or known.genre


def _sides(
    texts: Mapping[Role, Texts],
    known: InSpace,
    others: Sequence[OtherTexts],
    prompts: Mapping[str, str],
    *,
    whole: bool = False,
) -> Sides | None:
    """``whole``: all outputs of both, whatever prompts they share."""
    suspect, reference = (texts[r].in_space(known.space) for r in ("suspect", "reference"))
    asked = known.enrolled.asked
    # Prompts of the library count: its models stand in the suspect's place, too.
    overlap = bool(suspect.prompts & reference.prompts) or asked is None
    overlap = not whole and (overlap or bool(suspect.prompts & (asked or frozenset())))
    own = suspect.moments(HELD_OUT if overlap else _EVERY)
    theirs = reference.moments(ENROLLED if overlap else _EVERY)
    if own is None or theirs is None or min(own.n, theirs.n) < FEWEST:
        return None
    in_space = []
    for other in others:
        found = Texts.of(other.records, other.cells, prompts)
        if found.completions:
            in_space.append((other, found.in_space(known.space)))
    return Sides(known, suspect, reference, own, theirs, tuple(in_space), overlap)


def ratios_of(case: Case, texts: Mapping[Role, Texts]) -> dict[tuple[str, str], Assessed]:
    """Every pair that a calibration speaks to, in the view of the case or prompt by prompt.

    Where both speak, the one that cost less on known pairs does, whatever they say here.
    """
    sides = case.sides
    told = Told.of(texts["suspect"].completions, case.genre)
    other = Told.of(texts["reference"].completions, case.reference_genre)
    found = {}
    if case.beside is not None:
        found = matched_ratios(case.beside, case.known, told, other, PAIRS)
    ratios = sides.known.ratios
    if ratios is None or case.few:
        return found
    a, b = sides.suspect_bundle, sides.reference_bundle
    score = float(scores_in(sides.known.space)([a], [b])[0, 0])
    for pair in PAIRS:
        assessed = ratios.weigh(pair, score, (a.n, b.n), told, other=other, unlike=case.abstains)
        if assessed is not None and sides is case.plain:
            assessed = assessed.limited(MOST_UNLIKE)
        if assessed is not None and (pair not in found or _cost(assessed) < _cost(found[pair])):
            found[pair] = assessed
    return found


def _cost(assessed: Assessed) -> float:
    """Cllr on known pairs; infinite where there is no ratio."""
    known = assessed.known_pairs
    return float("inf") if known is None or not assessed.assessed else known.cllr


def change_of(case: Case, asked: Sequence[OtherTexts], seed: int) -> Change | NotMeasured | None:
    """On the prompts that before, after, the reference and every control answered.

    In the canonical view, if the library has it: a host that began to re-format is no change of
    the model. None where no step was asked for.
    """
    if "before" not in {other.role for other in asked}:
        return None
    sides = case.plain or case.main
    before, after, controls = sides.of("before"), sides.of("after"), sides.of("control")
    if len(before) != 1 or len(after) != 1 or not controls:
        return NotMeasured(0)
    every = [before[0], after[0], sides.reference, *controls]
    shared = sorted(frozenset.intersection(*(s.prompts for s in every)))
    if len(shared) < FEWEST:
        return NotMeasured(len(shared))
    rows = [s.by_prompt(shared) for s in every]
    return change_towards(
        rows[0], rows[1], rows[2], np.array(rows[3:]), rng=np.random.default_rng([seed, 22])
    )


def name_of(endpoint: Endpoint) -> str:
    """The model's name, as a library may know it; a recording may hold another."""
    return str(endpoint.option("model") or endpoint.model)
