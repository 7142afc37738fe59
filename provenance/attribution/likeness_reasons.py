"""Reasons of an attribution that speak of formats, likeness, siblings and dates."""

from __future__ import annotations

from typing import Any

from provenance.attribution.holding import other_genre, scores_in
from provenance.attribution.likeness import Likeness
from provenance.attribution.strands import Case
from provenance.library.space.formats import mismatch

__all__ = ["format_reasons", "likeness_reasons", "nearer_than_siblings"]

Coded = list[tuple[str, dict[str, Any]]]


def format_reasons(case: Case) -> Coded:
    """In which view suspect and reference are compared, where their formats are unlike."""
    if not case.unlike or not case.known.sees_format:
        return []
    one = case.main.suspect.formats_of(case.main.parts)
    two = case.main.reference.formats_of(case.main.reference_parts)
    why = mismatch(one, two) if one is not None and two is not None else None
    code = "unlike_format" if case.plain is None else "canonical_view"
    return [(code, {"why": why or ""})]


def likeness_reasons(case: Case, alike: Likeness | None, alpha: float) -> Coded:
    """What the likeness says, and what else explains it: a third source, a sibling, the dates."""
    if alike is None:
        if case.comparable:
            return []
        return [("likeness_of_other_genre", other_genre(case.known, case.genre)[1])]
    values = {
        "p": alike.p_value,
        "alpha": alpha,
        "null_models": alike.unrelated,
        "caught": alike.caught,
    }
    code = "leans_to_reference" if alike.p_value <= alpha else "no_lean_found"
    coded: Coded = [(code, values)]
    if code == "leans_to_reference":
        if alike.rival is not None:
            coded.append(("third_source", {"name": alike.rival, "p": alike.rival_p}))
        nearer = nearer_than_siblings(case)
        if nearer is not None and nearer[0] <= 0:
            coded.append(("sibling_as_near", {"siblings": nearer[1]}))
        coded += _dates(case)
    return coded


def _dates(case: Case) -> Coded:
    """Which of the two was there first, where the library knows both; labels, not likeness."""
    reference, suspect = case.names
    labels = [case.known.relations.of(name) for name in (reference, suspect)]
    dates = [None if label is None else label.released for label in labels]
    if dates[0] is None or dates[1] is None:
        return [("no_dates", {})]
    sure = all(label is not None and label.certain("released") == "sure" for label in labels)
    values = {"reference": dates[0].isoformat(), "suspect": dates[1].isoformat(), "sure": sure}
    return [("dates", values)]


def nearer_than_siblings(case: Case) -> tuple[float, int] | None:
    """How much nearer than its nearest sibling the suspect is to the reference; of how many."""
    sides = case.sides
    siblings = [m for s in sides.of("sibling") if (m := sides.held_out(s)) is not None]
    if not siblings or case.few:
        return None
    scored = scores_in(sides.known.space)(
        [sides.suspect_bundle, *siblings], [sides.reference_bundle]
    )[:, 0]
    return float(scored[0] - scored[1:].max()), len(siblings)
