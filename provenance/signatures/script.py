"""Language and script."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from provenance.errors import MissingExtra
from provenance.signatures.base import Named
from provenance.signatures.document import Document

# First code point of a range and what it is; a range goes on to the next row.
_RANGES = (
    (0x0000, "ascii"), (0x0080, "latin"), (0x0250, "other"), (0x0300, "marks"), (0x0370, "greek"),
    (0x0400, "cyrillic"), (0x0530, "other"), (0x0590, "hebrew"), (0x0600, "arabic"),
    (0x0700, "other"), (0x0750, "arabic"), (0x0780, "other"), (0x0900, "indic"),
    (0x0E00, "thai"), (0x0E80, "other"), (0x1100, "hangul"), (0x1200, "other"),
    (0x1E00, "latin"), (0x1F00, "greek"), (0x2000, "typographic"), (0x2070, "symbols"),
    (0x2190, "symbols"), (0x2600, "emoji"), (0x27C0, "symbols"), (0x2E80, "han"),
    (0x3000, "cjk_marks"), (0x3040, "kana"), (0x3100, "han"), (0xA000, "other"),
    (0xAC00, "hangul"), (0xD7B0, "other"), (0xF900, "han"), (0xFB00, "other"),
    (0xFE00, "marks"), (0xFE10, "other"), (0xFF00, "cjk_marks"), (0xFFF0, "other"),
    (0x1F000, "emoji"), (0x1FB00, "other"), (0x20000, "han"), (0x32000, "other"),
)  # fmt: skip
_SCRIPTS = tuple(dict.fromkeys(name for _, name in _RANGES))
_STARTS = np.array([start for start, _ in _RANGES])
_CODES = np.array([_SCRIPTS.index(name) for _, name in _RANGES])
LANGUAGES = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it",
    "ja", "ko", "nl", "no", "pl", "pt", "ro", "ru", "sv", "sw", "th", "tr", "uk", "vi", "zh",
)  # fmt: skip
# The language of a text is told from its beginning, in characters.
_TOLD_BY = 300
NAMES = (
    *(f"share_{name}" for name in _SCRIPTS),
    "switches_per_100_letters",
    *(f"language_{code}" for code in LANGUAGES),
    "language_other",
)


class _Identifier(Protocol):
    def classify(self, instance: str) -> tuple[str, float]: ...


@lru_cache(maxsize=1)
def _identifier() -> _Identifier:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingExtra("the signature 'script'", "style") from error
    identifier: _Identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    return identifier


def _measure(document: Document) -> list[float]:
    identifier = _identifier()
    text = document.text
    values = dict.fromkeys(NAMES, 0.0)
    points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    codes = _CODES[np.searchsorted(_STARTS, points, side="right") - 1]
    shares = np.bincount(codes, minlength=len(_SCRIPTS)) / max(1, len(points))
    # The square root spreads what is rare: one emoji in a page is a habit, two are not twice it.
    for name, share in zip(_SCRIPTS, np.sqrt(shares), strict=True):
        values[f"share_{name}"] = float(share)
    if len(codes) > 1:
        values["switches_per_100_letters"] = 100.0 * float((codes[1:] != codes[:-1]).mean())
    if text.strip():
        code = identifier.classify(text[:_TOLD_BY])[0]
        values[f"language_{code}" if code in LANGUAGES else "language_other"] = 1.0
    return [values[name] for name in NAMES]


SCRIPT = Named("script", 1, NAMES, _measure)
"""Square roots of the shares of characters by Unicode block (typographic marks, symbols, emoji,
scripts), how often they change, and the language of the beginning, one of 31 or other.

Sees: typographic quotation marks and dashes, emoji, signs of another script that slip into an
answer; which language a model falls back to.

Removed by: normalising quotation marks and dashes, dropping emoji; answering in one language, as
prompts mostly ask. Where prompts differ in language it says more of the prompts than of the model.

Needs the extra ``style`` (py3langid). Source: Lui & Baldwin (2012), "langid.py", ACL.
"""
