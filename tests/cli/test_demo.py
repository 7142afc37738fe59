import json
import os
import random

import pytest

CASES = """
[[case]]
name = "a-same"
title = "a model with itself"
reference = "a.jsonl"
reference_model = "tiny"
suspect = "b.jsonl"
suspect_model = "tiny"
note = "made up for this test"
[[case]]
name = "b-other"
title = "a model with another"
reference = "a.jsonl"
suspect = "c.jsonl"
note = "made up for this test"
"""


def processor_seconds():
    """Of this process and those that it waited for: other work on the machine does not count."""
    return sum(os.times()[:4])


@pytest.fixture
def recordings(tmp_path):
    """A folder like configs/demo, on the cells of the quick battery."""
    from provenance import Battery

    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "cases.toml").write_text(CASES)
    rng = random.Random(1)
    for name, weights in (("a", (6, 3, 1)), ("b", (6, 3, 1)), ("c", (1, 3, 6))):
        rows = [
            {
                "model": "tiny",
                "prompt_id": cell.id,
                "sample": sample,
                "output": rng.choices(["7", "42", "13"], weights)[0],
            }
            for cell in Battery.load("quick").cells
            for sample in range(10)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def test_the_demo_replays_and_says_so(run, recordings, tmp_path):
    out = tmp_path / "out"
    began = processor_seconds()
    done = run("demo", "--recordings", recordings, "--out", out)
    assert done.exit_code == 0, done.output
    assert processor_seconds() - began < 15
    assert done.stdout.startswith("RECORDED")
    assert "a model with another" in done.stdout
    verdicts = {
        case: json.loads((out / case / "study.json").read_text("utf-8"))["verdict"]["label"]
        for case in ("a-same", "b-other")
    }
    assert verdicts == {"a-same": "inconclusive", "b-other": "different"}
    for case in verdicts:
        assert run("verify", out / case).exit_code == 0


def test_it_can_be_shown_again_and_spares_what_is_not_its_own(run, recordings, tmp_path):
    out = tmp_path / "out"
    arguments = ("demo", "--recordings", recordings, "--out", out)
    first = run(*arguments)
    assert run(*arguments).exit_code == first.exit_code == 0
    mine = tmp_path / "mine" / "a-same"
    mine.mkdir(parents=True)
    (mine / "thesis.txt").write_text("x")
    refused = run("demo", "--recordings", recordings, "--out", tmp_path / "mine")
    assert refused.exit_code == 2
    assert (mine / "thesis.txt").is_file()


def test_a_broken_list_of_cases_is_named(run, tmp_path):
    (tmp_path / "cases.toml").write_text('[[case]]\nname = "x"\n')
    done = run("demo", "--recordings", tmp_path)
    assert done.exit_code == 2
    assert "needs name, title, reference" in done.stderr


def test_the_shipped_demo_has_three_cases_and_takes_seconds(process):
    began = processor_seconds()
    done = process("demo")
    assert done.returncode == 0, done.stderr
    assert processor_seconds() - began < 15
    assert done.stdout.count("\n── ") == 3
