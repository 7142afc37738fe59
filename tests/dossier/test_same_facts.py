"""Every word and number of the dossier stands in each format that people read."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from provenance import dossier
from provenance.dossier.blocks import Bars, Dots, Heading, Table
from provenance.dossier.document import build
from provenance.dossier.text import code_point, visible
from provenance.findings import StudyDocument

Make = Callable[[str], StudyDocument]
# Said by the drawing itself, or for those who cannot see it.
NOT_IN_WORDS = {"alt", "side", "tone", "kind", "created", "style", "mark"}
# Longer strings are cut at the same place in every format; what stands before must be there.
COMPARED = 40
READ = 4_000  # of megabytes: far more than any run of spaces before the first COMPARED


def facts(value: Any, name: str = "") -> Iterator[str]:
    """Every string that a block holds."""
    if isinstance(value, str) and name not in NOT_IN_WORDS:
        yield value
    elif isinstance(value, Table):
        titles = [c.title for c in value.columns] if value.header else []
        yield from (value.caption, *titles, *(cell for row in value.rows for cell in row))
    elif is_dataclass(value):
        for field in fields(value):
            yield from facts(getattr(value, field.name), field.name)
    elif isinstance(value, tuple):
        for part in value:
            yield from facts(part, name)


def squeezed(text: str) -> str:
    """Without what only lays out: spaces, places to break, isolates."""
    return re.sub(r"[\s\u200b\u2066-\u2069]", "", text)


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def in_html(document: StudyDocument) -> str:
    reader = Words()
    reader.feed(dossier.render(document, "html").decode())
    reader.close()
    return "".join(reader.words)


def in_markdown(document: StudyDocument) -> str:
    def words(tokens: list[Token]) -> Iterator[str]:
        for token in tokens:
            if token.children is not None:
                yield from words(token.children)
            else:
                yield token.content

    text = dossier.render(document, "md").decode()
    return "".join(words(MarkdownIt("gfm-like", {"linkify": False}).parse(text)))


def in_pdf(document: StudyDocument) -> str:
    pypdf = pytest.importorskip("pypdf")
    pytest.importorskip("typst")
    return "".join(
        page.extract_text()
        for page in pypdf.PdfReader(io.BytesIO(dossier.render(document, "pdf"))).pages
    )


READERS = {"html": in_html, "md": in_markdown, "pdf": in_pdf}
PLAIN = (
    *("different", "inconclusive", "empty_side", "many_cells", "supported", "consistent"),
    "identified",
)


def missing(document: StudyDocument, shown: str) -> list[str]:
    shown = squeezed(shown)
    built = build(document)
    wanted = [built.title, built.subtitle, built.footer, *facts(built.blocks)]
    assert len(wanted) > 40
    return [
        fact
        for fact in wanted
        if squeezed(visible(fact[:READ], 10**9))[:COMPARED] not in shown and fact.strip()
    ]


@pytest.mark.parametrize("format", READERS)
@pytest.mark.parametrize("name", PLAIN)
def test_no_fact_is_lost(make: Make, name: str, format: str) -> None:
    document = make(name)
    assert missing(document, READERS[format](document)) == []


@pytest.mark.parametrize("format", ["html", "md"])
@pytest.mark.parametrize("name", ["hostile", "huge"])
def test_no_hostile_word_is_lost(make: Make, name: str, format: str) -> None:
    document = make(name)
    assert missing(document, READERS[format](document)) == []


@pytest.mark.parametrize("format", READERS)
def test_a_fact_that_is_not_there_is_noticed(make: Make, format: str) -> None:
    shown = READERS[format](make("different"))
    assert missing(make("inconclusive"), shown)


@pytest.mark.parametrize("format", READERS)
def test_an_unpaired_surrogate_and_a_category_of_a_megabyte(make: Make, format: str) -> None:
    plain = make("different")
    cell = plain.cells[0].model_copy(
        update={"reference": {"Z" * 1_000_000: 11, "\ud800": 7}, "prompt": "lone \udfff half"}
    )
    document = plain.model_copy(update={"cells": (cell, *plain.cells[1:])})
    content = dossier.render(document, format)
    assert len(content) < len(dossier.render(plain, format)) + (
        1_000_000 if format == "pdf" else 20_000  # the PDF carries study.json whole
    )
    shown = squeezed(READERS[format](document))
    for character in ("\ud800", "\udfff"):
        # The PDF says what JSON can say.
        assert code_point(character) in shown
    assert "Z" * 40 in shown
    assert "11/18=61%" in shown


def test_families_cells_and_yardstick_are_drawn(make: Make) -> None:
    blocks = build(make("different")).blocks
    under: dict[str, list[type]] = {}
    section = ""
    for block in blocks:
        if isinstance(block, Heading) and block.level == 1:
            section = block.text
        elif isinstance(block, Bars | Dots):
            under.setdefault(section, []).append(type(block))
    assert under == {
        "Where the two sides differ most": [Bars, Bars],
        "Families of probes": [Dots, Dots],
        "Yardstick: the reference against itself": [Bars],
    }
