"""``library.json``: what makes a folder a library."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from provenance.battery import explain
from provenance.canonical import canonical_json, clean_text
from provenance.errors import EvidenceError, UsageError
from provenance.evidence.files import write_atomically
from provenance.transcript import Frozen

MANIFEST = "library.json"


class Manifest(Frozen):
    """``library.json``. Format 1: the first."""

    format: Literal[1] = 1
    name: str
    created_utc: str


def is_library(path: Path) -> bool:
    """Whether a folder is a library."""
    try:
        return (path / MANIFEST).is_file()
    except (OSError, ValueError):  # a string that can be no path
        return False


def create(path: Path, name: str) -> Manifest:
    """Make an empty folder a library.

    Raises
    ------
    EvidenceError
        If it is one, or holds something else, or cannot be written.
    """
    if is_library(path):
        raise EvidenceError(f"{path} is a library already")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise EvidenceError(f"{path} holds something else: choose an empty or a new folder")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    called = clean_text(name or path.resolve().name or "library")
    manifest = Manifest(name=called, created_utc=now)
    write_atomically(path / MANIFEST, canonical_json(manifest.model_dump(mode="json")))
    return manifest


def read(path: Path) -> Manifest:
    """The manifest of a library.

    Raises
    ------
    UsageError
        If there is none, or it has a format that this version does not know.
    """
    try:
        return Manifest.model_validate(json.loads((path / MANIFEST).read_bytes()))
    except OSError:
        raise UsageError(
            f"no library at {path}: make one with `provenance library add NAME SOURCE "
            f"--library {path}`"
        ) from None
    except ValidationError as error:
        raise UsageError(
            f"{path / MANIFEST}: {explain(error)}; it may be of a later version"
        ) from None
    except ValueError:
        raise UsageError(f"{path / MANIFEST} is not JSON") from None
