"""The strands of evidence of an attribution, each computed apart: ratios, likeness, change.

None is multiplied with another: they are read from the same texts, and how they depend on each
other was not measured. Texts are compared as they stand; a suspect and a reference of unlike format
are compared in the canonical view, or get no ratio where the library has no such space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.calibration import Assessed
from provenance.attribution.change import Change, change_towards
from provenance.attribution.holding import Texts, scores_in
from provenance.attribution.identification import FEWEST, Suspect, own_parts
from provenance.attribution.known import InSpace, Known
from provenance.attribution.layouts import unlike
from provenance.attribution.likeness import Likeness, likeness
from provenance.attribution.ratios import Told
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments
from provenance.library.space.formats import Formats
from provenance.transcript import Record, Role

__all__ = [
    "PAIRS",
    "Case",
    "OtherRole",
    "OtherTexts",
    "Sides",
    "case_of",
    "change_of",
    "likeness_of",
    "ratios_of",
]

PAIRS = (
    ("same_weights", "none_of_these"),
    ("derived", "none_of_these"),
    ("common_base", "none_of_these"),
)
OtherRole = Literal["reference", "control", "sibling", "before", "after"]
_LENGTHS = 2.0  # how many times as long or as short a text of the null may be
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
    genre
        As stated or found; empty where not known.
    names
        How a library may know reference and suspect.
    """

    known: Known
    main: Sides
    plain: Sides | None
    unlike: bool
    comparable: bool
    genre: str
    names: tuple[str, str]

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
    endpoints: tuple[str, str],
) -> Case | None:
    """Everything in the library's spaces; None where a side has too few outputs to compare."""
    if not all(t.completions for t in texts.values()):
        return None
    genre = known.genre_of(frozenset(texts["suspect"].prompts))
    comparable = known.comparable(genre)
    known = known.within(genre)
    main = _sides(texts, known.main, others)
    if main is None:
        return None
    strange = unlike(
        [main.suspect.formats_of(main.parts)], [main.reference.formats_of(main.reference_parts)]
    )
    return Case(
        known=known,
        main=main,
        plain=None if known.plain is None else _sides(texts, known.plain, others),
        unlike=bool(strange[0, 0]),
        comparable=comparable,
        genre=genre,
        names=(_name(endpoints[0]), _name(endpoints[1])),
    )


def _sides(
    texts: Mapping[Role, Texts], known: InSpace, others: Sequence[OtherTexts]
) -> Sides | None:
    suspect, reference = (texts[r].in_space(known.space) for r in ("suspect", "reference"))
    asked = known.enrolled.asked
    # Prompts of the library count: its models stand in the suspect's place, too.
    overlap = bool(suspect.prompts & reference.prompts) or asked is None
    overlap = overlap or bool(suspect.prompts & (asked or frozenset()))
    own = suspect.moments(HELD_OUT if overlap else _EVERY)
    theirs = reference.moments(ENROLLED if overlap else _EVERY)
    if own is None or theirs is None or min(own.n, theirs.n) < FEWEST:
        return None
    in_space = []
    for other in others:
        found = Texts.of(other.records, other.cells, known.enrolled.prompts)
        if found.completions:
            in_space.append((other, found.in_space(known.space)))
    return Sides(known, suspect, reference, own, theirs, tuple(in_space), overlap)


def ratios_of(case: Case, texts: Texts) -> dict[tuple[str, str], Assessed]:
    """Every pair that a calibration speaks to, in the view of the case."""
    sides = case.sides
    ratios = sides.known.ratios
    if ratios is None:
        return {}
    a, b = sides.suspect_bundle, sides.reference_bundle
    score = float(scores_in(sides.known.space)([a], [b])[0, 0])
    told = Told.of(texts.completions, case.genre)
    found = {}
    for pair in PAIRS:
        assessed = ratios.weigh(pair, score, (a.n, b.n), told, unlike=case.abstains)
        if assessed is not None:
            found[pair] = assessed
    return found


def likeness_of(case: Case, alpha: float) -> Likeness | None:
    """How unusual the suspect's likeness to the reference is; None with too small a population.

    Where the formats are unlike the larger of the two views' p-values counts, which is valid
    whatever chooses between them.
    """
    found = _likeness(case, case.main, alpha)
    if case.unlike and case.plain is not None:
        second = _likeness(case, case.plain, alpha)
        if found is None or (second is not None and second.p_value > found.p_value):
            return second
    return found


def _likeness(case: Case, sides: Sides, alpha: float) -> Likeness | None:
    enrolled, scores = sides.known.enrolled, scores_in(sides.known.space)
    held = own_parts(enrolled, sides.suspect_bundle.n)
    stand_ins = [enrolled.moments(m.sessions, held) for m in enrolled.models]
    targets = [enrolled.moments(m.sessions, ENROLLED) for m in enrolled.models]
    kept = [
        i
        for i, (a, b) in enumerate(zip(stand_ins, targets, strict=True))
        if a is not None and b is not None and min(a.n, b.n) >= FEWEST
    ]
    own_controls = [c for c in sides.of("control") if sides.held_out(c) is not None]
    controls = [m for c in own_controls if (m := sides.held_out(c)) is not None]
    if not kept:
        return None
    models = [enrolled.models[i] for i in kept]
    columns = [sides.reference_bundle, *(m for i in kept if (m := targets[i]) is not None)]
    rows = [m for i in kept if (m := stand_ins[i]) is not None]
    # A control may be a third source: it stands among the targets where it has outputs for that.
    third = [(k, m) for k, c in enumerate(own_controls) if (m := _enrolled(c, sides)) is not None]
    columns += [m for _, m in third]
    scored = scores([sides.suspect_bundle, *rows, *controls], columns)
    for place in range(len(kept)):
        scored[1 + place, 1 + place] = np.nan  # a model and itself
    for place, (k, _) in enumerate(third):
        scored[1 + len(kept) + k, 1 + len(kept) + place] = np.nan
    name, own = case.names
    relations = case.known.relations
    unit = next((m.unit for m in models if m.name == name), None)
    taught = [relations.link(m.name, name, "trained_on_outputs") for m in models]
    students = np.array([link.holds is True and link.certainty == "sure" for link in taught])
    maybe = np.array([link.holds is True for link in taught])
    unrelated = np.array([m.unit != unit and m.name not in (name, own) for m in models]) & ~maybe
    # Models that answered another kind of prompts say nothing of what an unrelated suspect does.
    unrelated &= case.comparable
    students &= case.comparable
    formats = [enrolled.formats_of(m.sessions, held) for m in models]
    formats += [c.formats_of(sides.parts) for c in own_controls]
    alike = _of_length(sides.suspect.formats_of(sides.parts), formats)
    extra = np.ones(len(controls), dtype=bool)
    return likeness(
        scored[0],
        scored[1:],
        0,
        unrelated=np.concatenate([unrelated, extra]) & alike,
        students=np.concatenate([students, ~extra]),
        units=[
            unit or "the reference",
            *(m.unit for m in models),
            *(f"control {k}" for k, _ in third),
        ],
        names=["the reference", *(m.name for m in models), *(_called(sides, k) for k, _ in third)],
        alpha=alpha,
        view=sides.known.view,
    )


def _enrolled(bundle: Suspect, sides: Sides) -> Moments | None:
    found = bundle.moments(sides.reference_parts)
    return found if found is not None and found.n >= FEWEST else None


def _called(sides: Sides, number: int) -> str:
    controls = [other for other, _ in sides.others if other.role == "control"]
    return controls[number].endpoint.label


def _of_length(own: Formats | None, others: Sequence[Formats | None]) -> NDArray[np.bool_]:
    """Which bundles have outputs of the suspect's length: a terse text is like other terse ones."""
    if own is None:
        return np.ones(len(others), dtype=bool)
    length = max(1.0, own.mean_characters)
    ratios = [1.0 if f is None else max(1.0, f.mean_characters) / length for f in others]
    return np.array([1 / _LENGTHS <= r <= _LENGTHS for r in ratios], dtype=bool)


def change_of(case: Case, seed: int) -> Change | None:
    """On the prompts that before, after, the reference and every control answered.

    In the canonical view, if the library has it: a host that began to re-format is no change of
    the model.
    """
    sides = case.plain or case.main
    before, after, controls = sides.of("before"), sides.of("after"), sides.of("control")
    if len(before) != 1 or len(after) != 1 or not controls:
        return None
    every = [before[0], after[0], sides.reference, *controls]
    shared = sorted(frozenset.intersection(*(s.prompts for s in every)))
    if len(shared) < FEWEST:
        return None
    rows = [s.by_prompt(shared) for s in every]
    return change_towards(
        rows[0], rows[1], rows[2], np.array(rows[3:]), rng=np.random.default_rng([seed, 22])
    )


def _name(endpoint: str) -> str:
    """The model's name, as a library may know it."""
    parsed = Endpoint.parse(endpoint)
    return str(parsed.option("model") or parsed.model)
