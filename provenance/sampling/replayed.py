"""Refusing what was learnt from the very draws that a study replays.

Labels can be permuted only where the statistic does not know them, and a distance has a rank only
among others. A panel, a band or an anchor that holds the tested draws breaks that, whoever put it
there. What is compared are digests of draws: a store that grew since, or was replayed into another,
is recognised. What is not: entries without digests, answers that were exported to a file and read
back, and draws that agree because two simulations shared their seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn

from provenance.errors import ReferenceStale
from provenance.library.band import Band
from provenance.library.panel import Panel
from provenance.providers.base import Provider
from provenance.providers.replay import ReplayProvider
from provenance.transcript import Role

Providers = Mapping[Role, Provider]


def check_panel(panel: Panel, providers: Providers) -> None:
    """Refuse a panel with a member that was made from draws of a side.

    Raises
    ------
    ReferenceStale
        Naming the member, the side and what to do.
    """
    traced = [(f"its member {m.name!r}", m.draws, None) for m in panel.members if m.draws]
    found = _shared(traced, providers)
    if found is not None:
        _refuse(
            f"the panel {panel.name!r}",
            *found,
            "record that model again (`provenance sample`) and add the new recording, or name "
            "another panel",
        )


def check_band(band: Band, providers: Providers) -> None:
    """Refuse a band with a pair that was measured on draws of a side.

    Pairs of earlier versions are recognised by the root of their store, if it has not grown.

    Raises
    ------
    ReferenceStale
        Naming the pair, the side and what to do.
    """
    pairs = [(f"its pair of {p.weights!r} ({p.kind})", p.draws, p.root) for p in band.pairs]
    found = _shared(pairs, providers)
    if found is not None:
        _refuse(
            f"the band {band.name!r}",
            *found,
            "compare those two hosts again and add the new comparison, or name a band without "
            "that pair",
        )


def same_draws(one: Provider, other: Provider) -> bool:
    """Whether both replay a draw that is the same."""
    if not isinstance(one, ReplayProvider) or not isinstance(other, ReplayProvider):
        return False
    return not one.digests().isdisjoint(other.digests())


def _shared(
    entries: Iterable[tuple[str, tuple[str, ...], str | None]], providers: Providers
) -> tuple[str, Role, str] | None:
    """(what was learnt, from which side, what that replays) of the first that shares a draw."""
    replays = {role: p for role, p in providers.items() if isinstance(p, ReplayProvider)}
    digests = {role: replay.digests() for role, replay in replays.items()}
    for what, draws, root in entries:
        for role, replay in replays.items():
            if draws:
                known = not digests[role].isdisjoint(draws)
            else:
                known = root is not None and root == replay.root
            if known:
                return what, role, replay.endpoint.model
    return None


def _refuse(whose: str, what: str, role: Role, replayed: str, remedy: str) -> NoReturn:
    raise ReferenceStale(
        f"{whose} was learnt from draws that this study tests: {what} was made from the recording "
        f"that the {role} replays ({replayed}), so the test would know its answer. To go on, "
        f"{remedy}"
    )
