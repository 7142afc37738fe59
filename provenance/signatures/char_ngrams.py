"""Character n-grams."""

from __future__ import annotations

import numpy as np

from provenance.signatures.base import Counts, Hashed
from provenance.signatures.document import Document
from provenance.signatures.hashing import counted, ngram_hashes

ORDERS = (2, 3, 4)


def _count(document: Document) -> Counts:
    raw = document.text.encode("utf-32-le")
    points = np.frombuffer(raw, dtype="<u4").astype(np.uint64) + np.uint64(1)
    return counted(ngram_hashes(points, ORDERS))


CHAR_NGRAMS = Hashed("char_ngrams", 1, _count)
"""Runs of 2–4 characters, white space and case included.

Sees: spelling, affixes, punctuation with its spacing, Markdown, and also the topic, so bundles on
unlike prompts look unlike. Needs no tokeniser and works in any language.

Removed by: re-formatting, lower case and other quotation marks change many of them at once; a
change of topic or language changes most.

Source: Kešelj et al. (2003), "N-gram-based author profiles for authorship attribution".
"""
