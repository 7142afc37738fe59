"""Panels of one's own: recorded, added, looked for."""

import json

import pytest

from provenance.library.panel import Panel


@pytest.fixture
def recorded(run, endpoint, tmp_path, monkeypatch):
    """``recorded("other")`` is the store of a recording of that simulated model."""
    monkeypatch.chdir(tmp_path)

    def make(name):
        done = run("sample", endpoint(name), "--store", name, "--seed", 7, "--draws", 30)
        assert done.exit_code == 0, done.output
        return name

    return make


def test_list(run):
    shown = run("library", "list")
    assert shown.exit_code == 0
    for name in Panel.shipped():
        assert name in shown.stdout
        members = [m.name for m in Panel.load(name).members]
        assert json.loads(run("library", "list", "--json").stdout)[name] == members
        assert members[0] in run("library", "list", name).stdout
    assert run("library", "list", "frobnicate").exit_code == 2


def test_a_model_that_was_added_is_looked_for(run, endpoint, recorded):
    first = run("library", "add", recorded("other"), "--panel", "mine.json")
    assert first.exit_code == 0, first.output
    second = run("library", "add", recorded("same"), "--panel", "mine.json", "--name", "bee")
    assert "2 members" in second.stdout
    panel = Panel.load("mine.json")
    assert [m.name for m in panel.members][1] == "bee"
    assert sum(sum(c.values()) for c in panel.members[0].cells.values()) == 30 * len(
        panel.members[0].cells
    )
    done = run(
        "compare", endpoint("a"), endpoint("a"), "--panel", "mine.json", "--draws", 30,
        "--seed", 2, "--store", "s", "--format", "md", "--json",
    )  # fmt: skip
    study = json.loads(done.stdout)
    assert {s["name"] for s in study["substitutes"]} == {m.name for m in panel.members}
    assert any(f["name"] == "panel" for f in study["findings"])


def test_what_cannot_be_added_says_why(run, endpoint, recorded, tmp_path):
    store = recorded("other")
    assert run("library", "add", store, "--panel", "mine.json").exit_code == 0
    again = run("library", "add", store, "--panel", "mine.json")
    assert (again.exit_code, "give another --name" in again.stderr) == (2, True)
    assert run("library", "add", store, "--panel", "mine.txt").exit_code == 2
    assert run("library", "add", store, "--panel", "x.json", "--side", "both").exit_code == 2
    assert run("library", "add", "nowhere", "--panel", "x.json").exit_code == 1
    none = run("library", "add", store, "--panel", "x.json", "--side", "suspect")
    assert "no answer of a suspect" in none.stderr
    other = Panel.load("mine.json").model_copy(update={"battery_digest": "f" * 64})
    (tmp_path / "old.json").write_text(other.model_dump_json())
    stale = run("library", "add", store, "--panel", "old.json", "--name", "new")
    assert stale.exit_code == 12
    assert "was measured on the battery" in stale.stderr
    transcript = tmp_path / store / "transcript.jsonl"
    transcript.write_bytes(transcript.read_bytes().replace(b'"draw":3', b'"draw":4', 1))
    changed = run("library", "add", store, "--panel", "y.json")
    assert (changed.exit_code, "was changed" in changed.stderr) == (1, True)
