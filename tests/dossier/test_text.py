import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.dossier.text import (
    clip,
    code_for_markdown,
    for_html,
    for_markdown,
    for_terminal,
    for_typst,
    visible,
)


def test_clip_says_how_much_is_left_out() -> None:
    assert clip("a" * 12, 10) == "a" * 10 + "… (2 more characters)"
    assert clip("a" * 10, 10) == "a" * 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\ue000", "⟨U+E000⟩"),
        ("\u0378", "⟨U+0378⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("\u3164", "⟨U+3164⟩"),
        ("\ufe0f", "⟨U+FE0F⟩"),
        ("a\r\nb\tc", "a↵b⇥c"),
        ("a\u00a0b", "a b"),
        ("e\u0301", "e\u0301"),
        ("中文 Ж", "中文 Ж"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_piles_of_combining_marks_are_bounded() -> None:
    assert visible("e" + "\u0301" * 9).count("\u0301") == 3


@given(st.text(max_size=200))
def test_visible_text_holds_nothing_unseen_and_is_stable(text: str) -> None:
    shown = visible(text, 500)
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert visible(shown, 10_000) == shown


@given(st.text(max_size=200))
def test_terminal_text_has_no_escape_and_no_reordering(text: str) -> None:
    shown = for_terminal(text, 500)
    assert all(c == " " or c.isprintable() for c in shown)
    assert not {unicodedata.bidirectional(c) for c in shown} & {"R", "AL", "AN", "RLE", "RLO"}


def test_html_is_escaped_in_content_and_attributes() -> None:
    assert for_html('<b a="\'">&') == "&lt;b a=&quot;&#x27;&quot;&gt;&amp;"


def test_markdown_prose_stays_readable() -> None:
    assert for_markdown("p = 0.0004 (Holm, 9 families); α 0.01") == (
        "p = 0.0004 (Holm, 9 families); α 0.01"
    )
    assert for_markdown("*a* _b_ <c>") == "\\*a\\* \\_b\\_ &lt;c&gt;"
    assert for_markdown("1. a") == "1\\. a"
    assert for_markdown("# a") == "\\# a"


def test_markdown_code_spans_outlast_backticks_and_pipes() -> None:
    assert code_for_markdown("a`b``c") == "```a`b``c```"
    assert code_for_markdown("`") == "`` ` ``"
    assert code_for_markdown("a|b", in_table=True) == "`a\\|b`"
    assert code_for_markdown("") == "(empty)"
    assert code_for_markdown("  ") == "(2 blank characters)"


def test_typst_text_marks_what_has_no_glyph() -> None:
    assert for_typst("猫 Ж 한 😀") == "猫 Ж ⟨U+D55C⟩ ⟨U+1F600⟩"
    assert for_typst("é", ascii_only=True) == "⟨U+00E9⟩"


def test_long_words_can_break_in_typst() -> None:
    pieces = for_typst("w" * 300, 1000).split("\u200b")
    assert max(map(len, pieces)) <= 6
    assert "".join(pieces) == "w" * 300
    assert "\u200b" not in for_typst("inconclusive words")
