"""Finding border inputs: a reference is asked candidates in rounds, the better half each time.

Every round is a recording of its own, in a folder beside the file that is made; so what was asked
is kept, a selection that was stopped resumes, and nothing is asked twice.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

from provenance.battery import Battery, Cell, Probe, families, load_family
from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import BudgetExhausted, ProviderError, UsageError
from provenance.evidence.files import write_atomically
from provenance.evidence.store import Store, is_store
from provenance.library import border
from provenance.library.border import NearTie, Spent
from provenance.library.private import generate, load_templates, to_toml
from provenance.providers.base import Provider
from provenance.readings import read
from provenance.sampling.budget import Budget, Price, find_price
from provenance.sampling.prepare import UNASKED_LIMIT, Estimate, HostEstimate, Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.sampling.runs import stored_plan
from provenance.settings import Settings
from provenance.study.comparison import sample
from provenance.study.sides import Side, side_of
from provenance.transcript import Completion, Role, Transcript

Agree = Callable[[Sequence[HostEstimate], Estimate], None]
_REFERENCE: Role = "reference"


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen and what that took.

    Attributes
    ----------
    battery
        The chosen prompts, for a later comparison.
    ties
        The chosen cells, nearest first.
    candidates
        Prompts asked in the first round.
    spent
        Answers and tokens over all rounds.
    stores
        A recording a round.
    """

    battery: Battery
    ties: tuple[NearTie, ...]
    candidates: int
    spent: Spent
    stores: tuple[Path, ...]


def select_border(
    reference: Side,
    candidates: Sequence[Probe],
    *,
    folder: Path,
    cells: int = 12,
    draws: int = 16,
    greedy_draws: int = 5,
    free_draws: int = 10,
    name: str = "border",
    settings: Settings | None = None,
    config: Path | None = None,
    agree: Agree = lambda hosts, estimate: None,
    progress: ProgressCallback | None = None,
) -> Selection:
    """Ask candidates of a reference and choose those that lie nearest the border.

    Parameters
    ----------
    reference
        The endpoint that is known; the suspect is never asked.
    candidates
        Prompts; long ones and those with decoding of their own are passed over.
    folder
        Where the rounds are recorded. What is there already is not asked again.
    cells
        Prompts wanted.
    draws
        Of a candidate that stays to the last round (`border.rounds`).
    greedy_draws, free_draws
        Of each cell, in the battery that is made.
    settings
        Limits and pace. ``max_requests`` and ``budget_usd`` hold for all rounds together. With
        ``logprobs`` there is one round of one token a candidate, and ``draws`` is not used.
    agree
        Told what all rounds will take before anything is sent; raises to stop.

    Raises
    ------
    UsageError
        If nothing can be asked or chosen.
    ProviderError
        If the reference gave no answer.
    BudgetExhausted
        With everything recorded so far kept; the same call with a larger budget resumes.
    """
    settings = settings or Settings()
    side = side_of(reference, config)
    endpoint = side if isinstance(side, Endpoint) else side.endpoint
    _check(endpoint)
    usable = border.candidates_of(candidates)
    if not usable:
        raise UsageError(
            f"no candidate is usable: expected prompts of at most {border.SHORT_TOKENS} visible "
            f"tokens without decoding of their own, found {len(candidates)} others"
        )
    if settings.logprobs:
        # One token shows all that is asked of it.
        usable = tuple(p.model_copy(update={"max_visible_tokens": 1}) for p in usable)
    plan = [(len(usable), 1)] if settings.logprobs else border.rounds(len(usable), cells, draws)
    total = sum(n * each for n, each in plan)
    if total > UNASKED_LIMIT and settings.max_requests is None:
        raise UsageError(
            f"the selection holds {total:,} requests, more than {UNASKED_LIMIT:,}: say "
            f"--max-requests {total} if that is meant, or ask for fewer --draws or candidates"
        )
    seed = secrets.randbelow(2**32) if settings.seed is None else settings.seed
    answers: dict[str, list[str]] = {probe.id: [] for probe in usable}
    listed: dict[str, dict[str, float]] = {}
    staying, spent, stores = [probe.id for probe in usable], Spent(0, 0, 0), []
    requests, usd, agreed = 0, 0.0, False
    for number, (size, each) in enumerate(plan, 1):
        staying = border.survivors({c: answers[c] for c in staying}, size)
        chosen = frozenset(staying)
        asked = Battery(
            name=f"candidates-{number}",
            description=f"Round {number} of a search for border inputs.",
            probes=tuple(p.model_copy(update={"draws": each}) for p in usable if p.id in chosen),
        )
        path = folder / f"round-{number}"
        if not _done(path, endpoint, asked):
            file = folder / f"round-{number}.toml"
            write_atomically(file, to_toml(asked).encode())
            own = _settings(settings, file, path, seed + number, requests, usd)
            if not agreed:
                ready = prepare_sides(
                    {_REFERENCE: side}, own, environment=os.environ, question="sample"
                )
                agree(*_whole(ready, sum(n * d for n, d in plan[number - 1 :])))
                agreed = True
            try:
                sample(side, settings=own, progress=progress)
            except BudgetExhausted:
                raise BudgetExhausted(
                    f"stopped in round {number} of {len(plan)} by "
                    f"{_limits(settings)} for all rounds. Everything is kept in {folder}; the same "
                    "command with a larger limit resumes"
                ) from None
        stores.append(path)
        seen = _recorded(path, side, settings)
        for cell, found in seen.answers.items():
            answers[cell] += found
        listed |= seen.listed
        spent, requests, usd = spent + seen.spent, requests + seen.requests, usd + seen.usd
    if not spent.answers:
        raise ProviderError(
            f"{endpoint.label} gave no answer to any candidate; {folder} shows why. Remove it to "
            "ask again"
        )
    ties = border.near_ties({c: answers[c] for c in staying}, cells)
    if settings.logprobs:
        if not listed:
            raise UsageError(
                f"{endpoint.label} lists no log probabilities: leave --logprobs out, and {folder} "
                "behind (another --out)"
            )
        ties = border.nearest_tokens(listed, cells)
    source = f"{clean_text(endpoint.label)} asked on {datetime.now(UTC).date().isoformat()}"
    battery = border.battery_of(
        candidates,
        ties,
        greedy_draws=greedy_draws,
        free_draws=free_draws,
        spent=spent,
        source=source,
        name=name,
    )
    return Selection(battery, tuple(ties), len(usable), spent, tuple(stores))


def generated(number: int, folder: Path) -> tuple[Probe, ...]:
    """Short prompts from the templates of private probes, the same ones when a selection resumes.

    Parameters
    ----------
    number
        How many, at most: the templates of short answers make so many different ones.
    folder
        Of the selection; keeps them.
    """
    file = folder / "generated.toml"
    if not file.is_file():
        templates = [t for t in load_templates() if t.max_visible_tokens <= border.SHORT_TOKENS]
        published = [p for name in families() for p in load_family(name)]
        made = generate(
            secrets.token_bytes(32), probes=number, draws=1, templates=templates, avoid=published
        )
        write_atomically(file, to_toml(made).encode())
    return Battery.load(file).probes


def _check(endpoint: Endpoint) -> None:
    if endpoint.provider == "replay":
        raise UsageError("a recording cannot be asked: border inputs need a live reference")
    if endpoint.option("temperature") is not None:
        raise UsageError(
            f"{endpoint.label} sets its own temperature, which would also hold for the cells at "
            "temperature 0: leave temperature= out of the endpoint"
        )


def _settings(
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
            raise _exhausted(settings, store.parent)
        update["max_requests"] = settings.max_requests - requests
    if settings.budget_usd is not None:
        if settings.budget_usd <= usd:
            raise _exhausted(settings, store.parent)
        update["budget_usd"] = settings.budget_usd - usd
    return settings.model_copy(update=update)


def _exhausted(settings: Settings, folder: Path) -> BudgetExhausted:
    return BudgetExhausted(
        f"stopped by {_limits(settings)} for all rounds. Everything is kept in {folder}; the same "
        "command with a larger limit resumes"
    )


def _limits(settings: Settings) -> str:
    said = []
    if settings.max_requests is not None:
        said.append(f"--max-requests {settings.max_requests}")
    if settings.budget_usd is not None:
        said.append(f"--budget-usd {settings.budget_usd:g}")
    return " or ".join(said)


def _done(path: Path, endpoint: Endpoint, battery: Battery) -> bool:
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
            store.plan["endpoints"] == {_REFERENCE: str(endpoint)}
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
class _Round:
    answers: dict[str, list[str]]
    listed: dict[str, dict[str, float]]
    spent: Spent
    requests: int
    usd: float


def _recorded(path: Path, side: Endpoint | Provider, settings: Settings) -> _Round:
    """What a round gave, and what it took as the budget counts it."""
    prices: dict[Role, Price | None] = {_REFERENCE: _price(side, settings)}
    with Store.open(path) as store:
        cells = {c["id"]: Cell.model_validate(c) for c in store.battery["cells"]}
        asked = {slot.index: request for slot, request in stored_plan(store).requests()}
        budget = Budget(prices)
        for note in store.notes():
            if note["kind"] == "pilot":
                found = note["values"]["completion"]
                budget.replay_pilot(
                    _REFERENCE, None if found is None else Completion.model_validate(found)
                )
        records = list(store.records())
    for record in records:
        budget.replay(record, asked[record.slot])
    answers: dict[str, list[str]] = {}
    listed: dict[str, dict[str, float]] = {}
    spent = Spent(0, 0, 0)
    for record in Transcript(records).completed(_REFERENCE):
        completion = record.completion
        if completion is None or completion.blocked:
            continue
        category = read(cells[record.cell].reading, completion.text)
        answers.setdefault(record.cell, []).append(category)
        if completion.logprobs:
            listed[record.cell] = dict(completion.logprobs[0].top)
        usage = completion.usage
        spent += Spent(1, usage.prompt_tokens or 0, usage.billed_completion or 0)
    return _Round(answers, listed, spent, budget.requests, budget.usd or 0.0)


def _price(side: Endpoint | Provider, settings: Settings) -> Price | None:
    endpoint = side if isinstance(side, Endpoint) else side.endpoint
    return find_price(endpoint, Path(settings.prices) if settings.prices else None)


def _whole(first: Prepared, total: int) -> tuple[tuple[HostEstimate, ...], Estimate]:
    """The estimate of the first round that is asked, stretched to all that are left."""
    planned = sum(first.plan.draws(_REFERENCE))
    factor = total / planned

    def more(value: float | None) -> float | None:
        return None if value is None else value * factor

    def whole(value: int | None) -> int | None:
        return None if value is None else ceil(value * factor)

    hosts = tuple(
        HostEstimate(h.host, ceil(h.requests * factor), whole(h.tokens_high), more(h.usd_high))
        for h in first.hosts
    )
    estimate = first.estimate
    return hosts, replace(
        estimate,
        requests=ceil(estimate.requests * factor),
        tokens_low=whole(estimate.tokens_low),
        tokens_high=whole(estimate.tokens_high),
        usd_low=more(estimate.usd_low),
        usd_high=more(estimate.usd_high),
        seconds_low=more(estimate.seconds_low),
        seconds_high=more(estimate.seconds_high),
    )
