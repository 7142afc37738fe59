"""The views that a space may see texts in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from provenance.signatures import CanonicalView

__all__ = ["VIEWS"]

_STARS = re.compile(r"^[ \t]*[*+] +(?=\S)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Dashed(CanonicalView):
    """The canonical view, in which a bullet remains one whatever its sign.

    `CanonicalView` takes "* " off with the other marks of Markdown and leaves "- ", so that a
    suspect whose stars became dashes had bullets where the model itself had none: 9% of answers.
    """

    def __str__(self) -> str:
        """Names it apart from the view beneath."""
        return f"{CanonicalView.__str__(self)}+dashed"

    def opened(self, text: str) -> str:
        """As the view beneath, with dashes for stars, those in JSON too."""
        return _STARS.sub("- ", CanonicalView.opened(self, text))


# "raw" sees format and loses a suspect that re-formats; "canonical" sees what survives that.
VIEWS: dict[str, CanonicalView | None] = {"raw": None, "canonical": Dashed()}
