"""``provenance probes border``: what is typed, what is asked first, what is said."""

import json

import pytest

from provenance import Battery

CANDIDATES = """
name = "mine"
""" + "".join(
    f"""
[[probe]]
id = "c{i}"
family = "mine"
version = 1
messages = [{{role = "user", content = "{text}"}}]
max_visible_tokens = 8
reading = "integer"
rationale = "For the tests of the command."
source = "none"
"""
    for i, text in enumerate(["Name a number.", "How many stars are there?", "Say a digit, any."])
)
MODELS = """
[models.a.cells]
c0 = {"7" = 1.0}
c1 = {"7" = 0.5, "42" = 0.5}
c2 = {"7" = 0.9, "42" = 0.1}
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "mine.toml").write_text(CANDIDATES, encoding="utf-8")
    (tmp_path / "models.toml").write_text(MODELS, encoding="utf-8")
    return tmp_path


def _arguments(files, *more, endpoint=None):
    reference = endpoint or f"simulated:{files / 'models.toml'}"
    candidates = ("--candidates", files / "mine.toml", "--cells", 1, "--draws", 12)
    return ("probes", "border", reference, "--out", files / "b.toml", *candidates, *more)


def test_a_battery_is_made_and_what_it_took_is_said(run, files):
    done = run(*_arguments(files, "--seed", 1))
    assert done.exit_code == 0, done.output
    assert "1 of 3 candidates chosen: 24 requests (planned: 24 at most)" in done.stdout
    assert "c1" in done.stdout
    made = Battery.load(files / "b.toml")
    assert [p.id for p in made.probes] == ["c1-greedy", "c1-free"]
    assert run("probes", "check", files / "b.toml").exit_code == 0
    again = run(*_arguments(files))
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_json_alone_on_stdout(run, files):
    said = json.loads(run(*_arguments(files, "--seed", 1, "--json")).stdout)
    assert said["digest"] == Battery.load(files / "b.toml").digest
    assert said["answers"] == said["requests"] == said["planned"] == 3 * 4 + 2 * 4 + 1 * 4
    assert said["cells"][0]["temperature"] == 0.1
    assert said["cells"][0]["candidate"] == "c1"
    assert sorted((said["cells"][0]["first"], said["cells"][0]["second"])) == ["42", "7"]
    assert len(said["recorded"]) == 3


def test_a_new_host_is_asked_about_before_anything_is_sent(run, files, server):
    done = run(*_arguments(files, endpoint=server.remote))
    assert done.exit_code == 2
    assert "first contact with relay.example" in done.stderr
    assert server.seen == []
    agreed = run(*_arguments(files, "--yes", "--max-requests", 6, endpoint=server.remote))
    assert agreed.exit_code == 20
    assert "--max-requests 6 for all rounds" in agreed.stderr
    assert len(server.seen) == 6
    assert not (files / "b.toml").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--candidates", "no-such-battery"), "no battery"),
        (("--greedy-draws", 0, "--free-draws", 0), "found neither"),
        (("--temperatures", "0.1,0.3"), "found 0.1, 0.3"),
        (("--temperatures", "cold"), "default,0.3,0.1"),
    ],
)
def test_what_cannot_be_done(run, files, more, says):
    done = run(*_arguments(files, *more))
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (files / "b.asked").exists()


def test_out_must_be_toml(run, files):
    done = run("probes", "border", "simulated:x.toml", "--out", files / "b.json")
    assert done.exit_code == 2
    assert ".toml" in done.stderr


def test_what_an_endpoint_answers_cannot_reach_the_terminal(run, files):
    (files / "models.toml").write_text(
        '[models.a.cells]\n"*" = {"\\u001b[31mred" = 0.5, "\\u202e7" = 0.5}\n', encoding="utf-8"
    )
    text = CANDIDATES.replace('reading = "integer"', 'reading = "text"')
    (files / "mine.toml").write_text(text, encoding="utf-8")
    done = run(*_arguments(files, "--seed", 1))
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
