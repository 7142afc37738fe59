"""Readings: from an answer to a category, by rules that were fixed before anything was asked.

To add one: write a function from text to a category, give it the name that probes will use by
adding it to `READINGS`, and show it on three real answers in ``tests/readings``. What a reading
cannot read is told apart by its first word, as ⟨word…⟩, and silence is `EMPTY`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable

from provenance.canonical import clean_text

UNREADABLE = "⟨unreadable⟩"
EMPTY = "⟨empty⟩"
# An answer of megabytes is read by its beginning: readings are of short answers.
_READ = 2_000
_SHORT = 60
_LONGEST = 80

_NUMBER = re.compile(r"[-−+]?\d{1,15}(?:[.,]\d{1,6})?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
# Vowel signs and tone marks belong to a word: without them กรุงเทพ would be two.
_SIGNS = "".join(c for c in map(chr, range(0x300, 0x1100)) if unicodedata.category(c)[0] == "M")
_WORD = re.compile(rf"(?:[^\W_][{_SIGNS}]*)+(?:['’-](?:[^\W_][{_SIGNS}]*)+)*")
_MARKS = "*_`#>\"'“”‘’«»„()[]{}.,;:!?¡¿。，、！？：؛،… \t\r\n"
_ZH_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_YES = {"yes", "yeah", "yep", "sí", "si", "oui", "ja", "да", "是", "是的", "نعم", "true"}
_NO = {"no", "nope", "non", "nein", "нет", "否", "不", "不是", "لا", "false"}


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", clean_text(text[:_READ])).strip()


def _digits(text: str) -> str:
    """Decimal digits of any script as 0–9."""
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _chinese_number(text: str) -> int | None:
    """一 … 九十九, 一百, as the whole answer."""
    text = text.strip(_MARKS)
    if not text or len(text) > 6 or any(c not in _ZH_DIGITS and c not in "十百" for c in text):
        return None
    total = digit = 0
    for c in text:
        if c in "十百":
            total += (digit or 1) * (10 if c == "十" else 100)
            digit = 0
        else:
            digit = _ZH_DIGITS[c]
    return total + digit


def number(text: str) -> str:
    """The first number of the answer: "The number is **42**." → 42."""
    plain = _digits(_plain(text))
    plain = _GROUPED.sub(lambda m: m.group().replace(",", ""), plain)
    found = _NUMBER.search(plain)
    if found is None:
        chinese = _chinese_number(plain)
        return UNREADABLE if chinese is None else str(chinese)
    value = found.group().replace("−", "-").replace(",", ".").lstrip("+")
    if "." in value:
        value = value.rstrip("0").rstrip(".")
    sign = "-" if value.startswith("-") else ""
    return sign + (value.lstrip("-").lstrip("0") or "0")


def integer(text: str) -> str:
    """Like `number`; a fraction is unreadable."""
    value = number(text)
    return UNREADABLE if "." in value else value


def word(text: str) -> str:
    """The answer if it is a word or two ("New York"); more are unreadable."""
    plain = _plain(text).strip(_MARKS)
    words = _WORD.findall(plain)
    if not words:
        return UNREADABLE if plain else EMPTY
    if len(words) > 2:
        return UNREADABLE
    return " ".join(words).casefold()


def opening(text: str) -> str:
    """The first word."""
    found = _WORD.search(_plain(text))
    return found.group().casefold() if found else UNREADABLE


def letter(text: str) -> str:
    """A single letter, upper case."""
    words: list[str] = _WORD.findall(_plain(text))
    singles = [w for w in words if len(w) == 1 and w.isalpha()]
    if len(words) == 1 and singles:
        return singles[0].upper()
    return singles[-1].upper() if len(singles) == 1 else UNREADABLE


def yes_no(text: str) -> str:
    """yes or no by the first word, in the languages of the shipped probes."""
    plain = _plain(text).strip(_MARKS).casefold()
    first = _WORD.search(plain)
    for candidate in (plain, first.group() if first else ""):
        if candidate in _YES:
            return "yes"
        if candidate in _NO:
            return "no"
    for leading, name in (("不", "no"), ("否", "no"), ("是", "yes"), ("对", "yes")):
        if plain.startswith(leading):
            return name
    return UNREADABLE


def bullets(text: str) -> str:
    """How a list is written: dash, asterisk, bullet, number., number), plain or none."""
    lines = [line.strip() for line in text[:_READ].splitlines() if line.strip()]
    kinds = (
        ("dash", r"[-–—]\s"),
        ("asterisk", r"\*\s"),
        ("bullet", r"[•·▪◦]\s?"),
        ("number.", r"\d+\.\s"),
        ("number)", r"\d+\)\s"),
    )
    for name, pattern in kinds:
        if sum(bool(re.match(pattern, line)) for line in lines) >= 2:
            bold = any(re.match(pattern + r"\*\*", line) for line in lines)
            return f"{name} bold" if bold else name
    return "comma" if len(lines) == 1 and lines[0].count(",") >= 2 else "plain"


def json_style(text: str) -> str:
    """How JSON is written: fenced or bare, one line or many, broken."""
    plain = text[:_READ].strip()
    fence = re.search(r"```(json)?\s*\n(.*?)```", plain, re.DOTALL | re.IGNORECASE)
    body = fence.group(2) if fence else plain
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return "broken fenced" if fence else "broken"
    style = "fenced" if fence else "bare"
    kind = type(parsed).__name__
    return f"{style} {kind} {'lines' if chr(10) in body.strip() else 'line'}"


def text(text: str) -> str:
    """The answer itself where it is short, else its first three words and its size."""
    plain = _plain(text)
    if len(plain) <= _SHORT:
        return " ".join(plain.split())
    words = _WORD.findall(plain)[:3]
    return " ".join(words).casefold() + " …"


READINGS: dict[str, Callable[[str], str]] = {
    "bullets": bullets,
    "integer": integer,
    "json_style": json_style,
    "letter": letter,
    "number": number,
    "opening": opening,
    "text": text,
    "word": word,
    "yes_no": yes_no,
}


def read(reading: str, answer: str) -> str:
    """The category of an answer.

    Raises
    ------
    KeyError
        For an unknown reading; `probes check` finds those.
    """
    if not answer.strip():
        return EMPTY
    category = READINGS[reading](answer) or EMPTY
    if category == UNREADABLE:
        # How an answer misses the question is a habit too: "Sure!", "As an AI", "I".
        first = opening(answer)
        return UNREADABLE if first == UNREADABLE else f"⟨{first[:24]}…⟩"
    return category if len(category) <= _LONGEST else category[:_LONGEST] + "…"
