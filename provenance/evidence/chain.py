"""The chain: each line of ``transcript.jsonl`` carries the digest of itself and of its past.

A line is the canonical JSON (RFC 8785) of ``{"hash": H, "prev": P, "record": R}``. P is the H of
the line before; for the first it is `chain_start`, a digest of plan, battery and copies, so that
records cannot be put under another plan. H is the SHA-256 of the line's own bytes without H, so no
JSON library is needed to check it and none can disagree about it. Line 1, for example::

    sed -n 1p transcript.jsonl | (printf '{'; cut -b 76-) | tr -d '\\n' | sha256sum
    sed -n 1p transcript.jsonl | jq -r .hash

The bytes of requests and responses are named by their digest: ``jq -r .record.response_sha256``
gives H, ``sha256sum blobs/${H:0:2}/$H`` gives it again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.canonical import canonical_json
from provenance.errors import TamperedEvidence

_FOUNDATION = re.compile(r"(plan|battery|copies/[^/]+)\.json")
_LINE = re.compile(
    rb'\{"hash":"([0-9a-f]{64})",("prev":"([0-9a-f]{64})","record":(\{.*\})\})\n?', re.DOTALL
)


def chain_start(files: Mapping[str, str]) -> str:
    """What the first record follows: SHA-256 over the foundation's names and digests.

    Parameters
    ----------
    files
        SHA-256 of files by name, as in the seal; only plan, battery and copies are taken.
    """
    foundation = {name: d for name, d in files.items() if _FOUNDATION.fullmatch(name)}
    return hashlib.sha256(canonical_json(foundation)).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """One line, as it states itself.

    Attributes
    ----------
    number
        Zero-based line.
    hash, prev
        As stated.
    computed
        What the hash of the line's content is.
    body
        The bytes of the record.
    """

    number: int
    hash: str
    prev: str
    computed: str
    body: bytes

    @property
    def intact(self) -> bool:
        """Whether the content is the one that the hash was made of."""
        return self.hash == self.computed

    def record(self) -> dict[str, Any]:
        """The record as JSON.

        Raises
        ------
        TamperedEvidence
            If it is none.
        """
        try:
            record = json.loads(self.body)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise TamperedEvidence(f"record {self.number} is not JSON", self.number)
        return record

    @property
    def name(self) -> str:
        """How messages call it."""
        try:
            return f"record {self.number} (slot {str(self.record().get('slot'))[:20]})"
        except TamperedEvidence:
            return f"record {self.number}"


def write_line(prev: str, record: dict[str, Any]) -> tuple[bytes, str]:
    """The line of a record, newline included, and its hash."""
    content = canonical_json({"prev": prev, "record": record})
    hashed = hashlib.sha256(content).hexdigest()
    # "hash" sorts before "prev" and "record", so this is the canonical JSON of all three.
    return b'{"hash":"' + hashed.encode() + b'",' + content[1:] + b"\n", hashed


def parse_line(line: bytes, number: int) -> Link | None:
    """What a line states; None if it is no line of ours."""
    parts = _LINE.fullmatch(line)
    if parts is None:
        return None
    stated, content, prev, body = parts.groups()
    computed = hashlib.sha256(b"{" + content).hexdigest()
    return Link(number, stated.decode(), prev.decode(), computed, body)


def read_line(line: bytes, prev: str, number: int) -> Link:
    """Check one line against the hash of the line before.

    Raises
    ------
    TamperedEvidence
        Naming the line if it is not what was written, or does not follow the line before.
    """
    link = parse_line(line, number)
    if link is None:
        raise TamperedEvidence(f"record {number} is not a line that this tool writes", number)
    if not link.intact:
        raise TamperedEvidence(
            f"{link.name} was edited: its hash is not that of its content", number
        )
    if link.prev != prev:
        raise TamperedEvidence(misplaced(link), number)
    return link


def misplaced(link: Link) -> str:
    """What to say of a record that does not follow what it stands after."""
    if link.number == 0:
        return (
            f"{link.name} does not follow the plan, the battery and the copies: one of these files "
            "was edited, or records were removed or moved here"
        )
    return (
        f"{link.name} does not follow the record before it: a record was removed, inserted or "
        "moved here"
    )
