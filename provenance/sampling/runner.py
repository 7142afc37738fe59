"""The only async control loop: asks the slots of a plan in order and records every attempt.

Slots are started strictly in the order of the plan, each waiting for a place at its endpoint. As
the sides alternate in that order, the slower one sets the pace for both: lockstep without a clock.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from provenance.errors import BudgetExhausted
from provenance.evidence.store import Store
from provenance.providers.base import Provider
from provenance.sampling.budget import Budget, Reservation
from provenance.sampling.plan import Plan, Slot
from provenance.transcript import Exchange, Failure, Record, Request, Role

MAX_ATTEMPTS = 5
# A server that keeps us waiting to the end of `timeout` does so every time.
TIMEOUT_ATTEMPTS = 2
BACKOFF_S = (0.5, 1.0, 2.0, 4.0)  # with up to 30% jitter: at most 10 s a request
LONGEST_RETRY_AFTER_S = 300.0
CONSECUTIVE_FAILURES = 8
_SUCCESSES_TO_GROW = 12


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands; given to the caller's callback."""

    done: int
    total: int
    failed: int
    requests: int
    tokens: int | None
    usd: float | None
    rate_per_s: float
    eta_s: float | None
    phase: str
    message: str = ""


ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the loop ended: sides that gave up, whether the budget or the stopping rule ended it.

    ``early`` is the slot that the stopping rule kept from being asked, None if it kept none;
    ``ended_at`` the first that was not begun for whatever reason.
    """

    stopped: tuple[Role, ...]
    exhausted: BudgetExhausted | None
    early: int | None = None
    ended_at: int | None = None


class Gate:
    """Places at one host: fewer after a 429, more again after successes; pauses; spaced starts.

    Parameters
    ----------
    limit
        Requests at a time, at most.
    rpm
        Starts a minute, at most.
    clock
        Seconds, as the running loop counts them; for tests.
    """

    def __init__(
        self, limit: int, rpm: float | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.allowed = limit
        self._interval = 60.0 / rpm if rpm else 0.0
        self._active = 0
        self._successes = 0
        self._not_before = 0.0
        self._changed = asyncio.Condition()
        self._clock = clock

    async def enter(self) -> None:
        """Wait for a place and for the next permitted start."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._active < self.allowed)
            self._active += 1
        try:
            await self.pace()
        except asyncio.CancelledError:
            await self.leave()
            raise

    async def pace(self) -> None:
        """Wait for the next permitted start; a place is held already."""
        while (wait := self._not_before - self._clock()) > 0:
            await asyncio.sleep(wait)
        self._not_before = max(self._not_before, self._clock() + self._interval)

    async def leave(self) -> None:
        """Give the place back."""
        async with self._changed:
            self._active -= 1
            self._changed.notify_all()

    def learn(self, outcome: object) -> None:
        """Adapt to one outcome: halve on a rate limit, grow by one after a run of successes."""
        if isinstance(outcome, Failure):
            self._successes = 0
            if outcome.kind == "rate_limited" or outcome.status in (503, 529):
                self.allowed = max(1, self.allowed // 2)
                # A longer one is not waited for: the attempt stands, and soon the side stops.
                if 0 < (outcome.retry_after_s or 0.0) <= LONGEST_RETRY_AFTER_S:
                    pause = self._clock() + (outcome.retry_after_s or 0.0)
                    self._not_before = max(self._not_before, pause)
            return
        self._successes += 1
        if self._successes >= _SUCCESSES_TO_GROW and self.allowed < self.limit:
            self.allowed += 1
            self._successes = 0


class Runner:
    """Asks what a plan has left to ask.

    Parameters
    ----------
    plan
        What to ask.
    providers
        Per side, opened.
    store
        Where every attempt goes before anything else happens with it.
    budget
        Says no before a limit is passed.
    gates
        Per side; two sides at one host share a gate.
    progress
        Called after every attempt, and while nothing moves not at all.
    thinking
        Per side, room for thinking that each request gets on top of its visible tokens.
    watch
        Shown every final record, those of an earlier session first; True ends the sampling early
        (a sequential test).
    turn
        Waits until a slot may be started; False ends the sampling there (parts of a study that are
        asked in turn).
    """

    def __init__(
        self,
        plan: Plan,
        providers: Mapping[Role, Provider],
        store: Store,
        budget: Budget,
        gates: Mapping[Role, Gate],
        *,
        progress: ProgressCallback | None = None,
        thinking: Mapping[Role, int] | None = None,
        watch: Callable[[Record], bool] = lambda record: False,
        turn: Callable[[int], Awaitable[bool]] | None = None,
    ) -> None:
        self._plan = plan
        self._providers = providers
        self._store = store
        self._budget = budget
        self._gates = gates
        self._progress = progress
        self._thinking = thinking or {}
        self._watch = watch
        self._turn = turn
        self._enough = False
        self._early: int | None = None
        self._jitter = random.Random(plan.seed)
        self._run: dict[Role, int] = {"reference": 0, "suspect": 0}
        self._stopped: list[Role] = []
        self._exhausted: BudgetExhausted | None = None
        self._done = 0
        self._failed = 0
        self._started = 0.0
        self._done_before = 0

    async def run(self) -> Outcome:
        """Ask every slot that has no final record yet.

        Raises
        ------
        ProviderError
            If an endpoint cannot be used at all.
        """
        attempts: dict[int, int] = {}
        final: set[int] = set()
        requests = {slot.index: self._with_room(request) for slot, request in self._plan.requests()}
        for record in self._store.records():
            self._budget.replay(record, requests[record.slot])
            attempts[record.slot] = record.attempt
            if record.final:
                final.add(record.slot)
                self._failed += record.failure is not None
                self._enough |= self._watch(record)
        self._done = self._done_before = len(final)
        self._started = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        ended_at: int | None = None
        try:
            for slot in self._plan.slots:
                if slot.index in final:
                    continue
                if self._turn is not None and not await self._turn(slot.index):
                    ended_at = slot.index
                    break
                gate = self._gates[slot.role]
                await gate.enter()
                finished = {t for t in tasks if t.done()}
                for task in finished:
                    task.result()
                tasks -= finished
                if self._stopped or self._exhausted or self._enough:
                    self._early = slot.index if self._enough else None
                    ended_at = slot.index
                    await gate.leave()
                    break
                first = attempts.get(slot.index, 0) + 1
                request = requests[slot.index]
                tasks.add(asyncio.create_task(self._ask(slot, request, gate, first)))
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return Outcome(tuple(self._stopped), self._exhausted, self._early, ended_at)

    def _with_room(self, request: Request) -> Request:
        return replace(request, thinking_tokens=self._thinking.get(request.role, 0))

    async def _ask(self, slot: Slot, request: Request, gate: Gate, first: int) -> None:
        """One slot: attempts until an answer, a final failure, or the end of the budget."""
        try:
            for tried in range(MAX_ATTEMPTS):
                try:
                    reservation = await self._reserve(request)
                except BudgetExhausted as error:
                    self._exhausted = error
                    return
                exchange = await self._providers[slot.role].draw(request)
                self._budget.settle(slot.role, reservation, exchange.outcome)
                gate.learn(exchange.outcome)
                delay = self._delay(exchange, tried)
                final = delay is None or slot.role in self._stopped
                self._record(slot, request, exchange, attempt=first + tried, final=final)
                if final or delay is None:
                    return
                await asyncio.sleep(delay)
                await gate.pace()
        finally:
            await gate.leave()

    async def _reserve(self, request: Request) -> Reservation:
        """Room in the budget, once those that are on their way have shown what they cost."""
        while True:
            try:
                return self._budget.reserve(request)
            except BudgetExhausted:
                if not self._budget.waits_for_answers or self._exhausted is not None:
                    raise
            await asyncio.sleep(0.02)

    def _delay(self, exchange: Exchange, tried: int) -> float | None:
        """Seconds until the next attempt, None if this one stands."""
        failure = exchange.outcome
        if not isinstance(failure, Failure) or not failure.retryable:
            return None
        if tried + 1 >= (TIMEOUT_ATTEMPTS if failure.kind == "timeout" else MAX_ATTEMPTS):
            return None
        asked = failure.retry_after_s
        if asked is not None and asked > LONGEST_RETRY_AFTER_S:
            return None
        if failure.kind == "refused_parameters":
            return 0.0  # the adapter has learnt another parameter; nothing to wait for
        return max(asked or 0.0, BACKOFF_S[tried] * (1 + 0.3 * self._jitter.random()))

    def _record(
        self, slot: Slot, request: Request, exchange: Exchange, *, attempt: int, final: bool
    ) -> None:
        record = self._store.append(
            exchange,
            slot=slot.index,
            role=slot.role,
            cell=request.cell,
            draw=slot.draw,
            block=slot.block,
            attempt=attempt,
            final=final,
        )
        if final:
            self._enough |= self._watch(record)
            self._done += 1
            failed = isinstance(exchange.outcome, Failure)
            self._failed += failed
            self._run[slot.role] = self._run[slot.role] + 1 if failed else 0
            if self._run[slot.role] >= CONSECUTIVE_FAILURES and slot.role not in self._stopped:
                self._stopped.append(slot.role)
        self._report(exchange, slot.role)

    def _report(self, exchange: Exchange, role: Role) -> None:
        if self._progress is None:
            return
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = (self._done - self._done_before) / elapsed
        left = len(self._plan.slots) - self._done
        message = ""
        if isinstance(exchange.outcome, Failure):
            message = f"{role}: {exchange.outcome.kind}: {exchange.outcome.message}"
        self._progress(
            Progress(
                done=self._done,
                total=len(self._plan.slots),
                failed=self._failed,
                requests=self._budget.requests,
                tokens=self._budget.tokens if self._budget.tokens_known else None,
                usd=self._budget.usd,
                rate_per_s=rate,
                eta_s=left / rate if rate > 0 else None,
                phase="sampling",
                message=message,
            )
        )
