"""The names in a store, and how its whole files are written and read."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from provenance.canonical import canonical_json
from provenance.errors import EvidenceError, TamperedEvidence

PLAN = "plan.json"
BATTERY = "battery.json"
COPIES = "copies"
TRANSCRIPT = "transcript.jsonl"
EVENTS = "events.jsonl"
BLOBS = "blobs"
STUDY = "study.json"
SEAL = "seal.json"
TORN = "torn.bin"

_COPY = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")  # no file of Windows may be called so


def is_store(path: Path) -> bool:
    """Whether a folder holds a study's evidence."""
    try:
        return (path / PLAN).is_file() and (path / BATTERY).is_file()
    except (OSError, ValueError):  # a string that can be no path
        return False


def write_foundation(
    store: Path, plan: Mapping[str, Any], battery: Mapping[str, Any], copies: Mapping[str, Any]
) -> None:
    """Write what is fixed before the first request; ``plan.json`` last, it makes the store one.

    Raises
    ------
    EvidenceError
        If the folder holds something that would be taken for part of this study.
    """
    for name in copies:
        if not _COPY.fullmatch(name) or _DEVICES.fullmatch(name):
            raise EvidenceError(f"a copy cannot be called {name!r}: use a-z, 0-9, _ and -")
    strange = [name for name in (TRANSCRIPT, EVENTS, STUDY, SEAL) if (store / name).exists()]
    strange += [name for name in _copies(store) if Path(name).stem not in copies]
    if strange:
        raise EvidenceError(
            f"{store} holds {', '.join(strange)} and no complete plan: remove what is in it, or "
            "choose another folder"
        )
    for name, content in copies.items():
        write_atomically(store / COPIES / f"{name}.json", canonical_json(content))
    write_atomically(store / BATTERY, canonical_json(battery))
    write_atomically(store / PLAN, canonical_json(plan))


def sealed_files(store: Path) -> list[str]:
    """Names of the files that the seal covers by digest."""
    names = [PLAN, BATTERY, EVENTS, STUDY, TORN, *_copies(store)]
    return [name for name in names if (store / name).is_file()]


def digests(store: Path) -> dict[str, str]:
    """SHA-256 of each file that the seal covers."""
    return {name: file_digest(store / name) for name in sealed_files(store)}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file whole or not at all; ``durable`` forces it to the disk before it is named.

    Raises
    ------
    EvidenceError
        If the disk does not take it.
    """
    with written_whole(path, durable=durable) as file:
        file.write(content)


@contextmanager
def written_whole(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file that takes the name of ``path`` when it was written without an error.

    Raises
    ------
    EvidenceError
        If the disk does not take it.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
            if durable:
                _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EvidenceError(f"cannot write {path}: {error.strerror or error}") from None


def _sync_folder(path: Path) -> None:
    """Force a new name to the disk too, where folders can be opened at all."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_json(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises
    ------
    TamperedEvidence
        If it holds anything else.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise TamperedEvidence(f"{path.name} is not the JSON that this tool writes")
    return content


def _copies(store: Path) -> list[str]:
    return [f"{COPIES}/{file.name}" for file in sorted((store / COPIES).glob("*.json"))]
