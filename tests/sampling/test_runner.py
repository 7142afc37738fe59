import asyncio
import time

import pytest

from provenance.battery import Cell
from provenance.errors import BudgetExhausted
from provenance.evidence.store import Store
from provenance.sampling import runner as runner_module
from provenance.sampling.budget import FREE, Budget, Price
from provenance.sampling.plan import make_plan
from provenance.sampling.runner import CONSECUTIVE_FAILURES, MAX_ATTEMPTS, Gate, Runner
from provenance.transcript import Completion, Exchange, Failure, Message, Usage


class Scripted:
    """An endpoint that does what a function says: the protocol of a provider, nothing more."""

    host = None
    concurrency = 4
    ordered = True
    endpoint = None

    def __init__(self, answer, delay_s=0.0):
        self.answer, self.delay_s = answer, delay_s
        self.started = []
        self.attempts = {}

    async def open(self):
        pass

    async def aclose(self):
        pass

    async def draw(self, request):
        self.started.append(request.slot)
        attempt = self.attempts[request.slot] = self.attempts.get(request.slot, 0) + 1
        await asyncio.sleep(self.delay_s)
        return Exchange(b"?", b"!", self.answer(request, attempt), None, 0.0, status=200)


def fine(request, attempt):
    return Completion(text="7", usage=Usage(prompt_tokens=10, completion_tokens=10))


def failing(kind, *, retryable, until=10**9, retry_after_s=None):
    failure = Failure(kind=kind, message=kind, retryable=retryable, retry_after_s=retry_after_s)
    return lambda request, attempt: failure if attempt <= until else fine(request, attempt)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(runner_module, "BACKOFF_S", (0.001,) * 4)

    def go(reference, suspect, *, draws=5, cells=4, budget=None, progress=None):
        made = [
            Cell(
                id=f"c{i}",
                probe=f"c{i}",
                family="f",
                reading="text",
                messages=(Message(role="user", content="?" * 40),),
                max_visible_tokens=8,
            )
            for i in range(cells)
        ]
        counts = {"reference": [draws] * cells, "suspect": [draws] * cells}
        plan = make_plan({}, made, counts, seed=1, blocked=True)
        sides = {"reference": Scripted(*reference), "suspect": Scripted(*suspect)}
        store = Store.create(tmp_path / "s", plan=plan.to_json(), battery={"cells": []})
        budget = budget or Budget({"reference": FREE, "suspect": FREE})

        async def main():
            gates = {role: Gate(4) for role in sides}
            return await Runner(plan, sides, store, budget, gates, progress=progress).run()

        with store:
            outcome = asyncio.run(main())
            return outcome, list(store.records()), sides

    return go


def test_every_slot_gets_one_final_record(run):
    outcome, records, _ = run((fine,), (fine,))
    assert sorted(r.slot for r in records if r.final) == list(range(40))
    assert outcome.stopped == ()


def test_the_slower_side_sets_the_pace(run):
    _, _, sides = run((fine, 0.0), (fine, 0.01))
    order = sides["reference"].started
    # The fast side is never further ahead than the places of the slow one.
    for position, slot in enumerate(order):
        assert slot - 2 * position <= 2 * 4 + 2


def test_a_passing_fault_is_asked_again_and_every_attempt_is_kept(run):
    outcome, records, _ = run((fine,), (failing("server_error", retryable=True, until=2),))
    suspects = [r for r in records if r.role == "suspect"]
    assert len(suspects) == 60
    assert [r.final for r in suspects].count(True) == 20
    assert all((r.completion is not None) == r.final for r in suspects)
    assert outcome.stopped == ()


def test_a_lasting_fault_is_given_up_after_the_last_attempt(run):
    outcome, records, sides = run((fine,), (failing("server_error", retryable=True),))
    assert outcome.stopped == ("suspect",)
    assert max(sides["suspect"].attempts.values()) == MAX_ATTEMPTS
    final = [r for r in records if r.role == "suspect" and r.final]
    assert CONSECUTIVE_FAILURES <= len(final) <= CONSECUTIVE_FAILURES + 4
    assert len(sides["reference"].started) < 20, "the healthy side is not paid for in vain"


def test_what_will_not_pass_is_asked_once(run):
    _, records, _ = run((fine,), (failing("auth", retryable=False),))
    assert {r.attempt for r in records if r.role == "suspect"} == {1}


def test_retry_after_is_waited_for(run):
    began = time.monotonic()
    limited = failing("rate_limited", retryable=True, until=1, retry_after_s=0.1)
    _, records, _ = run((fine,), (limited,), draws=1, cells=1)
    assert time.monotonic() - began >= 0.1
    assert sum(r.final for r in records) == 2


def test_a_retry_after_of_an_hour_is_not_waited_for(run):
    limited = failing("rate_limited", retryable=True, retry_after_s=3600.0)
    began = time.monotonic()
    _, records, _ = run((fine,), (limited,), draws=1, cells=1)
    assert time.monotonic() - began < 5
    assert [r.failure.kind for r in records if r.failure] == ["rate_limited"]


def test_the_request_budget_is_never_passed(run):
    budget = Budget({"reference": FREE, "suspect": FREE}, max_requests=13)
    outcome, records, _ = run((fine,), (fine,), budget=budget)
    assert isinstance(outcome.exhausted, BudgetExhausted)
    assert len(records) == 13


def test_the_dollar_budget_is_never_passed(run):
    price = Price(1000.0, 1000.0, "2026-01-01")
    budget = Budget({"reference": price, "suspect": price}, usd=0.30)
    outcome, _, _ = run((fine,), (fine,), budget=budget)
    assert outcome.exhausted is not None
    # The worst case of a request here is 0.064: less than that is left when it stops.
    assert 0.30 - 0.064 < budget.usd <= 0.30


def test_progress_counts_to_the_end(run):
    seen = []
    run((fine,), (fine,), progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 41))
    assert seen[-1].total == 40
    assert seen[-1].tokens == 800
    assert seen[-1].eta_s == 0
