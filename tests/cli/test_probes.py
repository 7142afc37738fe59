import json

import pytest

from provenance import Battery

BAD = """
[[probe]]
id = "x"
family = "mine"
version = 1
messages = [{role = "user", content = "Say yes."}]
max_visible_tokens = 8
reading = "no_such_reading"
rationale = "r"
source = "s"
"""


def test_list(run):
    shown = run("probes", "list")
    assert shown.exit_code == 0, shown.output
    for name in Battery.shipped():
        assert name in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 100
    said = json.loads(run("probes", "list", "--json").stdout)
    assert said["batteries"]["quick"]["digest"] == Battery.load("quick").digest
    assert said["families"]


def test_show_a_battery_a_family_a_probe(run):
    quick = Battery.load("quick")
    probe = quick.probes[0]
    for name in ("quick", probe.family, probe.id):
        shown = run("probes", "show", name)
        assert shown.exit_code == 0
        assert probe.id in shown.stdout
        assert probe.source in shown.stdout
    said = json.loads(run("probes", "show", probe.id, "--json").stdout)
    assert said[0]["messages"][0]["content"] == probe.messages[0].content


def test_show_nothing_of_that_name(run):
    done = run("probes", "show", "frobnicate")
    assert done.exit_code == 2
    assert "probes list" in done.stderr


def test_all_that_ships_passes(run):
    done = run("probes", "check")
    assert done.exit_code == 0, done.output
    assert "0 problems" in done.stdout
    assert run("probes", "check", "quick", Battery.load("quick").probes[0].family).exit_code == 0


@pytest.mark.parametrize(("content", "code"), [(BAD, 1), ("= broken", 2)])
def test_check_a_file(run, tmp_path, content, code):
    path = tmp_path / "mine.toml"
    path.write_text(content)
    done = run("probes", "check", path)
    assert done.exit_code == code, done.output
    assert "no_such_reading" in done.stdout or code == 2


def test_a_file_that_is_not_there(run):
    assert run("probes", "check", "missing.toml").exit_code == 2


def test_hostile_text_of_a_battery_is_made_visible(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(BAD.replace("Say yes.", "\\u001b[31mSay yes.").replace("no_such_", ""))
    shown = run("probes", "show", path)
    assert "\x1b" not in shown.output


def test_generate_from_a_secret_that_stays_in_the_environment(run, tmp_path, monkeypatch):
    secret = "correct-horse-battery-staple-0001"
    monkeypatch.setenv("AUDIT_SECRET", secret)
    out = tmp_path / "private.toml"
    done = run("probes", "generate", "--secret-env", "AUDIT_SECRET", "--out", out)
    assert done.exit_code == 0, done.output
    battery = Battery.load(out)
    assert f"digest {battery.digest}" in done.stdout
    assert len(battery.probes) == 30
    assert secret not in out.read_text() + done.output
    assert run("probes", "check", out).exit_code == 0
    shown = run("probes", "generate", "--secret-env", "AUDIT_SECRET")
    assert shown.stdout == out.read_text()
    again = run("probes", "generate", "--secret-env", "AUDIT_SECRET", "--out", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


@pytest.mark.parametrize(("value", "says"), [("", "openssl rand"), ("short", "fewer than 16")])
def test_generate_without_a_good_secret(run, monkeypatch, value, says):
    monkeypatch.setenv("AUDIT_SECRET", value)
    done = run("probes", "generate", "--secret-env", "AUDIT_SECRET")
    assert done.exit_code == 2
    assert says in done.stderr
