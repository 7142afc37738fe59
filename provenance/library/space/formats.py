"""Which format a bundle is in, so that unlike formats are told from unlike models.

Whoever serves a model can strip its Markdown, straighten its quotes or lower its case, and a space
that sees format then takes it for another model, with a large and misleading ratio. So a pair whose
formats are too unlike is compared in the canonical view, or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from provenance.signatures.document import Document, Source

__all__ = ["CLASSES", "Formats", "mismatch"]

# The first characters of a text are looked at.
_REACH = 20_000
# What re-formatting removes or adds, and a pattern that finds it. Where a host gives every output a
# form that a model gives to most of them by itself, it is the rest that is missing: so some classes
# are there with their opposite.
_PATTERNS: dict[str, re.Pattern[str]] = {
    "capital letters": re.compile(r"[A-ZÀ-ÖØ-ÞΑ-ΩА-Я]"),
    "bold, headings or code marks": re.compile(r"\*\*\S|__\S|`|^#{1,6} ", re.MULTILINE),
    "backticks": re.compile(r"`"),
    "bold or headings": re.compile(r"\*\*\S|__\S|^#{1,6} ", re.MULTILINE),
    "code fences": re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE),
    "fences around fences": re.compile(r"^[ \t]*```[^\n`]*\n[ \t]*```", re.MULTILINE),
    "beginnings without a fence": re.compile(r"\A\s*+(?!```|~~~)"),
    "bullets other than dashes": re.compile(r"^[ \t]*[*+•] ", re.MULTILINE),
    "bullets that are dashes": re.compile(r"^[ \t]*- ", re.MULTILINE),
    "blank lines": re.compile(r"\n[ \t]*\n"),
    "line breaks": re.compile(r"\n"),
    "one line only": re.compile(r"\A[^\n]*\Z"),
    "curly quotes": re.compile(r"[“”‘’]"),
    "straight quotes": re.compile(r"[\"']"),
    "indented lines": re.compile(r"\n[ \t]{2,}\S"),
    "lines indented by less than four": re.compile(r"\n {1,3}\S"),
    "lines indented by four or more": re.compile(r"\n(?: {4}|\t)[ \t]*+\S"),
    "JSON with spaces after colons": re.compile(r'"[ \t]*: +["\d\[{]'),
    "JSON without spaces after colons": re.compile(r'":["\d\[{]'),
    "characters escaped by number": re.compile(r"\\u[0-9a-fA-F]{4}"),
}
CLASSES = tuple(_PATTERNS)
# A class that one side has in this share of its outputs or more …
OFTEN = 0.2
# … and the other in less than this part of that.
SELDOM = 0.1
# As many outputs with it should have been seen, or its absence may be chance.
EXPECTED = 6.0


@dataclass(frozen=True, slots=True)
class Formats:
    """Of one bundle; those of two sessions add up.

    Attributes
    ----------
    n
        Outputs.
    having
        For each of `CLASSES`: outputs that have it.
    characters
        Of all outputs together.
    """

    n: int
    having: tuple[int, ...]
    characters: int

    @classmethod
    def of(cls, texts: Iterable[Source]) -> Formats:
        """Of texts or completions, as a stream."""
        n, characters, having = 0, 0, [0] * len(CLASSES)
        for text in texts:
            shown = Document.of(text).text
            n += 1
            characters += len(shown)
            for i, found in enumerate(_classes(shown)):
                having[i] += found
        return cls(n, tuple(having), characters)

    def __add__(self, other: Formats) -> Formats:
        """Of the outputs of both."""
        having = tuple(x + y for x, y in zip(self.having, other.having, strict=True))
        return Formats(self.n + other.n, having, self.characters + other.characters)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the outputs that have each class."""
        return {c: h / max(1, self.n) for c, h in zip(CLASSES, self.having, strict=True)}

    @property
    def mean_characters(self) -> float:
        """Mean length."""
        return self.characters / max(1, self.n)


def mismatch(a: Formats, b: Formats) -> str | None:
    """Why two bundles are not of like format, as a sentence; None where they may be.

    One side has a class often and the other, with outputs enough to show it, hardly ever. That is
    so too of many pairs of different models: the answer is the canonical view, not a verdict.
    """
    for i, name in enumerate(CLASSES):
        first, second = a.having[i] / max(1, a.n), b.having[i] / max(1, b.n)
        high, low = max(first, second), min(first, second)
        fewer = b.n if first > second else a.n
        if high >= OFTEN and low < SELDOM * high and fewer * high >= EXPECTED:
            return (
                f"One side has {name} in {high:.0%} of its outputs and the other in {low:.0%}: "
                "one of them may have been re-formatted."
            )
    return None


def _classes(text: str) -> Iterable[bool]:
    part = text[:_REACH]
    return (pattern.search(part) is not None for pattern in _PATTERNS.values())
