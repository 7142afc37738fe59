"""Which cases a calibration covers, and how its ratios did on genres that it had not seen."""

from __future__ import annotations

from typing import Literal

from provenance.transcript import Frozen

__all__ = ["WORTHLESS", "Across", "Case", "Scope"]

WORTHLESS = 0.9  # bits of Cllr above which no ratio is given


class Case(Frozen):
    """What a ratio is asked for."""

    kind: Literal["free_text", "matched"] = "free_text"
    space: str = ""
    battery: str = ""
    genre: str = ""
    language: str = ""
    outputs: int
    characters: float = 0.0
    unlike_formats: bool = False


class Scope(Frozen):
    """Which cases a calibration covers.

    ``kind`` matched: one battery, by its digest. Free text: one space, the genres and languages of
    the texts it was measured on, numbers of outputs from the smallest grade on, and mean lengths
    within ``characters``. An empty tuple means any. ``alike_only``: pairs whose formats are unlike
    took no part.
    """

    kind: Literal["free_text", "matched"] = "free_text"
    space: str = ""
    battery: str = ""
    genres: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    characters: tuple[float, float] | None = None
    alike_only: bool = False

    def covers(self, case: Case) -> str | None:
        """None if it does, else why not, as a sentence."""
        if case.kind != self.kind:
            return f"The calibration is for {_KINDS[self.kind]}, not for {_KINDS[case.kind]}."
        if self.kind == "matched" and case.battery != self.battery:
            return (
                f"The calibration was measured on another battery ({self.battery[:12]}…) than "
                f"this one ({case.battery[:12]}…)."
            )
        if case.space != self.space:
            return "The calibration was measured in another space."
        if self.alike_only and case.unlike_formats:
            return "format_mismatch"
        if self.genres and case.genre not in self.genres:
            found = case.genre or "not stated"
            return (
                f"The calibration covers the genres {', '.join(self.genres)}; this one is {found}."
            )
        if self.languages and case.language not in self.languages:
            found = case.language or "unknown"
            return f"The calibration covers {', '.join(self.languages)}; this text is {found}."
        if self.characters is not None:
            low, high = self.characters
            if not low <= case.characters <= high:
                return (
                    f"The calibration covers outputs of {low:,.0f} to {high:,.0f} characters on "
                    f"average; these have {case.characters:,.0f}."
                )
        return None


class Across(Frozen):
    """What ratios are worth on a genre that neither the space nor the ratios saw.

    Spaces and lines were fitted on the other genres, without the units of the pairs that are
    weighed. ``misleading_above_1`` and ``misleading_above_10``: shares of pairs of different units.
    """

    left_out: str
    outputs: int
    units: int
    pairs_same: int
    pairs_different: int
    cllr: float
    cllr_min: float
    misleading_above_1: float
    misleading_above_10: float

    @property
    def holds(self) -> bool:
        """Whether the ratios say something there, and mislead no more than their size allows."""
        return self.cllr <= WORTHLESS and self.misleading_above_10 <= 0.1


_KINDS = {"free_text": "free text", "matched": "answers to one battery"}
