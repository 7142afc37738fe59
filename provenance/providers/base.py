"""What a provider is, and where each one is found.

To add one: write a module with a class that satisfies `Provider`, add it to `_LOADERS` and its
name to `endpoint.PROVIDERS`; the contract suite in ``tests/providers`` runs over every entry.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from provenance.endpoint import Endpoint
from provenance.transcript import Exchange, Request


@runtime_checkable
class Provider(Protocol):
    """Something that can be asked.

    ``draw`` makes exactly one attempt and never raises for what an endpoint does: a failure is
    an outcome. It raises `ProviderError` only when the provider cannot be used at all, and lets
    cancellation through. It never retries, never caches an answer, never prints.

    Attributes
    ----------
    endpoint
        What was asked for.
    host
        The host that requests go to, for politeness limits and first contact; None when nothing
        leaves this machine (loopback included).
    concurrency
        How many requests it takes at a time, at most, unless the user says otherwise.
    ordered
        Whether the time of a draw means something (False for recordings without timestamps).
    """

    endpoint: Endpoint
    host: str | None
    concurrency: int
    ordered: bool

    async def open(self) -> None:
        """Load weights, connect, check that the extra is installed. Called once."""

    async def draw(self, request: Request) -> Exchange:
        """Make one attempt."""

    async def aclose(self) -> None:
        """Free what `open` took. Called once, also after a failure."""
