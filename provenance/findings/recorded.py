"""What was recorded: draws, failures, usage, and the transcript that holds it all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from provenance.transcript import Frozen


class Coverage(Frozen):
    """Draws planned and obtained."""

    planned: int
    completed: int
    used: int
    reference: int
    suspect: int
    cells_planned: int
    cells_used: int
    blocks_excluded_for_lag: int = 0


class FailureCount(Frozen):
    """Final failures of one kind."""

    side: Literal["reference", "suspect"]
    kind: str
    family: str
    count: int
    example: str = ""


class UsageTotal(Frozen):
    """What the study cost: attempts, tokens as the servers counted them, dollars if priced."""

    requests: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    tokens: int | None = None
    usd: float | None = None
    by_side: dict[str, dict[str, float | int | None]] = Field(default_factory=dict)


class EvidenceRef(Frozen):
    """The transcript that this document can be recomputed from."""

    records: int
    root: str | None
    earlier_runs: int = 0
