"""Faults on one side lower coverage; they never make the sides different."""

import json
import random

import pytest

from provenance import compare

DRAWS = {"7": 0.5, "42": 0.3, "13": 0.2}


def healthy(answer_bytes, seed):
    rng = random.Random(seed)

    def answer(number, body):
        return 200, {}, answer_bytes(rng.choices(list(DRAWS), DRAWS.values())[0])

    return answer


FAULTS = {
    "401": lambda text: (401, {}, b'{"error": {"message": "bad key"}}'),
    "404": lambda text: (404, {}, b'{"error": {"message": "no such model"}}'),
    "429": lambda text: (429, {"retry-after": "0"}, b"slow down"),
    "500": lambda text: (500, {}, b"<html>oops</html>"),
    "garbage": lambda text: (200, {}, b"\x00\xff not json"),
    "wrong types": lambda text: (200, {}, b'{"choices": "none", "usage": 7}'),
    "truncated": lambda text: (200, {}, text[: len(text) // 2]),
    "reset": lambda text: (None, {}, b""),
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("provenance.sampling.runner.BACKOFF_S", (0.001,) * 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_side_that_always_fails_is_inconclusive(serve, answer_bytes, tmp_path, fault):
    good, _ = serve(healthy(answer_bytes, 1))
    bad, server = serve(lambda number, body: FAULTS[fault](answer_bytes("7")))
    study = compare(
        f"compatible:m@{good}", f"compatible:m@{bad}", formats=[], store=tmp_path / "s", seed=1
    )
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "nothing_answered"
    assert study.unanswered == ("suspect",)
    assert study.document.failures[0].side == "suspect"
    assert server.count <= 8 * 5 + 40, "a dead endpoint is left alone after eight final failures"


@pytest.mark.parametrize("fault", ["429", "500", "garbage", "reset"])
def test_a_side_that_fails_now_and_then_is_not_different(serve, answer_bytes, tmp_path, fault):
    rng = random.Random(7)
    answer = healthy(answer_bytes, 2)

    def flaky(number, body):
        fails = rng.random() < 0.25
        return FAULTS[fault](answer_bytes("7")) if fails else answer(number, body)

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(flaky)
    study = compare(
        f"compatible:m@{good}", f"compatible:m@{bad}", formats=[], store=tmp_path / "s", seed=1
    )
    assert study.verdict.label == "inconclusive"


def test_failures_that_depend_on_the_answer_are_not_a_difference(serve, answer_bytes, tmp_path):
    """The suspect is the same model, but every answer of 42 is lost on the way."""
    rng = random.Random(3)

    def filtered(number, body):
        text = rng.choices(list(DRAWS), DRAWS.values())[0]
        return FAULTS["garbage"](b"") if text == "42" else (200, {}, answer_bytes(text))

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(filtered)
    study = compare(
        f"compatible:m@{good}", f"compatible:m@{bad}", formats=[], store=tmp_path / "s", seed=1
    )
    codes = [r.code for r in study.verdict.reasons]
    assert study.verdict.label == "inconclusive"
    assert "suspect_withholds" in codes


def test_the_bytes_of_a_failure_are_kept(serve, answer_bytes, tmp_path):
    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(lambda number, body: FAULTS["garbage"](b""))
    store = tmp_path / "s"
    compare(f"compatible:m@{good}", f"compatible:m@{bad}", formats=[], store=store, seed=1)
    lines = (store / "transcript.jsonl").read_bytes().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    failed = next(r for r in records if r["failure"])
    digest = failed["response_sha256"]
    assert (store / "blobs" / digest[:2] / digest).read_bytes() == b"\x00\xff not json"
