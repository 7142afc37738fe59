"""Anchors of a comparison: planned with it (`beside` records them), read back from its evidence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from provenance.attribution.anchors import AnchorRecords
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.errors import EvidenceError, ReferenceStale, UsageError
from provenance.evidence.others import noted_others
from provenance.evidence.store import Store, is_store
from provenance.providers.base import Provider
from provenance.sampling.prepare import Estimate, HostEstimate, Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.questions import RECORDED
from provenance.sampling.replayed import same_draws
from provenance.settings import Settings
from provenance.transcript import ROLES, Role, Transcript

COPY = "anchors"

N = TypeVar("N", int, float)
Sides = tuple[Endpoint | Provider, Endpoint | Provider]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A prepared comparison: the plan of its two sides, and those of its anchors."""

    prepared: Prepared
    anchors: tuple[Prepared, ...] = ()

    def plans(self) -> list[Prepared]:
        """What every pair of endpoints will be asked, the suspect's first."""
        return [self.prepared, *self.anchors]

    @property
    def hosts(self) -> tuple[HostEstimate, ...]:
        """What each host will be asked, all pairs together."""
        rows: dict[str, list[HostEstimate]] = {}
        for plan in self.plans():
            for row in plan.hosts:
                rows.setdefault(row.host, []).append(row)
        return tuple(
            HostEstimate(
                host=host,
                requests=sum(r.requests for r in of),
                tokens_high=_sum(r.tokens_high for r in of),
                usd_high=_sum(r.usd_high for r in of),
            )
            for host, of in rows.items()
        )

    @property
    def estimate(self) -> Estimate:
        """What all pairs will cost; the time is that of one after the other, the most it takes."""
        each = [plan.estimate for plan in self.plans()]
        return Estimate(
            requests=sum(e.requests for e in each),
            tokens_low=_sum(e.tokens_low for e in each),
            tokens_high=_sum(e.tokens_high for e in each),
            usd_low=_sum(e.usd_low for e in each),
            usd_high=_sum(e.usd_high for e in each),
            seconds_low=_sum(e.seconds_low for e in each),
            seconds_high=_sum(e.seconds_high for e in each),
        )


def copy_of(anchors: Sequence[Sides]) -> dict[str, Any]:
    """What the evidence says of anchors before anything is asked; empty without any."""
    if not anchors:
        return {}
    return {COPY: {"endpoints": [[str(_endpoint(side)) for side in pair] for pair in anchors]}}


def check_anchors(reference: Endpoint, suspect: Endpoint, anchors: Sequence[Sides]) -> None:
    """Refuse what is no anchor.

    Raises
    ------
    UsageError
        If an anchor is a side of the study, one endpoint twice, or named twice.
    """
    seen: set[tuple[str, str]] = set()
    for pair in anchors:
        first, second = (str(_endpoint(side)) for side in pair)
        for name, side, own in (("suspect", second, suspect), ("reference", first, reference)):
            if side == str(own):
                raise UsageError(
                    f"the anchor {first} {second} is the {name} itself: an anchor is another model "
                    "that both hosts are trusted to serve alike"
                )
        if str(suspect) == first or str(reference) == second:
            raise UsageError(
                f"the anchor {first} {second} is the wrong way round: name it on the reference's "
                "host first, then on the suspect's"
            )
        if first == second:
            raise UsageError(
                f"the anchor {first} is one endpoint twice: name the model on the reference's "
                "host, then on the suspect's"
            )
        if (first, second) in seen:
            raise UsageError(f"the anchor {first} {second} is named twice: each counts once")
        seen.add((first, second))


def prepare_anchors(
    main: Prepared, anchors: Sequence[Sides], settings: Settings
) -> tuple[Prepared, ...]:
    """Plan what each anchor will be asked: what the study asks, on both hosts.

    Raises
    ------
    UsageError
        If an anchor lies on other hosts than the study's sides.
    ReferenceStale
        If a recorded anchor was asked another battery, or holds draws of the study's sides or of
        another anchor.
    """
    found: list[Prepared] = []
    for number, (reference, suspect) in enumerate(anchors):
        sides: dict[Role, Endpoint | Provider] = {"reference": reference, "suspect": suspect}
        recorded = all(_endpoint(side).provider == "replay" for side in sides.values())
        battery = settings.battery
        if battery is None and not recorded:
            battery = main.questions.name
        own = settings.model_copy(
            update={
                "battery": battery,
                "sequential": False,
                "likelihood": False,
                "store": None,
                "band": None,
                "allow": (),
                # Another seed than the study's: two anchors of one simulated model are two draws.
                "seed": None if settings.seed is None else _seed(settings.seed, number),
            }
        )
        prepared = prepare_sides(sides, own, environment=os.environ, question="anchor")
        _check_hosts(main, prepared)
        _check_battery(main, prepared)
        _check_draws(main, found, prepared)
        found.append(prepared)
    return tuple(found)


def read_anchors(store: Store) -> tuple[AnchorRecords, ...]:
    """The anchors of a recorded comparison.

    Raises
    ------
    EvidenceError
        If one that was planned is not there, or its folder has a name that this tool does not give.
    """
    planned = store.copies.get(COPY, {}).get("endpoints", [])
    noted = noted_others(store)
    if len(noted) != len(planned):
        raise EvidenceError(
            f"{store.path} planned {len(planned)} anchors and notes the stores of {len(noted)}"
        )
    return tuple(read_anchor(other.path) for other in noted)


def read_anchor(path: Path) -> AnchorRecords:
    """One anchor, from its own store."""
    if not is_store(path):
        raise EvidenceError(f"{path} is missing: the store of an anchor")
    with Store.open(path) as opened:
        endpoints = {role: Endpoint.parse(opened.plan["endpoints"][role]) for role in ROLES}
        return AnchorRecords(
            reference=endpoints["reference"],
            suspect=endpoints["suspect"],
            transcript=Transcript(opened.records()),
            cells=tuple(Cell.model_validate(c) for c in opened.battery["cells"]),
            blocked=bool(opened.plan["blocked"]),
            prices=opened.plan["prices"],
            events=tuple(opened.notes()),
            root=opened.root,
        )


def _sum(values: Iterable[N | None]) -> N | None:
    """The sum, None where a part is unknown."""
    known = list(values)
    found = [v for v in known if v is not None]
    return sum(found[1:], found[0]) if found and len(found) == len(known) else None


def _endpoint(side: Endpoint | Provider) -> Endpoint:
    return side if isinstance(side, Endpoint) else side.endpoint


def _seed(seed: int, number: int) -> int:
    return int(np.random.SeedSequence([seed, 10, number]).generate_state(1)[0])


def _check_hosts(main: Prepared, anchor: Prepared) -> None:
    for role in ROLES:
        wanted, found = main.providers[role].host, anchor.providers[role].host
        if wanted is not None and found is not None and wanted != found:
            pair = " ".join(str(e) for e in anchor.endpoints.values())
            raise UsageError(
                f"the anchor {pair} asks {found} where the study asks {wanted}: an anchor tells "
                "what these two hosts change, so name it on the reference's host, then on the "
                "suspect's"
            )


def _check_draws(main: Prepared, earlier: Sequence[Prepared], anchor: Prepared) -> None:
    """What holds the study's own draws, or another anchor's, is no further pair."""
    pair = " ".join(str(e) for e in anchor.endpoints.values())
    of_anchor = anchor.providers
    others = [(f"the study's {role}", p) for role, p in main.providers.items()]
    others += [("another anchor", p) for a in earlier for p in a.providers.values()]
    for role, provider in of_anchor.items():
        beside = [("its other side", p) for r, p in of_anchor.items() if r != role]
        for name, other in [*others, *beside]:
            if same_draws(provider, other):
                raise ReferenceStale(
                    f"the anchor {pair} replays draws that {name} replays too "
                    f"({other.endpoint.model}): an anchor is measured on draws of its own. Record "
                    "it again (`provenance sample`)"
                )


def _check_battery(main: Prepared, anchor: Prepared) -> None:
    if main.questions.digest == anchor.questions.digest:
        return
    pair = " ".join(str(e) for e in anchor.endpoints.values())
    if main.questions.name == anchor.questions.name == RECORDED:
        own: Mapping[str, Cell] = {c.id: c for c in main.questions.cells}
        if any(own.get(c.id) == c for c in anchor.questions.cells):
            return
        raise UsageError(f"the anchor {pair} shares no prompt with the study")
    raise ReferenceStale(
        f"the anchor {pair} was asked another battery ({anchor.questions.name}, digest "
        f"{anchor.questions.digest[:12]}…) than the study ({main.questions.name}, digest "
        f"{main.questions.digest[:12]}…): ask both the same, with --battery"
    )
