from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from provenance import dossier
from provenance.dossier.text import code_for_markdown, for_markdown
from provenance.findings import StudyDocument

Make = Callable[[str], StudyDocument]
OWN = {
    "heading",
    "paragraph",
    "bullet_list",
    "list_item",
    "blockquote",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "inline",
    "text",
    "fence",
    "code_inline",
    "strong",
    "softbreak",
}


def tokens(text: str) -> Iterator[Token]:
    """All tokens of GitHub's dialect, with linkifying of bare addresses."""
    parser = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    stack = list(parser.parse(text))
    while stack:
        token = stack.pop()
        yield token
        stack += token.children or []


def kinds(text: str) -> set[str]:
    return {t.type.removesuffix("_open").removesuffix("_close") for t in tokens(text)}


def test_nothing_but_our_own_structure(document: StudyDocument) -> None:
    assert kinds(dossier.render(document, "md").decode()) <= OWN


def test_hostile_text_makes_no_headings_or_rows(make: Make) -> None:
    text = dossier.render(make("hostile"), "md").decode()
    top = [t for t in tokens(text) if t.type == "heading_open" and t.tag == "h1"]
    assert len(top) == 1
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            assert "\n" not in line


def test_tables_keep_their_columns(document: StudyDocument) -> None:
    text = dossier.render(document, "md").decode()
    columns: list[int] = []
    for token in reversed(list(tokens(text))):
        if token.type == "tr_open":
            columns.append(0)
        elif token.type in ("td_open", "th_open"):
            columns[-1] += 1
    # markdown-it fills and drops cells silently, so the words of the last column are looked at.
    assert "Requested as" in text
    assert columns


@pytest.mark.parametrize("in_table", [True, False])
def test_code_spans_show_the_whole_text(hostile_texts: tuple[str, ...], in_table: bool) -> None:
    from provenance.dossier.text import visible

    for text in hostile_texts:
        span = code_for_markdown(text, 1000, in_table=in_table)
        source = f"| a | b |\n|---|---|\n| {span} | end |" if in_table else span
        codes = [t.content for t in tokens(source) if t.type == "code_inline"]
        if text.strip():
            assert [c.strip("\u2068\u2069") for c in codes] == [visible(text, 1000)]
        if in_table:
            assert "end" in [t.content for t in tokens(source) if t.type == "inline"]


def test_prose_shows_the_whole_text(hostile_texts: tuple[str, ...]) -> None:
    from provenance.dossier.text import visible

    for text in hostile_texts:
        for source in (for_markdown(text, 1000), f"- {for_markdown(text, 1000)}"):
            found = list(tokens(source))
            assert kinds(source) <= {"paragraph", "inline", "text", "bullet_list", "list_item"}
            words = "".join(t.content for t in reversed(found) if t.type == "text")
            assert words.strip("\u2068\u2069") == visible(text, 1000).strip()


def test_readable_as_plain_text(make: Make) -> None:
    text = dossier.render(make("different"), "md").decode()
    assert "```text\n7\n  reference ███████████████          11/18 = 61%\n" in text
    assert "| Root of the evidence | `9e107d9d372bb6826bd81d3542a419d69e107d9d" in text
