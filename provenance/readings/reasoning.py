"""Worked answers, read for the number at which they arrive and for how the steps are laid out."""

from __future__ import annotations

import re

from provenance.readings._text import LIST_MARK, UNREADABLE, lines, plain, tail
from provenance.readings.choices import numbers

_BOXED = re.compile(r"\\boxed\{([^{}]{1,40})\}")
_SAID = re.compile(
    r"(?:answer|result|total|respuesta|resultado|ответ|итог|答案|答|الجواب|الإجابة|réponse|antwort)"
    r"[^\d\n]{0,40}?([-−]?\d[\d,.]*)",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,60})\*\*")
_LATEX = re.compile(r"\\\(|\\\[|\\frac|\\times|\\boxed|\$\$|\$[^$\n]{0,80}[\\^_=][^$\n]{0,80}\$")


def final_number(text: str) -> str:
    """The number at which a worked answer arrives.

    The last that is boxed, else follows a word like "answer", else is bold, else the last of all.
    """
    answer = tail(text)
    for pattern in (_BOXED, _SAID, _BOLD):
        for found in reversed(pattern.findall(answer)):
            values = numbers(found)
            if values:
                return values[-1]
    values = numbers(answer)
    return values[-1] if values else UNREADABLE


def steps(text: str) -> str:
    """How a worked answer is laid out and how it writes arithmetic: "numbered, latex"."""
    answer = plain(text)
    rows = lines(answer)
    if not rows:
        return UNREADABLE
    if any(row.startswith("#") for row in rows):
        layout = "headings"
    elif re.search(r"(?im)^\W{0,4}(?:step|paso|шаг|étape|schritt) ?\d|^\W{0,4}第.步", answer):
        layout = "steps"
    elif any(LIST_MARK.match(row) for row in rows):
        numbered = any(LIST_MARK.match(row) and row[0].isdecimal() for row in rows)
        layout = "numbered" if numbered else "bullets"
    else:
        layout = "paragraphs" if len(rows) > 1 else "one line"
    if _LATEX.search(answer):
        return f"{layout}, latex"
    return f"{layout}, {'equations' if '=' in answer else 'words'}"
