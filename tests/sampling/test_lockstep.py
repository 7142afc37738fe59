"""Pace: both sides go as fast as the slower one may, on a clock that no test waits for."""

import asyncio
from itertools import pairwise

import pytest

from provenance.battery import Cell
from provenance.evidence.store import Store
from provenance.sampling.budget import FREE, Budget
from provenance.sampling.plan import make_plan
from provenance.sampling.runner import Gate, Runner
from provenance.transcript import ROLES, Completion, Exchange, Failure, Message

RPM = 3
BETWEEN_S = 20.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next thing that is due."""

    now = 0.0

    def time(self):
        return self.now

    def _run_once(self):
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0].when())
        super()._run_once()


class Timed:
    """An endpoint that answers after ``delay_s``, and notes when it was asked."""

    host = None
    concurrency = 4
    ordered = True
    endpoint = None

    def __init__(self, loop, delay_s, answer):
        self.loop, self.delay_s, self.answer = loop, delay_s, answer
        self.asked = []

    async def draw(self, request):
        self.asked.append((self.loop.time(), request.slot))
        await asyncio.sleep(self.delay_s)
        return Exchange(b"?", b"!", self.answer(len(self.asked)), None, self.delay_s, status=200)


def fine(number):
    return Completion(text="7")


def every_other_limited(number):
    failure = Failure(kind="rate_limited", message="slow down", status=429, retryable=True)
    return failure if number % 2 else Completion(text="7")


@pytest.fixture
def run(tmp_path):
    """``run(rpm a side, delay a side)`` -> (plan, sides, virtual seconds it took)."""

    def go(rpm, delay_s, *, answer=fine, shared=False, draws=5, cells=4):
        loop = VirtualLoop()
        made = [
            Cell(
                id=f"c{i}",
                probe=f"c{i}",
                family="f",
                reading="text",
                messages=(Message(role="user", content="?"),),
                max_visible_tokens=8,
            )
            for i in range(cells)
        ]
        plan = make_plan({}, made, {r: [draws] * cells for r in ROLES}, seed=1, blocked=True)
        sides = {r: Timed(loop, delay_s[r], answer if r == "suspect" else fine) for r in ROLES}
        store = Store.create(tmp_path / "s", plan=plan.to_json(), battery={"cells": []})

        async def main():
            one = Gate(4, rpm["suspect"], clock=loop.time)
            gates = {r: one if shared else Gate(4, rpm[r], clock=loop.time) for r in ROLES}
            budget = Budget(dict.fromkeys(ROLES, FREE))
            return await Runner(plan, sides, store, budget, gates).run()

        with store:
            outcome = loop.run_until_complete(main())
        loop.close()
        assert outcome.stopped == ()
        assert all(len({slot for _, slot in side.asked}) == 20 for side in sides.values())
        return plan, sides, loop.now

    return go


def gaps(times):
    return [later - earlier for earlier, later in pairwise(sorted(times))]


def assert_lockstep(plan, sides):
    """At any moment the sides were asked equally often, give or take the two of a block."""
    asked = {"reference": 0, "suspect": 0}
    events = sorted((t, role) for role, side in sides.items() for t, _ in side.asked)
    for _, role in events:
        asked[role] += 1
        assert abs(asked["reference"] - asked["suspect"]) <= 2
    block = {slot.index: slot.block for slot in plan.slots}
    times = {}
    for side in sides.values():
        for t, slot in side.asked:
            times.setdefault(block[slot], []).append(t)
    assert max(max(ts) - min(ts) for ts in times.values()) <= 2 * BETWEEN_S


def test_three_a_minute_on_one_side_hold_back_the_other(run):
    plan, sides, took = run({"reference": None, "suspect": RPM}, {"reference": 0.1, "suspect": 0.5})
    assert min(gaps(t for t, _ in sides["suspect"].asked)) >= BETWEEN_S - 1e-6
    assert_lockstep(plan, sides)
    assert 19 * BETWEEN_S <= took <= 20 * BETWEEN_S


def test_three_a_minute_on_a_host_of_both_sides_are_shared(run):
    plan, sides, took = run(
        {"reference": RPM, "suspect": RPM}, {"reference": 0.1, "suspect": 0.1}, shared=True
    )
    assert min(gaps(t for side in sides.values() for t, _ in side.asked)) >= BETWEEN_S - 1e-6
    assert_lockstep(plan, sides)
    assert 39 * BETWEEN_S <= took <= 40 * BETWEEN_S


def test_attempts_keep_the_pace_too(run):
    _, sides, _ = run(
        {"reference": None, "suspect": RPM},
        {"reference": 0.1, "suspect": 0.1},
        answer=every_other_limited,
    )
    assert len(sides["suspect"].asked) > 20
    assert min(gaps(t for t, _ in sides["suspect"].asked)) >= BETWEEN_S - 1e-6


def test_a_slow_side_holds_back_a_fast_one_without_any_rpm(run):
    _, sides, took = run({"reference": None, "suspect": None}, {"reference": 0.01, "suspect": 40.0})
    # Four at a time: the fast side is ahead by the places of the slow one at most.
    events = sorted((t, role) for role, side in sides.items() for t, _ in side.asked)
    ahead = 0
    for _, role in events:
        ahead += 1 if role == "reference" else -1
        assert ahead <= 4 + 2
    assert took >= 20 / 4 * 40.0


def test_a_day_of_retry_after_stops_no_clock():
    gate = Gate(4)
    failure = Failure(
        kind="rate_limited", message="", status=429, retryable=True, retry_after_s=86_400.0
    )
    gate.learn(failure)

    async def enter():
        await asyncio.wait_for(gate.enter(), 1.0)

    asyncio.run(enter())
