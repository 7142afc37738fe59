"""What a study concludes: the label, the null hypothesis that it speaks of, the reasons."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from provenance.transcript import Frozen

Label = Literal[
    "consistent",
    "different",
    "inconclusive",
    "supported",
    "not_supported",
    "known",
    "none_of_these",
]


class Reason(Frozen):
    """Why the verdict is what it is: a code for programs, a sentence for people."""

    code: str
    text: str
    values: dict[str, Any] = Field(default_factory=dict)


class Verdict(Frozen):
    """The label, the null hypothesis that it speaks of, and why."""

    label: Label
    null: str
    delta: float | None = None
    panel: str | None = None
    not_excluded: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
