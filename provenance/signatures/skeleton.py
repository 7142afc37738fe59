"""Content-masked skeleton n-grams: how a text is put together once what it says is masked."""

from __future__ import annotations

import numpy as np

from provenance.signatures.base import Counts, Hashed
from provenance.signatures.document import Document
from provenance.signatures.hashing import counted, ngram_hashes
from provenance.signatures.tokens import skeleton_codes


def _count(document: Document) -> Counts:
    codes = np.array(skeleton_codes(document.text), dtype=np.uint64)
    return counted(ngram_hashes(codes, (1, 2, 3, 4)))


SKELETON = Hashed("skeleton", 1, _count)
"""Runs of 1–4 masked tokens: function and filler words, punctuation and Markdown with their
spacing, ends of lines, numbers by length, other words by case shape and suffix, a start and an
end mark.

Sees: phrasing, punctuation, rhythm of lines, the lead-in and the close. Topic is mostly masked,
which is why it survives a change of prompts better than any other single family.

Removed by: re-formatting takes the part that is Markdown and ends of lines (use the canonical
view), a paraphrase by another model takes nearly all; a terse answer leaves little to count.
English: words of other languages become case shapes and suffixes.

Source: masking after Stamatatos (2017), "Authorship attribution using text distortion", EACL;
the tokens are this project's own.
"""
