import inspect
import os
import signal
import subprocess
import sys
import time

import pytest
import typer

from provenance import errors
from provenance.cli.shape import bounded

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass)]


def _fails(error, verb="compare"):
    def run():
        raise error

    with pytest.raises(typer.Exit) as caught:
        bounded(run, lambda: verb)
    return caught.value.exit_code


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_every_error_has_its_exit_code_and_its_message(kind, capsys):
    error = kind("x", "report") if kind is errors.MissingExtra else kind("what was found")
    assert _fails(error) == kind.exit_code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_the_documented_codes():
    codes = {c.__name__: c.exit_code for c in CLASSES}
    assert codes["UsageError"] == codes["ConfirmationNeeded"] == codes["StoreFinished"] == 2
    assert codes["ProviderError"] == codes["EvidenceError"] == codes["RenderError"] == 1
    assert (codes["ReferenceStale"], codes["TamperedEvidence"], codes["BudgetExhausted"]) == (
        12,
        14,
        20,
    )


def test_what_an_endpoint_put_into_a_message_is_made_visible(capsys):
    _fails(errors.ProviderError("it said: \x1b]0;owned\x07\u202e"))
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "⟨U+001B⟩" in shown


def test_an_unexpected_error_names_its_type_and_withholds_what_it_quotes(capsys, monkeypatch):
    assert _fails(ValueError("Illegal header value b'sk-secret'")) == 1
    shown = capsys.readouterr().err
    assert "ValueError" in shown
    assert "sk-secret" not in shown
    assert "Traceback" not in shown
    monkeypatch.setenv("PROVENANCE_DEBUG", "1")
    assert _fails(ValueError("Illegal header value b'sk-secret'")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_folder_without_permission_is_no_fault_of_the_tool(capsys):
    assert _fails(PermissionError(13, "Permission denied", "reports")) == 1
    assert capsys.readouterr().err == "error: Permission denied: reports\n"


def test_an_interrupt_says_how_to_go_on(capsys):
    assert _fails(KeyboardInterrupt()) == 130
    assert "resume with the same command" in capsys.readouterr().err
    assert _fails(KeyboardInterrupt(), verb="verify") == 130
    assert "resume" not in capsys.readouterr().err


def test_a_mistake_on_the_command_line_is_the_parsers():
    def run():
        raise typer.BadParameter("no")

    with pytest.raises(typer.BadParameter):
        bounded(run, lambda: "plan")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupted_study_resumes_with_the_same_command(command, endpoint, tmp_path, process):
    arguments = ["compare", endpoint("slow"), endpoint("a"), "--format", "json", "--seed", "3"]
    # One request at a time: seconds are left to interrupt it, however fast the machine.
    arguments += ["--store", str(tmp_path / "s"), "--concurrency", "1"]
    # A suite that runs in the background of a script has been told to ignore the key.
    heeding = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    heeding += "os.execv(sys.argv[1], sys.argv[1:])"
    running = subprocess.Popen(
        [sys.executable, "-c", heeding, command, *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    transcript = tmp_path / "s" / "transcript.jsonl"
    deadline = time.monotonic() + 30
    while not (transcript.exists() and transcript.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == ""
    assert "resume with the same command" in err
    assert "Traceback" not in err
    before = transcript.read_bytes()
    again = process(*arguments)
    assert again.returncode == 0
    assert transcript.read_bytes().startswith(before)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_reader_that_goes_away_is_no_crash(command):
    shown = subprocess.run(
        ["bash", "-c", f"{command} probes list --json | head -c 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout in ("{0\n", "{1\n")
    assert shown.stderr == ""


def test_a_console_that_knows_only_ascii_gets_escapes_instead_of_a_crash(process, endpoint):
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    for arguments in (["--help"], ["plan", endpoint("a"), endpoint("a")], ["doctor"]):
        done = process(*arguments, env=ascii_only)
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).isascii()
