"""Panels: answer tables of plausible substitutes, cell by cell.

A panel file is JSON: ``name``, ``measured_utc``, ``battery_digest`` (None where members come from
other wordings) and ``members``, each with ``name``, ``source``, ``licence``, ``note``,
``derivative`` and ``cells`` (cell id → category → count). A cell that was not measured for a
member is left out. A member made from a store also has ``draws``, digests of its draws, and
``recorded_root``, the root of that store as it was: a study that replays them is refused.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from provenance.library import shipped
from provenance.library.traced import Traced
from provenance.transcript import Frozen


class Member(Traced):
    """One substitute: where its answers come from, and how often it gave which.

    ``derivative`` marks other servings and damaged copies of another member. ``recorded_root`` says
    which evidence it was made from; what is compared are its ``draws``, which a store that has
    grown since still holds.
    """

    name: str
    source: str
    licence: str
    note: str = ""
    derivative: bool = False
    recorded_root: str | None = None
    cells: dict[str, dict[str, int]] = Field(min_length=1)


class Panel(Frozen):
    """Substitutes that were measured, or recorded, on the cells of a battery.

    ``planned`` holds what `sensitivity.detectable_shares` gives for common plans, by their key.
    """

    name: str
    measured_utc: str
    battery_digest: str | None = None
    members: tuple[Member, ...] = Field(min_length=1)
    planned: dict[str, dict[str, float | None]] = Field(default_factory=dict)

    @classmethod
    def shipped(cls) -> list[str]:
        """Names of the panels in the package."""
        return shipped.names("panels")

    @classmethod
    def load(cls, name_or_file: str | Path) -> Panel:
        """A shipped panel by name, or a file.

        Raises
        ------
        SettingsError
            If there is none, or it cannot be read.
        """
        return shipped.load(cls, "panels", name_or_file)
