import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provenance.cli import app

# `a` and `same` are equal, `other` is not; `slow` leaves time to interrupt.
MODELS = """
[models.a.cells]
"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}
[models.same]
base = "a"
[models.other.cells]
"*" = {"7" = 0.1, "3" = 0.6, "99" = 0.3}
[models.slow]
base = "a"
latency_ms = 100
[models.hostile.cells]
"*" = {"\\u001b]0;owned\\u0007\\u001b[31mred\\u202e" = 1.0}
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch, number_battery):
    """An empty state folder, a working folder and a small battery for every test.

    Small, so that the tests are about the command and not about the questions that ship.
    """
    folder = tmp_path / "state"
    here = tmp_path / "here"
    here.mkdir()
    for name in list(os.environ):
        if name.startswith("PROVENANCE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    small = number_battery(tmp_path / "small.toml", ["one", "one", "two", "two"], 12)
    monkeypatch.setenv("PROVENANCE_BATTERY", small)
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nmodel = "m"\ninput = 1\noutput = 4\nas_of = "2026-11-01"\n')
    monkeypatch.setenv("PROVENANCE_PRICES", str(prices))
    monkeypatch.setenv("PROVENANCE_STATE_DIR", str(folder))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(here)
    return folder


@pytest.fixture
def run():
    """``run("plan", …)`` in this process; the result has exit_code, stdout and stderr."""
    return lambda *arguments, **options: CliRunner().invoke(
        app, list(map(str, arguments)), **options
    )


@pytest.fixture
def command():
    """The installed command, for real processes."""
    name = "provenance.exe" if os.name == "nt" else "provenance"
    return str(Path(sys.executable).with_name(name))


@pytest.fixture
def process(command):
    """``process("plan", …)`` as a real process, without a terminal."""

    def start(*arguments, **options):
        return subprocess.run(
            [command, *map(str, arguments)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
            **options,
        )

    return start


@pytest.fixture
def endpoint(tmp_path):
    """Name -> endpoint string of a simulated model."""
    path = tmp_path / "models.toml"
    path.write_text(MODELS, encoding="utf-8")
    return lambda name: f"simulated:{path},model={name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((self.path, body))
        status, payload = self.server.answer(body)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args):
        pass


def _completion(body, text="7", model="served-\x1b[31mmodel"):
    return 200, json.dumps(
        {
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
        }
    ).encode()


@pytest.fixture
def server():
    """A real server on loopback that speaks the chat dialect; it can also serve as a proxy.

    ``server.answer(body)`` gives (status, bytes); ``server.seen`` the (path, body) of requests;
    ``server.url`` its own address; ``server.remote`` an endpoint on another host that is reached
    through it as a proxy, so that nothing leaves this machine.
    """
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.answer, http.seen, http.daemon_threads = _completion, [], True
    http.url = f"http://127.0.0.1:{http.server_port}"
    http.local = f"compatible:m@{http.url}/v1"
    http.remote = f"compatible:m@http://relay.example:8080/v1,proxy={http.url}"
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield http
    http.shutdown()
    http.server_close()
