"""Readings: from an answer to a category, by rules that were fixed before anything was asked.

To add one: write a function from text to a category beside those that it is like, give it the name
that probes will use by adding it to `READINGS`, and show it on three real answers in
``tests/readings/real_answers.json``. It never raises, whatever the text; it reads megabytes by
their beginning or end; its categories are short. What a reading cannot read is told apart by its
first word, as ⟨word…⟩, and silence is `EMPTY`.
"""

from __future__ import annotations

from collections.abc import Callable

from provenance.readings._text import EMPTY, UNREADABLE
from provenance.readings.choices import (
    integer,
    items,
    letter,
    number,
    opening,
    text,
    verbatim,
    word,
    year,
    yes_no,
)
from provenance.readings.code import code_line, code_style, definition
from provenance.readings.layout import (
    bullets,
    ending,
    first_line,
    json_style,
    letter_case,
    marks,
    script,
    word_count,
    wrapping,
)
from provenance.readings.reasoning import final_number, steps
from provenance.readings.wording import self_name, stance

__all__ = ["EMPTY", "READINGS", "UNREADABLE", "read"]

_LONGEST = 80

READINGS: dict[str, Callable[[str], str]] = {
    "bullets": bullets,
    "code_line": code_line,
    "code_style": code_style,
    "definition": definition,
    "ending": ending,
    "final_number": final_number,
    "first_line": first_line,
    "integer": integer,
    "items": items,
    "json_style": json_style,
    "letter": letter,
    "letter_case": letter_case,
    "marks": marks,
    "number": number,
    "opening": opening,
    "script": script,
    "self_name": self_name,
    "stance": stance,
    "steps": steps,
    "text": text,
    "verbatim": verbatim,
    "word": word,
    "word_count": word_count,
    "wrapping": wrapping,
    "year": year,
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
