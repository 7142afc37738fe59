"""Faults on one side lower coverage; they never make the sides different, nor hide that they are.

What a person sees for each fault stands in ``test_fault_table.py``.
"""

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


def weigh(reference, suspect, folder, **options):
    """Compare two servers, one request at a time: every run draws the same."""
    return compare(
        f"compatible:m@{reference}",
        f"compatible:m@{suspect}",
        formats=[],
        store=folder / "s",
        seed=1,
        concurrency=1,
        **options,
    )


FAULTS = {
    "401": lambda text: (401, {}, b'{"error": {"message": "bad key"}}'),
    "429": lambda text: (429, {"retry-after": "0"}, b"slow down"),
    "500": lambda text: (500, {}, b"<html>oops</html>"),
    "garbage": lambda text: (200, {}, b"\x00\xff not json"),
    "reset": lambda text: (None, {}, b""),
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("provenance.sampling.runner.BACKOFF_S", (0.001,) * 4)


@pytest.mark.parametrize("fault", ["401", "500"])
def test_a_dead_endpoint_is_left_alone(serve, answer_bytes, tmp_path, fault):
    good, _ = serve(healthy(answer_bytes, 1))
    bad, server = serve(lambda number, body: FAULTS[fault](answer_bytes("7")))
    study = weigh(good, bad, tmp_path)
    assert study.verdict.label == "inconclusive"
    assert server.count <= 8 * 5 + 40, "eight final failures are enough"


@pytest.mark.parametrize("fault", ["429", "500", "garbage", "reset"])
def test_a_side_that_fails_now_and_then_is_not_different(serve, answer_bytes, tmp_path, fault):
    rng = random.Random(7)
    answer = healthy(answer_bytes, 2)

    def flaky(number, body):
        fails = rng.random() < 0.25
        return FAULTS[fault](answer_bytes("7")) if fails else answer(number, body)

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(flaky)
    study = weigh(good, bad, tmp_path)
    assert study.verdict.label == "inconclusive"


def test_failures_that_depend_on_the_answer_are_not_a_difference(serve, answer_bytes, tmp_path):
    """The suspect is the same model, but every answer of 42 is lost on the way."""
    rng = random.Random(3)

    def filtered(number, body):
        text = rng.choices(list(DRAWS), DRAWS.values())[0]
        return FAULTS["garbage"](b"") if text == "42" else (200, {}, answer_bytes(text))

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(filtered)
    study = weigh(good, bad, tmp_path)
    codes = [r.code for r in study.verdict.reasons]
    assert study.verdict.label == "inconclusive"
    assert "suspect_withholds" in codes


@pytest.mark.parametrize("fault", ["429", "500", "reset"])
def test_answers_that_are_lost_and_asked_for_again_are_not_a_difference(
    serve, answer_bytes, tmp_path, fault
):
    """The same model, but an answer of 42 never arrives: asked again, it says something else."""
    rng = random.Random(3)

    def filtered(number, body):
        text = rng.choices(list(DRAWS), DRAWS.values())[0]
        return FAULTS[fault](b"") if text == "42" else (200, {}, answer_bytes(text))

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(filtered)
    study = weigh(good, bad, tmp_path)
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "not_robust_to_missing"
    withheld = next(r for r in study.verdict.reasons if r.code == "suspect_withholds")
    assert withheld.values["suspect_asked_again"] > 20
    assert "only when asked again" in withheld.text


@pytest.mark.parametrize("fault", ["429", "500", "reset"])
def test_faults_do_not_hide_a_difference(serve, answer_bytes, tmp_path, fault):
    rng, fails = random.Random(5), random.Random(6)

    def other(number, body):
        text = rng.choices(["7", "3", "99"], [0.1, 0.6, 0.3])[0]
        return FAULTS[fault](b"") if fails.random() < 0.15 else (200, {}, answer_bytes(text))

    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(other)
    study = weigh(good, bad, tmp_path)
    codes = [r.code for r in study.verdict.reasons]
    assert study.verdict.label == "different"
    assert codes == ["rejects_same_deployment", "suspect_withholds"]


def test_failures_that_cancel_over_the_families_are_still_seen(serve, answer_bytes, tmp_path):
    """As many on each side, each in another family, and of one answer only."""

    def losing(seed, lost_in, lost):
        rng = random.Random(seed)

        def answer(number, body):
            text = rng.choices(list(DRAWS), DRAWS.values())[0]
            words = "one word" in body["messages"][0]["content"].lower()
            if text == lost and words == lost_in:
                return FAULTS["garbage"](b"")
            return 200, {}, answer_bytes(text)

        return answer

    battery = tmp_path / "two.toml"
    battery.write_text(
        'name = "two"\n'
        + "".join(
            f"""
[[probe]]
id = "{family}-{i}"
family = "{family}"
version = 1
messages = [{{role = "user", content = "{i}: {asked}"}}]
max_visible_tokens = 8
draws = 15
reading = "text"
rationale = "For tests."
source = "none"
"""
            for family, asked in (("words", "One word."), ("numbers", "A number."))
            for i in range(4)
        ),
        encoding="utf-8",
    )
    reference, _ = serve(losing(1, True, "7"))
    suspect, _ = serve(losing(2, False, "7"))
    study = weigh(reference, suspect, tmp_path, battery=str(battery))
    codes = [r.code for r in study.verdict.reasons]
    assert study.verdict.label == "inconclusive"
    assert {"suspect_withholds", "failures_differ_reference"} & set(codes)
    shares = next(f for f in study.findings if f.name == "failure_rates")
    assert abs(shares.effect) < 0.1
    assert shares.p_value < 0.001


def test_the_bytes_of_a_failure_are_kept(serve, answer_bytes, tmp_path):
    good, _ = serve(healthy(answer_bytes, 1))
    bad, _ = serve(lambda number, body: FAULTS["garbage"](b""))
    store = tmp_path / "s"
    weigh(good, bad, tmp_path)
    lines = (store / "transcript.jsonl").read_bytes().splitlines()
    records = [json.loads(line)["record"] for line in lines]
    failed = next(r for r in records if r["failure"])
    digest = failed["response_sha256"]
    assert (store / "blobs" / digest[:2] / digest).read_bytes() == b"\x00\xff not json"
