"""The seal: a Merkle root over the records (RFC 6962 §2.1), and digests of the other files.

``seal.json`` also lists the hash of every record, so that even a chain that was rewritten from
some point on can be compared record by record. It is not signed: it protects against changes only
for those who know the root by another way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from provenance.transcript import Frozen


class Seal(Frozen):
    """Content of ``seal.json``."""

    format: int = 1
    records: int
    root: str
    hashes: tuple[str, ...]
    files: dict[str, str]
    signature: None = None


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
