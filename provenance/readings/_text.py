"""What the readings share: how an answer is cleaned, and what a word is."""

from __future__ import annotations

import re
import unicodedata

from provenance.canonical import clean_text

UNREADABLE = "⟨unreadable⟩"
EMPTY = "⟨empty⟩"
# An answer of megabytes is read by its beginning, or by its end where that is what matters.
READ = 2_000

# Vowel signs and tone marks belong to a word: without them กรุงเทพ would be two.
_SIGNS = "".join(c for c in map(chr, range(0x300, 0x1100)) if unicodedata.category(c)[0] == "M")
WORD = re.compile(rf"(?:[^\W_][{_SIGNS}]*)+(?:['’-](?:[^\W_][{_SIGNS}]*)+)*")
MARKS = "*_`#>\"'“”‘’«»„()[]{}.,;:!?¡¿。，、！？：؛،… \t\r\n"
LIST_MARK = re.compile(r"\s*(?:[-–—*•·▪◦]|\d{1,3}[.)、])\s+")
FENCE = re.compile(r"```([^\n`]*)\n(.*?)(?:```|\Z)", re.DOTALL)


def plain(text: str) -> str:
    """The beginning of an answer: compatibility forms folded, nothing that UTF-8 cannot hold."""
    return unicodedata.normalize("NFKC", clean_text(text[:READ])).strip()


def tail(text: str) -> str:
    """The end of an answer, in the same way."""
    return unicodedata.normalize("NFKC", clean_text(text[-READ:])).strip()


def lines(text: str) -> list[str]:
    """The lines that hold something, without the space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def digits(text: str) -> str:
    """Decimal digits of any script as 0–9."""
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def is_emoji(char: str) -> bool:
    """Whether a character is a pictograph (not one of ©, → or ½)."""
    return 0x1F000 <= ord(char) <= 0x1FAFF or 0x2600 <= ord(char) <= 0x27BF
