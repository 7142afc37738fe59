"""The seal: a Merkle root over the records (RFC 6962 §2.1), and digests of the other files.

``seal.json`` also lists the hash of every record, so that even a chain that was rewritten from
some point on can be compared record by record. It is not signed (``"signature": null``): it
protects against changes only for those who know the root by another way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from provenance.errors import TamperedEvidence
from provenance.evidence.files import SEAL, read_json
from provenance.transcript import Frozen

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Seal(Frozen):
    """Content of ``seal.json``.

    Attributes
    ----------
    records
        How many there are.
    root
        `merkle_root` of ``hashes``.
    head
        The last of ``hashes``; empty if there is none.
    hashes
        Of the records, in order.
    files
        SHA-256 of the bytes of plan, battery, copies, events and study document. That of
        ``plan.json`` is the plan's digest: the file is canonical JSON.
    signature
        None: nobody signed this.
    """

    format: int = 1
    records: int
    root: str
    head: str
    hashes: tuple[str, ...]
    files: dict[str, str]
    signature: None = None


def read_seal(store: Path) -> Seal | None:
    """The seal of a store, consistent with itself; None if there is none.

    Raises
    ------
    TamperedEvidence
        If it is not what was written.
    """
    if not (store / SEAL).is_file():
        return None
    try:
        seal = Seal.model_validate(read_json(store / SEAL))
    except (ValueError, TamperedEvidence):
        raise TamperedEvidence(
            f"{SEAL} was edited: it is not a seal that this tool writes"
        ) from None
    if not all(map(_SHA256.fullmatch, seal.hashes)) or merkle_root(seal.hashes) != seal.root:
        raise TamperedEvidence(f"{SEAL} was edited: its root is not that of the hashes in it")
    if seal.records != len(seal.hashes) or seal.head != head_of(seal.hashes):
        raise TamperedEvidence(f"{SEAL} was edited: its number or head is not that of its hashes")
    return seal


def head_of(hashes: Sequence[str]) -> str:
    """The hash of the last record."""
    return hashes[-1] if hashes else ""


def merkle_root(hashes: Sequence[str]) -> str:
    """Root over record hashes (hexadecimal), each leaf being the 32 bytes of one hash."""
    if not hashes:
        return hashlib.sha256(b"").hexdigest()
    level = [hashlib.sha256(b"\x00" + bytes.fromhex(h)).digest() for h in hashes]
    # Joining neighbours and carrying an odd one up gives the same tree as splitting at the
    # largest power of two, as the RFC writes it.
    while len(level) > 1:
        level = [
            hashlib.sha256(b"\x01" + level[i] + level[i + 1]).digest()
            if i + 1 < len(level)
            else level[i]
            for i in range(0, len(level), 2)
        ]
    return level[0].hex()
