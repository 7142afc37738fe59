"""What the caller names, as endpoints, settings and gates."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from provenance import settings as settings_module
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.evidence.store import Store, is_store
from provenance.providers.base import Provider
from provenance.sampling.prepare import Prepared
from provenance.sampling.runner import Gate
from provenance.settings import Settings
from provenance.transcript import Role

Side = str | Endpoint | Provider | Path | Store


def settings_of(
    settings: Settings | None, options: Mapping[str, Any]
) -> tuple[Settings, Path | None]:
    """The settings that options make, and the config file that names endpoints."""
    options = dict(options)
    config = Path(options.pop("config")) if options.get("config") else None
    if settings is None:
        settings = settings_module.load(options, environment=os.environ, config=config)
    elif options:
        raise UsageError(f"give settings or options, not both: {', '.join(sorted(options))}")
    return settings, config


def side_of(side: Side, config: Path | None) -> Endpoint | Provider:
    """The endpoint that a caller means: a string, a store, a folder, or a provider as it is."""
    if isinstance(side, Store):
        return Endpoint("replay", str(side.path))
    if isinstance(side, Path) or (isinstance(side, str) and is_store(Path(side))):
        return Endpoint("replay", str(side))
    if isinstance(side, str):
        return settings_module.find_endpoint(side, config)
    return side


def gates_of(prepared: Prepared) -> dict[Role, Gate]:
    """One gate a host, so that two sides at one host share its places and the lower pace."""
    return shared_gates([prepared])[0]


def shared_gates(parts: Sequence[Prepared]) -> list[dict[Role, Gate]]:
    """`gates_of` for parts that are asked at the same time: a host is one for all of them."""
    hosts: dict[str, list[tuple[int, Role, Provider]]] = {}
    for number, part in enumerate(parts):
        for role, provider in part.providers.items():
            # Whatever the port and the spelling, it is one machine that has to answer.
            name = urlsplit(f"//{provider.host}").hostname if provider.host else None
            hosts.setdefault(name or f"{number}/{role}", []).append((number, role, provider))
    chosen: list[dict[Role, Gate]] = [{} for _ in parts]
    settings = parts[0].settings
    for sides in hosts.values():
        places = settings.concurrency or min(p.concurrency for _, _, p in sides)
        rpms = [settings.rpm or p.endpoint.option("rpm") for _, _, p in sides]
        gate = Gate(places, min((rpm for rpm in rpms if rpm), default=None))
        for number, role, _ in sides:
            chosen[number][role] = gate
    return chosen


def distinct(providers: Iterable[Provider]) -> list[Provider]:
    """Each provider once, although both sides may share it."""
    return list({id(p): p for p in providers}.values())
