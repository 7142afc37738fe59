"""One round of a search for border inputs: what it may take, whether it is done, what it gave."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from provenance.battery import Battery, Cell
from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, UsageError
from provenance.evidence.store import Store, is_store
from provenance.library.border import Spent
from provenance.providers.base import Provider
from provenance.readings import read
from provenance.sampling.budget import Budget, Price, find_price
from provenance.sampling.prepare import Estimate, HostEstimate, Prepared
from provenance.sampling.runs import stored_plan
from provenance.settings import Settings
from provenance.transcript import Completion, Role, Transcript

REFERENCE: Role = "reference"


def settings_of_round(
    settings: Settings, battery: Path, store: Path, seed: int, requests: int, usd: float
) -> Settings:
    """Those of one round, with what the rounds before have left of the limits."""
    update: dict[str, Any] = {
        "battery": str(battery),
        "draws": None,
        "reference_draws": None,
        "panel": None,
        "ladder": False,
        "sequential": False,
        "store": store,
        "new": None,
        "seed": seed % 2**53,
    }
    if settings.max_requests is not None:
        if settings.max_requests <= requests:
            raise exhausted(settings, store.parent)
        update["max_requests"] = settings.max_requests - requests
    if settings.budget_usd is not None:
        if settings.budget_usd <= usd:
            raise exhausted(settings, store.parent)
        update["budget_usd"] = settings.budget_usd - usd
    return settings.model_copy(update=update)


def exhausted(settings: Settings, folder: Path) -> BudgetExhausted:
    """Raised where nothing is left for a further round."""
    return BudgetExhausted(
        f"stopped by {limits(settings)} for all rounds. Everything is kept in {folder}; the same "
        "command with a larger limit resumes"
    )


def limits(settings: Settings) -> str:
    """Those that were set, as they are typed."""
    said = []
    if settings.max_requests is not None:
        said.append(f"--max-requests {settings.max_requests}")
    if settings.budget_usd is not None:
        said.append(f"--budget-usd {settings.budget_usd:g}")
    return " or ".join(said)


def is_done(path: Path, endpoint: Endpoint, battery: Battery) -> bool:
    """Whether this round was recorded to its end already.

    Raises
    ------
    UsageError
        If the folder holds a round of another selection.
    """
    if not is_store(path):
        return False
    with Store.open(path) as store:
        same = (
            store.plan["endpoints"] == {REFERENCE: str(endpoint)}
            and store.battery["digest"] == battery.digest
        )
        finished = store.finished
    if not same:
        raise UsageError(
            f"{path} holds a round of another selection: give another --out, or remove the folder "
            f"{path.parent}"
        )
    return finished


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one round gave, and what it took as the budget counts it.

    Attributes
    ----------
    answers
        By cell, as they were read.
    listed
        By cell, log probabilities of first tokens.
    heeded
        False where the server refused the temperature, so that it was asked without.
    """

    answers: dict[str, list[str]]
    listed: dict[str, dict[str, float]]
    heeded: bool
    spent: Spent
    requests: int
    usd: float


def recorded(path: Path, side: Endpoint | Provider, settings: Settings) -> Recorded:
    """Read a round back from its store."""
    prices: dict[Role, Price | None] = {REFERENCE: _price(side, settings)}
    with Store.open(path) as store:
        cells = {c["id"]: Cell.model_validate(c) for c in store.battery["cells"]}
        asked = {slot.index: request for slot, request in stored_plan(store).requests()}
        budget = Budget(prices)
        for note in store.notes():
            if note["kind"] == "pilot":
                found = note["values"]["completion"]
                budget.replay_pilot(
                    REFERENCE, None if found is None else Completion.model_validate(found)
                )
        records = list(store.records())
    for record in records:
        budget.replay(record, asked[record.slot])
    answers: dict[str, list[str]] = {}
    listed: dict[str, dict[str, float]] = {}
    spent, heeded = Spent(0, 0, 0), True
    for record in Transcript(records).completed(REFERENCE):
        completion = record.completion
        if completion is None or completion.blocked:
            continue
        category = read(cells[record.cell].reading, completion.text)
        answers.setdefault(record.cell, []).append(category)
        if completion.logprobs:
            listed[record.cell] = dict(completion.logprobs[0].top)
        heeded &= not any(note.startswith("temperature not sent") for note in completion.notes)
        usage = completion.usage
        spent += Spent(1, usage.prompt_tokens or 0, usage.billed_completion or 0)
    return Recorded(answers, listed, heeded, spent, budget.requests, budget.usd or 0.0)


def _price(side: Endpoint | Provider, settings: Settings) -> Price | None:
    endpoint = side if isinstance(side, Endpoint) else side.endpoint
    return find_price(endpoint, Path(settings.prices) if settings.prices else None)


def whole(first: Prepared, draws: int, requests: int) -> tuple[tuple[HostEstimate, ...], Estimate]:
    """The estimate of the first round that is asked, stretched to all that are left."""
    estimate = first.estimate
    factor = max(draws / sum(first.plan.draws(REFERENCE)), requests / estimate.requests)

    def more(value: float | None) -> float | None:
        return None if value is None else value * factor

    def ceiled(value: int | None) -> int | None:
        return None if value is None else ceil(value * factor)

    hosts = tuple(
        HostEstimate(h.host, requests, ceiled(h.tokens_high), more(h.usd_high)) for h in first.hosts
    )
    return hosts, replace(
        estimate,
        requests=requests,
        tokens_low=ceiled(estimate.tokens_low),
        tokens_high=ceiled(estimate.tokens_high),
        usd_low=more(estimate.usd_low),
        usd_high=more(estimate.usd_high),
        seconds_low=more(estimate.seconds_low),
        seconds_high=more(estimate.seconds_high),
    )
