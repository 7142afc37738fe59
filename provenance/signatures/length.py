"""How long: characters, words, sentences, lines."""

from __future__ import annotations

import re
from math import log1p, sqrt

from provenance.signatures.base import Named
from provenance.signatures.document import Document

_SENTENCE = re.compile(r"[.!?。！？؟।](?=[\s\"'”’*)]|$)|\n")

NAMES = (
    "log_characters",
    "log_words",
    "log_sentences",
    "log_lines",
    "log_paragraphs",
    "letters_per_word",
    "words_per_sentence_mean",
    "words_per_sentence_sd",
    "one_sentence",
    "type_token_ratio",
)


def _measure(document: Document) -> list[float]:
    text, words = document.text, document.words
    sentences = [n for s in _SENTENCE.split(text) if (n := len(s.split()))]
    mean = sum(sentences) / max(1, len(sentences))
    spread = sum((n - mean) ** 2 for n in sentences) / max(1, len(sentences))
    first = words[:100]
    return [
        log1p(len(text)),
        log1p(len(words)),
        log1p(len(sentences)),
        log1p(sum(1 for line in document.lines if line.strip())),
        log1p(sum(1 for part in text.split("\n\n") if part.strip())),
        sum(map(len, words)) / max(1, len(words)),
        log1p(mean),
        log1p(sqrt(spread)),
        float(len(sentences) == 1),
        len(set(first)) / max(1, len(first)),
    ]


LENGTH = Named("length", 1, NAMES, _measure)
"""Logarithms of characters, words, sentences, lines and paragraphs; lengths of words and sentences;
the share of different words among the first hundred.

Sees: how much a model says, which system prompts and token limits change first.

Removed by: one instruction to be brief. Use it to match lengths, and as evidence only where both
sides were asked alike.

Source: Yule (1939), "On sentence-length as a statistical characteristic of style", Biometrika 30.
"""
