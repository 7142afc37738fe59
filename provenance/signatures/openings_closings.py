"""How answers, paragraphs and items begin, and how answers end."""

from __future__ import annotations

import re

from provenance.signatures.base import Counts, Hashed
from provenance.signatures.document import Document
from provenance.signatures.hashing import TOKEN_CHARACTERS, counted, hashes

_PIECE = re.compile(r"[^\W\d_]{1,40}(?:['’][^\W\d_]{1,10})?|\d{1,10}|[^\w\s]{1,12}|_+")
_ENDS = re.compile(r"(?<=[.!?。！？])\s+")
# What is looked at for a beginning or an end, in characters.
_REACH = 400
_PARAGRAPHS = 60


def _count(document: Document) -> Counts:
    text = document.text.strip()
    head, tail = _PIECE.findall(text[:_REACH]), _PIECE.findall(text[-_REACH:])
    found = [f"open{n} {' '.join(head[:n])}" for n in (1, 2, 3, 5, 8) if len(head) >= n]
    found += [f"close{n} {' '.join(tail[-n:])}" for n in (1, 2, 3, 5, 8) if len(tail) >= n]
    last = _PIECE.findall(_ENDS.split(text[-_REACH:])[-1])
    found += [f"last{n} {' '.join(last[:n])}" for n in (1, 2, 3, 5) if len(last) >= n]
    filled = (line for line in document.lines if line and not line.isspace())
    for _, line in zip(range(_PARAGRAPHS), filled, strict=False):
        begin = _PIECE.findall(line[:80])
        found += [f"line{n} {' '.join(begin[:n])}" for n in (1, 2, 3) if len(begin) >= n]
    return counted(hashes([_whole(key) for key in found]))


def _whole(key: str) -> str:
    # A token is hashed by its beginning alone; of a longer key, the end must count too.
    half = TOKEN_CHARACTERS // 2
    return key if len(key) <= 2 * half else f"{key[:half]}{key[-half:]}"


OPENINGS_CLOSINGS = Hashed("openings_closings", 1, _count)
"""The first 1, 2, 3, 5, 8 words and marks of an answer, the last as many, the beginning of its last
sentence, and the first one to three of every line (of the first 60).

Sees: "Certainly!", "Here's a", "I hope this helps", "In conclusion,": formulas that training
rewards and prompts seldom ask for.

Removed by: cutting the first and last sentence; terseness; stripping list marks changes the
beginnings of lines. In a language other than English it still counts, but not the same things.

Source: this project; cf. the leading words in Sun et al. (2025), "Idiosyncrasies in large language
models".
"""
