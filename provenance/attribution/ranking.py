"""How unusual a suspect's likeness to a reference is, ranked among models of the library.

One strand of `attribute`, beside those of `strands`: never multiplied with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from provenance.attribution.compared import FEWEST, Suspect, own_parts
from provenance.attribution.enrolled import EnrolledModel
from provenance.attribution.holding import scores_in
from provenance.attribution.likeness import FEWEST as FEWEST_UNRELATED
from provenance.attribution.likeness import Likeness, likeness
from provenance.attribution.strands import Case, Sides
from provenance.library.parts import ENROLLED, PARTS
from provenance.library.population import Moments
from provenance.library.space.formats import Formats

__all__ = ["likeness_of", "matched_likeness", "style_likeness", "unranked"]

Flags = NDArray[np.bool_]
_LENGTHS = 2.0  # how many times as long or as short a text of the null may be


def likeness_of(case: Case, alpha: float) -> Likeness | None:
    """How unusual the suspect's likeness to the reference is; None with too small a population.

    Prompt by prompt where both answered prompts of the library, else on disjoint prompts. Of makers
    that a space has not seen the first tells more (`benchmarks/same_prompts.py`).
    """
    matched = matched_likeness(case, alpha)
    if matched is not None or case.few:
        return matched
    return style_likeness(case, alpha)


def style_likeness(case: Case, alpha: float) -> Likeness | None:
    """By style, on disjoint prompts.

    Where the formats are unlike the larger of the two views' p-values counts, which is valid
    whatever chooses between them.
    """
    found = _likeness(case, case.main, alpha)
    if case.unlike and case.plain is not None:
        second = _likeness(case, case.plain, alpha)
        if found is None or (second is not None and second.p_value > found.p_value):
            return second
    return found


def unranked(case: Case) -> str:
    """Why `likeness_of` ranks nothing, as a code."""
    if not case.comparable:
        return "other_genre"
    models = [case.main.known.enrolled.models[i] for i in _places(case.main).kept]
    unrelated, _, _ = _related(case, models)
    return "lengths_differ" if int(unrelated.sum()) >= FEWEST_UNRELATED else "students_too_few"


@dataclass(frozen=True, slots=True)
class _Places:
    """The library's models in the suspect's place and in the reference's; who has both."""

    held: tuple[int, ...]
    stand_ins: list[Moments | None]
    targets: list[Moments | None]

    @property
    def kept(self) -> list[int]:
        """Models with outputs enough in both places."""
        return [
            i
            for i, (a, b) in enumerate(zip(self.stand_ins, self.targets, strict=True))
            if a is not None and b is not None and min(a.n, b.n) >= FEWEST
        ]


def _places(sides: Sides) -> _Places:
    enrolled = sides.known.enrolled
    held = own_parts(enrolled, sides.suspect_bundle.n)
    return _Places(
        held,
        [enrolled.moments(m.sessions, held) for m in enrolled.models],
        [enrolled.moments(m.sessions, ENROLLED) for m in enrolled.models],
    )


def _related(case: Case, models: Sequence[EnrolledModel]) -> tuple[Flags, Flags, str | None]:
    """Which models are unrelated to the reference, which its sure students; its own unit."""
    name, own = case.names
    relations = case.known.relations
    unit = next((m.unit for m in models if m.name == name), None)
    taught = [relations.link(m.name, name, "trained_on_outputs") for m in models]
    students = [link.holds is True and link.certainty == "sure" for link in taught]
    unrelated = [
        m.unit != unit and m.name not in (name, own) and link.holds is not True
        for m, link in zip(models, taught, strict=True)
    ]
    # Models that answered another kind of prompts say nothing of what an unrelated suspect does.
    return (
        np.array(unrelated, dtype=bool) & case.comparable,
        np.array(students, dtype=bool) & case.comparable,
        unit,
    )


def _likeness(case: Case, sides: Sides, alpha: float) -> Likeness | None:
    enrolled, scores = sides.known.enrolled, scores_in(sides.known.space)
    places = _places(sides)
    kept, stand_ins, targets = places.kept, places.stand_ins, places.targets
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
    unrelated, students, unit = _related(case, models)
    formats = [enrolled.formats_of(m.sessions, places.held) for m in models]
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


def matched_likeness(case: Case, alpha: float) -> Likeness | None:
    """By answers to the same prompts; the suspect's own model, if it is there, is no source."""
    if case.beside is None:
        return None
    found, own = case.beside.scored(), case.beside.placed.own
    if np.isnan(found.score[0, 0]):
        return None
    itself = [1 + k for k, m in enumerate(own.models) if m.name == case.names[1]]
    found.score[0, itself] = np.nan
    enrolled = {(m.name, m.version, m.genre): m for m in case.main.known.enrolled.models}
    models = [enrolled.get(m.key) for m in own.models]
    if any(m is None for m in models):
        return None
    kept = [m for m in models if m is not None]
    unrelated, students, unit = _related(case, kept)
    every = tuple(range(PARTS))
    formats = [case.main.known.enrolled.formats_of(m.sessions, every) for m in kept]
    alike = _of_length(case.main.suspect.formats_of(every), formats)
    controls = np.ones(found.controls, dtype=bool)
    there = ~np.isnan(found.score[1:, 0])
    called = [_called(case.main, k) for k in range(found.controls)]
    return likeness(
        found.score[0],
        found.score[1:],
        0,
        unrelated=np.concatenate([unrelated & alike, controls]) & there,
        students=np.concatenate([students, ~controls]),
        units=[unit or "the reference", *(m.unit for m in kept), *called],
        names=["the reference", *(m.name for m in kept), *called],
        alpha=alpha,
        view="canonical",
        centre=False,
        prompts=case.beside.prompts,
    )


def _enrolled(bundle: Suspect, sides: Sides) -> Moments | None:
    found = bundle.moments(sides.reference_parts)
    return found if found is not None and found.n >= FEWEST else None


def _called(sides: Sides, number: int) -> str:
    controls = [other for other, _ in sides.others if other.role == "control"]
    return controls[number].endpoint.label


def _of_length(own: Formats | None, others: Sequence[Formats | None]) -> Flags:
    """Which bundles have outputs of the suspect's length: a terse text is like other terse ones."""
    if own is None:
        return np.ones(len(others), dtype=bool)
    length = max(1.0, own.mean_characters)
    ratios = [1.0 if f is None else max(1.0, f.mean_characters) / length for f in others]
    return np.array([1 / _LENGTHS <= r <= _LENGTHS for r in ratios], dtype=bool)
