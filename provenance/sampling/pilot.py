"""Before the first draw: does a server think, and which parameters does it heed?

Two questions a side that belong to no battery learn whether the endpoint thinks before it
answers, and how much room that takes; the draws are then asked with that room on top of their
visible tokens. With the ladder (`ladder`) up to 14 more are asked. Every pilot exchange is kept in
``events.jsonl`` with its bytes. None of them is a draw: no test reads them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from provenance.evidence.store import Store
from provenance.providers._body import reasoning_option
from provenance.providers.base import Provider
from provenance.sampling import ladder, runner
from provenance.sampling.budget import Budget
from provenance.sampling.ladder import Rung
from provenance.transcript import Completion, Exchange, Failure, Message, Request, Role

# Servers that are asked; local and simulated models, and recordings, need no pilot.
PILOTED = ("compatible", "openai", "anthropic")
REQUESTS = 2
_ATTEMPTS = 4
_LONGEST_WAIT_S = 60.0

_FIRST_ROOM, _SECOND_ROOM, _MOST_ROOM = 2_048, 8_192, 16_384
_LEAST_ROOM = 1_024
# Thought varies from question to question: room for four times the most that was seen.
_HEADROOM = 4
_VISIBLE = 16
_QUESTIONS = (
    "What is 17 times 23? Reply with the number only.",
    "Which is heavier, a litre of milk or a litre of olive oil? Reply with one word.",
)


@dataclass(frozen=True, slots=True)
class Pilot:
    """What was learnt of one side.

    Attributes
    ----------
    thinks
        Whether it thought before it answered; None if it gave no answer.
    thinking_tokens
        Room for thinking that each draw gets on top of its visible tokens; what the endpoint's own
        option ``reasoning`` says comes first.
    capabilities
        Parameter -> state, from the ladder; empty without it.
    thought
        Fewest tokens that an answer thought.
    """

    thinks: bool | None
    thinking_tokens: int
    capabilities: Mapping[str, str]
    thought: int = 0


def requests(provider: Provider, *, with_ladder: bool) -> int:
    """How many pilot requests a side gets, at most, if nothing fails."""
    if provider.endpoint.provider not in PILOTED:
        return 0
    return REQUESTS + (ladder.REQUESTS if with_ladder else 0)


async def pilot_sides(
    providers: Mapping[Role, Provider],
    store: Store | None,
    budget: Budget,
    gates: Mapping[Role, runner.Gate],
    *,
    with_ladder: bool,
    tell: Callable[[str], None] = lambda phase: None,
) -> dict[Role, Pilot]:
    """Ask the pilot questions that the store does not hold yet.

    Parameters
    ----------
    store
        Where every exchange is kept; None: only the outcome is wanted.

    Raises
    ------
    BudgetExhausted
        If the budget ends here; what was asked is kept, and counted when the study is resumed.
    """
    known: dict[Role, Pilot] = {}
    for event in store.notes() if store is not None else ():
        values = event["values"]
        if event["kind"] == "pilot":
            budget.replay_pilot(values["role"], _completion(values))
        elif event["kind"] == "piloted":
            known[values["role"]] = Pilot(**{k: v for k, v in values.items() if k != "role"})
    for role, provider in providers.items():
        if role not in known and provider.endpoint.provider in PILOTED:
            tell(f"pilot of the {role}")
            asker = _Asker(role, provider, store, budget, gates[role])
            found = await _pilot(asker, provider, with_ladder=with_ladder)
            if store is not None:
                store.note("piloted", {"role": role, **asdict(found)})
            known[role] = found
    return known


async def _pilot(asker: _Asker, provider: Provider, *, with_ladder: bool) -> Pilot:
    chosen = provider.endpoint.option("reasoning") is not None
    asked_for, _ = reasoning_option(provider.endpoint)
    thought: list[int] = []
    answers: list[Completion] = []
    starved = False
    room = asked_for if chosen else _FIRST_ROOM
    for number, question in enumerate(_QUESTIONS):
        rung = Rung(f"thinking-{number}", (Message(role="user", content=question),), _VISIBLE)
        outcome = (await asker.ask(rung, thinking=room)).outcome
        if isinstance(outcome, Completion):
            answers.append(outcome)
            thought.append(thinking_of(outcome))
        starved = isinstance(outcome, Failure) and outcome.kind == "starved"
        if starved:
            thought.append(room)
            room = asked_for if chosen else _SECOND_ROOM
        elif isinstance(outcome, Failure):
            break
    most = max(thought, default=0)
    tokens = asked_for
    if not chosen and (starved or most):
        wanted = max(_LEAST_ROOM, _HEADROOM * most)
        tokens = min(_MOST_ROOM, 1 << (wanted - 1).bit_length())
    capabilities: dict[str, str] = {}
    if with_ladder and answers:
        chat = provider.endpoint.option("api", "chat") != "completions"

        async def ask(rung: Rung) -> Exchange:
            return await asker.ask(rung, thinking=tokens, again_if_refused=False)

        chosen_by_endpoint = {name.removeprefix("body.") for name, _ in provider.endpoint.options}
        capabilities = dict(
            await ladder.climb(ask, chat=chat, answered=answers, taken=chosen_by_endpoint)
        )
    return Pilot(
        thinks=(starved or most > 0) if thought else None,
        thinking_tokens=tokens,
        capabilities=capabilities,
        thought=min(thought, default=0),
    )


def thinking_of(completion: Completion) -> int:
    """Tokens that an answer thought, at least; 0 if nothing shows that it did.

    Servers that hide their thinking still bill it: more tokens than the text has bytes cannot all
    be text.
    """
    usage = completion.usage
    if usage.reasoning_tokens:
        return usage.reasoning_tokens
    total = usage.completion_tokens or 0
    if completion.reasoning:
        return max(total - len(completion.text.encode()), len(completion.reasoning) // 4, 1)
    hidden = total - len(completion.text.encode()) - _VISIBLE
    return max(hidden, 0)


class _Asker:
    """Asks pilot questions of one side, each attempt kept and paid for."""

    def __init__(
        self,
        role: Role,
        provider: Provider,
        store: Store | None,
        budget: Budget,
        gate: runner.Gate,
    ) -> None:
        self._role: Role = role
        self._provider = provider
        self._store = store
        self._budget = budget
        self._gate = gate
        self._number = 0

    async def ask(self, rung: Rung, *, thinking: int, again_if_refused: bool = True) -> Exchange:
        """One question, asked again while the server is busy."""
        request = Request(
            slot=-1 - self._number,
            role=self._role,
            cell=f"pilot/{rung.name}",
            draw=self._number,
            draws_planned=1,
            messages=rung.messages,
            max_visible_tokens=rung.max_visible_tokens,
            decoding=dict(rung.decoding),
            thinking_tokens=thinking,
        )
        self._number += 1
        for attempt in range(_ATTEMPTS):
            exchange = await self._once(request, rung.name)
            failure = exchange.outcome
            if not isinstance(failure, Failure) or not failure.retryable:
                break
            if failure.kind == "refused_parameters":
                if not again_if_refused:
                    break
                continue
            asked = failure.retry_after_s or 0.0
            if asked > _LONGEST_WAIT_S or failure.kind == "timeout":
                break
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(max(asked, runner.BACKOFF_S[attempt]))
        return exchange

    async def _once(self, request: Request, name: str) -> Exchange:
        await self._gate.enter()
        try:
            reservation = self._budget.reserve(request)
            exchange = await self._provider.draw(request)
            outcome = exchange.outcome
            self._budget.settle(self._role, reservation, outcome)
            self._gate.learn(outcome)
        finally:
            await self._gate.leave()
        if self._store is not None:
            self._store.witness("pilot", exchange, {"role": self._role, "name": name})
        return exchange


def _completion(values: Mapping[str, Any]) -> Completion | None:
    found = values.get("completion")
    return None if found is None else Completion.model_validate(found)
