"""Prompts in eight parts, so that two bundles can be compared on prompts that they do not share.

The part of a prompt hangs on its words alone: whoever asks it, in whatever library, it falls into
the same part. So outputs in parts 0–3 of one model and 4–7 of another never answer one prompt.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = ["ENROLLED", "HELD_OUT", "PARTS", "part_of", "prompt_digest"]

PARTS = 8
# A library's models are enrolled on the second half; suspects, and what stands in for them in the
# calibration, come from the first.
HELD_OUT = (0, 1, 2, 3)
ENROLLED = (4, 5, 6, 7)

_SPACE = re.compile(r"\s+")


def prompt_digest(prompt: str) -> str:
    """Sixteen hexadecimal digits that name a prompt, whatever its white space and case."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    text = _SPACE.sub(" ", text).strip()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def part_of(prompt: str) -> int:
    """The part of a prompt, 0 … 7."""
    return int(prompt_digest(prompt), 16) % PARTS
