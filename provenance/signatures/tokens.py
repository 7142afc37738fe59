"""Tokens of a text and what a word becomes once its content is masked."""

from __future__ import annotations

import re
from functools import lru_cache

from provenance.signatures.hashing import token_hash
from provenance.signatures.words import FILLERS, FUNCTION_WORDS

EMOJI = "\U0001f000-\U0001faff\u2600-\u27bf"
HAN, KANA, HANGUL = "\u3400-\u9fff\uf900-\ufaff", "\u3040-\u30ff", "\uac00-\ud7af\u1100-\u11ff"
_MARK = rf"(?:[^\w\s{EMOJI}]|_)"
# Newlines; runs of spaces; signs that no space parts; emoji; words; digits; punctuation and markup
# with the single spaces around it, because "word — word" and "word—word" are two habits. Every run
# is bounded, so that the caches below are.
_PIECE = re.compile(
    rf"\n{{1,40}}|[ \t]{{2,40}}"
    rf"|[{HAN}{KANA}]{{1,40}}|[{HANGUL}]{{1,40}}|[{EMOJI}\ufe0f\u200d]{{1,40}}"
    rf"|[^\W\d_]{{1,40}}(?:['’][^\W\d_]{{1,10}})?|\d{{1,40}}|[ ]?{_MARK}{{1,12}}[ ]?|\S"
)
_KEPT = FUNCTION_WORDS | FILLERS
# Four endings that mark syntax. Thirty (-tion, -ment, -ous …) told topics apart, not models.
_SUFFIXES = ("ing", "ed", "ly", "s")
_START, _END = "\x02start", "\x03end"


def pieces(text: str) -> list[str]:
    """The tokens of a text, single spaces between words left out."""
    return _PIECE.findall(text)


def masked(piece: str) -> str:
    """A token without its content: what the skeleton keeps of it.

    Function and filler words stay as they are; other words become case shape and suffix, numbers
    their length, Chinese and Japanese, Korean, and emoji one class each.
    """
    first = piece[0]
    if first == "\n":
        return "\n" * min(len(piece), 3)
    if first.isalpha():
        return _masked_word(piece)
    if first.isdigit():
        return f"#{min(len(piece), 6)}"
    if first in " \t" and not piece.strip():
        return "  tab" if "\t" in piece else f"  {min(len(piece), 9)}"
    if _is_emoji(first):
        return "☺"
    return piece


def _masked_word(piece: str) -> str:
    first = piece[0]
    if "\u3040" <= first <= "\u9fff" or "\uf900" <= first <= "\ufaff":
        return "漢"
    if "\uac00" <= first <= "\ud7af" or "\u1100" <= first <= "\u11ff":
        return "한"
    lower = piece.lower().replace("’", "'")
    if lower in _KEPT:
        shape = "^" if piece[0].isupper() and lower != "i" else ""
        return shape + lower
    if piece.isupper():
        shape = "A" if len(piece) == 1 else "AA"
    elif piece[0].isupper():
        shape = "Aa" if piece[1:].islower() else "AaA"
    else:
        shape = "a" if piece.islower() else "aA"
    for suffix in _SUFFIXES:
        # Of a stem of three letters or more: "sing" and "red" have no ending.
        if lower.endswith(suffix) and len(lower) > len(suffix) + 2:
            return f"{shape}-{suffix}"
    return shape


def _is_emoji(char: str) -> bool:
    return "\U0001f000" <= char <= "\U0001faff" or "\u2600" <= char <= "\u27bf"


@lru_cache(maxsize=1 << 17)
def _masked_hash(piece: str) -> int:
    return token_hash(masked(piece))


def skeleton_codes(text: str) -> list[int]:
    """Hashes of the masked tokens of a text, between a start and an end mark."""
    codes = [token_hash(_START)]
    codes.extend(map(_masked_hash, pieces(text)))
    codes.append(token_hash(_END))
    return codes
