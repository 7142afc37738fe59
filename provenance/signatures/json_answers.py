"""JSON in a text, wherever it stands and however broken, read as data.

Whoever serves a model can fence an answer in JSON, take its fence away, put words around it or
write it in another layout, and many models write JSON that no parser takes: line ends and quotation
marks inside of strings, no closing brace where the answer was cut off. So it is read token by
token, and what is no token is kept as words. The time is linear in the length, nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from provenance.canonical import clean_text
from provenance.signatures.fences import bare

__all__ = ["apart", "laid_open", "reasoning_of"]

# What says how an answer was reached, the likeliest first.
_KEYS = ("reasoning", "thinking", "rationale", "chainofthought", "thoughts", "steps")
_RANKS = {key: rank for rank, key in enumerate(_KEYS)}
_NO_REASONING = len(_KEYS)
# Places of a text that are tried.
_MOST = 64

# A quotation mark ends a string where JSON goes on after it: others are the writer's.
_ON = r'[:}\]]|,\s*+(?:["\[{\]}]|-?\d|true\b|false\b|null\b|\Z)'
_BODY = rf'(?:[^"\\]++|\\(?:.|\Z)|"(?!\s*+(?:{_ON}|\Z)|[ \t]*+\n\s*+"))*+'
_TOKEN = re.compile(
    rf'\s*+(?:"(?P<key>{_BODY})"\s*+:|"(?P<string>{_BODY})(?:"|\Z)|(?P<open>[\[{{])|(?P<close>[\]}}])'
    r'|(?P<comma>,)|(?P<word>:|[^\s\[\]{},:"]++))',
    re.DOTALL,
)
_START = re.compile(r'\{\s*+"(?:[^"\\\n]|\\.){0,200}+"\s*+:|\[\s*+\{\s*+"')
_LITERAL = re.compile(r"-?\d[\d.eE+-]*|true|false|null|none", re.IGNORECASE)
_MARKUP = re.compile(r"[*_`#~\\>]+")
# What stands before it on its line: nothing, or words with a mark after them, and no code.
_BEFORE = re.compile(r"\s*|.*[^\s\"'][:.!?]\s*", re.DOTALL)
_REACH = 200
# Marks of LaTeX that were not escaped, as they should be in JSON, are no tabs and line feeds.
_ESCAPE = re.compile(
    r"\\(?!t(?:imes|ext|heta|herefore|an\b|frac|ilde|riangle)|n(?:eq|abla)|r(?:ight|ho\b)|[bf][a-z])"
    r"(u[0-9a-fA-F]{4}|[\"\\/nrtbf])"
)
_ESCAPED = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}


@dataclass(frozen=True, slots=True)
class _Span:
    """One piece of JSON: where it stands, how it reads, its strings with what they are.

    ``plain``: whether it holds nothing but strings, numbers and the like.
    """

    start: int
    end: int
    laid: str
    strings: tuple[tuple[int, str], ...]
    plain: bool

    @property
    def reasons(self) -> bool:
        return any(rank < _NO_REASONING for rank, _ in self.strings)


def laid_open(text: str) -> str:
    """A text in which JSON has one layout: a line a value, keys before them, no marks.

    Fences must have been taken off (`bare`).
    """
    return "\n".join(piece for piece, _ in _pieces(text))


def apart(text: str) -> tuple[str, float]:
    """What a text holds beside JSON, and which share of its characters is JSON."""
    rest = "\n".join(piece for piece, data in _pieces(text) if not data)
    whole = len("".join(text.split()))
    return rest, 1.0 - len("".join(rest.split())) / max(1, whole)


def reasoning_of(text: str) -> str | None:
    """The reasoning of an answer in JSON; None if there is no JSON, or none in it."""
    strings = [found for span in _spans(bare(text)) for found in span.strings if found[1].strip()]
    best = min((rank for rank, _ in strings), default=_NO_REASONING)
    if best == _NO_REASONING:
        return None
    return "\n".join(string for rank, string in strings if rank == best)


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """What stands before, in and after JSON; whether it is JSON, which comes laid out."""
    done = 0
    for span in _spans(text):
        yield text[done : span.start], False
        yield span.laid, True
        done = span.end
    yield text[done:], False


# Of one text it is asked for how it reads, what is beside it, and the reasoning.
@lru_cache(maxsize=2)
def _spans(text: str) -> tuple[_Span, ...]:
    found: list[_Span] = []
    place = 0
    for _ in range(_MOST):
        start = _START.search(text, place)
        if start is None:
            break
        span = _read(text, start.start())
        line = text[max(0, span.start - _REACH) : span.start].rpartition("\n")[2]
        if span.reasons or (span.plain and _BEFORE.fullmatch(_MARKUP.sub("", line))):
            found.append(span)
        place = span.end
    return tuple(found)


def _read(text: str, start: int) -> _Span:
    out: list[str] = []
    strings: list[tuple[int, str]] = []
    frames = [_NO_REASONING]  # of what is open: the rank of the key that it stands under
    rank, between, end, plain = _NO_REASONING, "", len(text), True
    for token in _TOKEN.finditer(text, start):
        kind, said = token.lastgroup, token[token.lastgroup or 0]
        if kind == "open":
            frames.append(rank)
            between = "\n"
        elif kind == "close":
            frames.pop()
            if len(frames) == 1:
                end = token.end()
                break
            rank, between = frames[-1], "\n"
        elif kind == "comma":
            rank, between = frames[-1], "\n"
        elif kind == "key":
            name = _decoded(said)
            own = _RANKS.get(re.sub(r"[\W_]+", "", name[:40]).lower(), _NO_REASONING)
            rank = min(frames[-1], own)
            out += ["\n", name, ":"]
            between = " "
        else:
            if kind == "string":
                said = _decoded(said)
                strings.append((rank, said))
            else:
                plain = plain and _LITERAL.fullmatch(said) is not None
            out += [between, said]
            between = " "
    return _Span(start, end, "".join(out), tuple(strings), plain)


def _decoded(string: str) -> str:
    if "\\" not in string:
        return string
    # Pairs of surrogates become one character.
    return clean_text(_ESCAPE.sub(_unescaped, string))


def _unescaped(found: re.Match[str]) -> str:
    said = found[1]
    return chr(int(said[1:], 16)) if len(said) == 5 else _ESCAPED.get(said, said)
