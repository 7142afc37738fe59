from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.battery import Cell
from provenance.sampling.plan import Plan, make_plan
from provenance.transcript import Message


def cells(n):
    return [
        Cell(
            id=f"c{i}",
            probe=f"c{i}",
            family="f",
            reading="text",
            messages=(Message(role="user", content="?"),),
            max_visible_tokens=4,
        )
        for i in range(n)
    ]


def plan(reference, suspect, *, seed=0, blocked=True):
    draws = {"reference": reference, "suspect": suspect}
    return make_plan(
        {"question": "compare"}, cells(len(reference)), draws, seed=seed, blocked=blocked
    )


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_every_draw_is_planned_once_and_every_block_holds_both_sides(counts, seed):
    made = plan([r for r, _ in counts], [s for _, s in counts], seed=seed)
    assert made.draws("reference") == [r for r, _ in counts]
    assert made.draws("suspect") == [s for _, s in counts]
    keys = Counter((s.role, s.cell, s.draw) for s in made.slots)
    assert max(keys.values()) == 1
    blocks = {}
    for slot in made.slots:
        blocks.setdefault(slot.block, []).append(slot)
    for block in blocks.values():
        assert {s.role for s in block} == {"reference", "suspect"}
        assert len({s.cell for s in block}) == 1


def test_sides_are_interleaved_in_lockstep():
    made = plan([10] * 12, [10] * 12)
    balance = 0
    for slot in made.slots:
        balance += 1 if slot.role == "reference" else -1
        assert abs(balance) <= 1


def test_the_side_that_goes_first_is_random():
    made = plan([50] * 4, [50] * 4)
    first = [made.slots[i].role for i in range(0, len(made.slots), 2)]
    assert 70 <= first.count("reference") <= 130


def test_same_seed_same_order_other_seed_other_order():
    assert plan([5] * 4, [5] * 4).slots == plan([5] * 4, [5] * 4).slots
    assert plan([5] * 4, [5] * 4).slots != plan([5] * 4, [5] * 4, seed=1).slots


@pytest.mark.parametrize("blocked", [True, False])
def test_a_plan_survives_its_file(blocked):
    made = plan([3, 2], [3, 6], blocked=blocked)
    again = Plan.from_json(made.to_json(), cells(2))
    assert again == made
    assert again.digest == made.digest


def test_a_recording_has_no_blocks():
    assert {s.block for s in plan([3], [3], blocked=False).slots} == {None}
