from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

from provenance import dossier
from provenance.dossier.html import POLICY
from provenance.findings import StudyDocument

Make = Callable[[str], StudyDocument]
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "div"),
    *("h1", "h2", "h3", "p", "ul", "li", "pre", "code", "bdi", "time", "blockquote", "figure"),
    *("figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "rect", "text"),
    *("desc", "line", "circle", "path", "polyline"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "class", "datetime", "scope"),
    *("role", "aria-label", "aria-labelledby", "id", "tabindex", "x", "y", "width", "height"),
    *("dx", "x1", "x2", "y1", "y2", "cx", "cy", "r", "d", "text-anchor"),
    *("viewbox", "preserveaspectratio", "vector-effect", "points"),
}
VOID = {"meta", "rect", "line", "circle", "path", "polyline"}


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.classes: set[str] = set()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.classes |= {c for n, v in attrs if n == "class" for c in (v or "").split()}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")


def read(document: StudyDocument) -> Reader:
    reader = Reader()
    reader.feed(dossier.render(document, "html").decode())
    reader.close()
    return reader


def test_only_our_own_elements_and_attributes(document: StudyDocument) -> None:
    reader = read(document)
    assert reader.elements <= ELEMENTS
    assert reader.attributes <= ATTRIBUTES
    assert reader.open == []
    assert reader.classes <= {
        *("small", "subtitle", "verdict", "alert", "caution", "calm", "label", "sentence"),
        *("wide", "pairs", "number", "code", "quote"),
        *("name", "tick", "reference", "suspect", "neutral"),
        *("track", "compared", "mark", "filled", "open"),
        *("line", "solid", "dashed", "dotted"),
    }


def test_hostile_words_are_shown(make: Make) -> None:
    words = "".join(read(make("hostile")).words)
    assert '<script>alert(1)</script><img src=x onerror="alert(1)">' in words
    assert "⟨U+001B⟩[31mred" in words


def test_nothing_is_loaded_or_run(document: StudyDocument) -> None:
    text = dossier.render(document, "html").decode()
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in text
    head = text[: text.index("</head>")]
    assert "url(" not in head
    assert "@import" not in head
    assert "prefers-color-scheme: dark" in head
    assert "@media print" in head


def test_figures_say_in_words_what_they_show(make: Make) -> None:
    text = dossier.render(make("different"), "html").decode()
    assert '">7: reference 11/18 = 61%, suspect 4/18 = 22%;' in text
    assert text.count('role="img"') == text.count("<title id=") == text.count("<desc id=") == 5
    assert ">one_token: p adjusted 0.0009; one_word: p adjusted 0.021;" in text
