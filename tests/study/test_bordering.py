"""From candidates to a battery, and what the battery then shows."""

import importlib.util
import json
from pathlib import Path

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
    lines += ["[models.broken]", 'base = "reference"', "fail_rate = 1.0"]
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
    assert found.spent.answers == 4 * 4 + 3 * 2 * 4
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
    # One of two cells turned over, blocks of one to one: 2 of the 2^5 relabellings that matter.
    assert p["equality/border_greedy"] == pytest.approx(2 / 32, abs=0.01)
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


def test_references_that_cannot_serve(endpoint, tmp_path):
    with pytest.raises(ProviderError, match="no answer"):
        _select(endpoint, tmp_path, "broken")
    with pytest.raises(UsageError, match="temperature"):
        select_border(f"{endpoint('again')},temperature=0.5", PROBES, folder=tmp_path / "x")
    with pytest.raises(UsageError, match="recording"):
        select_border(f"replay:{tmp_path}", PROBES, folder=tmp_path / "x")
    long = [PROBES[0].model_copy(update={"max_visible_tokens": 99})]
    with pytest.raises(UsageError, match="no candidate is usable"):
        select_border(endpoint("again"), long, folder=tmp_path / "x")
    with pytest.raises(UsageError, match="second answer"):
        select_border(endpoint("again"), PROBES[3:], folder=tmp_path / "y")


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


@pytest.mark.local
@pytest.mark.slow
@pytest.mark.xdist_group("local")
def test_eight_bit_weights_turn_border_cells_of_a_real_model(tmp_path):
    """SmolLM2 against itself at 8 bits: first-token KL .007, unseen by the shipped questions."""
    pytest.importorskip("torch")
    file = Path(__file__).parents[2] / "benchmarks" / "local_models.py"
    spec = importlib.util.spec_from_file_location("local_models_for_border", file)
    local = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(local)
    base, rounded = (f"transformers:{local.make(n)},dtype=float32" for n in ("smollm2", "q8_0"))
    found = select_border(
        base,
        generated(60, tmp_path / "asked"),
        folder=tmp_path / "asked",
        cells=8,
        free_draws=0,
        settings=Settings(seed=1, logprobs=True),
    )
    battery = tmp_path / "border.toml"
    battery.write_text(to_toml(found.battery), encoding="utf-8")
    options = {"battery": str(battery), "formats": [], "seed": 2}
    study = compare(base, rounded, store=tmp_path / "q8", **options)
    assert study.verdict.label == "different"
    tokens = study.document.usage.completion_tokens
    assert found.spent.completion_tokens + tokens < 5_000
    same = compare(base, base, store=tmp_path / "same", **options)
    assert same.verdict.label != "different"
