"""Files of lines that are only appended to, and what a crash does to their last line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenance.canonical import canonical_json
from provenance.errors import EvidenceError, TamperedEvidence
from provenance.evidence.files import EVENTS, TORN, TRANSCRIPT

_BLOCK = 1 << 16


def add(path: Path, event: Mapping[str, Any]) -> None:
    """Append one event and force it to the disk: events are few.

    Raises
    ------
    EvidenceError
        If the disk does not take it.
    """
    line = canonical_json(event) + b"\n"
    try:
        with path.open("ab", buffering=0) as file:
            size = file.tell()
            if file.write(line) != len(line):
                file.truncate(size)
                raise EvidenceError(f"cannot write {path}: the disk took a part; is it full?")
            os.fsync(file.fileno())
    except OSError as error:
        raise EvidenceError(f"cannot write {path}: {error.strerror or error}") from None


def read(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a file of events.

    Raises
    ------
    TamperedEvidence
        If one is no event.
    """
    if not path.is_file():
        return []
    events = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict) or not {"kind", "values"} <= set(event):
            raise TamperedEvidence(f"line {number + 1} of {path.name} is not what this tool writes")
        events.append(event)
    return events


def repair(store: Path) -> tuple[str, ...]:
    """Cut off torn last lines, keeping their bytes; says what was done.

    Raises
    ------
    EvidenceError
        If the disk does not take it.
    """
    repairs = []
    for name, consequence in ((TRANSCRIPT, ", its request is sent again"), (EVENTS, "")):
        try:
            torn = _cut(store / name, store / TORN)
        except OSError as error:
            raise EvidenceError(
                f"cannot repair {store / name}: {error.strerror or error}"
            ) from None
        if torn:
            repairs.append(
                f"the last line of {name} was torn ({torn} bytes): moved to {TORN}{consequence}"
            )
    return tuple(repairs)


def _cut(path: Path, kept: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        whole, tail = end, b""
        while whole > 0 and b"\n" not in tail:
            start = max(0, whole - _BLOCK)
            file.seek(start)
            tail = file.read(whole - start) + tail
            whole = start
        torn = tail[tail.rfind(b"\n") + 1 :]
        if torn:
            # First kept, then cut: a crash between the two keeps it twice, not never.
            with kept.open("ab") as copy:
                copy.write(torn + b"\n")
                copy.flush()
                os.fsync(copy.fileno())
            file.truncate(end - len(torn))
    return len(torn)
