"""Answers of any length, read for their shape: lists, marks, first and last line, case, script."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from itertools import pairwise

from provenance.canonical import clean_text
from provenance.readings._text import (
    FENCE,
    LIST_MARK,
    READ,
    UNREADABLE,
    WORD,
    is_emoji,
    lines,
    plain,
    tail,
)

_MARKDOWN = (
    ("heading", re.compile(r"^ {0,3}#{1,6} ", re.MULTILINE)),
    ("bold", re.compile(r"\*\*[^*\n]{1,200}\*\*|__[^_\n]{1,200}__")),
    ("list", re.compile(r"^ *(?:[-*•]|\d{1,3}[.)]) ", re.MULTILINE)),
    ("table", re.compile(r"^ *\|?[ :]*-{2,}[ :]*\|", re.MULTILINE)),
    ("code", re.compile(r"```|`[^`\n]{1,200}`")),
    ("math", re.compile(r"\\\(|\\\[|\\frac|\\times|\$\$|\$[^$\n]{0,80}[\\^_=][^$\n]{0,80}\$")),
    ("quote", re.compile(r"^> ", re.MULTILINE)),
    ("rule", re.compile(r"^(?:---+|\*\*\*+)$", re.MULTILINE)),
)
_LIST_KINDS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("dash", r"[-–—]\s+"),
        ("asterisk", r"\*\s+"),
        ("bullet", r"[•·▪◦]\s*"),
        ("number.", r"\d+\.\s+"),
        ("number)", r"\d+\)\s+"),
    )
)
_TAG = re.compile(r"```\s*([a-z]{1,10})?")
_OFFER = re.compile(
    r"let me know|would you like|feel free|if you(?:'d|’d| would) like|want me to"
    r"|hope (?:this|that)|happy to|shall i|do you (?:want|need)|need (?:help|anything)"
    r"|further (?:questions|help)",
    re.IGNORECASE,
)
_WRAPPERS = ("“”", '""', "''", "‘’", "«»", "„“", "「」", "``", "**", "__", "()", "[]", "{}")
# Up to twelve words are counted exactly; beyond, by steps of about a third.
_WORD_STEPS = (12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_SCRIPTS = {
    "LATIN": "latin",
    "CYRILLIC": "cyrillic",
    "ARABIC": "arabic",
    "CJK": "han",
    "HIRAGANA": "kana",
    "KATAKANA": "kana",
    "HANGUL": "hangul",
    "DEVANAGARI": "devanagari",
    "GREEK": "greek",
    "HEBREW": "hebrew",
    "THAI": "thai",
}


def bullets(text: str) -> str:
    """How a list is written, by its first item: dash, asterisk, bullet, number., number); its bold
    titles; else comma for a list in a sentence, or plain.
    """
    rows = lines(text[:READ])
    # One marked line among others may be a list whose rest was cut off; alone it is none.
    for row in rows if len(rows) > 1 else ():
        for name, pattern in _LIST_KINDS:
            mark = pattern.match(row)
            if mark:
                return f"{name} bold" if row[mark.end() :].startswith("**") else name
    return "comma" if len(rows) == 1 and rows[0].count(",") >= 2 else "plain"


def json_style(text: str) -> str:
    """How JSON is written: fenced or bare, one line or many; or what stands there instead.

    What cannot be parsed is told apart by its fence, and "broken" if it began like JSON.
    """
    answer = text[:READ].strip()
    fence = FENCE.search(answer)
    body = fence.group(2) if fence else answer
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        began = "broken" if body.lstrip().startswith(("{", "[")) else "no JSON"
        if fence is None:
            return began
        return f"{began}, {'fenced' if fence.group(1).strip() in ('', 'json') else 'other fence'}"
    style = "fenced" if fence else "bare"
    kind = type(parsed).__name__
    return f"{style} {kind} {'lines' if chr(10) in body.strip() else 'line'}"


def marks(text: str) -> str:
    """Which kinds of Markdown the answer holds, and emoji: "bold+list", or none."""
    answer = plain(text)
    found = [name for name, pattern in _MARKDOWN if pattern.search(answer)]
    if any(map(is_emoji, answer)):
        found.append("emoji")
    return "+".join(found) or "none"


def first_line(text: str) -> str:
    """What the first line is: heading, bold, list, table, fence, lead-in, a kind of sentence."""
    rows = lines(plain(text))
    if not rows:
        return UNREADABLE
    row = rows[0]
    if row.startswith("```"):
        tag = _TAG.match(row.casefold())
        return f"fence {tag.group(1)}" if tag and tag.group(1) else "fence"
    if row.startswith("#"):
        return "heading"
    if row.startswith("|"):
        return "table"
    if row.startswith(">"):
        return "quote"
    if LIST_MARK.match(row):
        return "number" if row[0].isdecimal() else "bullet"
    if row.startswith("**") and row.rstrip(":.!?").endswith("**"):
        return "bold"
    if row.endswith(":"):
        return "lead-in"
    return _sentence(row)


def _sentence(row: str) -> str:
    """By the mark that closes its first sentence."""
    # `plain` has made ！ and ？ of the wide forms ASCII, so that no space need follow them.
    end = re.search(r"[.।…](?=\s|$|[*\"”’»」)])|[!?。؟]", row)
    if end is None:
        return "fragment"
    return {"!": "exclamation", "?": "question", "؟": "question"}.get(end.group(), "sentence")


def ending(text: str) -> str:
    """How the answer closes: an offer, a question, a list, a mark, or in the middle."""
    rows = lines(tail(text))
    if not rows:
        return UNREADABLE
    row = rows[-1]
    if row.endswith("```"):
        return "fence"
    if row.endswith("|"):
        return "table"
    if _OFFER.search(row[-300:]):
        return "offer"
    if is_emoji(row[-1]) or (row[-1] == "\ufe0f" and len(row) > 1):
        return "emoji"
    if LIST_MARK.match(row):
        return "list"
    closing = row.rstrip("*_\"'”’»」)")
    if closing.endswith("..."):
        return "ellipsis"
    kinds = {"question": "?؟", "exclamation": "!", "full stop": ".。।", "colon": ":"}
    for name, characters in kinds.items():
        if closing.endswith(tuple(characters)):
            return name
    return "open"


def wrapping(text: str) -> str:
    """What stands around the whole answer: quotation marks, bold, code, a lead-in, or nothing."""
    rows = lines(plain(text))
    if not rows:
        return UNREADABLE
    before = ""
    if len(rows) > 1 and rows[0].endswith(":"):
        before, rows = "lead-in, ", rows[1:]
    body = rows[0] if len(rows) == 1 else f"{rows[0]}\n{rows[-1]}"
    if body.startswith("```"):
        return before + "fence"
    for pair in _WRAPPERS:
        if len(body) > 2 and body[0] == pair[0] and body.rstrip(".").endswith(pair[1]):
            return before + pair
    return before + "nothing"


def letter_case(text: str) -> str:
    """upper, lower, capitalised (the first letter only), title, mixed; or no letters with case."""
    words = [w for w in WORD.findall(plain(text)) if w.upper() != w.lower()]
    letters = "".join(words)
    if not letters:
        return "no case"
    if letters == letters.upper():
        return "upper"
    if letters == letters.lower():
        return "lower"
    if len(words) > 1 and all(w[0].isupper() or w[0].isdigit() for w in words):
        return "title"
    if letters[0].isupper() and letters[1:] == letters[1:].lower():
        return "capitalised"
    return "mixed"


def word_count(text: str) -> str:
    """Words, exactly up to twelve and in steps beyond; Chinese and Japanese signs count singly."""
    count = 0
    for found in WORD.finditer(plain(text)):
        signs = sum(_script(c) in ("han", "kana") for c in found.group())
        count += signs or 1
    if count <= _WORD_STEPS[0]:
        return str(count)
    for low, high in pairwise(_WORD_STEPS):
        if count <= high:
            return f"{low + 1}–{high}"
    return f"over {_WORD_STEPS[-1]}"


def script(text: str) -> str:
    """The scripts that hold a tenth of the letters or more, in the order in which they appear."""
    counts: Counter[str] = Counter(_script(c) for c in clean_text(text[:READ]) if c.isalpha())
    total = counts.total()
    if not total:
        return "no letters"
    # A Counter keeps the order in which it met its keys.
    return "+".join([name for name, n in counts.items() if n >= total / 10][:4])


def _script(char: str) -> str:
    return _SCRIPTS.get(unicodedata.name(char, "?").split()[0], "other")
