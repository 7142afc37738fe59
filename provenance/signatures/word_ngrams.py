"""Word n-grams."""

from __future__ import annotations

from provenance.signatures.base import Counts, Hashed
from provenance.signatures.document import Document
from provenance.signatures.hashing import counted, hashes, ngram_hashes


def _count(document: Document) -> Counts:
    return counted(ngram_hashes(hashes(document.words), (1, 2, 3)))


WORD_NGRAMS = Hashed("word_ngrams", 1, _count)
"""Runs of 1–3 words in lower case; punctuation, numbers and formatting are skipped.

Sees: choice of words and stock phrases. Topic as well: on disjoint prompts idf weights keep what
many prompts share.

Removed by: a synonym or a paraphrase; re-formatting leaves it as it is. Chinese, Japanese and Thai
are cut into runs of 40 signs, which makes it blind there: use char_ngrams.

Source: n-gram language profiles, e.g. Gallé et al. (2021); weights are the caller's.
"""
