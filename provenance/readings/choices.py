"""Short answers, read for what was chosen: a number, a word, a list of words, a string."""

from __future__ import annotations

import re
import unicodedata

from provenance.canonical import clean_text
from provenance.readings._text import (
    EMPTY,
    LIST_MARK,
    MARKS,
    READ,
    UNREADABLE,
    WORD,
    digits,
    lines,
    plain,
)

_SHORT = 60
_NUMBER = re.compile(r"[-−+]?\d{1,15}(?:[.,]\d{1,6})?")
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+")
_YEAR = re.compile(r"(?<![\d.,])(?:1\d{3}|20\d{2})(?![\d]|[.,]\d)")
_ZH_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_YES = {"yes", "yeah", "yep", "sí", "si", "oui", "ja", "да", "是", "是的", "نعم", "true"}
_NO = {"no", "nope", "non", "nein", "нет", "否", "不", "不是", "لا", "false"}
_BETWEEN = re.compile(r"[,，、،;；؛·|/>→\n]|\s+(?:and|or|then|y|и|et|und|e)\s+|\s+و\s*")
_ITEMS = 8  # more entries are no short list


def _chinese_number(text: str) -> int | None:
    """一 … 九十九, 一百, as the whole answer."""
    text = text.strip(MARKS)
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


def tidy_number(found: str) -> str:
    """A matched number in one form: "+3,50" → 3.5, "007" → 7."""
    value = found.replace("−", "-").replace(",", ".").lstrip("+")
    if "." in value:
        value = value.rstrip("0").rstrip(".")
    sign = "-" if value.startswith("-") else ""
    return sign + (value.lstrip("-").lstrip("0") or "0")


def numbers(text: str) -> list[str]:
    """All numbers of a text that is already plain, as `tidy_number` writes them."""
    joined = _GROUPED.sub(lambda m: m.group().replace(",", ""), digits(text))
    return [tidy_number(m.group()) for m in _NUMBER.finditer(joined)]


def number(text: str) -> str:
    """The first number of the answer: "The number is **42**." → 42."""
    answer = plain(text)
    found = numbers(answer)
    if found:
        return found[0]
    chinese = _chinese_number(digits(answer))
    return UNREADABLE if chinese is None else str(chinese)


def integer(text: str) -> str:
    """Like `number`; a fraction is unreadable."""
    value = number(text)
    return UNREADABLE if "." in value else value


def year(text: str) -> str:
    """The first year from 1000 to 2099."""
    found = _YEAR.search(digits(plain(text)))
    return found.group() if found else UNREADABLE


def word(text: str) -> str:
    """The answer if it is a word or two ("New York"); more are unreadable."""
    answer = plain(text).strip(MARKS)
    words = WORD.findall(answer)
    if not words:
        return UNREADABLE if answer else EMPTY
    if len(words) > 2:
        return UNREADABLE
    return " ".join(words).casefold()


def opening(text: str) -> str:
    """The first word."""
    found = WORD.search(plain(text))
    return found.group().casefold() if found else UNREADABLE


def letter(text: str) -> str:
    """A single letter, upper case."""
    words: list[str] = WORD.findall(plain(text))
    singles = [w for w in words if len(w) == 1 and w.isalpha()]
    if len(words) == 1 and singles:
        return singles[0].upper()
    return singles[-1].upper() if len(singles) == 1 else UNREADABLE


def yes_no(text: str) -> str:
    """yes or no by the first word, in the languages of the shipped probes."""
    answer = plain(text).strip(MARKS).casefold()
    first = WORD.search(answer)
    for candidate in (answer, first.group() if first else ""):
        if candidate in _YES:
            return "yes"
        if candidate in _NO:
            return "no"
    for leading, name in (("不", "no"), ("否", "no"), ("是", "yes"), ("对", "yes")):
        if answer.startswith(leading):
            return name
    return UNREADABLE


def items(text: str) -> str:
    """The entries of a short list in their order, however it is written.

    "1. Tea\\n2. Milk" and "tea and milk" are both tea · milk; a lead-in that ends in a colon is
    no entry. Fewer than two entries, more than eight, or a sentence among them are unreadable.
    """
    answer = plain(text)
    rows = lines(answer)
    if len(rows) > 1 and rows[0].endswith(":"):
        rows = rows[1:]
    parts = _BETWEEN.split("\n".join(LIST_MARK.sub("", row, count=1) for row in rows))
    entries = [" ".join(WORD.findall(part)).casefold() for part in parts[: 2 * _ITEMS]]
    entries = [entry for entry in entries if entry]
    if len(entries) == 1:
        words = entries[0].split()
        entries = words if all(len(w) == 1 or w.isdigit() for w in words) else []
    fits = 2 <= len(entries) <= _ITEMS and all(len(e.split()) <= 3 for e in entries)
    return " · ".join(entries) if fits else UNREADABLE


def text(text: str) -> str:
    """The answer itself where it is short, else its first three words."""
    answer = plain(text)
    if len(answer) <= _SHORT:
        return " ".join(answer.split())
    words = WORD.findall(answer)[:3]
    return " ".join(words).casefold() + " …"


def verbatim(text: str) -> str:
    """The answer character by character, nothing folded; what cannot be seen is named.

    A line break is ⏎, a control or format character its code point: "a\\u200bb" → a<200B>b.
    Long answers are shown by both ends and their length in characters.
    """
    size = len(text)
    shown = clean_text(text if size <= READ else text[:READ] + text[-READ:])
    visible = [_visible(c) for c in shown]
    if sum(map(len, visible)) <= _SHORT:
        return "".join(visible)
    first, last = "".join(visible[:24])[:32], "".join(visible[-12:])[-20:]
    return f"{first} … {last} ({size})"


def _visible(char: str) -> str:
    if char == "\n":
        return "⏎"
    hidden = unicodedata.category(char)[0] == "C" or (char.isspace() and char != " ")
    return f"<{ord(char):04X}>" if hidden else char
