"""From candidates to a battery, and what the battery then shows."""

import json
import os
import threading
from collections import Counter

import numpy as np
import pytest

from provenance import Battery, Settings, compare
from provenance.battery import Probe
from provenance.errors import BudgetExhausted, ProviderError, UsageError
from provenance.library.private import to_toml
from provenance.study.bordering import generated, select_border
from provenance.transcript import Message

# Cell 1 is tied, 2 nearly, the others are not. At temperature 0 the suspect turns cell 1 over.
TABLES = {1: "A = 0.5, B = 0.5", 2: "A = 0.6, B = 0.4", 3: "A = 0.97, B = 0.03", 4: "A = 1.0"}


def _models(path):
    lines = []
    for name, turned in (("reference", "A"), ("again", "A"), ("rounded", "B")):
        lines.append(f"[models.{name}.cells]")
        for number, table in TABLES.items():
            cold = turned if number == 1 else "A"
            lines += [
                f'"c{number}" = {{{table}}}',
                f'"c{number}-free" = {{{table}}}',
                f'"c{number}-greedy" = {{{cold} = 1.0}}',
            ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return lambda name: f"simulated:{path},model={name}"


@pytest.fixture
def endpoint(tmp_path):
    return _models(tmp_path / "models.toml")


PROBES = tuple(
    Probe(
        id=f"c{number}",
        family="mine",
        version=1,
        messages=(Message(role="user", content=f"Choose A or B, number {number}."),),
        max_visible_tokens=4,
        reading="word",
        rationale="A choice between two letters.",
        source="none",
    )
    for number in TABLES
)


def _select(endpoint, tmp_path, name="reference", settings=None, **options):
    options = {"cells": 2, "draws": 16} | options
    return select_border(
        endpoint(name),
        PROBES,
        folder=tmp_path / "asked",
        settings=settings or Settings(seed=3),
        **options,
    )


def test_tied_cells_are_chosen_and_a_turned_one_shows(endpoint, tmp_path):
    found = _select(endpoint, tmp_path)
    assert {tie.cell for tie in found.ties} == {"c1", "c2"}
    assert found.candidates == 4
    assert found.spent.answers == found.requests == found.planned == 4 * 4 + 3 * 2 * 4
    assert {tie.temperature for tie in found.ties} == {0.1}
    file = tmp_path / "border.toml"
    file.write_text(to_toml(found.battery), encoding="utf-8")
    again, rounded = (
        compare(
            endpoint("reference"),
            endpoint(n),
            battery=str(file),
            seed=4,
            formats=[],
            store=tmp_path / n,
        )
        for n in ("again", "rounded")
    )
    p = {f.name: f.p_value for f in rounded.findings}
    # One of two cells turned over, blocks of one to one: 2 of the 2^9 relabellings that matter.
    assert p["equality/border_greedy"] == pytest.approx(2 / 512, abs=0.003)
    assert rounded.verdict.label == "different"
    assert {f.name: f.p_value for f in again.findings}["equality/border_greedy"] == 1.0


def test_draws_of_the_selection_are_not_those_of_the_study(endpoint, tmp_path):
    """Under one seed simulated and local models repeat themselves cell by cell; ids differ."""
    found = _select(endpoint, tmp_path, settings=Settings(seed=4))
    assert not {p.id for p in found.battery.probes} & {p.id for p in PROBES}


def test_nothing_is_asked_twice(endpoint, tmp_path):
    first = _select(endpoint, tmp_path)
    told = []
    second = _select(endpoint, tmp_path, agree=lambda *what: told.append(what))
    assert (second.ties, second.spent, told) == (first.ties, first.spent, [])
    with pytest.raises(UsageError, match="another selection"):
        _select(endpoint, tmp_path, "again")


def test_limits_hold_over_all_rounds_and_a_larger_one_resumes(endpoint, tmp_path):
    with pytest.raises(BudgetExhausted, match="--max-requests 20 for all rounds"):
        _select(endpoint, tmp_path, settings=Settings(seed=3, max_requests=20))
    with pytest.raises(BudgetExhausted, match="--max-requests 16 for all rounds"):
        _select(endpoint, tmp_path, settings=Settings(seed=3, max_requests=16))
    found = _select(endpoint, tmp_path, settings=Settings(seed=3, max_requests=40))
    assert found.spent.answers == 40


def test_what_all_rounds_take_is_told_before_anything_is_sent(endpoint, tmp_path):
    def refuse(hosts, estimate):
        assert estimate.requests == 40
        raise UsageError("no")

    with pytest.raises(UsageError, match="no"):
        _select(endpoint, tmp_path, agree=refuse)
    assert not (tmp_path / "asked" / "round-1").exists()


def test_a_server_that_refuses_a_temperature_is_not_asked_round_after_round(
    serve, answer_bytes, tmp_path
):
    def answer(number, body):
        error = {"error": {"message": "Unsupported parameter: temperature", "type": "invalid"}}
        refused = 400, {}, json.dumps(error).encode()
        return refused if "temperature" in body else (200, {}, answer_bytes("AB"[number % 2]))

    url, _ = serve(answer)
    asked = f"compatible:m@{url}"
    with pytest.raises(ProviderError, match=r"refuses a temperature.*--temperatures default"):
        select_border(asked, PROBES, folder=tmp_path / "x", cells=1)
    assert not (tmp_path / "x" / "round-2").exists()
    found = select_border(asked, PROBES, folder=tmp_path / "y", cells=1, temperatures=[None])
    assert found.ties[0].counts[1] > 0
    assert found.ties[0].temperature is None


def _undecided(asked, answer_bytes):
    """Answers of a server: two, (n − 1)²/10 nats apart for prompt n; it heeds the temperature.

    They are keyed by how often a prompt was asked at a temperature, so no order changes them.
    """

    def answer(number, body):
        text, heat = body["messages"][0]["content"], body.get("temperature")
        if not text.startswith("Choose A"):  # does it think?
            return 200, {}, answer_bytes("391")
        n = int(text.split()[-1].strip("."))
        with lock:
            asked[n, heat] += 1
            draw = np.random.default_rng([2, n, asked[n, heat]]).random()
        first = draw < 1 / (1 + np.exp(-((n - 1) ** 2) / 10 / heat))
        return 200, {}, answer_bytes("A" if first else "B")

    lock = threading.Lock()
    return answer


def test_a_falling_search_finds_the_ties_of_a_server_and_says_what_it_sent(
    serve, answer_bytes, tmp_path
):
    """Prompts 1 and 2 lie within a tenth of a nat, the other 18 from .4 to 36 nats apart.

    What is planned is an upper limit that is told before anything is sent: whoever does not
    alternate is not asked again, so fewer requests than planned are sent. It breaks if a round
    sent no temperature, or if a constant candidate stayed.
    """
    probes = [
        PROBES[0].model_copy(
            update={
                "id": f"c{n}",
                "messages": (Message(role="user", content=f"Choose A or B, number {n}."),),
            }
        )
        for n in range(1, 21)
    ]
    asked = Counter()
    url, server = serve(_undecided(asked, answer_bytes))
    told = []
    found = select_border(
        f"compatible:m@{url}",
        probes,
        folder=tmp_path / "asked",
        cells=2,
        draws=12,
        temperatures=(0.3, 0.1),
        settings=Settings(seed=1),
        agree=lambda hosts, estimate: told.append(estimate.requests),
    )
    assert {tie.cell for tie in found.ties} == {"c1", "c2"}
    # Two questions of each recording learn whether the server thinks.
    assert told == [found.planned] == [20 * 4 + 10 * 4 + 5 * 4 + 3 * 2]
    assert found.requests == len(server.requests) < found.planned
    assert sum(n for (_, heat), n in asked.items() if heat == 0.3) == 20 * 4
    assert {heat for _, heat in asked} == {0.3, 0.1}
    assert not {n for n, heat in asked if heat == 0.1 and n > 5}


def test_references_that_cannot_serve(endpoint, tmp_path):
    with pytest.raises(UsageError, match="temperature"):
        select_border(f"{endpoint('again')},temperature=0.5", PROBES, folder=tmp_path / "x")
    with pytest.raises(UsageError, match="recording"):
        select_border(f"replay:{tmp_path}", PROBES, folder=tmp_path / "x")
    long = [PROBES[0].model_copy(update={"max_visible_tokens": 99})]
    with pytest.raises(UsageError, match="no candidate is usable"):
        select_border(endpoint("again"), long, folder=tmp_path / "x")
    with pytest.raises(UsageError, match="second answer"):
        select_border(endpoint("again"), PROBES[3:], folder=tmp_path / "y")
    with pytest.raises(UsageError, match="falling temperatures"):
        _select(endpoint, tmp_path, temperatures=(0.1, 0.3))


def _listing(body):
    """A server whose two likeliest tokens lie the nearer the higher a prompt's number."""
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 5, 1)
    n = int(body["messages"][0]["content"].split()[-1].strip("."))
    top = [{"token": t, "logprob": v} for t, v in (("A", -0.5), ("B", -0.5 - 1 / n))]
    choice = {
        "index": 0,
        "finish_reason": "length",
        "message": {"role": "assistant", "content": "A"},
        "logprobs": {"content": [{**top[0], "top_logprobs": top}]},
    }
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    return 200, {}, json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()


def test_by_log_probabilities_one_token_a_candidate_is_enough(
    serve, answer_bytes, tmp_path, endpoint
):
    def answer(number, body):
        # Two pilot questions learn whether the server thinks.
        return (200, {}, answer_bytes("7")) if number <= 2 else _listing(body)

    url, _ = serve(answer)
    options = {"folder": tmp_path / "asked", "cells": 2, "settings": Settings(logprobs=True)}
    found = select_border(f"compatible:m@{url}", PROBES, **options)
    assert [tie.cell for tie in found.ties] == ["c4", "c3"]
    assert found.spent.completion_tokens == 4
    assert {p.max_visible_tokens for p in found.battery.probes} == {4}
    with pytest.raises(UsageError, match="lists no log probabilities"):
        select_border(endpoint("again"), PROBES, **(options | {"folder": tmp_path / "other"}))


def test_generated_candidates_stay_the_same_when_a_selection_resumes(tmp_path):
    made = generated(20, tmp_path)
    assert len(made) == 20
    assert generated(20, tmp_path) == made
    assert Battery.load(tmp_path / "generated.toml").probes == made
    assert max(p.max_visible_tokens for p in made) <= 16


# First tokens of SmolLM2 to these: the two favourites of the first two lie .03 and .04 nats apart
# and change places at 8 bits, those of the others two and more.
NEAR = (
    "Hello! Pick a gemstone! One word only.",
    "Name a piece of furniture. Just the word.",
)
FAR = (
    "Name four ways to save water!",
    "List four rules for a library!",
    "Hi, list three signs of spring!",
)


@pytest.fixture(scope="module")
def smollm2(local_models):
    """Endpoints of SmolLM2 and of its 8-bit copy, loaded once: providers share what is held."""
    torch = pytest.importorskip("torch")
    from provenance.providers._local_weights import load

    torch.set_num_threads(1)  # test processes share the cores; threads that wait are worse
    files = [str(local_models.make(name)) for name in ("smollm2", "q8_0")]
    held = [load(f, dtype="float32", revision=None, environment=os.environ) for f in files]
    yield [f"transformers:{f},dtype=float32" for f in files]
    held.clear()


@pytest.mark.local
@pytest.mark.xdist_group("local")
def test_eight_bit_weights_turn_border_cells_of_a_real_model(smollm2, tmp_path):
    """SmolLM2 against itself at 8 bits: first-token KL .002, unseen by the shipped questions.

    Null: both sides serve the same weights in the same way, so that draws of a pair change places
    freely; unit: a pair; exact. Five candidates of one token, of which two are near a tie (the
    search does not know which); one is chosen. It breaks if the search keeps a prompt that is far
    from a tie, or if the two sides of the control answer at temperature 0 in two ways.
    """
    base, rounded = smollm2
    probes = [
        PROBES[0].model_copy(
            update={
                "id": f"p{i}",
                "messages": (Message(role="user", content=text),),
                "max_visible_tokens": 1,
            }
        )
        for i, text in enumerate((*NEAR, *FAR))
    ]
    found = select_border(
        base,
        probes,
        folder=tmp_path / "asked",
        cells=1,
        draws=8,
        free_draws=0,
        settings=Settings(seed=1),
    )
    assert found.ties[0].cell in {f"p{i}" for i in range(len(NEAR))}
    assert found.requests == found.spent.completion_tokens <= found.planned == 5 * 4 + 3 * 4
    battery = tmp_path / "border.toml"
    battery.write_text(to_toml(found.battery), encoding="utf-8")
    options = {"battery": str(battery), "formats": [], "seed": 2, "likelihood": False}
    study = compare(base, rounded, store=tmp_path / "q8", **options)
    assert study.verdict.label == "different"
    assert study.document.usage.completion_tokens == 2 * 9
    same = compare(base, base, store=tmp_path / "same", **options)
    assert same.verdict.label != "different"
