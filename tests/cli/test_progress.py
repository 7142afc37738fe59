import io

import pytest

from provenance.cli.progress import ProgressPrinter
from provenance.sampling.runner import Progress


def at(done, total=100, phase="sampling", message="", **more):
    values = {"failed": 0, "requests": done, "tokens": 10 * done, "usd": 0.001 * done}
    values |= {"rate_per_s": 5.0, "eta_s": (total - done) / 5, **more}
    return Progress(done=done, total=total, phase=phase, message=message, **values)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_every_tenth_without_a_terminal():
    stream, now = io.StringIO(), [0.0]
    with ProgressPrinter(stream, clock=lambda: now[0]) as progress:
        for done in range(101):
            progress(at(done))
        progress(at(0, 0, "analysing"))
        progress(at(0, 0, "rendering"))
    lines = stream.getvalue().splitlines()
    assert 10 <= len(lines) <= 14
    assert "100/100 (100%)" in lines[-3]
    assert "5.0/s" in lines[4]
    assert "left" in lines[4]
    assert "tokens" in lines[4]
    assert lines[-2:] == ["analysing …", "rendering …"]


def test_lines_every_ten_seconds_when_it_is_slow():
    stream, now = io.StringIO(), [0.0]
    with ProgressPrinter(stream, clock=lambda: now[0]) as progress:
        for done in range(1, 30):
            now[0] += 1.0
            progress(at(done, total=10_000))
    assert len(stream.getvalue().splitlines()) == 2


@pytest.mark.parametrize("make", [io.StringIO, Terminal])
def test_no_escape_of_an_endpoint_and_no_markup(make, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = make()
    hostile = "suspect: malformed: \x1b]0;owned\x07[red]x[/red] [/] \u202e"
    with ProgressPrinter(stream) as progress:
        for done in range(0, 101, 10):
            progress(at(done, message=hostile, failed=done))
    shown = stream.getvalue()
    assert "\x1b]0;" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown
    assert "⟨U+001B⟩" in shown or make is Terminal
    assert "100 failed" in shown


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_bar_on_a_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with ProgressPrinter(stream) as progress:
        for done in range(0, 101, 25):
            progress(at(done))
        progress(at(0, 0, "analysing"))
    shown = stream.getvalue()
    assert "100/100" in shown or columns == 40
    assert "analysing" in shown


def test_nothing_is_printed_when_nothing_happens():
    stream = io.StringIO()
    with ProgressPrinter(stream):
        pass
    assert stream.getvalue() == ""
