"""Stores inside a study's store: anchors, and the endpoints beside a suspect.

The study notes their folders by name. A bundle from somebody else may name any path there, so a
name is followed only if it is one that this tool gives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance.errors import TamperedEvidence
from provenance.evidence.store import Store

OTHERS = "others"
_NAME = re.compile(r"[0-9]{1,6}-[a-z_]{1,30}")


@dataclass(frozen=True, slots=True)
class Other:
    """One store that a study notes: where it lies, whose records it holds, its root then."""

    path: Path
    role: Any
    root: str


def noted_others(store: Store) -> list[Other]:
    """The stores that a study's own notes, in their order; they may be missing.

    Raises
    ------
    TamperedEvidence
        If a name is none that this tool gives to a folder.
    """
    found = []
    for event in store.notes():
        if event["kind"] != "other":
            continue
        values = event["values"]
        name = values.get("folder") if isinstance(values, dict) else None
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise TamperedEvidence(
                f"{store.path} notes another store in {str(name)[:80]!r}: expected the name of a "
                f"folder in {OTHERS}/, such as 0-anchor. Do not use this evidence"
            )
        found.append(Other(store.path / OTHERS / name, values.get("role"), str(values.get("root"))))
    return found
