"""Rates of function words."""

from __future__ import annotations

from collections import Counter
from math import log1p

from provenance.signatures.base import Named
from provenance.signatures.document import Document
from provenance.signatures.words import FUNCTION_WORDS

WORDS = tuple(sorted(FUNCTION_WORDS))
# Words added to the length of a text, so that one "the" in a text of two words is no rate of 500.
_PRIOR = 20.0


def _measure(document: Document) -> list[float]:
    found = Counter(document.words)
    scale = 1000.0 / (len(document.words) + _PRIOR)
    return [log1p(found[word] * scale) for word in WORDS]


FUNCTION_WORD_RATES = Named("function_words", 1, WORDS, _measure)
"""log(1 + occurrences per 1,000 words) of about 240 English function words.

Sees: syntax and register, hardly the topic; a word that does not occur gives 0 at any length.

Removed by: paraphrase, another language (all values 0), and terseness, which leaves too few words
to have rates. Re-formatting changes nothing.

Source: Mosteller & Wallace (1963), "Inference in an authorship problem", JASA 58; Burrows (2002)
for standardised rates ("Delta").
"""
