"""The transcript while it is written: whole lines only, forced to the disk now and then."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

from provenance.errors import EvidenceError
from provenance.evidence.blobs import Blobs
from provenance.evidence.files import TRANSCRIPT

_SYNC_EVERY_S = 2.0
_SYNC_EVERY_RECORDS = 64


class Appending:
    """The transcript of one store, open to be appended to.

    Raises
    ------
    EvidenceError
        If it cannot be opened.
    """

    def __init__(self, store: Path, blobs: Blobs) -> None:
        self._store = store
        self._path = store / TRANSCRIPT
        self._blobs = blobs
        try:
            self._file: BinaryIO | None = self._path.open("ab", buffering=0)
        except OSError as error:
            raise EvidenceError(f"cannot write {self._path}: {error.strerror or error}") from None
        self._size = self._path.stat().st_size
        self._synced = time.monotonic()
        self._unsynced = 0

    @property
    def open(self) -> bool:
        """Whether lines can be written: not once it was closed, or a line was not written whole."""
        return self._file is not None

    def write(self, line: bytes) -> None:
        """Hand a line to the operating system, whole or not at all.

        Raises
        ------
        EvidenceError
            If the disk does not take it; nothing more is written then.
        """
        assert self._file is not None
        try:
            written = self._file.write(line)
        except OSError as error:
            self._abandon(error.strerror or str(error))
        if written != len(line):
            self._abandon("the disk took a part of the line; is it full?")
        self._size += len(line)
        self._unsynced += 1

    def sync_if_due(self) -> None:
        """Force lines to the disk if there are many, or it was long ago.

        Raises
        ------
        EvidenceError
            If the disk does not take them.
        """
        if self._unsynced >= _SYNC_EVERY_RECORDS or time.monotonic() - self._synced > _SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Force bytes and lines to the disk; nothing if it is closed.

        Raises
        ------
        EvidenceError
            If the disk does not take them.
        """
        if self._file is not None:
            self._force(self._file)

    def close(self) -> None:
        """Force what was written to the disk and close the file, whether or not that succeeds.

        Raises
        ------
        EvidenceError
            If the disk does not take it.
        """
        file, self._file = self._file, None
        if file is not None:
            with file:
                self._force(file)

    def _force(self, file: BinaryIO) -> None:
        try:
            self._blobs.sync()
            os.fsync(file.fileno())
        except OSError as error:
            raise EvidenceError(
                f"cannot write in {self._store}: {error.strerror or error}"
            ) from None
        self._synced, self._unsynced = time.monotonic(), 0

    def _abandon(self, reason: str) -> NoReturn:
        """Take half a line back and write no more: the next record would not follow on it."""
        file, self._file = self._file, None
        assert file is not None
        # If even this fails, the next `open` finds a torn line and cuts it off.
        with file, suppress(OSError):
            file.truncate(self._size)
        raise EvidenceError(
            f"cannot write {self._path}: {reason}. All earlier records are kept; the "
            "same command resumes"
        )
