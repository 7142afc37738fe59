"""Who was asked what, and by whom."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from provenance.transcript import Frozen


class Side(Frozen):
    """One endpoint as it was asked for and as it answered.

    ``requested`` is the endpoint string; ``served`` the model names that answers carried, with
    counts; ``fingerprints`` likewise; ``options`` the endpoint's options (never a key);
    ``capabilities`` what was found supported, ignored or refused.
    """

    requested: str
    label: str
    served: dict[str, int] = Field(default_factory=dict)
    fingerprints: dict[str, int] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    capabilities: dict[str, Any] = Field(default_factory=dict)
    first_utc: str | None = None
    last_utc: str | None = None


class Declaration(Frozen):
    """Who asked, why, and with whose authority, as stated by the user; None: not stated."""

    asked_by: str | None = None
    purpose: str | None = None
    authorised_by: str | None = None


class BatteryRef(Frozen):
    """Which questions were asked."""

    name: str
    digest: str
    cells: int
