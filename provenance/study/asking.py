"""What a live endpoint is asked where the caller leaves it open, and of which genre that is.

Models are held against a library within one genre only. The library that ships states its genres,
and `style` asks none of them, so nothing could be said of a suspect that was asked it. Libraries of
one's own are recorded with `style` as a rule.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provenance.attribution.known import level_for
from provenance.battery import Battery
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers.base import Provider
from provenance.settings import Settings
from provenance.study.libraries import Copies, copies_of, opened

__all__ = ["OWN", "SHIPPED", "choose", "default_battery", "genre_of", "require_genre"]

OWN = "style"
SHIPPED = "arithmetic"


def default_battery(library: str | Path | None) -> str:
    """What live endpoints are asked unless the caller says otherwise; None: the shipped library."""
    return SHIPPED if library is None else OWN


def genre_of(battery: str) -> str:
    """The genre that all probes of a battery are of; empty where there is none.

    Raises
    ------
    BatteryError
        If it cannot be read.
    """
    genres = {probe.genre for probe in Battery.load(battery).probes}
    return (genres.pop() or "") if len(genres) == 1 else ""


def choose(
    side: Endpoint | Provider,
    library: str | Path | None,
    settings: Settings,
    space: str | None,
    genre: str | None,
    *,
    closed: bool = False,
) -> tuple[Settings, Copies]:
    """The settings with what the caller left open, and what the store keeps of the library.

    A battery whose probes are all of one genre says so for a suspect that is asked it; what the
    caller states comes first, and then what the library knows of the prompts. The
    level is decided by the library.

    Raises
    ------
    UsageError
        Also if the battery that would be asked by default is of another genre than is stated.
    """
    endpoint = side if isinstance(side, Endpoint) else side.endpoint
    battery, changed = settings.battery, dict[str, Any]()
    if battery is None and endpoint.provider != "replay":
        battery = changed["battery"] = default_battery(library)
        require_genre(battery, genre)
    declared = genre_of(battery) if battery is not None else ""
    copies = copies_of(opened(library), space, genre, declared=declared, closed=closed)
    if "alpha" not in settings.model_fields_set:
        changed["alpha"] = level_for(copies.enrolled, copies.genre)
    return settings.model_copy(update=changed), copies


def require_genre(battery: str, genre: str | None) -> None:
    """Refuse to ask prompts of one genre by default and to hold them against another.

    Raises
    ------
    UsageError
        If the battery is of one genre, and another is stated.
    """
    declared = genre_of(battery)
    if genre and declared and genre != declared:
        raise UsageError(
            f"the battery {battery}, which is asked by default, is of the genre {declared}, and "
            f"--genre says {genre}: name a battery of that genre with --battery, or leave --genre "
            "out"
        )
