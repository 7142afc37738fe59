import asyncio
import time

import pytest

from provenance.sampling.runner import Gate
from provenance.transcript import Completion, Failure

LIMITED = Failure(kind="rate_limited", message="slow down", status=429, retryable=True)


def test_a_rate_limit_halves_the_places_and_successes_bring_them_back():
    gate = Gate(8)
    gate.learn(LIMITED)
    gate.learn(LIMITED)
    assert gate.allowed == 2
    for _ in range(100):
        gate.learn(Completion(text="7"))
    assert gate.allowed == 8


def test_at_least_one_place_is_left():
    gate = Gate(4)
    for _ in range(10):
        gate.learn(LIMITED)
    assert gate.allowed == 1


async def _in_flight(gate, n):
    active = most = 0

    async def one():
        nonlocal active, most
        await gate.enter()
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.001)
        active -= 1
        await gate.leave()

    await asyncio.gather(*(one() for _ in range(n)))
    return most


def test_no_more_in_flight_than_places():
    assert asyncio.run(_in_flight(Gate(3), 30)) == 3


def test_starts_are_spaced_by_rpm():
    async def run():
        gate = Gate(10, rpm=60 / 0.02)
        began = time.monotonic()
        await _in_flight(gate, 6)
        return time.monotonic() - began

    assert asyncio.run(run()) >= 5 * 0.02


def test_retry_after_pauses_the_whole_host():
    async def run():
        gate = Gate(4)
        gate.learn(LIMITED.model_copy(update={"retry_after_s": 0.05}))
        began = time.monotonic()
        await gate.enter()
        return time.monotonic() - began

    assert asyncio.run(run()) >= 0.045


def test_a_cancelled_wait_gives_its_place_back():
    async def run():
        gate = Gate(1)
        gate.learn(LIMITED.model_copy(update={"retry_after_s": 5.0}))
        task = asyncio.create_task(gate.enter())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate._not_before = 0.0
        await asyncio.wait_for(gate.enter(), 1)

    asyncio.run(run())
