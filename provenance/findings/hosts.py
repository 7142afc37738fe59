"""What is held beside the two sides: further endpoints, anchors, pairs of hosts known benign."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from provenance.findings.asked import Side
from provenance.transcript import Frozen


class Other(Frozen):
    """A further endpoint of a study: a control, a sibling, the suspect before or after."""

    role: Literal["control", "sibling", "before", "after"]
    side: Side
    outputs: int
    root: str | None = None


class AnchorPair(Frozen):
    """A model that both hosts are trusted to serve alike, asked on either.

    ``distance`` is on the scale of the finding "anchors", at equal numbers of draws on the same
    cells as the suspect's. ``why_not``: why it was left out.
    """

    reference: Side
    suspect: Side
    distance: float | None = None
    n_reference: int
    n_suspect: int
    used: bool
    why_not: str | None = None
    root: str | None = None


class BandGroup(Frozen):
    """Benign pairs of one set of weights: how many, and the largest of their distances."""

    weights: str
    pairs: int
    distance: float


class BenignBand(Frozen):
    """Pairs of hosts known to serve the same weights, and which of them could be used.

    ``allowed`` kinds of difference count as benign. ``left_out`` maps a reason to how many pairs.
    ``decidable``: there are ``needed`` groups or more, else nothing can be rejected.
    """

    name: str
    digest: str
    allowed: tuple[str, ...]
    groups: tuple[BandGroup, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    needed: int
    decidable: bool
