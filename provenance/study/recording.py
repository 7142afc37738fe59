"""Asking: everything that a plan has left to ask goes into the store."""

from __future__ import annotations

from pathlib import Path

from provenance.attribution.betting import Betting
from provenance.providers.base import Provider
from provenance.sampling.budget import Budget, Spent
from provenance.sampling.pilot import Pilot, pilot_sides
from provenance.sampling.plan import Plan
from provenance.sampling.prepare import Prepared, with_pilots
from provenance.sampling.runner import ProgressCallback, Runner
from provenance.sampling.runs import open_run
from provenance.study.scoring import score_texts
from provenance.study.sides import distinct, gates_of
from provenance.study.waiting import tell
from provenance.transcript import Role


async def record(prepared: Prepared, progress: ProgressCallback | None = None) -> Path:
    """`record_counted` for a study that has no other part."""
    path, _ = await record_counted(prepared, progress)
    return path


async def record_counted(
    prepared: Prepared, progress: ProgressCallback | None = None, before: Spent | None = None
) -> tuple[Path, Spent]:
    """Ask everything that the plan has left to ask.

    Parameters
    ----------
    before
        What other parts of the study have spent: budgets hold for all of them together.

    Returns
    -------
    path, spent
        The store's folder, and what was spent with ``before``.

    Raises
    ------
    BudgetExhausted
        With everything recorded so far kept; the same call with a larger budget resumes.
    """
    store, plan = open_run(prepared)
    settings = prepared.settings
    with store:
        budget = Budget(
            prepared.prices,
            max_requests=settings.max_requests,
            usd=settings.budget_usd,
            recorded=[r for r, e in prepared.endpoints.items() if e.provider == "replay"],
            before=before,
        )
        opened: list[Provider] = []
        try:
            for provider in distinct(prepared.providers.values()):
                opened.append(provider)
                await provider.open()
            gates = gates_of(prepared)
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
        if outcome.exhausted is not None:
            raise outcome.exhausted
        for role in outcome.stopped:
            store.note("stopped", {"role": role})
        if outcome.early is not None and not outcome.stopped:
            store.note("stopped_early", {"slots": outcome.early})
    return store.path, budget.spent


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
