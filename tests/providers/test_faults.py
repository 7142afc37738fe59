"""What an endpoint can do wrong, and the failure that it is. Nothing raises, bytes are kept."""

import contextlib
import gzip
import json
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.providers import _answer, _faults, _stream
from provenance.transcript import Completion, Failure

HALF_A_MINUTE_LATER = "Wed, 21 Oct 2026 07:28:30 GMT"


@pytest.mark.parametrize(
    ("status", "headers", "kind", "retryable", "wait"),
    [
        (400, {}, "refused_parameters", False, None),
        (401, {}, "auth", False, None),
        (402, {}, "payment", False, None),
        (403, {}, "auth", False, None),
        (404, {}, "not_found", False, None),
        (408, {}, "server_error", True, None),
        (409, {}, "server_error", True, None),
        (413, {}, "refused_parameters", False, None),
        (418, {}, "refused_parameters", False, None),
        (422, {}, "refused_parameters", False, None),
        (425, {}, "server_error", True, None),
        (429, {}, "rate_limited", True, None),
        (429, {"retry-after": "7"}, "rate_limited", True, 7.0),
        (429, {"retry-after": "soon"}, "rate_limited", True, None),
        (429, {"retry-after": "9" * 5000}, "rate_limited", True, None),
        (429, {"retry-after-ms": "1500", "retry-after": "2"}, "rate_limited", True, 1.5),
        (500, {}, "server_error", True, None),
        (501, {}, "server_error", False, None),
        (502, {}, "server_error", True, None),
        (503, {"retry-after": "3.5"}, "server_error", True, 3.5),
        (504, {}, "server_error", True, None),
        (529, {}, "server_error", True, None),
        (204, {}, "malformed", False, None),
    ],
)
def test_a_status_is_a_failure(serve, ask, status, headers, kind, retryable, wait):
    error = b"" if status == 204 else {"error": {"message": "no\x1b[31m luck", "code": None}}
    server = serve(lambda handler, *_: handler.reply(error, status=status, headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    said = "" if status == 204 else ": no\\x1b[31m luck"
    assert exchange.outcome == Failure(
        kind=kind,
        message=f"HTTP {status}{said}",
        status=status,
        retryable=retryable,
        retry_after_s=wait,
    )
    assert exchange.status == status
    assert status == 204 or b"luck" in exchange.response


def test_a_date_to_retry_after_is_read_by_the_servers_clock():
    headers = {"date": "Wed, 21 Oct 2026 07:28:00 GMT", "retry-after": HALF_A_MINUTE_LATER}
    assert _faults.retry_after(headers) == 30.0
    assert _faults.retry_after({**headers, "retry-after": headers["date"]}) == 0.0


def test_an_empty_account_is_not_a_rate_limit(serve, ask):
    error = {"error": {"code": "insufficient_quota", "message": "pay"}}
    server = serve(lambda handler, *_: handler.reply(error, status=429))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("payment", False)


def test_a_message_is_bounded_and_holds_no_control_characters(serve, ask):
    page = ("<html>\r\n\0\u202e" + "x" * 100_000).encode()
    server = serve(lambda handler, *_: handler.reply(page, status=502))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert len(exchange.outcome.message) <= 300
    assert exchange.outcome.message.startswith("HTTP 502: <html> \\x00\\u{202e}xxx")
    assert exchange.outcome.message.isprintable()


def test_a_proxy_that_wants_a_password_is_named(serve, ask):
    server = serve(lambda handler, *_: handler.reply(b"", status=407))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("unreachable", False)
    assert exchange.outcome.message == "HTTP 407 from the proxy"


def test_a_redirect_is_refused_and_names_the_host_only(serve, ask, completion):
    target = serve(lambda handler, *_: handler.reply(completion("42")))
    headers = {"location": f"{target.url}/chat/completions?secret=1"}
    server = serve(lambda handler, *_: handler.reply(b"", status=307, headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome == Failure(
        kind="malformed",
        message=f"redirect refused: 127.0.0.1:{target.server_port}; if that host is meant, name it "
        "in the base URL",
        status=307,
    )
    assert target.requests == []


@pytest.mark.parametrize(
    "location",
    [
        "http://xn--999999999/",
        "http://[::1",
        "//",
        "http://a:99999999/",
        "\xff\x1b",
        "http://u:p@h/",
    ],
)
def test_no_location_raises(serve, ask, location):
    server = serve(lambda h, *_: h.reply(b"", status=302, headers={"location": location}))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "malformed"
    assert exchange.outcome.message.startswith("redirect refused: ")
    assert exchange.outcome.message.isprintable()
    assert "u:p" not in exchange.outcome.message


def test_a_connection_that_breaks_is_a_reset(serve, ask):
    server = serve(lambda handler, *_: handler.reset())
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("reset", True)
    assert exchange.response == b""
    assert exchange.status is None
    assert len(server.requests) == 1


def test_an_answer_that_breaks_off_is_a_reset_and_its_beginning_is_kept(serve, ask):
    def answer(handler, *_):
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"choices": [')
        handler.close_connection = True

    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("reset", True)
    assert exchange.response == b'{"choices": ['
    assert exchange.status == 200


def test_nobody_listens(ask):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (exchange,), _ = ask(f"compatible:m@http://127.0.0.1:{port}/v1")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("unreachable", True)
    assert exchange.elapsed_s < 10


def drip(handler, *_):
    """One byte at a time, for ever."""
    handler.head()
    while True:
        handler.chunk(b" ")
        time.sleep(0.02)


def silence(handler, *_):
    """The head of an answer never comes."""
    handler.rfile.read(1)


@pytest.mark.parametrize("answer", [drip, silence])
def test_a_slow_answer_ends_at_the_total_time_limit(serve, ask, answer):
    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url},timeout=0.3")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("timeout", True)
    assert 0.3 <= exchange.elapsed_s < 5
    assert exchange.response.strip() == b""
    assert (exchange.response != b"") == (answer is drip)


def test_an_endless_stream_ends_at_the_byte_limit(serve, ask):
    sent = []
    event = b"data: " + json.dumps({"choices": []}).encode() + b" " * 2**17 + b"\n\n"

    def answer(handler, *_):
        handler.head({"content-type": "text/event-stream"})
        while True:
            handler.chunk(event)
            sent.append(len(event))

    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url},stream=true")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("too_large", False)
    assert len(exchange.response) <= 5 * 2**20


def test_reading_a_huge_answer_stops_early(serve, ask):
    sent = []

    def answer(handler, *_):
        handler.head()
        for _ in range(30 * 16):
            handler.chunk(b"x" * 2**16)
            sent.append(2**16)

    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "too_large"
    assert 4 * 2**20 <= len(exchange.response) <= 5 * 2**20
    assert sum(sent) < 20 * 2**20  # what socket buffers hold is sent though nobody reads it


def test_a_gzip_bomb_is_not_unpacked(serve, ask):
    bomb = gzip.compress(b" " * 200 * 2**20, compresslevel=9)
    headers = {"content-encoding": "gzip"}
    server = serve(lambda handler, *_: handler.reply(bomb, headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "too_large"
    assert len(exchange.response) <= 5 * 2**20


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("gzip", b"{}"), ("gzip", gzip.compress(b"{}" * 99, mtime=0)[:-12]), ("br", b"{}")],
    ids=["not gzip", "cut gzip", "not brotli"],
)
def test_broken_packing_is_malformed(serve, ask, encoding, data):
    headers = {"content-encoding": encoding}
    server = serve(lambda handler, *_: handler.reply(data, headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "malformed"


def choice(**changes):
    message = {"role": "assistant", "content": "42"}
    return {"index": 0, "finish_reason": "stop", "message": message, **changes}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html>busy</html>",
        b'{"choices": [{"message": {"content": "4',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"\xff\xfe\x00",
        [],
        7,
        None,
        {},
        {"choices": None},
        {"choices": []},
        {"choices": "42"},
        {"choices": ["42"]},
        {"choices": {"0": choice()}},
        {"choices": [choice(message="42")]},
        {"choices": [choice(message=None)]},
        {"choices": [choice(message={})]},
        {"choices": [choice(message={"content": None})]},
        {"choices": [choice(message={"content": 42})]},
        {"choices": [choice(message={"content": True})]},
        {"choices": [choice(message={"content": [1, 2]})]},
        {"choices": [choice(message={"content": {"text": "42"}})]},
        {"choices": [choice(message={"content": [{"type": "text", "text": 42}]})]},
        b"data: {\n\n",
        b"data: 7\n\n",
        b"data: [DONE]\n\n",
        b'data: {"choices": 7}\n\n',
        b'data: {"choices": [{"delta": 7}]}\n\n',
        b'data: {"choices": [{"delta": {"content": 7}}]}\n\n',
    ],
)
def test_what_is_not_the_dialect_is_malformed(serve, ask, payload):
    server = serve(lambda handler, *_: handler.reply(payload))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "malformed"
    assert not exchange.outcome.retryable
    assert exchange.outcome.message.isprintable()
    assert exchange.response == (
        payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    )


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"usage": "many"}, "usage of an unexpected type left out"),
        ({"usage": {"prompt_tokens": "9"}}, "a token count that is no count left out"),
        ({"usage": {"prompt_tokens": -1}}, "a token count that is no count left out"),
        ({"usage": {"prompt_tokens": 10**30}}, "a token count that is no count left out"),
        ({"usage": {"completion_tokens": 2**60}}, "a token count that is no count left out"),
        ({"model": 7}, "model of an unexpected type left out"),
        ({"model": "x" * 5000}, "model cut to 200 characters"),
        ({"id": ["x"]}, "id of an unexpected type left out"),
        ({"system_fingerprint": {}}, "system_fingerprint of an unexpected type left out"),
        ({"choices": [choice(finish_reason=3)]}, "finish_reason of an unexpected type left out"),
        (
            {"choices": [choice(logprobs={"content": [{"token": 3}]})]},
            "logprobs of an unexpected shape left out",
        ),
        (
            {"choices": [choice(message={"content": "42", "reasoning": {"a": 1}})]},
            "reasoning of an unexpected type left out",
        ),
    ],
)
def test_a_wrong_type_beside_the_text_is_noted(serve, ask, completion, changes, note):
    server = serve(lambda handler, *_: handler.reply(completion("42", **changes)))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert isinstance(exchange.outcome, Completion)
    assert exchange.outcome.text == "42"
    assert exchange.outcome.notes == (note,)
    exchange.outcome.model_dump_json()


def test_an_integer_of_ten_thousand_digits_costs_nothing(serve, ask, completion):
    text = json.dumps(completion("42")).replace(
        '"prompt_tokens": 20', '"prompt_tokens": ' + "9" * 10_000
    )
    server = serve(lambda handler, *_: handler.reply(text.encode()))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.text == "42"
    assert exchange.outcome.usage.prompt_tokens is None


def test_a_text_that_lost_bytes_is_no_answer(serve, ask, completion):
    data = json.dumps(completion("4?2")).encode().replace(b"4?2", b"4\xff2")
    server = serve(lambda handler, *_: handler.reply(data))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "malformed"
    assert exchange.outcome.message == "the text is not UTF-8: 4\ufffd2"
    assert exchange.response == data


def test_bytes_that_are_not_utf8_beside_the_text_are_replaced_and_noted(serve, ask, completion):
    data = json.dumps(completion("42", model="m?")).encode().replace(b"m?", b"m\xff")
    server = serve(lambda handler, *_: handler.reply(data))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.text, exchange.outcome.served_model) == ("42", "m\ufffd")
    assert exchange.outcome.notes == ("bytes that are not UTF-8 replaced by U+FFFD",)


def test_a_lone_surrogate_in_the_text_is_no_answer(serve, ask, completion):
    data = completion("4\ud8002")
    server = serve(lambda handler, *_: handler.reply(data))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "malformed"
    assert exchange.outcome.message == "the text holds lone surrogates: 4\ufffd2"


def test_lone_surrogates_beside_the_text_are_replaced_and_noted(serve, ask, completion):
    data = completion("42", model="m\udc00", message={"reasoning": "\udfff"})
    server = serve(lambda handler, *_: handler.reply(data))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    outcome = exchange.outcome
    assert (outcome.text, outcome.served_model, outcome.reasoning) == ("42", "m\ufffd", "\ufffd")
    assert outcome.notes == ("lone surrogates replaced by U+FFFD",)
    outcome.model_dump_json().encode()


def test_an_error_with_status_200_is_a_failure(serve, ask):
    error = {"error": {"message": "upstream is busy", "code": 429}}
    server = serve(lambda handler, *_: handler.reply(error))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("rate_limited", True)


def test_what_is_not_http_is_malformed(ask, serve):
    def answer(handler, *_):
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        handler.close_connection = True

    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("malformed", False)


def test_headers_are_bounded_and_listed(serve, ask, completion):
    headers = {
        "x-request-id": "r" * 5000,
        "x-secret-routing": "eu-2",
        "x-ratelimit-remaining-requests": "59",
        **{f"x-ratelimit-{n}": "1" for n in range(60)},
    }
    server = serve(lambda handler, *_: handler.reply(completion("42"), headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert "x-secret-routing" not in exchange.headers
    assert len(exchange.headers["x-request-id"]) == 200
    assert exchange.headers["x-ratelimit-remaining-requests"] == "59"
    assert len(exchange.headers) == 40


def test_a_self_signed_certificate_is_refused_until_its_bundle_is_given(
    serve, ask, completion, self_signed
):
    server = serve(lambda handler, *_: handler.reply(completion("42")), tls=self_signed)
    (refused,), _ = ask(f"compatible:m@{server.url}")
    assert (refused.outcome.kind, refused.outcome.retryable) == ("unreachable", False)
    assert "certificate refused" in refused.outcome.message
    assert "ca_bundle=FILE.pem" in refused.outcome.message
    assert server.requests == []
    for endpoint, environment in (
        (f"compatible:m@{server.url},ca_bundle={self_signed.certificate}", {}),
        (f"compatible:m@{server.url}", {"SSL_CERT_FILE": str(self_signed.certificate)}),
    ):
        (accepted,), _ = ask(endpoint, environment=environment)
        assert accepted.outcome.text == "42"


TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)  # lone surrogates included
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PLACES = (
    *("id", "model", "usage", "choices", "error", "system_fingerprint"),
    *("choices.0", "choices.0.message", "choices.0.finish_reason", "choices.0.logprobs"),
    *("choices.0.message.content", "choices.0.message.refusal", "choices.0.message.reasoning"),
    *("choices.0.logprobs.content", "choices.0.logprobs.tokens", "choices.0.delta", "usage.x"),
    *("usage.completion_tokens_details", "usage.prompt_tokens", "error.message", "error.code"),
)


def planted(place, value):
    """A sound answer with ``value`` in one place."""
    sound = {"choices": [{"message": {"content": "42"}, "delta": {}, "logprobs": {}}]}
    holder = sound = {**sound, "usage": {}, "error": {} if place.startswith("error") else None}
    *path, last = place.split(".")
    for step in path:
        holder = holder[int(step) if isinstance(holder, list) else step]
    holder[int(last) if isinstance(holder, list) else last] = value
    return sound


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), ANYTHING, st.sampled_from([200, 400, 403, 429, 500, 302]))
def test_nothing_that_a_server_can_say_raises(place, value, status):
    said = json.dumps(planted(place, value))
    payload = _answer.parse_json(said)
    outcomes = [_faults.from_status(status, {"retry-after": said}, payload, said, said)]
    assert set(_faults.refused_parameters(payload, said, {"top_p": 1})) <= {"top_p"}
    events = f"data: {said}\n\ndata: [DONE]\n\n"
    for chat in (True, False):
        with contextlib.suppress(_answer.NotTheDialect):
            outcomes.append(_answer.read(payload, status=200, chat=chat, notes=[]))
        with contextlib.suppress(_answer.NotTheDialect):
            assembled, _ = _stream.assemble(events, chat=chat)
            outcomes.append(_answer.read(assembled, status=200, chat=chat, notes=[]))
    for outcome in outcomes:
        assert type(outcome).model_validate_json(outcome.model_dump_json()) == outcome
        if isinstance(outcome, Failure):
            assert len(outcome.message) <= 300
            assert outcome.message.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | TEXTS.map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_text_and_json_or_neither(data):
    text, _ = _answer.decode(data)
    text.encode()
    with contextlib.suppress(_answer.NotTheDialect):
        _answer.parse_json(text)
    assert isinstance(_stream.spelled(text), str)


@pytest.mark.parametrize("value", ["Mon, 99 Foo 0000 99:99:99 +9999", "0", "-1", "1e9", "nan", ""])
def test_no_retry_after_raises(value):
    wait = _faults.retry_after({"retry-after": value, "date": value})
    assert wait in (None, 0.0)
