import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

# Three categorical models over two families: `a` and `same` are equal, `other` is not, `mixed`
# answers one request in three with `other`.
MODELS = """
[models.a.cells]
"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}
[models.same]
base = "a"
[models.other.cells]
"*" = {"7" = 0.1, "3" = 0.6, "99" = 0.3}
[models.mixed]
base = "a"
dilute_with = "other"
epsilon = 0.35
[models.flaky]
base = "a"
fail_rate = 0.02
[models.cached]
base = "a"
cache = 0.6
[models.constant.cells]
"*" = {"7" = 1.0}
"""


@pytest.fixture
def models(tmp_path):
    """The path of a file of simulated endpoints."""
    path = tmp_path / "models.toml"
    path.write_text(MODELS, encoding="utf-8")
    return path


@pytest.fixture
def endpoint(models):
    """Name -> endpoint string of a simulated model."""
    return lambda name: f"simulated:{models},model={name}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body in two writes would wait 40 ms for each other

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        with server.lock:
            server.count += 1
            number = server.count
            server.requests.append(body)
        status, headers, payload = server.answer(number, body)
        if status is None:  # break the connection
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *args):
        pass


def completion(text, model="served-model"):
    """An OpenAI-style answer as bytes."""
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
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
def serve():
    """Start real HTTP servers: ``serve(answer)`` -> (base URL, server).

    ``answer(number, body)`` gives (status, headers, bytes); status None breaks the connection.
    """
    servers = []

    def start(answer):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.answer, server.count, server.requests = answer, 0, []
        server.lock = threading.Lock()
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1", server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def answer_bytes():
    """The function `completion`."""
    return completion
