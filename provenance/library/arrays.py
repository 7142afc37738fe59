"""Arrays and what is said of them in one file: the same bytes for the same content, no pickles."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNREADABLE", "digest_of", "packed", "unpacked"]

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
