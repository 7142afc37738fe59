"""One writer a store. The operating system holds the lock, so a killed process frees it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

from provenance.errors import EvidenceError, StoreLocked

_NAME = ".lock"
# Beside the lock: on Windows a locked file cannot be read.
_OWNER = ".lock-owner"


class StoreLock:
    """Taken when made.

    Raises
    ------
    StoreLocked
        Naming the process that holds it.
    EvidenceError
        If the folder cannot be written or its file system knows no locks.
    """

    def __init__(self, store: Path) -> None:
        from filelock import FileLock, Timeout

        self._owner = store / _OWNER
        self._lock = FileLock(store / _NAME, timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise StoreLocked(
                f"{store} is being written by another process ({_read(self._owner)}); wait for "
                "it, or give this run a --store of its own"
            ) from None
        except NotImplementedError:
            raise EvidenceError(
                f"the file system of {store} has no locks: choose a --store on a local disk"
            ) from None
        except OSError as error:
            raise EvidenceError(f"cannot write in {store}: {error.strerror or error}") from None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        owner = f"pid {os.getpid()} on {platform.node() or 'this host'}, since {since}"
        self._owner.write_text(owner, encoding="utf-8")

    def release(self) -> None:
        """Give it back; the second time does nothing."""
        if self._lock.is_locked:
            self._owner.unlink(missing_ok=True)
            self._lock.release()


def _read(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8", errors="replace")[:200] or "unknown"
    except OSError:
        return "unknown"
