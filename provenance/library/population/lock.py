"""One writer a library; others wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provenance.errors import EvidenceError, StoreLocked

_WAIT_S = 30


@contextmanager
def locked(library: Path) -> Iterator[None]:
    """Hold the lock of a library; a killed process frees it.

    Raises
    ------
    StoreLocked
        If another process holds it for too long.
    EvidenceError
        If the folder cannot be written, or its file system knows no locks.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(library / ".lock", timeout=_WAIT_S)
    try:
        lock.acquire()
    except Timeout:
        raise StoreLocked(
            f"{library} has been written by another process for {_WAIT_S} s; wait for it"
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvidenceError(f"cannot write in {library}: {reason}") from None
    try:
        yield
    finally:
        lock.release()
