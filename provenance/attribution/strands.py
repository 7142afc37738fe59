"""The strands of evidence of an attribution, each computed apart: ratios, likeness, change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from provenance.attribution.calibration import Assessed
from provenance.attribution.change import Change, change_towards
from provenance.attribution.enrolled import Enrolled
from provenance.attribution.habits import Habits
from provenance.attribution.identification import FEWEST, Suspect, own_bundles
from provenance.attribution.likeness import Likeness, likeness
from provenance.attribution.origin import Texts, space_scores
from provenance.attribution.ratios import Ratios
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population import Moments
from provenance.library.relations import Relations
from provenance.library.space import Space
from provenance.transcript import Record, Role

__all__ = [
    "PAIRS",
    "Case",
    "Library",
    "OtherRole",
    "OtherTexts",
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


@dataclass(frozen=True, slots=True)
class Library:
    """What an analysis knows of a library."""

    enrolled: Enrolled
    space: Space
    ratios: Ratios | None
    habits: Habits | None
    relations: Relations


@dataclass(frozen=True, slots=True)
class OtherTexts:
    """A further endpoint's records, from a store of its own."""

    role: OtherRole
    endpoint: Endpoint
    records: tuple[Record, ...]
    cells: tuple[Cell, ...]
    root: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything in the space.

    ``overlap``: suspect and reference, or the library, answered a common prompt. ``names``: how a
    library may know reference and suspect.
    """

    library: Library
    suspect: Suspect
    reference: Suspect
    suspect_bundle: Moments
    reference_bundle: Moments
    others: tuple[tuple[OtherTexts, Suspect], ...]
    overlap: bool
    names: tuple[str, str]

    def of(self, role: OtherRole) -> list[Suspect]:
        """Further endpoints of one role."""
        return [s for other, s in self.others if other.role == role]

    def held_out(self, bundle: Suspect) -> Moments | None:
        """A bundle in the suspect's place."""
        found = bundle.moments(HELD_OUT if self.overlap else range(PARTS))
        return found if found is not None and found.n >= FEWEST else None


def case_of(
    texts: Mapping[Role, Texts],
    library: Library,
    others: Sequence[OtherTexts],
    endpoints: tuple[str, str],
) -> Case | None:
    """Everything in the space; None where a side has too few outputs to compare."""
    if not all(t.completions for t in texts.values()):
        return None
    suspect, reference = (texts[r].in_space(library.space) for r in ("suspect", "reference"))
    asked = library.enrolled.asked
    # Prompts of the library count: its models stand in the suspect's place, too.
    overlap = bool(suspect.prompts & reference.prompts) or asked is None
    overlap = overlap or bool(suspect.prompts & (asked or frozenset()))
    own = suspect.moments(HELD_OUT if overlap else range(PARTS))
    theirs = reference.moments(ENROLLED if overlap else range(PARTS))
    if own is None or theirs is None or min(own.n, theirs.n) < FEWEST:
        return None
    in_space = []
    for other in others:
        found = Texts.of(other.records, other.cells, library.enrolled.prompts)
        if found.completions:
            in_space.append((other, found.in_space(library.space)))
    names = (_name(endpoints[0]), _name(endpoints[1]))
    return Case(library, suspect, reference, own, theirs, tuple(in_space), overlap, names)


def ratios_of(case: Case, texts: Texts) -> dict[tuple[str, str], Assessed]:
    """Every pair that a calibration speaks to."""
    ratios = case.library.ratios
    if ratios is None:
        return {}
    a, b = case.suspect_bundle, case.reference_bundle
    score = float(space_scores([a], [b], case.library.space)[0, 0])
    found = {}
    for pair in PAIRS:
        assessed = ratios.weigh(pair, score, (a.n, b.n), texts.completions)
        if assessed is not None:
            found[pair] = assessed
    return found


def likeness_of(case: Case, alpha: float) -> Likeness | None:
    """How unusual the suspect's likeness to the reference is; None with too small a population."""
    enrolled, space = case.library.enrolled, case.library.space
    stand_ins = own_bundles(enrolled, case.suspect_bundle.n)
    targets = [enrolled.moments(m.sessions, ENROLLED) for m in enrolled.models]
    kept = [
        i
        for i, (a, b) in enumerate(zip(stand_ins, targets, strict=True))
        if a is not None and b is not None and min(a.n, b.n) >= FEWEST
    ]
    controls = [m for c in case.of("control") if (m := case.held_out(c)) is not None]
    if len(kept) + len(controls) < 2 or not kept:
        return None
    rows = [m for i in kept if (m := stand_ins[i]) is not None]
    columns = [case.reference_bundle, *(m for i in kept if (m := targets[i]) is not None)]
    scored = space_scores([case.suspect_bundle, *rows, *controls], columns, space)
    for place in range(len(kept)):
        scored[1 + place, 1 + place] = np.nan  # a model and itself
    name, own = case.names
    models = [enrolled.models[i] for i in kept]
    relations = case.library.relations
    unit = next((m.unit for m in models if m.name == name), None)
    taught = [relations.link(m.name, name, "trained_on_outputs") for m in models]
    students = np.array([link.holds is True and link.certainty == "sure" for link in taught])
    maybe = np.array([link.holds is True for link in taught])
    unrelated = np.array([m.unit != unit and m.name not in (name, own) for m in models]) & ~maybe
    extra = np.ones(len(controls), dtype=bool)
    return likeness(
        scored[0],
        scored[1:],
        0,
        unrelated=np.concatenate([unrelated, extra]),
        students=np.concatenate([students, ~extra]),
        units=[unit or "the reference", *(m.unit for m in models)],
        alpha=alpha,
    )


def change_of(case: Case, seed: int) -> Change | None:
    """On the prompts that before, after, the reference and every control answered."""
    before, after, controls = case.of("before"), case.of("after"), case.of("control")
    if len(before) != 1 or len(after) != 1 or not controls:
        return None
    every = [before[0], after[0], case.reference, *controls]
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
