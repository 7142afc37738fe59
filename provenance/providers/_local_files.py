"""Files of weights: their digest, and what the header of a GGUF file says, without loading it."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from provenance.errors import ProviderError

_MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING, _ARRAY = 8, 9
_LONGEST = 2**24  # bytes of one text; a chat template is thousands


def fingerprint(files: Sequence[Path]) -> tuple[str, str]:
    """SHA-256 of the weights, and its short form for ``system_fingerprint``.

    Of one file, what ``sha256sum FILE`` prints; of several, over the lines that it prints for
    them in the order of their names.
    """
    sums = []
    for file in sorted(files):
        stat = file.stat()
        sums.append((file.name, _file_digest(str(file), stat.st_mtime_ns, stat.st_size)))
    if len(sums) == 1:
        whole = sums[0][1]
    else:
        whole = hashlib.sha256("".join(f"{s}  {name}\n" for name, s in sums).encode()).hexdigest()
    return whole, f"sha256:{whole[:16]}"


_DIGESTS: dict[tuple[str, int, int], str] = {}


def _file_digest(path: str, modified: int, size: int) -> str:
    key = (path, modified, size)
    if key not in _DIGESTS:
        with open(path, "rb") as stream:
            _DIGESTS[key] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _DIGESTS[key]


def metadata(path: Path) -> dict[str, Any]:
    """The key-value pairs of a GGUF file; an array becomes its length.

    Raises
    ------
    ProviderError
        If it is missing or not a GGUF file.
    """
    try:
        with path.open("rb") as stream:
            if stream.read(4) != _MAGIC:
                raise ProviderError(f"{path} is not a GGUF file")
            version, _, pairs = struct.unpack("<IQQ", _exactly(stream, 20))
            if version not in (2, 3) or pairs > 10_000:
                raise ProviderError(f"{path}: GGUF version {version} is not read here")
            found: dict[str, Any] = {}
            for _ in range(pairs):
                key = _text(stream)
                (kind,) = struct.unpack("<I", _exactly(stream, 4))
                found[key] = _value(stream, kind)
            return found
    except OSError as error:
        raise ProviderError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, struct.error) as error:
        raise ProviderError(f"{path}: a damaged GGUF header: {error}") from None


def _value(stream: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(stream)
    if kind == _ARRAY:
        inner, length = struct.unpack("<IQ", _exactly(stream, 12))
        if inner == _STRING:
            for _ in range(length):
                stream.seek(_size(stream), 1)
        else:
            stream.seek(struct.calcsize("<" + _scalar(inner)) * length, 1)
        return length
    scalar = "<" + _scalar(kind)
    return struct.unpack(scalar, _exactly(stream, struct.calcsize(scalar)))[0]


def _scalar(kind: int) -> str:
    if kind not in _SCALARS:
        raise ValueError(f"unknown type {kind}")
    return _SCALARS[kind]


def _size(stream: BinaryIO) -> int:
    (size,) = struct.unpack("<Q", _exactly(stream, 8))
    if size > _LONGEST:
        raise ValueError(f"a text of {size} bytes")
    return int(size)


def _text(stream: BinaryIO) -> str:
    return _exactly(stream, _size(stream)).decode("utf-8", "replace")


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("the file ends early")
    return data
