"""Arrays and what is said of them in one file: the same bytes for the same content, no pickles."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from provenance.errors import EvidenceError, UsageError

__all__ = ["bytes_of", "digest_of", "packed", "restored", "unpacked"]

T = TypeVar("T", bound="Read")

_HEAD = "about.json"
# What `unpacked`, and putting together what it gives, may raise on a file of something else.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError),
    *(KeyError, ValueError, TypeError, MemoryError),
)
LARGEST = 1 << 31  # bytes of all that a file holds


def packed(head: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A zip of ``head``, JSON, and the arrays, without dates."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _put(archive, _HEAD, head.encode("utf-8"))
        for name, values in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(values), allow_pickle=False)
            _put(archive, f"{name}.npy", buffer.getvalue())
    return out.getvalue()


def unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read back `packed`; raises one of `UNREADABLE`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"{size:,} bytes, more than {LARGEST:,}")
        head = json.loads(archive.read(_HEAD))
        arrays = {
            file.removesuffix(".npy"): np.lib.format.read_array(
                io.BytesIO(archive.read(file)), allow_pickle=False
            )
            for file in archive.namelist()
            if file.endswith(".npy")
        }
    return head, arrays


class Read(Protocol):
    """What was put together from a file."""

    @property
    def signatures(self) -> str:
        """Names, versions and view of the signatures that it reads."""


def bytes_of(path: Path, what: str) -> bytes:
    """The content of a file; ``what`` names it in errors.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}") from None


def restored(
    content: bytes,
    assemble: Callable[[dict[str, Any], dict[str, NDArray[Any]]], T],
    *,
    what: str,
    name: str,
) -> T:
    """Put together what `packed` took apart.

    Raises
    ------
    UsageError
        If it was made by signatures of another version.
    EvidenceError
        If it is something else than ``what``.
    """
    try:
        head, arrays = unpacked(content)
        found = assemble(head, arrays)
    except UNREADABLE as error:
        raise EvidenceError(f"{name} holds no {what}: {error}") from None
    if head["signatures"] != found.signatures:
        raise UsageError(
            f"{name} was made by other versions of the signatures ({head['signatures']}) than "
            f"these ({found.signatures}): make it anew with `provenance library calibrate`"
        )
    return found


def digest_of(head: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over the head and every number."""
    made = hashlib.sha256(head.encode("utf-8"))
    for name, values in sorted(arrays.items()):
        made.update(f"{name}:{values.dtype.str}:{values.shape}".encode("ascii"))
        made.update(np.ascontiguousarray(values).tobytes())
    return made.hexdigest()


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)
