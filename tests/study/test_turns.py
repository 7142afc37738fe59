"""A study and its anchors are asked in turn: what a host changes with time meets all of them.

Unit: a request. What must hold: at any moment every pair of endpoints stands at the same share of
its plan, give or take a block; nobody waits for ever; budgets and interruptions are those of the
whole study. What breaks it: a model on this machine or a recording, which come afterwards; then
the document says how far apart they were.
"""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from provenance import Endpoint, compare, verify
from provenance.battery import Cell
from provenance.errors import BudgetExhausted, UsageError
from provenance.evidence.store import Store
from provenance.providers.simulated import SimulatedProvider
from provenance.sampling.plan import make_plan
from provenance.settings import Settings
from provenance.study.comparison import prepare_comparison
from provenance.study.sides import shared_gates
from provenance.study.turns import Turns
from provenance.transcript import ROLES, Message

ALPHA = 0.05
# m0 and m1 are two models, h0 and h1 what the suspect's host makes of them.
MODELS = """
[models.m0.cells]
"*" = {"7" = 0.6, "42" = 0.3, "13" = 0.1}
[models.m1.cells]
"*" = {"7" = 0.65, "3" = 0.25, "13" = 0.1}
[models.h0.cells]
"*" = {"7" = 0.2, "42" = 0.3, "13" = 0.5}
[models.h1.cells]
"*" = {"7" = 0.2, "3" = 0.25, "13" = 0.55}
[models.far.cells]
"*" = {"99" = 1.0}
"""


def plan_of(draws, cells=3, seed=1):
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
    return make_plan({}, made, {r: [draws] * cells for r in ROLES}, seed=seed, blocked=True)


def run(plans, *, ends=None, fails=None):
    """Parts that take different numbers of steps a slot; returns (part, share) as they started."""
    started, finished = [], {}

    async def part(number, turns):
        await turns.begin(number)
        outcome = None
        try:
            for slot in range(len(plans[number].slots)):
                if not await turns.take(number, slot):
                    break
                if (number, slot) == fails:
                    raise UsageError("made to fail")
                if number == 0 and slot == ends:
                    outcome = slot
                    break
                started.append((number, slot / len(plans[number].slots)))
                for _ in range(1 + 3 * number):
                    await asyncio.sleep(0)
            finished[number] = True
        finally:
            turns.leave(number, ended_at=outcome, failed=number not in finished)

    async def whole():
        turns = Turns(plans)
        parts = (part(i, turns) for i in range(len(plans)))
        return await asyncio.wait_for(asyncio.gather(*parts, return_exceptions=True), 10)

    return started, asyncio.run(whole())


@pytest.mark.parametrize("draws", [(5, 5, 5), (5, 9, 2), (1, 1, 7)])
def test_nobody_is_more_than_a_block_ahead(draws):
    plans = [plan_of(n) for n in draws]
    started, errors = run(plans)
    assert errors == [None] * 3
    assert len(started) == sum(len(p.slots) for p in plans)
    step = max(2 / len(p.slots) for p in plans)
    at = dict.fromkeys(range(3), 0.0)
    ends = {i: max(s for p, s in started if p == i) for i in range(3)}
    for number, share in started:
        behind = [at[i] for i in range(3) if at[i] < ends[i]]  # who is done holds nobody up
        assert share <= min(behind, default=1.0) + step + 1e-9
        at[number] = share


def test_a_part_begins_when_the_one_before_it_has():
    order = []

    async def part(number, turns):
        await turns.begin(number)
        order.append(number)
        await asyncio.sleep(0.01 * (3 - number))
        await turns.take(number, 0)
        turns.leave(number)

    async def whole():
        turns = Turns([plan_of(1)] * 3)
        await asyncio.wait_for(asyncio.gather(*(part(i, turns) for i in (2, 1, 0))), 10)

    asyncio.run(whole())
    assert order == [0, 1, 2]


def test_where_the_study_ends_its_anchors_end():
    plans = [plan_of(5), plan_of(5), plan_of(10)]
    started, errors = run(plans, ends=10)
    assert errors == [None] * 3
    last = {i: max(s for p, s in started if p == i) for i in range(3)}
    assert last[0] == 9 / 30
    assert all(last[0] - 2 / 30 <= last[i] <= 10 / 30 + 2 / 30 for i in (1, 2))


@pytest.mark.parametrize("who", [0, 1, 2])
def test_a_part_that_fails_stops_the_others_and_nobody_hangs(who):
    started, errors = run([plan_of(5)] * 3, fails=(who, 12))
    assert [isinstance(e, UsageError) for e in errors] == [i == who for i in range(3)]
    assert max(share for _, share in started) <= 14 / 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory, number_battery):
    path = tmp_path_factory.mktemp("turns")
    (path / "models.toml").write_text(MODELS, encoding="utf-8")
    number_battery(path / "numbers.toml", ["one_token"] * 8, 12)
    return path


@pytest.fixture
def study(folder, tmp_path):
    def model(side):
        return f"simulated:{folder}/models.toml,model={side}" if isinstance(side, str) else side

    def compared(suspect, anchor, anchor_reference="m1", **options):
        more = {"battery": f"{folder}/numbers.toml", "seed": 4, "alpha": ALPHA, "formats": []}
        return compare(
            model("m0"), model(suspect), anchors=[(model(anchor_reference), model(anchor))],
            **(more | options), store=tmp_path / "s",
        )  # fmt: skip

    return compared


class Host:
    """Changes what it serves after so many requests, whoever they were for."""

    def __init__(self, folder, changes_after):
        self.folder, self.changes_after, self.asked = folder, changes_after, 0

    def provider(self, name):
        endpoint = Endpoint.parse(f"simulated:{self.folder}/models.toml,model={name}")
        return SimulatedProvider(endpoint, environment={})

    def serve(self, before, after):
        host, then = self, self.provider(after)

        class Served(SimulatedProvider):
            async def draw(self, request):
                host.asked += 1
                changed = host.asked > host.changes_after
                return await (then.draw(request) if changed else super().draw(request))

        return Served(self.provider(before).endpoint, environment={})


def codes(found):
    return [reason.code for reason in found.verdict.reasons]


def anchors_of(found):
    return next(f for f in found.findings if f.name == "anchors")


def starts(store):
    with Store.open(store) as opened:
        return sorted((r.started_utc, r.slot) for r in opened.records())


def test_requests_of_study_and_anchor_alternate(study, tmp_path):
    study("h0", "h1")
    main = starts(tmp_path / "s")
    anchor = starts(tmp_path / "s" / "others" / "0-anchor")
    assert len(main) == len(anchor) == 192
    events = sorted([(t, 0) for t, _ in main] + [(t, 1) for t, _ in anchor])
    ahead = 0
    for _, who in events:
        ahead += 1 if who == 0 else -1
        # A block, and what may be on its way at once.
        assert abs(ahead) <= 2 + 4 + 2


def test_a_host_that_changes_meanwhile_changes_both(study, folder):
    """The host makes sevens thirteens, in every model, and stops after 96 of 192 requests.

    Asked in turn, suspect and anchor are shifted in half of their draws alike. Asked one after the
    other, the suspect would be shifted in all and the anchor in none: "different", falsely.
    """
    host = Host(folder, 96)
    found = study(host.serve("h0", "m0"), host.serve("h1", "m1"))
    assert host.asked == 192
    assert found.verdict.label == "inconclusive"
    assert codes(found)[:2] == ["rejects_same_deployment", "anchors_shift_alike"]
    assert anchors_of(found).values["apart_s"] < 60
    assert not [line for line in found.document.limits if "Anchors were not asked" in line]


def test_one_after_the_other_the_same_host_would_be_taken_for_another_model(study, folder):
    found = study("h0", Host(folder, 0).serve("h1", "m1"), seed=5)
    assert found.verdict.label == "different"
    assert "beyond_anchors" in codes(found)


def test_an_anchor_of_another_time_is_said_to_be(study, folder):
    """Both sides of the anchor bear times three hours later: as if it had been asked then."""

    class Late(SimulatedProvider):
        async def draw(self, request):
            exchange = await super().draw(request)
            moved = datetime.fromisoformat(exchange.started_utc) + timedelta(hours=3)
            return replace(exchange, started_utc=moved.isoformat())

    late = [
        Late(Endpoint.parse(f"simulated:{folder}/models.toml,model={name}"), environment={})
        for name in ("h1", "m1")
    ]
    found = study("h0", *late, formats=["md"])
    assert anchors_of(found).values["apart_s"] == pytest.approx(3 * 3600, abs=60)
    assert any("Anchors were not asked when the suspect was" in x for x in found.document.limits)
    assert "at most 3 hours apart" in found.written["md"].read_text()


def test_a_sequential_study_that_stops_early_ends_its_anchors_there(study, tmp_path):
    found = study("far", "h1", sequential=True, draws=40)
    assert "rejects_sequentially" in codes(found)
    main = starts(tmp_path / "s")
    anchor = starts(tmp_path / "s" / "others" / "0-anchor")
    assert len(main) < 640
    assert abs(len(main) - len(anchor)) <= 2 + 64  # what was on its way at once
    assert found.document.anchors[0].used
    assert verify(tmp_path / "s").ok


@pytest.mark.parametrize("limit", [1, 150, 383])
def test_an_interrupted_study_goes_on_in_turn(study, tmp_path, limit):
    with pytest.raises(BudgetExhausted):
        study("h0", "h1", max_requests=limit)
    parts = [tmp_path / "s", tmp_path / "s" / "others" / "0-anchor"]
    asked = [len(starts(path)) for path in parts]
    assert sum(asked) == limit
    assert abs(asked[0] - asked[1]) <= 4
    found = study("h0", "h1")
    assert [len(starts(path)) for path in parts] == [192, 192]
    assert found.document.usage.requests == 384
    assert verify(tmp_path / "s").ok


def test_a_host_is_one_host_for_the_study_and_its_anchors(folder):
    """Places and pace are the host's: an anchor at it takes its turn at the study's own gate."""

    def at(host, model):
        return Endpoint.parse(f"compatible:{model}@https://{host}/v1,rpm=30")

    made = prepare_comparison(
        at("a.test", "m"),
        at("b.test", "m"),
        [(at("a.test", "n"), at("b.test", "n")), (at("a.test", "o"), at("b.test", "o"))],
        Settings(battery=f"{folder}/numbers.toml"),
    )
    gates = shared_gates(made.plans())
    assert len({id(g["suspect"]) for g in gates}) == len({id(g["reference"]) for g in gates}) == 1
    assert gates[0]["suspect"] is not gates[0]["reference"]
