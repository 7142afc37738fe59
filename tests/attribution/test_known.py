"""Genres and levels of a library in an analysis."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from provenance.attribution.enrolled import Enrolled, EnrolledModel
from provenance.attribution.known import InSpace, Known, level_for
from provenance.library.parts import PARTS
from provenance.library.space.formats import CLASSES


def enrolled(genres: list[str], outputs: int = 5) -> Enrolled:
    models = len(genres)
    return Enrolled(
        library="test",
        digest="0" * 64,
        space="1" * 64,
        models=tuple(
            EnrolledModel(f"m{i}", "", "f", f"u{i}", "", "", (i,), g) for i, g in enumerate(genres)
        ),
        prompts={p: p for p in "abcd"},
        sources=(),
        n=np.full((models, PARTS), outputs),
        mean=np.zeros((models, PARTS, 3)),
        variance=np.ones((models, PARTS, 3)),
        formats=np.ones((models, PARTS, len(CLASSES) + 1), dtype=np.int64),
        genres={"a": "odes", "b": "odes", "c": "code"},
    )


def known(genres: list[str], stated: str = "") -> Known:
    space: Any = SimpleNamespace(view="raw")
    return Known(InSpace(enrolled(genres), space, None), genre=stated)


def test_the_genre_is_stated_or_read_off_the_prompts() -> None:
    found = known(["odes", "code"])
    assert found.genre_of(frozenset("ab")) == "odes"
    assert found.genre_of(frozenset("abxy")) == "odes"
    assert found.genre_of(frozenset("axyz")) == ""
    assert known(["odes", "code"], "code").genre_of(frozenset("ab")) == "code"


def test_only_models_of_the_genre_are_held_against() -> None:
    found = known(["odes", "code", "odes"])
    assert found.comparable("odes")
    assert not found.comparable("")
    assert not found.comparable("prose")
    assert [m.name for m in found.within("odes").main.enrolled.models] == ["m0", "m2"]
    assert len(found.within("").main.enrolled) == 3
    # A library that states nothing is taken to be of the suspect's kind, as its user chose it.
    assert known(["", ""]).comparable("")
    assert known(["", ""]).comparable("anything")


@pytest.mark.parametrize(
    ("models", "level"), [(10, 0.01), (19, 0.05), (98, 0.05), (99, 0.01), (300, 0.01)]
)
def test_the_level_is_one_that_the_library_can_reach(models: int, level: float) -> None:
    assert level_for(enrolled([""] * models), "") == level
    assert level_for(enrolled(["odes"] * models + ["code"] * 200), "odes") == level
    assert level_for(enrolled([""] * models, outputs=0), "") == 0.01


def test_formats_add_up_over_parts() -> None:
    found = enrolled(["odes", "code"]).formats_of((0, 1), (0, 1, 2))
    assert found is not None
    assert found.n == 30
    assert found.having == (6,) * len(CLASSES)
    assert found.characters == 6


def test_a_copy_keeps_genres_and_formats() -> None:
    before = enrolled(["odes", ""])
    after = Enrolled.from_json(before.to_json())
    assert after.models == before.models
    assert after.genres == before.genres
    assert after.formats is not None
    assert np.array_equal(after.formats, before.formats)
    older = before.to_json()
    del older["formats"], older["genres"]
    older["models"] = [row[:7] for row in older["models"]]
    read = Enrolled.from_json(older)
    assert read.formats is None
    assert read.models[0].genre == ""


def test_a_genre_that_some_models_state_does_not_silence_those_that_state_none():
    """Models added with a genre to a library without: the others are held against the unstated."""
    mixed = known(["", "odes", ""])
    assert mixed.comparable("")
    assert [m.name for m in mixed.within("").main.enrolled.models] == ["m0", "m2"]
    assert [m.name for m in mixed.within("odes").main.enrolled.models] == ["m1"]
    assert not mixed.comparable("prose")
