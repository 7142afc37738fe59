"""Sequences of kinds of lines."""

from __future__ import annotations

import numpy as np

from provenance.signatures.base import Counts, Hashed
from provenance.signatures.document import Document
from provenance.signatures.hashing import counted, hashes, ngram_hashes

_SIZES = (3, 9, 24, 59)
_ENDS = ".:?!,;"


def line_types(document: Document) -> list[str]:
    """The kind of each line of a document, by the innermost block that holds it.

    "" is blank, "p" paragraph, "p**" one that begins bold, "h2" heading, "-", "*", "+", "1." and
    "1)" first lines of items (deeper ones with their depth), "…" their further lines, "T" and "t"
    head and rows of a table, "code", ">" quote, "---" rule, "html".
    """
    kinds = [""] * len(document.lines)
    depth = 0
    marks: list[str] = []
    items: set[int] = set()
    for token in document.markdown:
        kind = token.type
        if kind in ("bullet_list_open", "ordered_list_open"):
            depth += 1
            marks.append(token.markup if kind[0] == "b" else f"1{token.markup}")
        elif kind in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
            marks.pop()
        elif kind == "list_item_open" and token.map:
            items.add(token.map[0])
            kinds[token.map[0]] = marks[-1] + (str(depth) if depth > 1 else "")
        elif token.map and (name := _name(kind, token.tag)):
            for row in range(token.map[0], min(token.map[1], len(kinds))):
                if row not in items:
                    kinds[row] = "…" if depth and name == "p" else name
    for i, line in enumerate(document.lines):
        if not line or line.isspace():
            kinds[i] = "" if kinds[i] != "code" else "code blank"
        elif line.lstrip(" -+*0123456789.)").startswith("__") or "**" in line[:8]:
            kinds[i] += "**"
    return kinds


def _name(kind: str, tag: str) -> str | None:
    if kind == "heading_open":
        return tag
    return {
        "paragraph_open": "p",
        "blockquote_open": ">",
        "fence": "code",
        "code_block": "code",
        "hr": "---",
        "html_block": "html",
        "thead_open": "T",
        "tbody_open": "t",
    }.get(kind)


def _tokens(document: Document) -> tuple[list[str], list[str]]:
    kinds = line_types(document)
    full = ["\x02"]
    for kind, line in zip(kinds, document.lines, strict=True):
        if not kind:
            full.append("")
            continue
        words = line.count(" ") + 1
        size = sum(words > limit for limit in _SIZES)
        end = line.rstrip(" *_\"'”’)")[-1:]
        full.append(f"{kind} {size} {end if end in _ENDS else 'a'}")
    return ["\x02", *kinds, "\x03"], [*full, "\x03"]


def _count(document: Document) -> Counts:
    kinds, full = _tokens(document)
    coarse = ngram_hashes(hashes([f"k{k}" for k in kinds]), (2, 3, 4, 5))
    fine = ngram_hashes(hashes([f"f{f}" for f in full]), (1, 2, 3))
    return counted(np.concatenate([coarse, fine]))


LINE_TYPES = Hashed("line_types", 1, _count)
"""Runs of 2–5 kinds of lines, and of 1–3 kinds with length in five steps and closing mark.

Sees: the shape of an answer: lead-in, blank line, bullets that begin bold, closing paragraph.

Removed by: re-formatting removes the kinds and leaves lengths and closing marks of lines; joined
lines leave nothing.

Source: this project; kinds as CommonMark 0.31 parses them.
"""
