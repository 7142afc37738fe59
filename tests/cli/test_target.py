"""``plan --target-power``: what it prints, what it writes, and that it sends nothing."""

import json

import numpy as np
import pytest

from provenance.battery import Battery
from provenance.library import choice

ONE = "compatible:m@https://one.example/v1,key_env=NO_SUCH_KEY"
OTHER = "compatible:m@https://other.example/v1,key_env=NO_SUCH_KEY"
QUESTIONS = 6


@pytest.fixture
def pool(tmp_path, monkeypatch):
    """A battery file and a panel of four models that differ on all of its questions."""
    monkeypatch.setattr(choice, "NUMBERS", (3, 6))
    monkeypatch.setattr(choice, "DRAWS", (4, 8, 16))
    battery = tmp_path / "mine.toml"
    battery.write_text(
        'name = "mine"\n'
        + "\n".join(
            f'[[probe]]\nid = "q{i}"\nfamily = "f"\nversion = 1\nmax_visible_tokens = 8\n'
            f'messages = [{{role = "user", content = "Question {i}?"}}]\n'
            'rationale = "test"\nsource = "test"'
            for i in range(QUESTIONS)
        )
    )
    rng = np.random.default_rng(3)
    members = []
    for m in range(4):
        tables = {
            f"q{i}": {
                f"a{k}": int(n)
                for k, n in enumerate(rng.multinomial(50, rng.dirichlet(np.full(6, 0.4))))
                if n
            }
            for i in range(QUESTIONS)
        }
        members.append({"name": f"m{m}", "source": "simulated", "licence": "none", "cells": tables})
    panel = tmp_path / "panel.json"
    panel.write_text(json.dumps({"name": "four", "measured_utc": "2026-11-25", "members": members}))
    return ["--battery", battery, "--panel", panel]


def test_it_writes_a_battery_that_can_be_run(run, pool, tmp_path):
    file = tmp_path / "chosen.toml"
    done = run("plan", ONE, OTHER, "--target-power", 0.8, "--share", 0.6, "--write", file, *pool)
    assert done.exit_code == 0, done.output
    chosen = Battery.load(file)
    assert 3 <= len(chosen.probes) <= QUESTIONS
    assert {p.draws for p in chosen.probes} <= {4, 8, 16}
    for part in (
        "60% of the requests",
        "Power",
        f"--battery {file}",
        "provenance compare",
        "α 0.01",
    ):
        assert part in done.stdout
    assert not (tmp_path / "reports").exists()
    again = run("plan", ONE, OTHER, "--target-power", 0.8, "--write", file, *pool)
    assert again.exit_code == 2
    assert "a new .toml file" in again.stderr


def test_json_says_whether_it_is_reached(run, pool):
    arguments = ["plan", ONE, OTHER, "--json", *pool]
    easy = json.loads(run(*arguments, "--target-power", 0.5, "--share", 1).stdout)
    hard = json.loads(run(*arguments, "--target-power", 0.99, "--share", 0.01).stdout)
    assert easy["reached"]
    assert easy["power"] >= 0.5
    assert not hard["reached"]
    assert easy["requests_a_side"] == sum(p["draws"] for p in easy["probes"])
    assert easy["pairs"] > 0
    assert easy["file"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target-power", 1.5], "between 0 and 1"),
        (["--target-power", 0.8, "--share", 0], "--share 0"),
        (["--write", "x.toml"], "--write needs --target-power"),
        (["--target-power", 0.8, "--battery", "style"], "no panel is shipped"),
    ],
)
def test_wrong_usage(run, arguments, said):
    done = run("plan", ONE, OTHER, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""
