import hashlib
import json
import os
import random
import re
import threading
import tomllib
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provenance.cli import app
from provenance.settings import recipes

ENDPOINT = re.compile(r'^endpoint = ".*"$', re.MULTILINE)


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Nothing of this user's settings, keys, proxies or known hosts."""
    for name in list(os.environ):
        if name.startswith("PROVENANCE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROVENANCE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run():
    """``run("compare", …)`` through the command; the result has exit_code, stdout and stderr."""
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def filled(tmp_path):
    """A copy of a shipped recipe in which nothing but the endpoints is another."""

    def fill(name, **endpoints):
        text = recipes()[name].read_text(encoding="utf-8")
        for table, endpoint in endpoints.items():
            start = text.index(f"[endpoints.{table}]")
            text = text[:start] + ENDPOINT.sub(f"endpoint = '{endpoint}'", text[start:], count=1)
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        shipped, copy = (
            tomllib.loads(p.read_text(encoding="utf-8")) for p in (recipes()[name], path)
        )
        assert copy["endpoints"].keys() == shipped["endpoints"].keys() == endpoints.keys()
        assert all(copy["endpoints"][t]["endpoint"] == e for t, e in endpoints.items())
        assert {**shipped, "endpoints": 0} == {**copy, "endpoints": 0}
        return path

    return fill


WORDS = ["7", "42", "blue", "yes", "Paris", "no", "cat"]


def _drawn(*key):
    return random.Random(hashlib.sha256(repr(key).encode()).digest())


class _Handler(BaseHTTPRequestHandler):
    """The chat dialect over a model with habits: to every prompt a few answers of its own."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = json.dumps(body["messages"])
        favourites = _drawn(self.server.habit, prompt).sample(WORDS, 3)
        with self.server.lock:
            self.server.asked[prompt] += 1
            turn = self.server.asked[prompt]
        # Drawn by prompt and turn, so that what a cell holds does not hang on the threads' order.
        draw = _drawn(self.server.number, prompt, turn)
        answer = draw.choices(favourites, (6, 3, 1))[0]
        self.server.seen.append(dict(self.headers))
        payload = json.dumps(
            {
                "model": body["model"],
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": answer},
                    }
                ],
                "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    """``serve("a")`` starts a model with the habits of that name; servers of one name are equal."""
    servers = []

    def start(habit, options=""):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.habit, server.seen, server.daemon_threads = habit, [], True
        server.number, server.asked, server.lock = len(servers), Counter(), threading.Lock()
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.endpoint = f"compatible:m@http://127.0.0.1:{server.server_port}/v1{options}"
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def simulated(tmp_path):
    """Two precisions of one model: the second answers a little otherwise everywhere."""
    path = tmp_path / "models.toml"
    path.write_text(
        "[models.full.cells]\n"
        '"*" = {"7" = 0.50, "42" = 0.30, "13" = 0.15, "73" = 0.05}\n'
        "[models.rounded.cells]\n"
        '"*" = {"7" = 0.62, "42" = 0.27, "13" = 0.10, "73" = 0.01}\n',
        encoding="utf-8",
    )
    return lambda name: f"simulated:{Path(path).name},model={name}"
