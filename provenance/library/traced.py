"""Entries of panels and bands that know which draws they were learnt from.

A test that was told its own draws is no test: a panel with a member made from the very answers that
are tested always leans to it, and a band that holds the tested comparison always holds one as far
apart. So an entry keeps digests of its draws (`evidence.draws`), and a study that replays one of
them is refused (`sampling.replayed`). Entries made before this was kept, and those typed in from
tables, have none and cannot be checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from provenance.evidence.draws import KEPT
from provenance.transcript import Frozen

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
# Not written where there are none: the digest of an older file is over its older form.
_IF_THERE = ("draws", "recorded_root")


class Traced(Frozen):
    """``draws`` holds the smallest digests of the draws behind an entry."""

    draws: tuple[Digest, ...] = Field(default=(), max_length=2 * KEPT)

    @model_serializer(mode="wrap")
    def _without_nothing(self, handler: SerializerFunctionWrapHandler) -> Mapping[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if v or k not in _IF_THERE}
