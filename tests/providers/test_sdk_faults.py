"""What an endpoint can do wrong to the providers by SDK: the same failures as for `compatible`."""

import asyncio
import contextlib
import gzip
import json
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("openai")
pytest.importorskip("anthropic")

from provenance.endpoint import Endpoint
from provenance.providers import _answer, _messages, _responses, create
from provenance.transcript import Completion, Failure

KEY = "sk-decoy-fault-1234567890"


@pytest.fixture(params=["openai", "openai-responses", "anthropic"])
def spoken(request, dialect):
    """One dialect, with ``at(url)``: the endpoint of its provider."""
    found = dialect(request.param)
    name = request.param.partition("-")[0]
    found.at = lambda url, options="": f"{name}:m@{url}{found.option}{options}"
    return found


STATUSES = {
    400: ("refused_parameters", False),
    401: ("auth", False),
    402: ("payment", False),
    403: ("auth", False),
    404: ("not_found", False),
    408: ("server_error", True),
    409: ("server_error", True),
    422: ("refused_parameters", False),
    429: ("rate_limited", True),
    500: ("server_error", True),
    502: ("server_error", True),
    503: ("server_error", True),
    529: ("server_error", True),
    204: ("malformed", False),
    999: ("server_error", False),
}


def test_a_status_is_a_failure_and_one_attempt(serve, ask, spoken):
    """All of them through one provider, so that none leaves a mark on the next."""

    def answer(handler, number, body):
        status = list(STATUSES)[number - 1]
        error = {"type": "error", "error": {"message": "no\x1b[31m luck", "code": None}}
        headers = {"retry-after": "7", "x-should-retry": "true", "location": "http://127.0.0.1:9/"}
        handler.reply(b"" if status == 204 else error, status, headers)

    server = serve(answer)
    exchanges, _ = ask(spoken.at(server.url), n=len(STATUSES))
    for exchange, (status, (kind, retryable)) in zip(exchanges, STATUSES.items(), strict=True):
        said = "" if status == 204 else ": no\\x1b[31m luck"
        assert exchange.outcome == Failure(
            kind=kind,
            message=f"HTTP {status}{said}",
            status=status,
            retryable=retryable,
            retry_after_s=7.0 if retryable else None,
        )
        assert exchange.status == status
        assert status == 204 or b"luck" in exchange.response
    assert len(server.requests) == len(STATUSES)


def test_an_empty_account_is_not_a_rate_limit(serve, ask, spoken):
    error = {"error": {"code": "insufficient_quota", "message": "pay"}}
    server = serve(lambda handler, *_: handler.reply(error, 429))
    (exchange,), _ = ask(spoken.at(server.url))
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("payment", False)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_a_redirect_is_refused(serve, ask, spoken, status):
    target = serve(lambda handler, *_: handler.reply(spoken.answer("42")))
    headers = {"location": f"{target.url}/elsewhere?secret=1"}
    server = serve(lambda handler, *_: handler.reply(b"", status, headers))
    (exchange,), _ = ask(spoken.at(server.url))
    assert exchange.outcome.kind == "malformed"
    assert exchange.outcome.message.startswith(f"redirect refused: 127.0.0.1:{target.server_port};")
    assert target.requests == []


def test_a_connection_that_breaks_is_a_reset_and_not_tried_again(serve, ask, spoken):
    server = serve(lambda handler, *_: handler.reset())
    (exchange,), _ = ask(spoken.at(server.url))
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("reset", True)
    assert (exchange.response, exchange.status) == (b"", None)
    assert len(server.requests) == 1
    assert exchange.request == server.requests[0][2]


def test_an_answer_that_breaks_off_is_a_reset_and_its_beginning_is_kept(serve, ask, spoken):
    def answer(handler, *_):
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"choices": [')
        handler.close_connection = True

    (exchange,), _ = ask(spoken.at(serve(answer).url))
    assert (exchange.outcome.kind, exchange.response) == ("reset", b'{"choices": [')


def test_nobody_listens(ask, spoken):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        (exchange,), _ = ask(spoken.at(f"http://127.0.0.1:{port}/v1"))
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("unreachable", True)
    assert json.loads(exchange.request)["model"] == "m"


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
@pytest.mark.parametrize("stream", ["", ",stream=true"])
def test_a_slow_answer_ends_at_the_total_time_limit(serve, ask, spoken, answer, stream):
    (exchange,), _ = ask(spoken.at(serve(answer).url, f",timeout=0.3{stream}"))
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("timeout", True)
    assert 0.3 <= exchange.elapsed_s < 5


@pytest.mark.parametrize("stream", ["", ",stream=true"])
def test_reading_a_huge_answer_stops_early(serve, ask, spoken, stream):
    sent = []
    event = b"data: " + json.dumps({"type": "ping", "choices": []}).encode() + b" " * 2**16

    def answer(handler, *_):
        handler.head({"content-type": "text/event-stream"})
        while True:
            handler.chunk(event + b"\n\n")
            sent.append(len(event))

    (exchange,), _ = ask(spoken.at(serve(answer).url, stream))
    assert exchange.outcome.kind == "too_large"
    assert 4 * 2**20 <= len(exchange.response) <= 5 * 2**20
    assert sum(sent) < 20 * 2**20  # what socket buffers hold is sent though nobody reads it


def test_a_gzip_bomb_is_not_unpacked_and_gzip_is(serve, ask, spoken):
    bomb = gzip.compress(b" " * 100 * 2**20, compresslevel=9)
    packed = gzip.compress(json.dumps(spoken.answer("42")).encode())
    headers = {"content-encoding": "gzip"}
    server = serve(lambda h, number, _: h.reply(bomb if number == 1 else packed, headers=headers))
    (first, second), _ = ask(spoken.at(server.url), n=2)
    assert first.outcome.kind == "too_large"
    assert second.outcome.text == "42"


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
        b"data: {\n\n",
        b"data: 7\n\n",
        b"data: [DONE]\n\n",
    ],
)
def test_what_is_not_the_dialect_is_malformed_and_kept(serve, ask, spoken, payload):
    server = serve(lambda handler, *_: handler.reply(payload))
    (exchange,), _ = ask(spoken.at(server.url))
    assert exchange.outcome.kind in ("malformed", "reset")
    assert exchange.outcome.kind == "malformed" or payload == b"data: [DONE]\n\n"
    assert exchange.outcome.message.isprintable()
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    assert exchange.response == raw


def test_a_text_that_lost_bytes_is_no_answer(serve, ask, spoken):
    data = json.dumps(spoken.answer("4?2")).encode().replace(b"4?2", b"4\xff2")
    (exchange,), _ = ask(spoken.at(serve(lambda handler, *_: handler.reply(data)).url))
    assert exchange.outcome == Failure(
        kind="malformed", message="the text is not UTF-8: 4\ufffd2", status=200
    )
    assert exchange.response == data


def test_huge_integers_are_no_counts(serve, ask, spoken):
    text = json.dumps(spoken.answer("42")).replace('_tokens": 2,', f'_tokens": {"9" * 10_000},')
    text = text.replace('_tokens": 2}', f'_tokens": {"9" * 10_000}}}')
    (exchange,), _ = ask(spoken.at(serve(lambda handler, *_: handler.reply(text.encode())).url))
    assert exchange.outcome.text == "42"
    assert exchange.outcome.usage.completion_tokens is None


def test_a_lone_surrogate_in_a_prompt_is_sent_as_what_utf8_can_hold(serve, ask, spoken):
    server = serve(lambda handler, *_: handler.reply(spoken.answer("42")))
    (exchange,), _ = ask(spoken.at(server.url), content="a\ud800b")
    assert "a\ufffdb" in exchange.request.decode()
    assert exchange.outcome.text == "42"


def test_a_key_in_an_error_is_in_no_outcome(serve, ask, spoken, caplog):
    caplog.set_level("DEBUG")

    def answer(handler, *_):
        said = handler.headers["authorization"]
        error = {"message": f"bad key {said}", "type": said}
        handler.reply({"type": "error", "error": error}, 401, {"x-request-id": said})

    server = serve(answer)
    endpoint = spoken.at(server.url, ",key_env=K")
    (exchange,), provider = ask(endpoint, environment={"K": KEY})
    assert KEY in server.requests[0][1]["authorization"]
    assert exchange.outcome.message == "HTTP 401: bad key Bearer [redacted key]"
    kept = repr(exchange) + repr(provider) + caplog.text
    assert KEY not in kept
    assert "_base_client" in caplog.text  # the SDK's log was really listened to


def test_a_self_signed_certificate_is_refused_until_its_bundle_is_given(
    serve, ask, spoken, self_signed
):
    server = serve(lambda handler, *_: handler.reply(spoken.answer("42")), tls=self_signed)
    (refused,), _ = ask(spoken.at(server.url))
    assert "certificate refused" in refused.outcome.message
    assert server.requests == []
    (accepted,), _ = ask(spoken.at(server.url, f",ca_bundle={self_signed.certificate}"))
    assert accepted.outcome.text == "42"


def test_what_a_server_sets_is_not_sent_back(serve, ask, spoken):
    headers = {"set-cookie": "who=auditor; Path=/"}
    server = serve(lambda handler, *_: handler.reply(spoken.answer("42"), headers=headers))
    ask(spoken.at(server.url), n=2)
    assert not any("cookie" in sent for _, sent, _ in server.requests)


def test_cancelling_ends_a_draw_in_flight(serve, request_of, spoken):
    server = serve(silence)

    async def run():
        provider = create(Endpoint.parse(spoken.at(server.url)), environment={})
        await provider.open()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await provider.draw(request_of())
                return False
        finally:
            await provider.aclose()
        return True

    begin = time.perf_counter()
    assert asyncio.run(run())
    assert time.perf_counter() - begin < 10


TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)  # lone surrogates included
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
RESPONSE = {
    "status": "incomplete",
    "incomplete_details": {"reason": "x"},
    "output": [
        {"type": "reasoning", "content": [{"text": "a"}], "summary": [{"text": "b"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "42", "logprobs": [{}]}]},
        {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
    ],
    "usage": {"input_tokens": 1, "output_tokens_details": {"reasoning_tokens": 1}},
    "error": None,
}
MESSAGE = {
    "type": "message",
    "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "42"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens_details": {"thinking_tokens": 1}},
}
EVENTS = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "4"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "2"}},
    {"type": "message_delta", "delta": {"stop_reason": "x"}, "usage": {"output_tokens": 1}},
    {"type": "response.output_item.done", "item": RESPONSE["output"][1]},
    {"type": "response.output_text.delta", "delta": "4"},
    {"type": "response.completed", "response": RESPONSE},
    {"type": "error", "error": {"type": "overloaded_error", "message": "x"}},
]


def places(value, path=()):
    """The paths of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, held in inner:
        yield (*path, key)
        yield from places(held, (*path, key))


def planted(sound, place, value):
    """``sound`` with ``value`` in one place."""
    copy = json.loads(json.dumps(sound))
    holder = copy
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value
    return copy


def judged(read, payload):
    with contextlib.suppress(_answer.NotTheDialect):
        outcome = _answer.read(read(payload), status=200, chat=True, notes=[])
        assert type(outcome).model_validate_json(outcome.model_dump_json()) == outcome
        assert isinstance(outcome, Completion) or outcome.message.isprintable()


@settings(max_examples=400, deadline=None)
@given(st.data(), ANYTHING)
def test_nothing_that_a_server_can_say_raises(data, value):
    readers = ((_responses.as_chat, RESPONSE), (lambda p: _messages.as_chat(p, []), MESSAGE))
    read, sound = data.draw(st.sampled_from(readers))
    place = data.draw(st.sampled_from(list(places(sound))))
    judged(read, _answer.parse_json(json.dumps(planted(sound, place, value))))


@settings(max_examples=400, deadline=None)
@given(st.data(), ANYTHING)
def test_no_event_that_a_server_can_send_raises(data, value):
    events = planted(EVENTS, data.draw(st.sampled_from(list(places(EVENTS)))), value)
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    for assemble, read in (
        (_responses.assemble, _responses.as_chat),
        (_messages.assemble, lambda p: _messages.as_chat(p, [])),
    ):
        with contextlib.suppress(_answer.NotTheDialect):
            judged(read, assemble(text)[0])
