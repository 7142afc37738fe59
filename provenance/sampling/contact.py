"""First contact: which hosts were agreed to before, and what to ask about a new one.

Only data: the command line asks, the library never does. A host is remembered as a line
``HOST<TAB>DAY`` of ``known-hosts`` in the user's state folder; deleting the line makes the next
study ask again.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provenance.sampling.prepare import Estimate, HostEstimate

STATE_VARIABLE = "PROVENANCE_STATE_DIR"
_NAME = "llm-provenance"
_FILE = "known-hosts"


@dataclass(frozen=True, slots=True)
class FirstContact:
    """What to ask before anything is sent: the new hosts, and the cost of the whole plan."""

    hosts: tuple[HostEstimate, ...]
    estimate: Estimate


def first_contact(
    hosts: Iterable[HostEstimate], estimate: Estimate, folder: Path | None
) -> FirstContact | None:
    """The question about hosts that are not known yet, None if there is nothing to ask.

    ``hosts`` holds only hosts outside this machine: loopback, recordings and simulated models
    have none.
    """
    known = known_hosts(folder)
    new = tuple(h for h in hosts if _normal(h.host) not in known)
    return FirstContact(new, estimate) if new else None


def state_folder(
    environment: Mapping[str, str],
    *,
    platform: str = sys.platform,
    home: Path | None = None,
) -> Path | None:
    """Where this user's state lies; None if the system knows no home for this user.

    ``PROVENANCE_STATE_DIR``, else what the system has for it: ``%LOCALAPPDATA%``,
    ``~/Library/Application Support``, ``$XDG_STATE_HOME`` or ``~/.local/state``.
    """
    named = environment.get(STATE_VARIABLE)
    if named:
        return Path(named)
    if platform == "win32" and environment.get("LOCALAPPDATA"):
        return Path(environment["LOCALAPPDATA"]) / _NAME
    xdg = environment.get("XDG_STATE_HOME", "")
    # The specification: a relative path is to be ignored.
    if platform not in ("win32", "darwin") and Path(xdg).is_absolute():
        return Path(xdg) / _NAME
    if home is None:
        try:
            home = Path.home()
        except RuntimeError:  # a container's user without an entry in passwd
            return None
    base = {"win32": "AppData/Local", "darwin": "Library/Application Support"}
    return home / base.get(platform, ".local/state") / _NAME


def known_hosts(folder: Path | None) -> frozenset[str]:
    """Hosts that were agreed to. A file that cannot be read knows none: then it is asked again."""
    if folder is None:
        return frozenset()
    try:
        text = (folder / _FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(_normal(line.split("\t")[0]) for line in text.splitlines() if line.strip())


def remember(hosts: Iterable[str], folder: Path | None) -> str | None:
    """Add hosts to the known ones; returns why that was not possible, or None."""
    if folder is None:
        return f"this user has no home folder: set {STATE_VARIABLE}"
    day = datetime.now(UTC).date().isoformat()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _FILE).open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(f"{_normal(host)}\t{day}\n" for host in hosts))
    except OSError as error:
        return f"{folder / _FILE}: {error.strerror}"
    return None


def _normal(host: str) -> str:
    return host.strip().lower().rstrip(".")
