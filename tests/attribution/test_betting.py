"""Which draws of a study are paired, which teach, and that no answer decides it."""

import numpy as np
import pytest

from provenance.attribution.betting import Betting
from provenance.battery import Cell
from provenance.sampling.plan import make_plan
from provenance.transcript import ROLES, Completion, Failure, Message, Record

CELLS = [
    Cell(
        id=f"c{i}",
        probe=f"c{i}",
        family="f",
        reading="text",
        messages=(Message(role="user", content="?"),),
        max_visible_tokens=4,
    )
    for i in range(2)
]


def plan_of(reference, suspect, *, blocked, seed=1):
    draws = {"reference": [reference] * 2, "suspect": [suspect] * 2}
    header = {"settings": {"alpha": 0.05}, "rules": {"max_lag_s": 600.0}}
    return make_plan(header, CELLS, draws, seed=seed, blocked=blocked)


def record(slot, answer):
    return Record(
        slot=slot.index,
        role=slot.role,
        cell=CELLS[slot.cell].id,
        draw=slot.draw,
        block=slot.block,
        attempt=0,
        final=True,
        started_utc=None,
        elapsed_s=None,
        request_sha256="0",
        response_sha256="0",
        completion=None if answer is None else Completion(text=answer),
        failure=Failure(kind="timeout", message="late") if answer is None else None,
    )


class Watched:
    """`SwapBetting` that writes down what it was shown."""

    def __init__(self, betting):
        self.shown, self.inner = [], betting.betting
        betting.betting = self

    def bet(self, cell, x, y):
        self.shown.append(("bet", cell, x, y))
        return self.inner.bet(cell, x, y)

    def learn(self, cell, reference=(), suspect=()):
        self.shown.append(("learn", cell, tuple(reference), tuple(suspect)))
        self.inner.learn(cell, reference, suspect)


def watch(plan, answers, order=None):
    betting = Betting(plan.to_json(), CELLS, None)
    watched = Watched(betting)
    for i in range(len(plan.slots)) if order is None else order:
        betting.add(record(plan.slots[i], answers[i]))
    return watched.shown


def names(plan):
    """An answer that says whose it is."""
    return [f"{s.role[0]}{s.draw}" for s in plan.slots]


def kinds(shown, kind):
    return [s for s in shown if s[0] == kind]


def test_a_recording_is_paired_as_planned_and_the_rest_teaches():
    plan = plan_of(12, 3, blocked=False)
    shown = watch(plan, names(plan))
    bets = kinds(shown, "bet")
    assert len(bets) == 6
    learnt = [a for s in kinds(shown, "learn") for a in s[2]]
    assert len(learnt) == 18
    for cell in ("c0", "c1"):
        used = [s[2] for s in bets if s[1] == cell]
        taught = [a for s in kinds(shown, "learn") if s[1] == cell for a in s[2]]
        assert sorted(used + taught) == sorted(f"r{k}" for k in range(12))
    # Those that teach are not kept for the end: most have come before the last bet.
    last = max(i for i, s in enumerate(shown) if s[0] == "bet")
    assert sum(len(s[2]) for s in shown[:last] if s[0] == "learn") > 9


def test_a_longer_suspect_teaches_too():
    plan = plan_of(2, 6, blocked=False)
    shown = watch(plan, names(plan))
    assert len(kinds(shown, "bet")) == 4
    assert sum(len(s[3]) for s in kinds(shown, "learn")) == 8


def test_in_a_block_the_spare_draws_teach_before_the_bet():
    plan = plan_of(12, 3, blocked=True)
    shown = watch(plan, names(plan))
    assert [s[0] for s in shown] == ["learn", "bet"] * 6
    assert all(len(s[2]) == 3 and not s[3] for s in kinds(shown, "learn"))


@pytest.mark.parametrize("blocked", [True, False])
def test_no_answer_decides_what_is_paired(blocked):
    """Pairs and lessons fall on the same draws, whatever was answered and failed alike."""
    plan = plan_of(9, 3, blocked=blocked)
    rng = np.random.default_rng(2)
    lost = rng.random(len(plan.slots)) < 0.2
    marked = [None if gone else n for gone, n in zip(lost, names(plan), strict=True)]
    same = [None if gone else "yes" for gone in lost]
    one, other = watch(plan, marked), watch(plan, same)
    assert [s[:2] for s in one] == [s[:2] for s in other]
    assert [len(s[2]) for s in kinds(one, "learn")] == [len(s[2]) for s in kinds(other, "learn")]


@pytest.mark.parametrize("blocked", [True, False])
def test_the_order_in_which_records_come_does_not_matter(blocked):
    plan = plan_of(6, 3, blocked=blocked)
    order = np.random.default_rng(3).permutation(len(plan.slots))
    assert watch(plan, names(plan)) == watch(plan, names(plan), order)


def test_a_lost_partner_is_replaced_by_the_next_that_was_meant_to_be_paired():
    plan = plan_of(3, 3, blocked=False)
    answers = names(plan)
    first = next(s.index for s in plan.slots if s.role == "reference" and s.cell == 0)
    answers[first] = None
    shown = watch(plan, answers)
    assert sum(s[1] == "c0" for s in kinds(shown, "bet")) == 2
    assert not kinds(shown, "learn")


def test_a_block_that_took_too_long_is_neither_bet_on_nor_learnt_from():
    plan = plan_of(2, 1, blocked=True)
    betting = Betting(plan.to_json(), CELLS, None)
    watched = Watched(betting)
    for i, slot in enumerate(plan.slots):
        late = f"2026-11-25T{10 + i:02d}:00:00+00:00"
        betting.add(record(slot, "x").model_copy(update={"started_utc": late}))
    assert watched.shown == []
    assert {s.role for s in plan.slots} == set(ROLES)
