"""Raw bytes by their SHA-256: ``blobs/ab/abcd…``. The same bytes are kept once."""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from provenance.errors import TamperedEvidence
from provenance.evidence.files import BLOBS, write_atomically

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Many small files are forced to the disk at once: journals commit them together, so sixteen
# at a time take a tenth of the time that one after another takes.
_SYNC_THREADS = 16


class Blobs:
    """The bytes of one store."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: set[str] = set()
        self._pending: list[Path] = []

    def keep(self, content: bytes) -> str:
        """Write bytes unless they are there, whole; returns their name."""
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self._known:
            path = blob_path(self._store, sha256)
            if not _holds(path, content):
                write_atomically(path, content, durable=False)
                self._pending.append(path)
            self._known.add(sha256)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Bytes by name, checked.

        Raises
        ------
        TamperedEvidence
            If they are missing or not what the name says.
        """
        try:
            content = blob_path(self._store, sha256).read_bytes()
        except OSError:
            raise TamperedEvidence(f"the bytes {sha256} are missing") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise TamperedEvidence(f"the bytes {sha256} were changed")
        return content

    def sync(self) -> None:
        """Force what was kept since the last call to the disk."""
        if not self._pending:
            return
        with ThreadPoolExecutor(min(_SYNC_THREADS, len(self._pending))) as threads:
            for _ in threads.map(_force, self._pending):
                pass
        self._pending.clear()

    def sweep(self) -> None:
        """Remove what a killed writer left half-written under temporary names."""
        for path in (self._store / BLOBS).glob("??/*.part"):
            path.unlink(missing_ok=True)


def blob_path(store: Path, sha256: str) -> Path:
    """Where bytes lie.

    Raises
    ------
    TamperedEvidence
        If the name is no digest; nothing else is ever turned into a path.
    """
    if not _SHA256.fullmatch(sha256):
        raise TamperedEvidence(f"{sha256[:80]!r} is not a SHA-256 digest")
    return store / BLOBS / sha256[:2] / sha256


def _holds(path: Path, content: bytes) -> bool:
    # After a power cut a file can be there by name and not by content.
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _force(path: Path) -> None:
    with path.open("r+b") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())
