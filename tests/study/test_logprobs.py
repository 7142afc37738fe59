"""``--logprobs``: sides that answer alike and list other probabilities."""

import json

import pytest

from provenance import Settings, compare


def _server(shift, seen):
    """Always the answer 7; the log probabilities of 7 and 8 wobble, and lie ``shift`` higher."""

    def answer(number, body):
        seen.append(body)
        low = -2.0 + shift + 0.02 * (number * 7919 % 13)
        top = [{"token": "7", "logprob": -0.3}, {"token": "8", "logprob": low}]
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "7"},
        }
        if body.get("logprobs"):
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
        return 200, {}, json.dumps({"model": "m", "choices": [choice], "usage": usage}).encode()

    return answer


@pytest.fixture
def studied(serve, tmp_path, number_battery):
    number_battery(tmp_path / "b.toml", ["numbers"] * 2, 6)

    def study(shift, **options):
        seen = []
        sides = [f"compatible:m@{serve(_server(s, seen))[0]}" for s in (0.0, shift)]
        done = compare(
            *sides,
            battery=str(tmp_path / "b.toml"),
            formats=[],
            seed=3,
            store=tmp_path / f"s{shift}{len(options)}",
            **options,
        )
        (found,) = [f for f in done.findings if f.name == "equality/numbers"]
        return done, found, seen

    return study


def test_a_shift_is_seen_that_no_answer_shows(studied):
    done, found, seen = studied(0.5, logprobs=True)
    assert done.verdict.label == "different"
    assert "first_token" in found.method
    assert all(body["top_logprobs"] == 5 for body in seen if "Name" in str(body))


def test_equal_servers_are_not_told_apart(studied):
    done, found, _ = studied(0.0, logprobs=True)
    assert done.verdict.label != "different"
    assert found.p_value > 0.01


def test_nothing_is_asked_for_by_default(studied):
    _, found, seen = studied(0.5)
    assert "first_token" not in found.method
    assert found.p_value == 1.0
    assert not any("logprobs" in body for body in seen)


def test_the_wish_is_part_of_the_study_and_its_absence_of_none():
    assert "logprobs" not in Settings().analysis()
    assert Settings(logprobs=True).analysis()["logprobs"] is True
