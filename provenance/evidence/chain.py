"""The chain: each line of ``transcript.jsonl`` carries the digest of itself and of its past.

A line is canonical JSON (RFC 8785) of ``{"hash": H, "prev": P, "record": R}`` where P is the hash
of the line before (64 zeros for the first) and H is the SHA-256 of the canonical JSON of
``{"prev": P, "record": R}``. So anyone can recompute it::

    jq -cS '{prev, record}' line.json | tr -d '\\n' | sha256sum
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from provenance.canonical import canonical_json
from provenance.errors import TamperedEvidence

START = "0" * 64


@dataclass(frozen=True, slots=True)
class Link:
    """One line of the transcript, checked."""

    hash: str
    record: dict[str, Any]


def link_hash(prev: str, record: dict[str, Any]) -> str:
    """The hash of a line."""
    return hashlib.sha256(canonical_json({"prev": prev, "record": record})).hexdigest()


def write_line(prev: str, record: dict[str, Any]) -> tuple[bytes, str]:
    """The line of a record, newline included, and its hash."""
    hashed = link_hash(prev, record)
    return canonical_json({"hash": hashed, "prev": prev, "record": record}) + b"\n", hashed


def read_line(line: bytes, prev: str, number: int) -> Link:
    """Check one line against the hash of the line before.

    Raises
    ------
    TamperedEvidence
        Naming the line if it is not what was written, or does not follow the line before.
    """
    link = parse_line(line, number)
    stated_prev, record, hashed = link["prev"], link["record"], link["hash"]
    if link_hash(stated_prev, record) != hashed:
        raise TamperedEvidence(
            f"record {number} (slot {record.get('slot')}) was edited: its hash is not that of its "
            "content",
            number,
        )
    if stated_prev != prev:
        raise TamperedEvidence(
            f"record {number} (slot {record.get('slot')}) does not follow the record before it: a "
            "record was removed, inserted or moved here",
            number,
        )
    return Link(hashed, record)


def parse_line(line: bytes, number: int) -> dict[str, Any]:
    """A line as JSON with the chain's three keys.

    Raises
    ------
    TamperedEvidence
        If it is anything else.
    """
    try:
        link = json.loads(line)
    except (ValueError, RecursionError):
        link = None
    if (
        not isinstance(link, dict)
        or set(link) != {"hash", "prev", "record"}
        or not isinstance(link["record"], dict)
        or not isinstance(link["prev"], str)
    ):
        raise TamperedEvidence(f"record {number} is not a line that this tool writes", number)
    return link
