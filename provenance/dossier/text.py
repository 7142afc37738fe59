"""Text from endpoints is hostile: it is bounded, its invisible parts are shown, and it is escaped
for the place where it goes.

What cannot be seen (control, format, bidirectional, zero-width, private-use and unassigned
characters, and piles of combining marks) is written as ``⟨U+202E⟩``; a line feed as ``↵`` and a
tab as ``⇥``. The whole text stays in ``study.json``.
"""

from __future__ import annotations

import html
import re
import unicodedata
from bisect import bisect_right
from functools import cache
from pathlib import Path

SHORT = 160
LONG = 1200

_SIGNS = {"\n": "↵", "\t": "⇥"}
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks that show nothing (Unicode's Default_Ignorable_Code_Point).
_BLANK = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, 0x2800})
_VARIATION = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_MOST_MARKS = 3
# Inline markup, and what GitHub and linkifiers make a link, formula or emoji of.
_MARKUP = re.compile(
    r"[\\`*_\[\]<>&|~$@]"
    r"|:(?=[A-Za-z/+-])"
    r"|(?<=\w)\.(?=[^\W\d])"
)
# What makes a block at the start of a line.
_BLOCK = re.compile(r"^(?:[#+=-]|\d{1,9}(?=[.)](?:\s|$)))")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_TICKS = re.compile(r"`+")


def clip(text: str, limit: int) -> str:
    """``text`` cut to ``limit`` characters, saying how many are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def visible(text: str, limit: int = SHORT) -> str:
    """``text`` on one line, bounded, with everything that cannot be seen written out."""
    shown: list[str] = []
    marks = 0
    for character in clip(text.replace("\r\n", "\n"), limit):
        marks = marks + 1 if unicodedata.combining(character) else 0
        if character in _SIGNS:
            shown.append(_SIGNS[character])
        elif marks > _MOST_MARKS or _is_unseen(character):
            shown.append(code_point(character))
        else:
            shown.append(" " if unicodedata.category(character) == "Zs" else character)
    return "".join(shown)


def code_point(character: str) -> str:
    """``⟨U+202E⟩`` for a character that cannot be shown."""
    return f"⟨U+{ord(character):04X}⟩"


def for_terminal(text: str, limit: int = SHORT) -> str:
    """For a terminal: also letters that are written from right to left are spelt out.

    A terminal reorders them together with the figures beside them.
    """
    return "".join(
        code_point(c) if unicodedata.bidirectional(c) in ("R", "AL", "AN") else c
        for c in visible(text, limit)
    )


def for_markdown(text: str, limit: int = LONG) -> str:
    """For Markdown prose: nothing in it renders as markup, link, formula or block.

    Text that is written from right to left is isolated.
    """
    line = visible(text, limit).strip()
    start = _BLOCK.match(line)
    escaped = _MARKUP.sub(lambda m: _ENTITIES.get(m.group(), "\\" + m.group()), line)
    if start and start.group().isdigit():
        escaped = escaped.replace(start.group(), start.group() + "\\", 1)
    elif start:
        escaped = "\\" + escaped
    return _isolated(escaped)


def code_for_markdown(text: str, limit: int = SHORT, *, in_table: bool = False) -> str:
    """A Markdown code span: the readable way to quote an endpoint's words."""
    shown = visible(text, limit)
    if not shown.strip():
        return f"({len(text):,} blank characters)" if text else "(empty)"
    ticks = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    if in_table:
        # A table splits its row at a pipe before it reads code spans.
        shown = shown.replace("|", "\\|")
    return _isolated(f"{ticks}{pad}{shown}{pad}{ticks}")


def for_html(text: str, limit: int = LONG) -> str:
    """For HTML, in element content or a quoted attribute."""
    return html.escape(visible(text, limit), quote=True)


def for_typst(text: str, limit: int = LONG, *, ascii_only: bool = False) -> str:
    """For Typst, where it is passed as data and never read as markup.

    Characters without a glyph are written out, because PDF/A refuses them, and long words get
    places to break.
    """
    covered = _is_ascii if ascii_only else _is_covered
    shown = "".join(c if covered(c) else code_point(c) for c in visible(text, limit))
    return " ".join(_breakable(word) for word in shown.split(" "))


def _is_unseen(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character) in _UNSEEN
        or code in _BLANK
        or any(code in block for block in _VARIATION)
    )


def _isolated(text: str) -> str:
    if any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in text):
        return f"\u2068{text}\u2069"
    return text


def _breakable(word: str) -> str:
    """``word`` with U+200B after punctuation, and at least every six characters, if it is long.

    Letters that join their neighbours (Arabic) are left alone.
    """
    if len(word) <= 16 or any(unicodedata.bidirectional(c) == "AL" for c in word):
        return word
    pieces, run, in_token = [], 0, False
    for character in word:
        pieces.append(character)
        run += 1
        in_token = character == "⟨" or (in_token and character != "⟩" and run < 12)
        if in_token:
            continue
        if run >= 6 or (run >= 3 and character in "/._:,;=@-|&?"):
            pieces.append("\u200b")
            run = 0
    return "".join(pieces)


def _is_ascii(character: str) -> bool:
    return " " <= character <= "~"


def _is_covered(character: str) -> bool:
    first, last = _coverage()
    place = bisect_right(first, ord(character)) - 1
    return place >= 0 and ord(character) <= last[place]


@cache
def _coverage() -> tuple[list[int], list[int]]:
    """First and last code points of the ranges that the fonts of the PDF cover, ascending."""
    lines = (fonts() / "coverage.txt").read_text(encoding="ascii").split()
    ranges = [line.split("-") for line in lines]
    return [int(r[0], 16) for r in ranges], [int(r[-1], 16) for r in ranges]


def fonts() -> Path:
    """The folder with the font that typst lacks, and the list of covered characters."""
    return Path(__file__).resolve().parent / "fonts"
