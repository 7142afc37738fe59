"""Every fault of the outside world, once: what it is, what a person sees, what it decides.

A whole study runs for each fault, against a healthy server on the other side. What a person sees
stands in ``fault_table.md``, which is compared with the runs;
``FAULT_TABLE=write python -m pytest tests/study/test_fault_table.py`` writes it anew.
"""

import contextlib
import gzip
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest

from provenance import compare, verify
from provenance.cli.outcome import exit_code
from provenance.dossier.failures import TO_DO
from provenance.dossier.terminal import summary
from provenance.providers import compatible
from provenance.sampling import runner
from provenance.settings import Settings

TABLE = Path(__file__).with_name("fault_table.md")
KEY = "sk-decoy-0123456789abcdef"
DRAWS = {"7": 0.5, "42": 0.3, "13": 0.2}
FAMILIES = ("one", "two")
BATTERY = 'name = "small"\n' + "".join(
    f"""
[[probe]]
id = "{family}-{i}"
family = "{family}"
version = 1
messages = [{{role = "user", content = "Family {family}, question {i}: name a number."}}]
max_visible_tokens = 8
draws = 12
reading = "integer"
rationale = "For tests."
source = "none"
"""
    for family in FAMILIES
    for i in (1, 2)
)


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's ``act(handler, body)`` says, which may be no answer at all."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "decoy/1", ""
    disable_nagle_algorithm = True  # head and body in two writes would wait 40 ms for each other

    def do_CONNECT(self):
        self.server.act(self, None)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self.server.act(self, body)
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def send(self, data, status=200, **headers):
        """A whole answer; ``retry_after="7"`` becomes a header."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self, kind="application/json", **headers):
        """The head of an answer in chunks."""
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients that stop reading are what some faults are about."""


def completion(text, **fields):
    """An answer of the chat dialect; fields go to the top."""
    choice = {"index": 0, "finish_reason": "stop", "message": {"content": text}}
    usage = {"prompt_tokens": 20, "completion_tokens": 2}
    return {"id": "x", "model": "m-1", "choices": [choice], "usage": usage, **fields}


def put(place, value):
    """A sound answer with ``value`` in one place, such as ``choices.0.message``."""
    answer = holder = completion("42")
    *path, last = place.split(".")
    for step in path:
        holder = holder[int(step) if isinstance(holder, list) else step]
    holder[int(last) if isinstance(holder, list) else last] = value
    return answer


def sound(seed):
    """The same model on every side: draws from `DRAWS`."""
    rng, lock = random.Random(seed), threading.Lock()

    def draw():
        with lock:
            return rng.choices(list(DRAWS), DRAWS.values())[0]

    return draw


# What a server does instead of answering.


def status(code, said='{"error": {"message": "no luck"}}', **headers):
    return lambda handler, _: handler.send(said.encode(), code, **headers)


def says(payload, **headers):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return lambda handler, _: handler.send(data, **headers)


def reset(handler, _):
    at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    handler.close_connection = True
    handler.connection.close()


def breaks_off(handler, _):
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def silence(handler, _):
    handler.rfile.read(1)


def slow_loris(handler, _):
    handler.begin()
    while True:
        handler.chunk(b" ")
        time.sleep(0.05)


def endless_stream(handler, _):
    handler.begin("text/event-stream")
    event = b"data: " + json.dumps({"choices": []}).encode() + b" " * 2**17 + b"\n\n"
    while True:
        handler.chunk(event)


def cut_stream(handler, _):
    handler.begin("text/event-stream")
    handler.chunk(b'data: {"choices": [{"delta": {"content": "4"}}]}\n\n')
    handler.chunk(b"")


def hundred_megabytes(handler, _):
    handler.send_response(200)
    handler.send_header("content-length", str(100 * 2**20))
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" " * 2**20)


def not_http(handler, _):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    handler.close_connection = True


def retry_date(handler, _):
    now = formatdate(usegmt=True)
    handler.send_response_only(429)  # without a Date header of its own
    for name, value in (("date", now), ("retry-after", now), ("content-length", "0")):
        handler.send_header(name, value)
    handler.end_headers()


@dataclass(frozen=True)
class Fault:
    """``kind`` and ``message`` are what is expected; None where it is no failure."""

    name: str
    act: object
    kind: str | None
    message: str = ""
    options: str = ""
    status: int = 1


BOMB = gzip.compress(b" " * 2**27)
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
NO_RETRY = "HTTP 429: no luck"
FAULTS = [
    Fault("400", status(400), "refused_parameters", "HTTP 400: no luck"),
    Fault("401", status(401), "auth", "HTTP 401: no luck"),
    Fault("402", status(402), "payment", "HTTP 402: no luck"),
    Fault("403", status(403), "auth", "HTTP 403: no luck"),
    Fault("404", status(404), "not_found", "HTTP 404: no luck"),
    Fault("408", status(408), "server_error", "HTTP 408: no luck"),
    Fault("409", status(409), "server_error", "HTTP 409: no luck"),
    Fault("422", status(422), "refused_parameters", "HTTP 422: no luck"),
    Fault("429", status(429), "rate_limited", "HTTP 429: no luck"),
    Fault("429, Retry-After 0.01", status(429, retry_after="0.01"), "rate_limited", NO_RETRY),
    Fault("429, Retry-After a date", retry_date, "rate_limited", "HTTP 429"),
    Fault(
        "429, Retry-After a day",
        status(429, retry_after="86400"),
        "rate_limited",
        "HTTP 429, asks to wait 86,400 s: no luck",
    ),
    Fault("429, Retry-After nonsense", status(429, retry_after="9" * 99), "rate_limited", NO_RETRY),
    Fault(
        "429, no credit",
        status(429, '{"error": {"code": "insufficient_quota", "message": "no credit"}}'),
        "payment",
        "HTTP 429: no credit",
    ),
    Fault("500", status(500), "server_error", "HTTP 500: no luck"),
    Fault("502, a page", status(502, "<h1>Bad Gateway</h1>"), "server_error", "<h1>Bad Gateway"),
    Fault("503", status(503, retry_after="0.01"), "server_error", "HTTP 503: no luck"),
    Fault("504", status(504), "server_error", "HTTP 504: no luck"),
    Fault("529", status(529), "server_error", "HTTP 529: no luck"),
    Fault("reset before the head", reset, "reset", "the connection broke"),
    Fault("broken off in the body", breaks_off, "reset", "closed the connection"),
    Fault("silence", silence, "timeout", "no complete answer within 0.15 s", ",timeout=0.15"),
    Fault("a byte now and then", slow_loris, "timeout", "no complete", ",timeout=0.15"),
    Fault("endless stream", endless_stream, "too_large", "reading stopped", ",stream=true"),
    Fault("stream cut off", cut_stream, "reset", "stopped before its end", ",stream=true"),
    Fault("100 MB", hundred_megabytes, "too_large", "bytes: reading stopped"),
    Fault("gzip bomb", says(BOMB, content_encoding="gzip"), "too_large", "reading stopped"),
    Fault("broken gzip", says(b"{}", content_encoding="gzip"), "malformed", "broken compression"),
    Fault("empty body", says(b""), "malformed", "not JSON: an empty body"),
    Fault("204", status(204, ""), "malformed", "HTTP 204"),
    Fault("truncated JSON", says(b'{"choices": [{"mess'), "malformed", 'not JSON: {"choices"'),
    Fault("a page with status 200", says(PAGE), "malformed", "a web page instead of JSON"),
    Fault("binary", says(b"\x00\xff\xfe"), "malformed", "not JSON"),
    Fault("deep nesting", says(b"[" * 10**6), "malformed", "nests too deeply"),
    Fault(
        "bytes in the text that are not UTF-8",
        says(json.dumps(completion("4?")).encode().replace(b"4?", b"4\xff")),
        "malformed",
        "the text is not UTF-8",
    ),
    Fault("lone surrogate in the text", says(completion("4\ud800")), "malformed", "surrogates"),
    Fault(
        "error with status 200",
        says({"error": {"message": "upstream is busy", "code": 429}}),
        "rate_limited",
        "error in an answer: upstream is busy",
    ),
    Fault(
        "thinking ate the answer",
        says(
            put(
                "choices.0",
                {
                    "finish_reason": "length",
                    "message": {"content": "", "reasoning_content": "hm"},
                },
            )
        ),
        "starved",
        "thinking used all of it",
    ),
    Fault("not HTTP", not_http, "malformed", "not HTTP/1.1"),
    Fault(
        "redirect",
        status(307, "", location="https://elsewhere.example/v1"),
        "malformed",
        "redirect refused: elsewhere.example; if that host is meant, name it in the base URL",
    ),
    *(
        Fault(f"a number for {place}", says(put(place, 7)), "malformed", "expected")
        for place in ("choices", "choices.0", "choices.0.message", "choices.0.message.content")
    ),
    Fault("null for the text", says(put("choices.0.message.content", None)), "malformed", "null"),
]
# One of each kind, for what does not depend on how the fault is made.
KINDS = {fault.kind: fault for fault in FAULTS}
# Wrong types beside the text cost nothing: the answer counts, and its notes say what was left out.
BESIDE = ("id", "model", "usage", "usage.prompt_tokens", "choices.0.finish_reason")
NOTED = [
    *((f"a list for {place}", lambda text, p=place: put_text(p, [1], text)) for place in BESIDE),
    ("a huge integer for a count", lambda text: put_text("usage.prompt_tokens", 10**400, text)),
    ("a lone surrogate in the model's name", lambda text: completion(text, model="m\ud800")),
]


def put_text(place, value, text):
    answer = put(place, value)
    answer["choices"][0]["message"]["content"] = text
    return answer


@pytest.fixture
def serve():
    """``serve(act, certificate=None)`` starts a real server and gives its port."""
    servers = []

    def start(act, tls=None):
        server = Server(("127.0.0.1", 0), Handler)
        server.act = act
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def study(serve, tmp_path, monkeypatch):
    """``study(suspect)`` compares a healthy server with the endpoint ``suspect``."""
    monkeypatch.setattr(runner, "BACKOFF_S", (0.001,) * 4)
    monkeypatch.setenv("DECOY_KEY", KEY)
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    battery = tmp_path / "small.toml"
    battery.write_text(BATTERY, encoding="utf-8")
    draw = sound(1)

    def go(suspect):
        port = serve(lambda handler, _: handler.send(json.dumps(completion(draw())).encode()))
        return compare(
            f"compatible:m@http://127.0.0.1:{port}/v1,key_env=DECOY_KEY",
            suspect,
            battery=str(battery),
            store=tmp_path / "s",
            formats=["md"],
            seed=1,
            concurrency=1,  # so that the servers' draws fall to the same requests in every run
        )

    return go


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 and model.test that signs itself: (certificate, key) files."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "model.test")])
    names = [x509.DNSName("model.test"), x509.IPAddress(ip_address("127.0.0.1"))]
    now, day = datetime.now(UTC), timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    files = [tmp_path_factory.mktemp("tls") / name for name in ("certificate.pem", "key.pem")]
    files[0].write_bytes(signed.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


def at(port, options=""):
    return f"compatible:m@http://127.0.0.1:{port}/v1,key_env=DECOY_KEY{options}"


def shown(study):
    """The end of a run as a person sees it, on one line."""
    text = summary(study.document, width=80, color=False, dossier=None)
    assert all(len(line) <= 80 for line in text.splitlines())
    return " ".join(text.split())


def assert_nothing_is_known_of(study, kind, message):
    """One side failed for good: no verdict, a reason, an instruction, the other side kept."""
    document = study.document
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "nothing_answered"
    assert study.unanswered == ("suspect",)
    assert exit_code(study, Settings()) == 1
    assert {(f.side, f.kind) for f in document.failures} == {("suspect", kind)}
    text = shown(study)
    assert message in " ".join(document.failures[0].example.split())
    assert TO_DO[kind] in text
    assert TO_DO[kind].split("`")[0] in study.written["md"].read_text("utf-8").replace("\\", "")
    assert document.coverage.reference > 0
    kept = study.frame("completions").query("role == 'reference'")
    assert kept.text.isin(DRAWS).all()
    for path in study.store.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert verify(study.store).ok


@pytest.fixture(scope="module")
def table():
    """``table(name of the fault, study)`` notes a row; written at the end if that is asked."""
    rows = {}
    yield lambda name, study: rows.setdefault(name, row(name, study))
    if os.environ.get("FAULT_TABLE") == "write":
        head = ("| Fault | Kind | Message | What to do | Verdict |", "|---|---|---|---|---|")
        TABLE.write_text("\n".join([*head, *rows.values(), ""]), encoding="utf-8")


def row(name, study):
    failure = study.document.failures[0]
    message = re.sub(r"127\.0\.0\.1:\d+", "HOST", failure.example).replace("|", "\\|")
    codes = ", ".join(reason.code for reason in study.verdict.reasons)
    verdict = f"{study.verdict.label}: {codes}; exit {exit_code(study, Settings())}"
    cells = (name, failure.kind, f"`{message}`", TO_DO[failure.kind], verdict)
    return f"| {' | '.join(cells)} |"


def assert_in_table(name, study, table):
    line = table(name, study)
    # Elsewhere the system words some errors in its own way.
    if sys.platform == "linux" and os.environ.get("FAULT_TABLE") != "write":
        assert line in TABLE.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_side_that_always_fails(study, serve, table, fault):
    before, began = psutil.Process().memory_info().rss, time.monotonic()
    done = study(at(serve(fault.act), fault.options))
    assert_nothing_is_known_of(done, fault.kind, fault.message)
    assert_in_table(fault.name, done, table)
    assert time.monotonic() - began < 30
    assert psutil.Process().memory_info().rss - before < 200 * 2**20


def refused(code):
    """A proxy that lets nobody through."""
    return lambda handler, _: handler.send(b"", code)


def intercepts(certificate):
    """A proxy that answers a tunnel with a certificate of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def act(handler, _):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            context.wrap_socket(handler.connection, server_side=True).close()
        handler.close_connection = True

    return act


NETWORK = [
    ("nobody listens", "unreachable", "no connection: Connection refused"),
    ("self-signed certificate", "unreachable", "ca_bundle=FILE.pem"),
    ("https to a plain port", "unreachable", "does the server speak plain http"),
    ("no such proxy", "unreachable", "no connection"),
    ("proxy refuses the tunnel", "unreachable", "the proxy refused: 403 Forbidden"),
    ("proxy wants a password", "unreachable", "the proxy refused: 407"),
    ("proxy wants a password, plain http", "unreachable", "HTTP 407 from the proxy"),
    ("proxy with a certificate of its own", "unreachable", "ca_bundle=FILE.pem"),
    ("proxy that shows a login page", "malformed", "a web page instead of JSON"),
    ("proxy that cuts answers in half", "malformed", "not JSON"),
]


@pytest.mark.parametrize(("name", "kind", "message"), NETWORK, ids=[row[0] for row in NETWORK])
def test_a_network_that_always_fails(study, serve, table, certificate, name, kind, message):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
        half = json.dumps(completion("42")).encode()[:60]
        secure = "compatible:m@https://model.test/v1,key_env=DECOY_KEY,proxy=http://127.0.0.1:"
        plain = "compatible:m@http://model.test/v1,proxy=http://127.0.0.1:"
        suspect = {
            "nobody listens": lambda: at(closed),
            "self-signed certificate": lambda: at(serve(says(b"{}"), certificate)).replace(
                "http:", "https:"
            ),
            "https to a plain port": lambda: at(serve(says(b"{}"))).replace("http:", "https:"),
            "no such proxy": lambda: f"{secure}{closed}",
            "proxy refuses the tunnel": lambda: f"{secure}{serve(refused(403))}",
            "proxy wants a password": lambda: f"{secure}{serve(refused(407))}",
            "proxy wants a password, plain http": lambda: f"{plain}{serve(refused(407))}",
            "proxy with a certificate of its own": lambda: (
                f"{secure}{serve(intercepts(certificate))}"
            ),
            "proxy that shows a login page": lambda: f"{plain}{serve(says(PAGE))}",
            "proxy that cuts answers in half": lambda: f"{plain}{serve(says(half))}",
        }[name]()
        done = study(suspect)
    assert_nothing_is_known_of(done, kind, message if sys.platform == "linux" else "")
    assert_in_table(name, done, table)


@pytest.fixture
def soon_too_large(monkeypatch):
    """What is too large is seen above, at its size; here it is one failure among others."""
    monkeypatch.setattr(compatible, "_BASE_LIMIT", 2**16)


@pytest.mark.usefixtures("soon_too_large")
@pytest.mark.parametrize("fault", KINDS.values(), ids=KINDS)
def test_a_fault_in_one_family_only(study, serve, fault):
    draw = sound(2)

    def act(handler, body):
        if "Family two" in body["messages"][0]["content"]:
            return fault.act(handler, body)
        return handler.send(json.dumps(completion(draw())).encode())

    done = study(at(serve(act), fault.options))
    codes = [reason.code for reason in done.verdict.reasons]
    assert done.verdict.label == "inconclusive"
    assert "suspect_withholds" in codes
    assert {(f.kind, f.family) for f in done.document.failures} == {(fault.kind, "two")}
    assert TO_DO[fault.kind] in shown(done)
    assert exit_code(done, Settings()) == 0


@pytest.mark.usefixtures("soon_too_large")
@pytest.mark.parametrize("fault", KINDS.values(), ids=KINDS)
def test_a_fault_that_hits_one_answer_only(study, serve, fault):
    """Asked again, the suspect answers something else: that alone must not make it another."""
    draw = sound(3)

    def act(handler, body):
        text = draw()
        if text == "42":
            return fault.act(handler, body)
        return handler.send(json.dumps(completion(text)).encode())

    done = study(at(serve(act), fault.options))
    assert done.verdict.label == "inconclusive"
    assert "suspect_withholds" in [reason.code for reason in done.verdict.reasons]


@pytest.mark.parametrize(("name", "answer"), NOTED, ids=[name for name, _ in NOTED])
def test_a_wrong_type_beside_the_text_is_no_fault(study, serve, name, answer):
    draw = sound(4)
    done = study(at(serve(lambda handler, _: handler.send(json.dumps(answer(draw())).encode()))))
    assert done.verdict.label == "inconclusive"
    assert done.document.failures == ()
    assert done.document.coverage.suspect == 48
