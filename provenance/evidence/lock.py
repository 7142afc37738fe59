"""One writer a store. The operating system holds the lock, so a killed process frees it."""

from __future__ import annotations

import os
from pathlib import Path

from provenance.errors import StoreLocked

_NAME = ".lock"
_OWNER = ".lock-owner"


class StoreLock:
    """Taken when made.

    Raises
    ------
    StoreLocked
        Naming the process that holds it.
    """

    def __init__(self, store: Path) -> None:
        from filelock import FileLock, Timeout

        self._owner = store / _OWNER
        self._lock = FileLock(store / _NAME, timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            try:
                owner = self._owner.read_text(encoding="utf-8")
            except OSError:
                owner = "unknown"
            raise StoreLocked(
                f"{store} is being written by another process (pid {owner}); wait for it, or give "
                "this run a --store of its own"
            ) from None
        self._owner.write_text(str(os.getpid()), encoding="utf-8")

    def release(self) -> None:
        """Give it back; the second time does nothing."""
        if self._lock.is_locked:
            self._owner.unlink(missing_ok=True)
            self._lock.release()
