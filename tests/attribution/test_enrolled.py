"""Prompts of a library by id and by their words: which of them a recording is taken to answer.

No statistics: what is tested is that an id never stands in for words, and never for two prompts.
What breaks it: a library whose ids are those of another set of prompts, with no words on the
suspect's side; that is said (``prompts_by_id``), not found out.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from provenance.attribution.enrolled import Enrolled
from provenance.attribution.holding import Texts
from provenance.attribution.known import InSpace, Known
from provenance.battery import Cell
from provenance.library.parts import prompt_digest
from provenance.library.population import Library, Output, Recorded
from provenance.library.space import Labelled, Sizes, fit, read
from provenance.transcript import Completion, Message, Record

GENRES = ("odes", "sums")
PROMPTS = 12
SMALL = Sizes(columns=300, rank=6, between=5, dimensions=4, sample=200, folds=2)


def words(genre: str, i: int) -> str:
    return f"About {genre}, number {i}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Two corpora that both count their prompts from 0; the second has some more."""
    made = Library.create(tmp_path_factory.mktemp("ids") / "library", name="made up")
    rng = np.random.default_rng(1)

    def text() -> str:
        return " ".join(f"w{k}" for k in rng.integers(0, 30, 20)) + "."

    documents = []
    for genre, many in zip(GENRES, (PROMPTS, PROMPTS + 4), strict=True):
        for m in range(7):
            outputs = [
                Output(str(i), text(), prompt_digest=prompt_digest(words(genre, i)))
                for i in range(many)
            ]
            made.add(
                f"{genre}-{m}",
                Recorded(outputs, session=genre, licence="made here (CC0)", genre=genre),
            )
            documents += [
                Labelled(f"{genre}-{m}", f"u{m}", o.prompt_digest, o.output) for o in outputs
            ]
    space = fit(read(documents), rng=np.random.default_rng(2), sizes=SMALL)
    made.add_space(space)
    made.profile(space)
    return made


@pytest.fixture(scope="module")
def enrolled(library: Library) -> Enrolled:
    return Enrolled.of(library)


def known(enrolled: Enrolled, genre: str = "") -> Known:
    space: Any = None
    return Known(InSpace(enrolled, space, None), genre=genre)


def recorded(ids: range, genre: str | None) -> tuple[list[Record], list[Cell]]:
    """An answer to each prompt; None: the recording keeps no words of them."""
    cells, records = [], []
    for n, i in enumerate(ids):
        said = () if genre is None else (Message(role="user", content=words(genre, i)),)
        cells.append(
            Cell(
                id=str(i),
                probe=str(i),
                family="recorded",
                reading="text",
                messages=said,
                max_visible_tokens=64,
            )
        )
        records.append(
            Record(
                slot=n,
                role="suspect",
                cell=str(i),
                draw=0,
                block=n,
                attempt=1,
                final=True,
                started_utc=None,
                elapsed_s=None,
                request_sha256="0" * 64,
                response_sha256="0" * 64,
                completion=Completion(text="An answer."),
            )
        )
    return records, cells


def genre_of(found: Known, ids: range, genre: str | None) -> tuple[str, Texts]:
    records, cells = recorded(ids, genre)
    texts = Texts.of(records, cells, found.prompts)
    return found.genre_of(frozenset(texts.prompts)), texts


def test_words_count_and_not_ids(enrolled: Enrolled) -> None:
    """Each corpus is known by its words, and a third with the same ids is of neither."""
    for genre in GENRES:
        said, texts = genre_of(known(enrolled), range(PROMPTS), genre)
        assert said == genre
        assert not texts.by_id
    assert genre_of(known(enrolled), range(PROMPTS), "letters")[0] == ""


def test_an_id_that_stands_for_two_prompts_says_nothing(enrolled: Enrolled) -> None:
    said, texts = genre_of(known(enrolled), range(PROMPTS), None)
    assert said == ""
    assert not texts.by_id
    assert not frozenset(texts.prompts) & (enrolled.asked or frozenset())


def test_the_genre_that_is_stated_says_which_of_them_is_meant(enrolled: Enrolled) -> None:
    for genre in GENRES:
        said, texts = genre_of(known(enrolled, genre), range(PROMPTS), None)
        assert said == genre
        assert texts.prompts == tuple(prompt_digest(words(genre, i)) for i in range(PROMPTS))
        assert texts.by_id == frozenset(texts.prompts)


def test_an_id_that_stands_for_one_prompt_is_taken_for_it_and_that_is_noted(
    enrolled: Enrolled,
) -> None:
    said, texts = genre_of(known(enrolled), range(PROMPTS, PROMPTS + 4), None)
    assert said == "sums"
    assert texts.by_id == frozenset(texts.prompts)


def test_all_prompts_are_asked_whatever_their_ids(enrolled: Enrolled) -> None:
    every = {prompt_digest(words("odes", i)) for i in range(PROMPTS)}
    every |= {prompt_digest(words("sums", i)) for i in range(PROMPTS + 4)}
    assert enrolled.asked == every


def test_half_of_two_genres_is_neither(enrolled: Enrolled) -> None:
    asked = [prompt_digest(words(g, i)) for g in GENRES for i in range(5)]
    assert enrolled.genre_of(asked) == ""
    assert enrolled.genre_of(asked[1:]) == "sums"


def test_the_copy_in_the_evidence_keeps_them(enrolled: Enrolled) -> None:
    again = Enrolled.from_json(json.loads(json.dumps(enrolled.to_json())))
    assert again.several == enrolled.several
    assert len(again.several) == PROMPTS
    assert again.by_id("odes") == enrolled.by_id("odes")
