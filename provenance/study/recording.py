"""Asking: everything that a plan has left to ask goes into the store."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from provenance.attribution.betting import Betting
from provenance.evidence.store import Store
from provenance.providers.base import Provider
from provenance.sampling.budget import Budget, Purse
from provenance.sampling.pilot import Pilot, pilot_sides
from provenance.sampling.plan import Plan
from provenance.sampling.prepare import Prepared, with_pilots
from provenance.sampling.runner import Outcome, ProgressCallback, Runner
from provenance.sampling.runs import open_run
from provenance.study.scoring import score_texts
from provenance.study.sides import distinct, gates_of
from provenance.study.turns import Place
from provenance.study.waiting import tell
from provenance.transcript import Role


async def record(prepared: Prepared, progress: ProgressCallback | None = None) -> Path:
    """`ask` for a study that has no other part."""
    store, plan = open_run(prepared)
    await ask(prepared, store, plan, progress=progress)
    return store.path


async def ask(
    prepared: Prepared,
    store: Store,
    plan: Plan,
    *,
    progress: ProgressCallback | None = None,
    purse: Purse | None = None,
    place: Place | None = None,
) -> None:
    """Ask everything that the plan has left to ask, and close the store.

    Parameters
    ----------
    store, plan
        As `open_run` gives them.
    purse
        What this part of a study and its others spend.
    place
        Among parts that are asked in turn.

    Raises
    ------
    BudgetExhausted
        With everything recorded so far kept; the same call with a larger budget resumes.
    """
    outcome = None
    try:
        with store:
            if place is not None:
                await place.turns.begin(place.part)
            outcome = await _asked(prepared, store, plan, progress, purse, place)
            if outcome.exhausted is not None:
                raise outcome.exhausted
            if place is not None and place.turns.stopped:
                return
            for role in outcome.stopped:
                store.note("stopped", {"role": role})
            cut = None if place is None or place.part == 0 else outcome.ended_at
            early = cut if outcome.early is None else outcome.early
            if early is not None and not outcome.stopped:
                store.note("stopped_early", {"slots": early})
    finally:
        if place is not None:
            if outcome is None or outcome.exhausted is not None:
                place.turns.leave(place.part, failed=True)
            else:
                place.turns.leave(place.part, ended_at=outcome.ended_at)


async def _asked(
    prepared: Prepared,
    store: Store,
    plan: Plan,
    progress: ProgressCallback | None,
    purse: Purse | None,
    place: Place | None,
) -> Outcome:
    settings = prepared.settings
    budget = Budget(
        prepared.prices,
        max_requests=settings.max_requests,
        usd=settings.budget_usd,
        recorded=[r for r, e in prepared.endpoints.items() if e.provider == "replay"],
        purse=purse,
    )
    opened: list[Provider] = []
    try:
        for provider in distinct(prepared.providers.values()):
            opened.append(provider)
            await provider.open()
        gates = gates_of(prepared) if place is None else place.gates
        pilots = await pilot_sides(
            prepared.providers,
            store,
            budget,
            gates,
            with_ladder=prepared.ladder,
            tell=lambda phase: tell(progress, phase),
        )
        bet = _betting(prepared, plan)
        runner = Runner(
            plan,
            prepared.providers,
            store,
            budget,
            gates,
            progress=progress,
            thinking={role: found.thinking_tokens for role, found in pilots.items()},
            watch=lambda record: bet is not None and bet.watch(record),
            turn=None if place is None else partial(place.turns.take, place.part),
        )
        outcome = await runner.run()
        if prepared.likelihood and outcome.exhausted is None:
            tell(progress, "scoring texts")
            await score_texts(plan, store, prepared.providers["reference"])
    finally:
        for provider in opened:
            await provider.aclose()
    for role, provider in prepared.providers.items():
        found = getattr(provider, "capabilities", None)
        if found:
            store.note("capabilities", {"role": role, "found": dict(found)})
    return outcome


def _betting(prepared: Prepared, plan: Plan) -> Betting | None:
    """What watches a study that may stop early."""
    if not prepared.settings.sequential or len(prepared.endpoints) < 2:
        return None
    return Betting(plan.to_json(), plan.cells, prepared.panel)


async def pilot(
    prepared: Prepared, progress: ProgressCallback | None = None
) -> tuple[Prepared, dict[Role, Pilot]]:
    """Ask two pilot questions a side and nothing else; nothing is kept.

    Returns
    -------
    prepared, pilots
        The study with thinking in its estimate, and what was found of each side.
    """
    budget = Budget(prepared.prices, max_requests=prepared.settings.max_requests)
    opened: list[Provider] = []
    try:
        for provider in distinct(prepared.providers.values()):
            opened.append(provider)
            await provider.open()
        pilots = await pilot_sides(
            prepared.providers,
            None,
            budget,
            gates_of(prepared),
            with_ladder=False,
            tell=lambda phase: tell(progress, phase),
        )
    finally:
        for provider in opened:
            await provider.aclose()
    return with_pilots(prepared, pilots), pilots
