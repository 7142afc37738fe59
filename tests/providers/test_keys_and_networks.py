"""No key reaches a place that it was not meant for: other hosts, plain http, evidence, logs."""

import asyncio
import base64
import dataclasses
import json
import logging
import urllib.parse

import pytest

from provenance.endpoint import Endpoint
from provenance.errors import ProvenanceError, UsageError
from provenance.providers import create
from provenance.providers._keys import REDACTED, Secrets
from provenance.providers.registry import registered

KEY = "sk-decoy/named+7f3a9c02=\"quoted'"
DECOYS = {
    "OPENAI_API_KEY": "sk-decoy-openai-1111",
    "OPENAI_ADMIN_KEY": "sk-decoy-admin-2222",
    "ANTHROPIC_API_KEY": "sk-ant-decoy-3333",
    "ANTHROPIC_AUTH_TOKEN": "decoy-auth-token-4444",
    "AZURE_OPENAI_API_KEY": "decoy-azure-5555",
    "OPENROUTER_API_KEY": "sk-or-decoy-6666",
    "HF_TOKEN": "hf_decoy7777",
    "NETRC_PASSWORD": "decoy-netrc-8888",
    "PROXY_PASSWORD": "decoy-proxy-9999",
    "MY_KEY": KEY,
    "OPENAI_ORG_ID": "org-decoy-1010",
    "OPENAI_PROJECT_ID": "proj-decoy-1111",
    "OPENAI_WEBHOOK_SECRET": "whsec-decoy-1212",
    "IN_CUSTOM_HEADERS": "decoy-custom-1313",
}
# SDKs would take a base URL from these.
SDK_URLS = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL")
SDK_HEADERS = ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS")
SDKS = ("openai", "openai-responses", "anthropic")
NETWORK = ("compatible", *SDKS)


def at(name, rest):
    """An endpoint of a provider, or of one of its dialects."""
    provider, _, api = name.partition("-")
    return f"{provider}:m{rest}" + (f",api={api}" if api else "")


def forms(secret):
    raw = secret.encode()
    yield secret
    yield secret.replace("'", "\\'")  # as repr() shows a text that holds both quotes
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret)[1:-1].replace("/", r"\/")
    yield "".join(f"\\u{ord(c):04X}" for c in secret)
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote(urllib.parse.quote(secret, safe=""), safe="")
    yield "".join(f"&#{ord(c)};" for c in secret)
    yield "".join(f"&#x{ord(c):X};" for c in secret)
    yield raw.hex()
    yield raw.hex().upper()
    yield base64.b64encode(raw).decode().rstrip("=")[:-1]
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")[:-1]


@pytest.mark.parametrize("form", list(forms(KEY)))
def test_every_form_of_a_key_is_redacted(form):
    secrets = Secrets([f"Bearer {KEY}"])
    assert secrets.redact_text(f"<{form}>").startswith("<" + REDACTED)
    assert form not in secrets.redact_text(json.dumps(form))


@pytest.mark.parametrize("before", ["", "x", "xy", "user:", "Bearer "])
def test_a_key_inside_base64_is_redacted_at_any_offset(before):
    encoded = base64.b64encode(f"{before}{KEY} and more".encode()).decode()
    inner = base64.b64encode(KEY.encode()).decode()[4:-8]
    redacted = Secrets([KEY]).redact_text(encoded)
    assert REDACTED in redacted
    assert inner not in redacted
    assert len(redacted) - len(REDACTED) < len(before) * 2 + 24


def test_redaction_leaves_json_json_and_other_text_alone():
    secrets = Secrets([KEY])
    for form in forms(KEY):
        assert REDACTED in json.loads(secrets.redact(json.dumps({"a": form}).encode()))["a"]
    assert secrets.redact(b"sk-decoy and named") == b"sk-decoy and named"
    assert secrets.redact_text("lone \ud800") == "lone \ud800"
    assert Secrets(["EMPTY"]).redact(b"EMPTY") == b"EMPTY"  # a placeholder, not a secret


def key_of(handler):
    return handler.headers.get("authorization", "no key").removeprefix("Bearer ")


def echoing(spoken):
    """A server that says the key in the body, in headers, in errors, and in pieces of a stream."""

    def answer(handler, number, body):
        said = key_of(handler)
        encoded = base64.b64encode(said.encode()).decode()
        headers = {
            "x-request-id": said,
            "server": encoded,
            f"x-ratelimit-{said.encode().hex()}": "1",
            "x-unlisted": said,
        }
        if body.get("stream"):
            pieces = [said[i : i + 3] for i in range(0, len(said), 3)]
            events = spoken.events(*pieces)
            if spoken.path.endswith("responses"):
                events[-1]["response"]["output"] = []  # the deltas stand in for it
            handler.events(*events, end=False)
        elif number % 2:
            answered = spoken.answer(f"key {said} {encoded}", model=said, id=encoded)
            handler.reply(answered, headers=headers)
        else:
            handler.reply({"error": {"message": said, "code": said}}, 401, headers)

    return answer


def artefacts(exchanges, provider, caplog):
    """Everything that a study keeps or shows of these exchanges, as one text."""
    parts = [caplog.text, *(record.getMessage() for record in caplog.records)]
    parts += [repr(record.args) for record in caplog.records]
    for exchange in exchanges:
        parts += [repr(exchange), exchange.outcome.model_dump_json()]
        parts += [exchange.request.decode(), exchange.response.decode("utf-8", "replace")]
        parts += [json.dumps(dataclasses.asdict(exchange)["headers"])]
    parts += [repr(provider), str(provider.endpoint), repr(provider.endpoint)]
    parts += [repr(getattr(provider, "capabilities", {}))]
    return "\n".join(parts)


def held(text):
    """The decoys that a text holds, in any form."""
    return {
        name
        for name, decoy in DECOYS.items()
        if any(form in text for form in forms(decoy)) or decoy.lower() in text.lower()
    }


def run(endpoint, environment, request_of, n=2):
    async def draws():
        provider = create(Endpoint.parse(endpoint), environment=environment)
        await provider.open()
        try:
            return [await provider.draw(request_of(draw=d)) for d in range(n)], provider
        finally:
            await provider.aclose()

    return asyncio.run(draws())


@pytest.fixture
def decoys(monkeypatch, tmp_path, caplog):
    """An environment full of decoys, also in the process itself and in ``~/.netrc``."""
    password = DECOYS["NETRC_PASSWORD"]
    hosts = "".join(
        f"machine {h} login me password {password}\n" for h in ("127.0.0.1", "model.test")
    )
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text(hosts, encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    names = ("X-Custom", "User-Agent", "X-Stainless-Lang", "anthropic-version", "Accept")
    custom = [f"{name}: {DECOYS['IN_CUSTOM_HEADERS']}" for name in names]
    environment = {
        **DECOYS,
        **dict.fromkeys(SDK_URLS, "http://127.0.0.1:9/sdk"),
        **dict.fromkeys(SDK_HEADERS, "\n".join(custom)),
        "HOME": str(tmp_path),
        "USERPROFILE": str(tmp_path),
        "NETRC": str(tmp_path / ".netrc"),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    return environment


def test_every_network_provider_is_run_here():
    local = {"transformers", "gguf", "replay", "simulated"}
    assert set(registered()) == local | {name.partition("-")[0] for name in NETWORK}


@pytest.mark.parametrize("name", NETWORK)
def test_without_key_env_no_key_is_sent_at_all(name, serve, dialect, decoys, request_of, caplog):
    server = serve(echoing(dialect(name)))
    exchanges, provider = run(at(name, f"@{server.url}"), decoys, request_of)
    sent = repr(server.requests)
    assert held(sent) == set()
    assert not any("authorization" in headers for _, headers, _ in server.requests)
    assert held(artefacts(exchanges, provider, caplog)) == set()


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("option", ["", ",stream=true"])
def test_an_echoed_key_is_in_no_artefact(name, option, serve, dialect, decoys, request_of, caplog):
    server = serve(echoing(dialect(name)))
    endpoint = at(name, f"@{server.url},key_env=MY_KEY{option}")
    exchanges, provider = run(endpoint, decoys, request_of)
    assert {headers["authorization"] for _, headers, _ in server.requests} == {f"Bearer {KEY}"}
    assert held(repr(server.requests)) == {"MY_KEY"}
    assert "receive_response_headers" in caplog.text  # the client's log was really listened to
    assert held(artefacts(exchanges, provider, caplog)) == set()
    assert REDACTED in artefacts(exchanges, provider, caplog)
    if option:
        assert exchanges[0].response.startswith(b"[left out")
        assert exchanges[0].outcome.text == REDACTED
        assert exchanges[0].outcome.notes[-1] == "pieces of the answer spelled the key: left out"


OWN = {
    "openai": ("api.openai.com", "OPENAI_API_KEY"),
    "openai-responses": ("api.openai.com", "OPENAI_API_KEY"),
    "anthropic": ("api.anthropic.com", "ANTHROPIC_API_KEY"),
}


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize("given", [False, True])
def test_the_usual_key_goes_to_the_providers_own_host(
    name, given, serve, forward_proxy, dialect, decoys, request_of, self_signed, caplog
):
    host, variable = OWN[name]
    server = serve(echoing(dialect(name)), tls=self_signed)
    network = f",ca_bundle={self_signed.certificate},proxy={forward_proxy(server).url}"
    url = f"@https://{host}/v1" if given else ""
    exchanges, provider = run(at(name, url + network), decoys, request_of)
    assert provider.host == host
    assert exchanges[0].status == 200
    path, headers, _ = server.requests[0]
    assert (path, headers["host"]) == (dialect(name).path, host)
    assert held(repr(server.requests)) == {variable}
    assert held(artefacts(exchanges, provider, caplog)) == set()
    assert REDACTED in artefacts(exchanges, provider, caplog)


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize("url", ["http://{}/v1", "https://{}.test/v1", "https://{}:444/v1"])
def test_the_usual_key_goes_nowhere_else(
    name, url, serve, forward_proxy, dialect, decoys, request_of, self_signed
):
    host, _ = OWN[name]
    tls = self_signed if url.startswith("https") and ".test" not in url else None
    server = serve(echoing(dialect(name)), tls=tls)
    network = f",ca_bundle={self_signed.certificate},proxy={forward_proxy(server).url}"
    run(at(name, f"@{url.format(host)}{network}"), decoys, request_of)
    assert held(repr(server.requests)) == set()
    assert server.requests or ".test" in url  # no certificate for that one


@pytest.mark.parametrize("name", SDKS)
def test_without_its_usual_key_a_providers_own_host_is_not_asked(name):
    with pytest.raises(UsageError, match=f"variable {OWN[name][1]} is not set"):
        create(Endpoint.parse(at(name, "")), environment={"MY_KEY": KEY})
    for named in (",key_env=MY_KEY", ",header_env.x-api-key=MY_KEY"):
        provider = create(Endpoint.parse(at(name, named)), environment={"MY_KEY": KEY})
        assert provider.host == OWN[name][0]


@pytest.mark.parametrize("name", SDKS)
def test_an_sdk_takes_no_header_from_the_environment(
    name, serve, dialect, decoys, request_of, caplog
):
    server = serve(lambda h, *_: h.reply(dialect(name).answer("42")))
    endpoint = at(name, f"@{server.url},header.OpenAI-Organization=org-named")
    exchanges, provider = run(endpoint, decoys, request_of, n=1)
    _, headers, _ = server.requests[0]
    assert exchanges[0].outcome.text == "42"
    assert headers["openai-organization"] == "org-named"
    assert headers["user-agent"].startswith(("AsyncOpenAI/Python", "AsyncAnthropic/Python"))
    assert headers["x-stainless-lang"] == "python"
    assert "decoy" not in repr(server.requests)
    assert held(artefacts(exchanges, provider, caplog)) == set()


@pytest.mark.parametrize("name", NETWORK)
def test_a_key_in_parts_of_the_content_is_left_out(name, serve, dialect, decoys, request_of):
    def answer(handler, *_):
        said = key_of(handler)
        payload = dialect(name).answer("")
        parts = [{"type": "text", "text": said[:9]}, {"type": "text", "text": said[9:]}]
        if "choices" in payload:
            payload["choices"][0]["message"]["content"] = parts
        elif "output" in payload:
            parts = [{**part, "type": "output_text"} for part in parts]
            payload["output"][0]["content"] = parts
        else:
            payload["content"] = parts
        handler.reply(payload)

    server = serve(answer)
    endpoint = at(name, f"@{server.url},key_env=MY_KEY")
    (exchange,), _ = run(endpoint, decoys, request_of, n=1)
    assert exchange.response.startswith(b"[left out")
    assert exchange.outcome.text == REDACTED


@pytest.mark.parametrize("end", ["reset", "broken", "whole"])
def test_a_key_in_pieces_is_found_however_the_stream_ends(
    end, serve, completion, decoys, request_of, caplog
):
    def answer(handler, *_):
        said = handler.headers["authorization"].removeprefix("Bearer ")
        pieces = [said[i : i + 2] for i in range(0, len(said), 2)]
        if end == "whole":  # not a stream, but its log-probabilities come token by token
            payload = completion("hello")
            tokens = [{"token": piece, "logprob": -1.0} for piece in pieces]
            payload["choices"][0]["logprobs"] = {"content": tokens}
            handler.reply(payload)
            return
        events = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
        handler.events(*events, *(["{"] if end == "broken" else []), end=False)

    server = serve(answer)
    endpoint = f"compatible:m@{server.url},key_env=MY_KEY,stream=true"
    (exchange,), _ = run(endpoint, decoys, request_of, n=1)
    assert exchange.response.startswith(b"[left out")
    if end == "whole":
        assert (exchange.outcome.text, exchange.outcome.logprobs) == ("hello", None)
    else:
        assert exchange.outcome.kind == {"reset": "reset", "broken": "malformed"}[end]


@pytest.mark.parametrize("name", SDKS)
@pytest.mark.parametrize("end", ["reset", "broken"])
def test_a_key_in_pieces_of_a_broken_stream_is_left_out(
    name, end, serve, dialect, decoys, request_of, caplog
):
    def answer(handler, *_):
        said = key_of(handler)
        events = dialect(name).events(*(said[i : i + 2] for i in range(0, len(said), 2)))
        ending = ("finish_reason", "message_delta", "message_stop", "completed")
        events = [e for e in events if not any(word in json.dumps(e) for word in ending)]
        handler.events(*events, *(["{"] if end == "broken" else []), end=False)

    endpoint = at(name, f"@{serve(answer).url},key_env=MY_KEY,stream=true")
    (exchange,), provider = run(endpoint, decoys, request_of, n=1)
    assert exchange.outcome.kind == {"reset": "reset", "broken": "malformed"}[end]
    assert exchange.response.startswith(b"[left out")
    assert held(artefacts([exchange], provider, caplog)) == set()


@pytest.mark.parametrize("name", NETWORK)
def test_a_key_in_a_header_of_its_own_is_treated_the_same(
    name, serve, dialect, decoys, request_of, caplog
):
    server = serve(lambda h, *_: h.reply(dialect(name).answer(h.headers["x-api-key"])))
    endpoint = at(name, f"@{server.url},header_env.x-api-key=MY_KEY")
    exchanges, provider = run(endpoint, decoys, request_of)
    assert server.requests[0][1]["x-api-key"] == KEY
    assert "authorization" not in server.requests[0][1]
    assert exchanges[0].outcome.text == REDACTED
    assert held(artefacts(exchanges, provider, caplog)) == set()


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_takes_no_key_anywhere(name, status, serve, dialect, decoys, request_of, caplog):
    other = serve(echoing(dialect(name)))

    def redirect(handler, *_):
        key = urllib.parse.quote(handler.headers["authorization"])
        headers = {"location": f"http://{KEY[:8]}.{KEY[9:14]}@127.0.0.1:{other.server_port}/{key}"}
        handler.reply(b"", status, headers)

    server = serve(redirect)
    exchanges, provider = run(at(name, f"@{server.url},key_env=MY_KEY"), decoys, request_of)
    assert other.requests == []
    assert len(server.requests) == 2
    assert exchanges[0].outcome.kind == "malformed"
    assert held(artefacts(exchanges, provider, caplog)) == set()


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("option", [True, False])
def test_a_proxy_sees_a_tunnel_and_no_key(
    name, option, serve, forward_proxy, dialect, decoys, request_of, self_signed, caplog
):
    server = serve(echoing(dialect(name)), tls=self_signed)
    proxy = forward_proxy(server)
    bundle = self_signed.certificate
    endpoint = at(name, f"@https://model.test/v1,key_env=MY_KEY,ca_bundle={bundle}")
    environment = dict(decoys)
    if option:
        endpoint += f",proxy={proxy.url}"
    else:
        password = DECOYS["PROXY_PASSWORD"]
        environment["HTTPS_PROXY"] = proxy.url.replace("//", f"//me:{password}@")
    exchanges, provider = run(endpoint, environment, request_of)
    assert exchanges[0].status == 200
    assert {path for path, _, _ in proxy.requests} == {"model.test:443"}
    assert held(repr(proxy.requests)) == (set() if option else {"PROXY_PASSWORD"})
    assert held(repr(server.requests)) == {"MY_KEY"}
    assert held(artefacts(exchanges, provider, caplog)) == set()
    assert provider.host == "model.test"


@pytest.mark.parametrize("name", NETWORK)
def test_a_plain_host_is_reached_through_a_proxy_without_a_key(
    name, serve, forward_proxy, dialect, request_of
):
    server = serve(lambda h, *_: h.reply(dialect(name).answer("42")))
    proxy = forward_proxy(server)
    endpoint = at(name, f"@http://model.test/v1,proxy={proxy.url}")
    exchanges, _ = run(endpoint, {}, request_of, n=1)
    assert exchanges[0].outcome.text == "42"
    assert proxy.requests[0][0] == f"http://model.test{dialect(name).path}"


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("option", ["", ",proxy={url}"])
def test_loopback_bypasses_proxies(name, option, serve, forward_proxy, dialect, request_of):
    server = serve(lambda h, *_: h.reply(dialect(name).answer("42")))
    proxy = forward_proxy(server)
    environment = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY"), proxy.url)
    endpoint = at(name, f"@{server.url}{option.format(url=proxy.url)}")
    exchanges, _ = run(endpoint, environment, request_of, n=1)
    assert exchanges[0].outcome.text == "42"
    assert proxy.requests == []


@pytest.mark.parametrize("name", NETWORK)
def test_a_host_that_no_proxy_names_is_reached_directly(
    name, serve, forward_proxy, dialect, request_of
):
    server = serve(lambda h, *_: h.reply(dialect(name).answer("42")))
    proxy = forward_proxy(server)
    environment = {"HTTP_PROXY": proxy.url, "NO_PROXY": "other.test, .invalid"}
    endpoint = at(name, "@http://model.invalid/v1")  # RFC 2606: resolves nowhere
    direct, _ = run(endpoint, environment, request_of, n=1)
    assert direct[0].outcome.kind == "unreachable"
    assert proxy.requests == []
    environment["NO_PROXY"] = "other.test"
    through, _ = run(endpoint, environment, request_of, n=1)
    assert through[0].outcome.text == "42"


def test_a_proxy_that_refuses_is_named_as_the_cause(serve, completion, request_of):
    no_proxy = serve(lambda h, *_: h.reply(completion("42")))  # knows POST, not CONNECT
    proxy = f"http://127.0.0.1:{no_proxy.server_port}"
    exchanges, _ = run(f"compatible:m@https://model.test/v1,proxy={proxy}", {}, request_of, n=1)
    assert exchanges[0].outcome.kind == "unreachable"
    assert exchanges[0].outcome.message.startswith("the proxy refused: 501")


@pytest.mark.parametrize("name", NETWORK)
def test_the_process_environment_is_not_read(
    name, monkeypatch, serve, forward_proxy, dialect, request_of
):
    server = serve(lambda h, *_: h.reply(dialect(name).answer("42")))
    proxy = forward_proxy(server)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    exchanges, _ = run(at(name, "@http://model.invalid/v1"), {}, request_of, n=1)
    assert exchanges[0].outcome.kind == "unreachable"
    assert proxy.requests == []


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("@http://llm.example/v1,key_env=MY_KEY", "plain http to llm.example"),
        ("@http://10.0.0.7:8000/v1,key_env=MY_KEY", "plain http to 10.0.0.7:8000"),
        ("@http://127.0.0.1.evil.test/v1,key_env=MY_KEY", "plain http"),
        ("@http://llm.example/v1,header_env.x-api-key=MY_KEY", "plain http"),
        ("@http://llm.example/v1,key_env=MY_KEY,proxy=http://127.0.0.1:9", "plain http"),
        ("@https://llm.example/v1,key_env=NOT_SET", "NOT_SET is not set"),
        ("@https://llm.example/v1,header_env.X-Key=NOT_SET", "NOT_SET is not set"),
        ("@https://llm.example/v1,key_env=EMPTY", "EMPTY is not set or empty"),
        ("@https://llm.example/v1,key_env=TWO_LINES", "TWO_LINES cannot be sent"),
        ("@https://llm.example/v1,key_env=GREEK", "GREEK cannot be sent"),
        (
            "@https://llm.example/v1,key_env=MY_KEY,header_env.Authorization=MY_KEY",
            "keep one",
        ),
        ("@http://llm.example/v1,header.Authorization=Bearer x", "header_env.Authorization=NAME"),
        ("@https://llm.example/v1,header.x-api-key=x", "header_env.x-api-key=NAME"),
        ("@https://llm.example/v1,header.api-key=x", "header_env.api-key=NAME"),
        ("@https://llm.example/v1,query.api_key=x", "key_env=NAME"),
        ("@https://llm.example/v1,body.extra.api_key=x", "key_env=NAME"),
        ("@https://llm.example/v1,proxy=http://me:pw@127.0.0.1:9", "set HTTPS_PROXY"),
    ],
)
def test_a_key_that_would_leak_is_refused_before_anything_is_sent(name, rest, says, decoys):
    environment = {**decoys, "EMPTY": " ", "TWO_LINES": f"a\n{KEY}", "GREEK": f"κ{KEY}"}
    with pytest.raises(UsageError, match=says) as refused:
        create(Endpoint.parse(at(name, rest)), environment=environment)
    assert held(str(refused.value)) == set()


@pytest.mark.parametrize("name", NETWORK)
def test_a_bad_proxy_variable_is_named_and_its_password_is_not(name):
    environment = {"HTTPS_PROXY": f"ftp://me:{DECOYS['PROXY_PASSWORD']}@proxy.test:1"}
    with pytest.raises(ProvenanceError, match="HTTPS_PROXY") as refused:
        create(Endpoint.parse(at(name, "@https://llm.example/v1")), environment=environment)
    assert held(str(refused.value)) == set()


def test_the_guard_leaves_the_loggers_as_they_were(serve, completion, request_of):
    def filters():
        names = ("httpx", "httpcore.http11", "httpcore.connection")
        return {name: list(logging.getLogger(name).filters) for name in names}

    server = serve(lambda h, *_: h.reply(completion("42")))
    before = filters()
    run(f"compatible:m@{server.url},key_env=MY_KEY", DECOYS, request_of, n=1)
    assert filters() == before
