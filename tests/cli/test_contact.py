import os
import sys
from pathlib import Path

import pytest

from provenance.sampling import contact
from provenance.sampling.prepare import Estimate, HostEstimate

HOST = HostEstimate("Relay.Example:8080", 10, 100, None)
ESTIMATE = Estimate(10, 50, 100, None, None, 1.0, 2.0)


def test_a_host_is_asked_about_once(tmp_path):
    question = contact.first_contact([HOST], ESTIMATE, tmp_path)
    assert question == contact.FirstContact((HOST,), ESTIMATE)
    assert contact.remember([HOST.host], tmp_path / "deep" / "down") is None
    assert contact.first_contact([HOST], ESTIMATE, tmp_path / "deep" / "down") is None
    other = HostEstimate("other.example", 1, None, None)
    asked = contact.first_contact([HOST, other], ESTIMATE, tmp_path / "deep" / "down")
    assert asked.hosts == (other,)
    assert contact.first_contact([], ESTIMATE, tmp_path) is None


def test_case_and_the_final_dot_name_no_other_host_but_the_port_does(tmp_path):
    contact.remember(["relay.example:8080"], tmp_path)
    assert contact.known_hosts(tmp_path) == {"relay.example:8080"}
    one = HostEstimate("RELAY.example:8080", 1, None, None)
    two = HostEstimate("relay.example:9090", 1, None, None)
    assert contact.first_contact([one, two], ESTIMATE, tmp_path).hosts == (two,)


def test_a_damaged_list_asks_again(tmp_path):
    (tmp_path / "known-hosts").write_bytes(b"\xff\xfe\n\n good.example\tday\n")
    assert "good.example" in contact.known_hosts(tmp_path)
    assert contact.first_contact([HOST], ESTIMATE, tmp_path) is not None
    assert contact.known_hosts(None) == frozenset()


def test_what_cannot_be_remembered_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file" in contact.remember(["h"], tmp_path / "file")
    assert "PROVENANCE_STATE_DIR" in contact.remember(["h"], None)


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "/home/ada/.local/state/llm-provenance"),
        ("linux", {"XDG_STATE_HOME": "/x"}, "/x/llm-provenance"),
        ("linux", {"XDG_STATE_HOME": "relative"}, "/home/ada/.local/state/llm-provenance"),
        ("darwin", {}, "/home/ada/Library/Application Support/llm-provenance"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/llm-provenance"),
        ("win32", {}, "/home/ada/AppData/Local/llm-provenance"),
        ("linux", {"PROVENANCE_STATE_DIR": "/p", "XDG_STATE_HOME": "/x"}, "/p"),
    ],
)
def test_where_the_state_lies(platform, environment, expected):
    found = contact.state_folder(environment, platform=platform, home=Path("/home/ada"))
    assert found == Path(expected)


def test_without_a_terminal_it_stops_and_sends_nothing(process, server, endpoint):
    done = process("compare", endpoint("a"), server.remote)
    assert done.returncode == 2
    assert "relay.example:8080" in done.stderr
    assert "--yes" in done.stderr
    assert done.stdout == ""
    assert server.seen == []
    assert not Path("reports").exists()


def test_yes_agrees_and_is_remembered(process, server, endpoint, state):
    arguments = ["sample", server.remote, "--max-requests", "3"]
    assert process(*arguments, "--yes").returncode == 20
    assert contact.known_hosts(state) == {"relay.example:8080"}
    assert len(server.seen) == 3
    assert server.seen[0][0].startswith("http://relay.example:8080/v1/")
    # Known now: it goes on without asking.
    assert process(*arguments[:-1], "5").returncode == 20
    assert len(server.seen) == 5


@pytest.mark.parametrize("which", ["local", "simulated"])
def test_this_machine_never_asks(process, server, endpoint, which, state):
    side = server.local if which == "local" else endpoint("a")
    done = process("sample", side, "--max-requests", "2")
    assert done.returncode == 20
    assert not state.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("answer", "sent"), [(b"n\n", 0), (b"\n", 0), (b"y\n", 2)])
def test_on_a_terminal_it_shows_the_cost_and_asks(
    command, server, state, answer, sent, monkeypatch
):
    import pty

    monkeypatch.setenv("COLUMNS", "80")
    arguments = [command, "sample", server.remote, "--max-requests", "2"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(arguments[0], arguments)
    shown = b""
    try:
        while b"[y/N]" not in shown:
            shown += os.read(terminal, 4096)
        assert server.seen == []
        assert all(len(line) <= 80 for line in shown.decode().splitlines())
        os.write(terminal, answer)
        while chunk := _read(terminal):
            shown += chunk
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    text = shown.decode()
    for part in ("First contact", "relay.example:8080", "Requests", "Tokens", "Cost", "Time"):
        assert part in text
    assert len(server.seen) == sent
    assert os.waitstatus_to_exitcode(status) == (20 if sent else 2)
    assert bool(contact.known_hosts(state)) == bool(sent)


def _read(terminal):
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other end has closed
        return b""
