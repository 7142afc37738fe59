"""The verbs on real simulated endpoints: what is printed where, and the exit codes."""

import json
from pathlib import Path

import pytest

JSON_ONLY = ("--format", "json", "--seed", "1")


@pytest.fixture
def study(run, endpoint, tmp_path):
    """A finished study in which the sides differ."""
    store = tmp_path / "study"
    done = run("compare", endpoint("a"), endpoint("other"), "--store", store, *JSON_ONLY)
    assert done.exit_code == 0, done.output
    return store


@pytest.fixture
def panel(tmp_path):
    """Two substitutes, measured on the small battery."""
    tables = {"like-a": {"7": 50, "42": 30, "13": 20}, "very-other": {"99": 100}}
    members = [
        {
            "name": name,
            "source": "none",
            "licence": "none",
            "cells": {f"number-{i}": table for i in range(4)},
        }
        for name, table in tables.items()
    ]
    path = tmp_path / "panel.json"
    content = {"name": "small", "measured_utc": "2026-11-01T00:00:00Z", "members": members}
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def dead(server):
    """An endpoint that refuses every request."""
    server.answer = lambda body: (401, b'{"error": {"message": "no"}}')
    return server.local


def test_compare_ends_with_the_verdict_and_the_dossier(run, endpoint, tmp_path):
    store = tmp_path / "s"
    formats = ("--format", "md,json", "--seed", 1)
    done = run("compare", endpoint("a"), endpoint("other"), "--store", store, *formats)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("DIFFERENT   models.toml/other  vs  models.toml/a")
    assert lines[1].startswith("Rejects: same deployment.  Cause not determined.")
    assert lines[2].startswith("p = ")
    assert lines[-1] == str(store / "dossier.md")
    assert (store / "dossier.md").is_file()
    assert "(100%)" in done.stderr
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_end_fits(run, endpoint, tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(tmp_path)
    done = run("compare", endpoint("a"), endpoint("other"), "--store", "s", *JSON_ONLY)
    assert max(map(len, done.stdout.splitlines())) <= columns


def test_json_is_the_study_document_alone(run, endpoint, tmp_path):
    store = tmp_path / "s"
    done = run(
        "compare", endpoint("a"), endpoint("hostile"), "--store", store, "--json", *JSON_ONLY
    )
    assert json.loads(done.stdout) == json.loads((store / "study.json").read_text("utf-8"))
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout + done.stderr
    assert str(store) in done.stderr


def test_a_hostile_answer_reaches_no_terminal(run, endpoint, tmp_path):
    for pair in (("a", "hostile"), ("hostile", "a")):
        done = run(
            "compare", *map(endpoint, pair), "--store", tmp_path / pair[0], "--format", "md,json"
        )
        assert done.exit_code == 0
        assert not set("\x1b\x07\u202e") & set(done.output)


@pytest.mark.parametrize(
    ("suspect", "fail_on", "code"),
    [
        ("other", None, 0),
        ("other", "different", 10),
        ("other", "inconclusive,supported", 0),
        ("same", "different", 0),
        ("same", "inconclusive", 11),
        ("same", "different,inconclusive", 11),
        # A side that gave nothing is a fault, whatever is asked for.
        ("dead", None, 1),
        ("dead", "inconclusive", 1),
    ],
)
def test_exit_codes_of_verdicts(run, endpoint, dead, tmp_path, suspect, fail_on, code):
    side = dead if suspect == "dead" else endpoint(suspect)
    arguments = ["compare", endpoint("a"), side, "--store", tmp_path / "s"]
    done = run(*arguments, *JSON_ONLY, *(["--fail-on", fail_on] if fail_on else []))
    assert done.exit_code == code, done.output
    assert (tmp_path / "s" / "study.json").is_file()
    if suspect == "dead":
        assert done.stdout.startswith("INCONCLUSIVE")


def test_an_unknown_label_in_fail_on_is_usage(run, endpoint):
    done = run("compare", endpoint("a"), endpoint("a"), "--fail-on", "diferent")
    assert done.exit_code == 2
    assert "fail_on" in done.stderr
    assert not Path("reports").exists()


def test_the_budget_stops_with_20_and_a_larger_one_resumes(run, endpoint, tmp_path):
    arguments = ["compare", endpoint("a"), endpoint("other"), "--store", tmp_path / "s", *JSON_ONLY]
    stopped = run(*arguments, "--max-requests", 30)
    assert stopped.exit_code == 20
    assert "resumes" in stopped.stderr
    assert stopped.stdout == ""
    assert run(*arguments, "--max-requests", 10_000).exit_code == 0


def test_a_finished_study_is_not_repeated_by_accident(run, endpoint, study):
    arguments = ["compare", endpoint("a"), endpoint("other"), "--store", study, *JSON_ONLY]
    again = run(*arguments)
    assert again.exit_code == 2
    assert "--new" in again.stderr
    assert run(*arguments, "--new").exit_code == 0
    assert (study / "earlier-1").is_dir()


def test_flags_over_environment_over_file(run, endpoint, tmp_path, monkeypatch):
    config = tmp_path / "c.toml"
    config.write_text(
        f"draws = 3\nalpha = 0.05\n[endpoints.known]\nendpoint = '{endpoint('a')}'\n"
        f"[endpoints.prod]\nendpoint = '{endpoint('other')}'\n"
    )
    arguments = ["plan", "known", "prod", "--config", config, "--json"]
    from_file = json.loads(run(*arguments).stdout)
    monkeypatch.setenv("PROVENANCE_DRAWS", "4")
    from_environment = json.loads(run(*arguments).stdout)
    from_flags = json.loads(run(*arguments, "--draws", 5).stdout)
    cells = from_file["battery"]["cells"]
    found = [p["draws"]["suspect"] / cells for p in (from_file, from_environment, from_flags)]
    assert found == [3, 4, 5]
    assert from_file["suspect"] == endpoint("other")


def test_a_mistake_in_an_endpoint_is_usage(run, endpoint):
    for wrong in ("nonsense", "grok:x", "simulated:missing.toml,model=a"):
        done = run("compare", endpoint("a"), wrong)
        assert done.exit_code in (1, 2)
        assert done.stderr.startswith("error: ")
        assert done.stdout == ""


@pytest.mark.parametrize("columns", [80, 120])
def test_plan_shows_cost_and_sensitivity_and_sends_nothing(
    run, server, endpoint, panel, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", str(columns))
    done = run("plan", endpoint("a"), server.remote, "--panel", panel)
    assert done.exit_code == 0, done.output
    for part in ("Requests", "Tokens", "Cost", "Time", "relay.example:8080", "very-other", "80%"):
        assert part in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert server.seen == []
    assert not Path("reports").exists()
    local = run("plan", endpoint("a"), endpoint("a"))
    assert "Nothing leaves this machine." in local.stdout
    assert "not known" in local.stdout


def test_plan_as_json(run, endpoint, server, panel):
    done = run("plan", endpoint("a"), server.remote, "--panel", panel, "--json")
    plan = json.loads(done.stdout)
    assert plan["pilot"] == {"reference": 0, "suspect": 2}
    assert plan["estimate"]["requests"] == sum(plan["draws"].values()) + 2
    assert plan["hosts"][0]["host"] == "relay.example:8080"
    assert plan["hosts"][0]["requests"] == plan["draws"]["suspect"] + 2
    assert {row["alternative"] for row in plan["sensitivity"]} == {"like-a", "very-other"}


def test_a_recording_is_a_reference(run, endpoint, tmp_path):
    store = tmp_path / "recorded"
    done = run("sample", endpoint("a"), "--store", store, "--draws", 12, "--seed", 2)
    assert done.exit_code == 0, done.output
    assert f"provenance compare {store} SUSPECT" in done.stdout
    compared = run("compare", store, endpoint("other"), "--store", tmp_path / "s", *JSON_ONLY)
    assert compared.exit_code == 0
    assert compared.stdout.startswith("DIFFERENT")
    said = json.loads(run("sample", endpoint("a"), "--new", "--store", store, "--json").stdout)
    assert said["answers"] == said["planned"] > 0


def test_a_stale_reference_is_12(run, endpoint, tmp_path):
    run("sample", endpoint("a"), "--store", tmp_path / "r")
    other = tmp_path / "mine.toml"
    other.write_text(
        '[[probe]]\nid = "x"\nfamily = "one_token"\nversion = 1\nmax_visible_tokens = 8\n'
        'messages = [{role = "user", content = "Name a number."}]\nreading = "integer"\n'
        'rationale = "r"\nsource = "s"\n'
    )
    done = run("compare", tmp_path / "r", endpoint("a"), "--battery", other)
    assert done.exit_code == 12
    assert "another battery" in done.stderr


def test_a_dead_endpoint_recorded_is_1(run, dead, tmp_path):
    done = run("sample", dead, "--store", tmp_path / "r")
    assert done.exit_code == 1
    assert "Recorded 0 of" in done.stdout


def test_report_renders_again(run, study, tmp_path):
    done = run("report", study, "--format", "md,html", "--out", tmp_path / "www")
    assert done.exit_code == 0
    assert done.stdout.startswith("DIFFERENT")
    assert {p.name for p in (tmp_path / "www").iterdir()} == {"dossier.md", "dossier.html"}
    assert str(tmp_path / "www" / "dossier.md") in done.stdout
    shown = run("report", study, "--format", "", "--json")
    assert json.loads(shown.stdout) == json.loads((study / "study.json").read_text("utf-8"))
    assert run("report", study, "--format", "docx").exit_code == 2
    assert run("report", tmp_path / "nothing").exit_code == 1


def test_verify_says_what_was_checked(run, study):
    done = run("verify", study)
    assert done.exit_code == 0
    assert done.stdout.startswith("VERIFIED")
    assert "does not show that an endpoint sent" in done.stdout
    said = json.loads(run("verify", study, "--json").stdout)
    assert said["ok"]
    assert said["recomputed"]
    assert said["verdict_label"] == "different"


def test_verify_names_the_first_record_that_was_touched(run, study):
    transcript = study / "transcript.jsonl"
    lines = transcript.read_bytes().split(b"\n")
    assert b'"42"' in lines[10] or b'"7"' in b"".join(lines[5:20])
    place = next(i for i, line in enumerate(lines) if i >= 5 and b'"text":"7"' in line)
    lines[place] = lines[place].replace(b'"text":"7"', b'"text":"8"')
    transcript.write_bytes(b"\n".join(lines))
    done = run("verify", study)
    assert done.exit_code == 14
    assert done.stdout.startswith("CHANGED")
    assert f"line {place + 1} of transcript.jsonl" in done.stdout
    assert json.loads(run("verify", study, "--json").stdout)["first_record"] == place


def test_verify_of_no_store(run, tmp_path):
    done = run("verify", tmp_path)
    assert done.exit_code == 1
    assert "is no store" in done.stderr


def test_without_the_pdf_package_the_default_formats_go_on_without_it(
    run, endpoint, tmp_path, monkeypatch
):
    from provenance import dossier

    found = dossier.find_spec
    monkeypatch.setattr(dossier, "find_spec", lambda n: None if n == "typst" else found(n))
    done = run("compare", endpoint("a"), endpoint("a"), "--store", tmp_path / "s")
    assert done.exit_code == 0
    assert "llm-provenance[report]" in done.stderr
    assert (tmp_path / "s" / "dossier.md").is_file()
    # Who asks for it by name is told before anything is sent.
    named = run("compare", endpoint("a"), endpoint("a"), "--format", "pdf")
    assert named.exit_code == 2
    assert not Path("reports").exists()
