"""Servers that think, and what a server heeds, over real HTTP."""

import json
import random
import re
import threading

import pytest

from provenance import analyse, compare
from provenance.battery import Battery
from provenance.errors import BudgetExhausted
from provenance.evidence.store import Store
from provenance.verification import verify

VISIBLE = {cell.max_visible_tokens for cell in Battery.load("quick").cells}
ANSWERS = {"7": 0.5, "42": 0.3, "13": 0.2}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("provenance.sampling.runner.BACKOFF_S", (0.001,) * 4)


def limit_of(body):
    return body.get("max_tokens") or body.get("max_completion_tokens")


class Thinker:
    """A server that thinks ``tokens`` tokens before it answers, and stops where its limit is."""

    def __init__(self, tokens, *, seed=1, shown=True, refuses=(), counted=True):
        self.tokens, self.shown, self.refuses, self.counted = tokens, shown, refuses, counted
        self.rng, self.lock = random.Random(seed), threading.Lock()

    def __call__(self, number, body):
        for name in self.refuses:
            if name in body:
                error = {"message": f"Unsupported parameter: '{name}'", "param": name}
                return 400, {}, json.dumps({"error": error}).encode()
        with self.lock:
            thought = int(self.tokens * self.rng.uniform(0.5, 1.0)) if self.tokens else 0
            text = self.rng.choices(list(ANSWERS), ANSWERS.values())[0]
        starved = thought + 1 > limit_of(body)
        message = {"role": "assistant", "content": "" if starved else text}
        if self.shown and thought:
            message["reasoning_content"] = "hm " * 20
        used = limit_of(body) if starved else thought + 1
        usage = {"prompt_tokens": 20, "completion_tokens": used}
        if self.shown and thought and self.counted:
            usage["completion_tokens_details"] = {"reasoning_tokens": thought}
        reason = "length" if starved else "stop"
        payload = {"model": "m", "choices": [{"message": message, "finish_reason": reason}]}
        if self.counted:
            payload["usage"] = usage
        return 200, {}, json.dumps(payload).encode()


def finding(study, name):
    return next((f for f in study.findings if f.name == name), None)


def study_of(serve, tmp_path, reference, suspect, *, option="", **options):
    sides = [serve(side) for side in (reference, suspect)]
    endpoints = [f"compatible:m@{url}{option}" for url, _ in sides]
    study = compare(
        *endpoints, formats=[], store=tmp_path / "s", seed=1, draws=5, new=True, **options
    )
    return study, [server for _, server in sides]


@pytest.mark.parametrize("shown", [True, False], ids=["shown", "hidden"])
def test_a_server_that_thinks_gets_room_for_it(serve, tmp_path, shown):
    study, servers = study_of(
        serve, tmp_path, Thinker(300, shown=shown), Thinker(300, seed=2, shown=shown)
    )
    assert study.document.coverage.completed == study.document.coverage.planned == 60
    assert study.document.failures == ()
    limits = {limit_of(body) for body in servers[0].requests[2:]}
    assert min(limits) >= 1024 + min(VISIBLE)
    assert max(limits) <= 2048 + max(VISIBLE)
    found = finding(study, "thinking")
    assert found.exactness == "descriptive"
    assert found.p_value is None
    assert all(found.values[role]["on"] for role in ("reference", "suspect"))
    assert "on for the reference and on for the suspect" in found.method
    by_side = study.document.usage.by_side
    assert by_side["reference"]["requests"] == len(servers[0].requests) == 32
    assert by_side["reference"]["completion_tokens"] > 32 * 150


def test_deep_thought_is_found_by_the_second_pilot(serve, tmp_path):
    study, servers = study_of(serve, tmp_path, Thinker(6000), Thinker(6000, seed=2))
    assert [limit_of(body) for body in servers[1].requests[:2]] == [2048 + 16, 8192 + 16]
    assert {limit_of(body) - 16384 for body in servers[1].requests[2:]} == VISIBLE
    assert study.document.coverage.completed == 60


def test_endless_thought_is_starved_and_never_a_difference(serve, tmp_path):
    study, _ = study_of(serve, tmp_path, Thinker(0), Thinker(10**6))
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "nothing_answered"
    assert {f.kind for f in study.document.failures} == {"starved"}
    assert finding(study, "thinking").values["suspect"]["on"]


def test_one_side_that_thinks_is_said_and_decides_nothing(serve, tmp_path):
    study, servers = study_of(serve, tmp_path, Thinker(0), Thinker(300))
    assert {limit_of(body) for body in servers[0].requests[2:]} == VISIBLE
    assert finding(study, "thinking").effect == 1.0
    assert "off for the reference and on for the suspect" in finding(study, "thinking").method
    assert study.verdict.label == "inconclusive"


def test_without_thinking_nothing_is_added_and_nothing_said(serve, tmp_path):
    study, servers = study_of(serve, tmp_path, Thinker(0), Thinker(0, seed=2))
    assert {limit_of(body) for body in servers[0].requests[2:]} == VISIBLE
    assert finding(study, "thinking") is None
    assert len(servers[0].requests) == 32


def test_the_option_reasoning_comes_first(serve, tmp_path):
    study, servers = study_of(
        serve, tmp_path, Thinker(300), Thinker(300, seed=2), option=",reasoning=700"
    )
    assert {limit_of(body) - 700 for body in servers[0].requests} == VISIBLE | {16}
    assert study.document.coverage.completed == 60


def test_the_parameter_that_the_server_accepts_is_used(serve, tmp_path):
    thinker = Thinker(300, refuses=("max_tokens",))
    study, servers = study_of(serve, tmp_path, thinker, Thinker(300, seed=2))
    assert study.document.coverage.completed == 60
    assert sum("max_tokens" in body for body in servers[0].requests) == 1
    assert study.document.reference.capabilities["max_tokens"] == "refused"


def test_thinking_counts_in_the_budget_which_resumes_without_a_second_pilot(serve, tmp_path):
    sides = [serve(Thinker(300, seed=seed)) for seed in (1, 2)]
    endpoints = [f"compatible:m@{url}" for url, _ in sides]
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[[price]]\nmodel = "*"\nhost = "*"\ninput = 1.0\noutput = 10.0\nas_of = "2026-11-01"\n'
    )
    options = {
        "formats": [], "store": tmp_path / "s", "seed": 1, "draws": 5, "prices": str(prices)
    }  # fmt: skip
    with pytest.raises(BudgetExhausted, match="max-requests 20"):
        compare(*endpoints, max_requests=20, **options)
    asked = [len(server.requests) for _, server in sides]
    assert sum(asked) == 20
    study = compare(*endpoints, **options)
    assert [len(server.requests) for _, server in sides] == [32, 32]
    with Store.open(study.store) as store:
        kinds = [event["kind"] for event in store.notes()]
    assert kinds.count("pilot") == 4
    assert kinds.count("piloted") == 2
    assert study.document.usage.requests == 64


def test_pilot_bytes_are_evidence(serve, tmp_path):
    study, _ = study_of(serve, tmp_path, Thinker(300), Thinker(300, seed=2))
    assert verify(study.store).ok
    assert analyse(study.store) == study.document
    with Store.open(study.store) as store:
        event = next(e for e in store.notes() if e["kind"] == "pilot")
        assert b"17 times 23" in store.blob(event["values"]["request_sha256"])
    sha256 = event["values"]["response_sha256"]
    (study.store / "blobs" / sha256[:2] / sha256).write_bytes(b"{}")
    found = verify(study.store)
    assert "the bytes of its response were changed" in " ".join(found.problems)


class Ladder:
    """A small language model that heeds what it is told to heed."""

    def __init__(self, heeds, refuses=()):
        self.heeds, self.refuses, self.rng = set(heeds), refuses, random.Random(5)

    def __call__(self, number, body):
        for name in self.refuses:
            if body.get(name) is not None:
                error = {"message": f"Unsupported parameter: '{name}'", "param": name}
                return 400, {}, json.dumps({"error": error}).encode()
        messages = body["messages"]
        rng = self.rng
        if "seed" in self.heeds and "seed" in body:
            rng = random.Random(body["seed"])
        heeded = [n for n in ("temperature", "top_p") if n in self.heeds and n in body]
        if any(body[n] < 0.1 for n in heeded):
            rng = random.Random(0)
        text = " ".join(rng.choices(["Elm", "Oak", "Ash", "Fir", "Yew"], k=9))
        if messages[0]["role"] == "system" and "system" not in self.heeds:
            messages = messages[1:]
        if "kumquat" in messages[0]["content"]:
            text = "Kumquat."
        if messages[-1]["role"] == "assistant":
            text = " six, seven, eight" if "prefill" in self.heeds else "One, two, three"
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        if body.get("logprobs") and "logprobs" in self.heeds:
            top = [{"token": "a", "logprob": -0.1}]
            choice["logprobs"] = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": top}]}
        choices = [choice] * (body.get("n", 1) if "n" in self.heeds else 1)
        payload = {"model": "m", "choices": choices}
        if "usage" in self.heeds:
            payload["usage"] = {"prompt_tokens": 20, "completion_tokens": 9}
        return 200, {}, json.dumps(payload).encode()


RUNGS = ("usage", "logprobs", "seed", "temperature", "top_p", "n", "system", "prefill")


@pytest.mark.parametrize("state", ["supported", "ignored"])
def test_what_a_server_heeds_is_found_by_what_it_does(serve, tmp_path, state):
    suspect = Ladder(RUNGS if state == "supported" else ())
    study, servers = study_of(serve, tmp_path, Ladder(RUNGS), suspect, ladder=True)
    for name in RUNGS:
        assert study.document.reference.capabilities[name] == "supported", name
        assert study.document.suspect.capabilities[name] == state, name
    found = finding(study, "capabilities")
    assert found.exactness == "descriptive"
    differing = {} if state == "supported" else set(RUNGS)
    assert set(found.values["differing"]) == set(differing)
    assert len(servers[1].requests) == 30 + 2 + (13 if state == "supported" else 14)
    if state == "ignored":
        assert "seed: reference supported, suspect ignored" in found.method


def test_what_a_server_refuses_is_not_asked_for_again(serve, tmp_path):
    refuses = ("temperature", "top_p", "logprobs", "seed")
    study, servers = study_of(serve, tmp_path, Ladder(RUNGS), Ladder(RUNGS, refuses), ladder=True)
    for name in refuses:
        assert study.document.suspect.capabilities[name] == "refused"
        assert sum(name in body for body in servers[1].requests) == 1, name
    assert study.document.coverage.completed == 60
    assert set(finding(study, "capabilities").values["differing"]) == set(refuses)


def test_a_server_that_always_says_the_same_does_not_tell(serve, tmp_path):
    def constant(number, body):
        message = {"role": "assistant", "content": "42"}
        payload = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
        return 200, {}, json.dumps(payload).encode()

    study, _ = study_of(serve, tmp_path, constant, constant, ladder=True)
    for name in ("seed", "temperature", "top_p"):
        assert study.document.suspect.capabilities[name] == "unclear"


def test_what_the_endpoint_itself_sets_is_not_judged(serve, tmp_path):
    study, servers = study_of(
        serve, tmp_path, Ladder(RUNGS), Ladder(RUNGS), option=",temperature=0.7", ladder=True
    )
    assert study.document.suspect.capabilities["temperature"] == "accepted"
    assert study.document.suspect.capabilities["seed"] == "supported"
    assert {body["temperature"] for body in servers[1].requests} == {0.7}


def test_a_model_that_obeys_nobody_does_not_tell_whether_the_system_message_is_heeded(
    serve, tmp_path
):
    def deaf(number, body):
        message = {"role": "assistant", "content": "Good morning to you!"}
        payload = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
        return 200, {}, json.dumps(payload).encode()

    study, _ = study_of(serve, tmp_path, Ladder(RUNGS), deaf, ladder=True)
    assert study.document.suspect.capabilities["system"] == "unclear"
    assert "system" not in finding(study, "capabilities").values["compared"]


def test_a_plan_with_pilot_requests_counts_thinking_and_keeps_nothing(serve, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from provenance.cli import app

    monkeypatch.chdir(tmp_path)
    sides = [serve(Thinker(n, seed=n)) for n in (0, 300)]
    endpoints = [f"compatible:m@{url}" for url, _ in sides]
    plans = {}
    for flags in ((), ("--pilot",)):
        done = CliRunner().invoke(app, ["plan", *endpoints, "--json", *flags])
        assert done.exit_code == 0, done.output
        plans[flags] = json.loads(done.stdout)
    assert [len(server.requests) for _, server in sides] == [2, 2]
    piloted = plans["--pilot",]["piloted"]
    assert (piloted["reference"]["thinks"], piloted["suspect"]["thinks"]) == (False, True)
    before, after = (plan["estimate"] for plan in plans.values())
    assert after["tokens_low"] >= before["tokens_low"] + 120 * piloted["suspect"]["thought"]
    room = piloted["suspect"]["thinking_tokens"]
    assert after["tokens_high"] == before["tokens_high"] + 120 * room
    shown = CliRunner().invoke(app, ["plan", *endpoints, "--pilot"])
    assert "does not think, as far as its answers show" in shown.stdout
    assert re.search(r"thinks: \d+ tokens and more an answer, room for [12],\d+", shown.stdout)
    assert list(tmp_path.iterdir()) == []
