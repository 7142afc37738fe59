"""The provider ``compatible``: what it sends, and what it reads out of an answer."""

import asyncio
import gzip
import json

import pytest

from provenance.endpoint import Endpoint
from provenance.errors import ProviderError, UsageError
from provenance.providers import create
from provenance.transcript import Completion, Failure, TokenLogprob, Usage


def body_of(server, number=-1):
    return json.loads(server.requests[number][2])


@pytest.fixture
def answering(serve, completion):
    """A server that answers "42" to everything."""
    return serve(lambda handler, number, body: handler.reply(completion("42")))


def test_nothing_is_sent_that_nobody_asked_for(answering, ask):
    (exchange,), provider = ask(f"compatible:m@{answering.url}")
    path, headers, raw = answering.requests[0]
    assert path == "/v1/chat/completions"
    assert json.loads(raw) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Name a number."}],
        "max_tokens": 8,
    }
    assert exchange.request == raw
    assert set(headers) == {
        *("host", "accept", "accept-encoding", "connection", "user-agent"),
        *("content-type", "content-length"),
    }
    assert headers["user-agent"].startswith("python-httpx/")
    assert provider.capabilities == {"max_tokens": "accepted"}


def test_an_answer_is_read_completely(answering, ask):
    (exchange,), _ = ask(f"compatible:m@{answering.url}")
    assert exchange.outcome == Completion(
        text="42",
        finish_reason="stop",
        served_model="served-1",
        system_fingerprint="fp_1",
        response_id="chatcmpl-1",
        usage=Usage(prompt_tokens=20, completion_tokens=2),
    )
    assert exchange.status == 200
    assert exchange.headers["server"].startswith("decoy/1")
    assert 0 <= exchange.first_byte_s <= exchange.elapsed_s


def test_options_of_the_endpoint_override_the_probe_where_they_are_set(answering, ask):
    ask(
        f"compatible:m@{answering.url},temperature=0.5,seed=3,max_tokens=99,query.api-version=v1,"
        "header.X-Title=audit,body.top_k=0,body.chat_template_kwargs.enable_thinking=false",
        decoding={"temperature": 1.5, "top_p": 0.9},
    )
    path, headers, _ = answering.requests[0]
    body = body_of(answering)
    assert path == "/v1/chat/completions?api-version=v1"
    assert headers["x-title"] == "audit"
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 3)
    assert (body["max_tokens"], body["top_k"]) == (99, 0)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("option", "tokens", "effort"),
    [("false", 8, None), ("true", 4104, None), ("100", 108, None), ("low", 2056, "low")],
)
def test_thinking_is_budgeted_on_top_of_the_visible_tokens(answering, ask, option, tokens, effort):
    ask(f"compatible:m@{answering.url},reasoning={option}")
    assert body_of(answering)["max_tokens"] == tokens
    assert body_of(answering).get("reasoning_effort") == effort


def test_the_older_dialect_sends_the_contents_and_nothing_else(serve, ask):
    choice = {"text": " 42", "finish_reason": "length", "index": 0}
    server = serve(lambda handler, *_: handler.reply({"choices": [choice]}))
    (exchange,), _ = ask(f"compatible:m@{server.url},api=completions", system="Be brief.")
    assert server.requests[0][0] == "/v1/completions"
    assert body_of(server)["prompt"] == "Be brief.\n\nName a number."
    assert exchange.outcome.text == " 42"


def test_a_probes_own_system_message_wins_over_system_file(answering, ask, tmp_path):
    file = tmp_path / "system.txt"
    file.write_text("You are a pirate.", encoding="utf-8")
    endpoint = f"compatible:m@{answering.url},system_file={file}"
    (without,), _ = ask(endpoint)
    (with_own,), _ = ask(endpoint, system="Be brief.")
    first, second = (body_of(answering, n)["messages"] for n in (0, 1))
    assert first[0] == {"role": "system", "content": "You are a pirate."}
    assert without.outcome.notes == ()
    assert second[0] == {"role": "system", "content": "Be brief."}
    assert with_own.outcome.notes == ("system_file not sent: the probe has its own system message",)


def chunk(content=None, finish=None, **delta):
    if content is not None:
        delta["content"] = content
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c1", "model": "served-1", "choices": choices}


def test_a_stream_is_put_together(serve, ask):
    usage = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 3}}
    # An emoji cut in two halves of a surrogate pair, a comment, and thinking beside the text.
    events = [
        chunk(role="assistant"),
        chunk(reasoning_content="hm"),
        chunk("4\ud83d"),
        chunk("\ude002"),
        chunk(finish="stop"),
        usage,
    ]
    server = serve(lambda handler, *_: handler.events(*events))
    exchanges, provider = ask(f"compatible:m@{server.url},stream=true", n=2)
    outcome = exchanges[1].outcome
    assert (outcome.text, outcome.reasoning, outcome.finish_reason) == ("4😀2", "hm", "stop")
    assert outcome.usage == Usage(prompt_tokens=5, completion_tokens=3)
    assert outcome.response_id == "c1"
    assert outcome.notes == ()
    assert body_of(server)["stream"] is True
    assert body_of(server)["stream_options"] == {"include_usage": True}
    assert provider.capabilities["stream"] == "accepted"
    assert exchanges[0].response.startswith(b'data: {"id"')


def test_a_stream_that_stops_before_its_end_is_a_reset(serve, ask):
    server = serve(lambda handler, *_: handler.events(chunk("4"), end=False))
    (exchange,), _ = ask(f"compatible:m@{server.url},stream=true")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("reset", True)
    assert b'"4"' in exchange.response


def test_an_error_in_the_middle_of_a_stream_is_a_failure(serve, ask):
    error = {"error": {"message": "Provider overloaded", "code": 502}}
    server = serve(lambda handler, *_: handler.events(chunk("4"), error))
    (exchange,), _ = ask(f"compatible:m@{server.url},stream=true")
    assert exchange.outcome == Failure(
        kind="server_error",
        message="error in an answer: Provider overloaded",
        status=200,
        retryable=True,
    )


def test_a_server_that_keeps_a_finished_stream_open_is_not_waited_for(serve, ask):
    def answer(handler, *_):
        handler.head({"content-type": "text/event-stream"})
        for event in (json.dumps(chunk("7", "stop")), "[DONE]"):
            handler.chunk(f"data: {event}\n\n".encode())
        handler.rfile.read(1)  # returns when the client has gone

    server = serve(answer)
    (exchange,), _ = ask(f"compatible:m@{server.url},stream=true,timeout=20")
    assert exchange.outcome.text == "7"
    assert exchange.elapsed_s < 10


def test_a_server_that_ignores_the_wish_to_stream_is_understood(answering, ask):
    (exchange,), provider = ask(f"compatible:m@{answering.url},stream=true")
    assert exchange.outcome.text == "42"
    assert provider.capabilities["stream"] == "ignored"


def test_a_server_that_streams_unasked_is_understood(serve, ask):
    server = serve(lambda handler, *_: handler.events(chunk("7", "stop")))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.text == "7"


def test_max_tokens_becomes_max_completion_tokens_where_the_server_wants_that(
    serve, ask, completion
):
    message = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    def answer(handler, number, body):
        if "max_tokens" in body:
            handler.reply({"error": {"message": message, "param": "max_tokens"}}, status=400)
        else:
            handler.reply(completion("42"))

    server = serve(answer)
    (first, second), provider = ask(f"compatible:m@{server.url}", n=2)
    assert (first.outcome.kind, first.outcome.retryable) == ("refused_parameters", True)
    assert second.outcome.text == "42"
    assert body_of(server)["max_completion_tokens"] == 8
    assert provider.capabilities == {
        "max_tokens": "refused",
        "max_completion_tokens": "accepted",
    }


def refusing(completion, *names):
    def answer(handler, number, body):
        refused = [name for name in names if name in body]
        if refused:
            message = f"Unsupported value: '{refused[0]}' does not support this with this model."
            handler.reply({"error": {"message": message, "param": refused[0]}}, status=400)
        else:
            handler.reply(completion("42"))

    return answer


def test_a_parameter_of_the_probe_that_is_refused_is_left_out_and_noted(serve, ask, completion):
    server = serve(refusing(completion, "temperature", "top_p"))
    exchanges, provider = ask(
        f"compatible:m@{server.url}", n=3, decoding={"temperature": 1.0, "top_p": 0.9}
    )
    kinds = [getattr(e.outcome, "kind", "completed") for e in exchanges]
    assert kinds == ["refused_parameters", "refused_parameters", "completed"]
    assert provider.capabilities["temperature"] == provider.capabilities["top_p"] == "refused"
    assert exchanges[2].outcome.notes == (
        "temperature not sent: the server refuses it",
        "top_p not sent: the server refuses it",
    )


def test_a_parameter_of_the_user_is_never_left_out(serve, ask, completion):
    server = serve(refusing(completion, "temperature"))
    exchanges, provider = ask(f"compatible:m@{server.url},temperature=0", n=2)
    assert [e.outcome.kind for e in exchanges] == ["refused_parameters"] * 2
    assert not any(e.outcome.retryable for e in exchanges)
    assert body_of(server)["temperature"] == 0
    assert "temperature" not in provider.capabilities


def test_a_bad_value_is_not_taken_for_a_refused_parameter(serve, ask):
    error = {"error": {"message": "max_tokens is too large: 8. This model takes at most 4."}}
    server = serve(lambda handler, *_: handler.reply(error, status=400))
    (exchange,), provider = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "refused_parameters"
    assert not exchange.outcome.retryable
    assert provider.capabilities == {}


@pytest.mark.parametrize(
    ("text", "finish", "message"),
    [
        ("I cannot", "content_filter", {}),
        (None, "stop", {"refusal": "I cannot"}),
    ],
)
def test_a_refusal_is_an_outcome(serve, ask, completion, text, finish, message):
    answer = completion(text, finish, message)
    server = serve(lambda handler, *_: handler.reply(answer))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.text, exchange.outcome.blocked) == ("I cannot", True)


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_filtered_prompt_is_an_outcome(serve, ask, code):
    error = {"error": {"code": code, "message": "filtered"}}
    server = serve(lambda handler, *_: handler.reply(error, status=400))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.text, exchange.outcome.blocked) == ("", True)
    assert exchange.status == 400


def test_thinking_that_ate_the_budget_is_a_failure_and_the_bytes_are_kept(serve, ask, completion):
    answer = completion("", "length", {"reasoning_content": "let me see"})
    server = serve(lambda handler, *_: handler.reply(answer))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.kind == "starved"
    assert b"let me see" in exchange.response


def test_an_empty_answer_is_an_answer(serve, ask, completion):
    server = serve(lambda handler, *_: handler.reply(completion("", "stop")))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.text == ""


@pytest.mark.parametrize(
    ("raw", "text", "reasoning"),
    [
        ("<think>\nhm\n</think>\n\n42", "42", "\nhm\n"),
        ("a <think>hm</think> 42", "a <think>hm</think> 42", None),
    ],
)
def test_inline_thinking_at_the_start_leaves_the_text(serve, ask, completion, raw, text, reasoning):
    server = serve(lambda handler, *_: handler.reply(completion(raw)))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.text, exchange.outcome.reasoning) == (text, reasoning)
    assert bool(exchange.outcome.notes) is (reasoning is not None)


def test_content_in_parts_is_joined(serve, ask, completion):
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "4"},
        {"type": "text", "text": "2"},
    ]
    server = serve(lambda handler, *_: handler.reply(completion(parts)))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert (exchange.outcome.text, exchange.outcome.reasoning) == ("42", "hm")


def test_logprobs_are_captured_in_both_dialects(serve, ask, completion):
    content = [{"token": "4", "logprob": -0.5, "top_logprobs": [{"token": "5", "logprob": -1.5}]}]
    chat = completion("4")
    chat["choices"][0]["logprobs"] = {"content": content}
    older = {"tokens": ["4"], "token_logprobs": [-0.5], "top_logprobs": [{"5": -1.5}]}
    plain = {"choices": [{"text": "4", "finish_reason": "stop", "logprobs": older}]}
    server = serve(lambda handler, n, body: handler.reply(plain if "prompt" in body else chat))
    expected = (TokenLogprob(token="4", logprob=-0.5, top=(("5", -1.5),)),)
    for option in ("", ",api=completions"):
        (exchange,), provider = ask(f"compatible:m@{server.url}{option},body.logprobs=1")
        assert exchange.outcome.logprobs == expected
        assert provider.capabilities["logprobs"] == "accepted"


def test_logprobs_that_were_wished_for_and_did_not_come_are_recorded(answering, ask):
    _, provider = ask(f"compatible:m@{answering.url},body.logprobs=true")
    assert provider.capabilities["logprobs"] == "ignored"


def test_a_packed_answer_is_kept_unpacked(serve, ask, completion):
    data = json.dumps(completion("42")).encode()
    headers = {"content-encoding": "gzip"}
    server = serve(lambda handler, *_: handler.reply(gzip.compress(data), headers=headers))
    (exchange,), _ = ask(f"compatible:m@{server.url}")
    assert exchange.outcome.text == "42"
    assert exchange.response == data
    assert exchange.headers["content-encoding"] == "gzip"


def test_a_cookie_does_not_tie_one_draw_to_the_next(serve, ask, completion):
    headers = {"set-cookie": "route=a; Path=/"}
    server = serve(lambda handler, *_: handler.reply(completion("42"), headers=headers))
    ask(f"compatible:m@{server.url}", n=2)
    assert not any("cookie" in sent for _, sent, _ in server.requests)


def test_an_idle_connection_that_the_server_closed_costs_no_attempt(serve, ask, completion):
    def answer(handler, number, body):
        handler.answered = getattr(handler, "answered", 0) + 1  # on this connection
        if handler.answered == 2:
            handler.reset()
        else:
            handler.reply(completion(str(number)))

    server = serve(answer)
    (first, second), _ = ask(f"compatible:m@{server.url}", n=2)
    assert (first.outcome.text, second.outcome.text) == ("1", "3")
    assert first.outcome.notes == ()
    assert second.outcome.notes == ("sent on a new connection: the server had closed the idle one",)


def test_cancelling_ends_a_request_at_once(serve, request_of):
    server = serve(lambda handler, *_: handler.rfile.read(1))  # returns when the client has gone
    provider = create(Endpoint.parse(f"compatible:m@{server.url}"), environment={})

    async def run():
        await provider.open()
        try:
            async with asyncio.timeout(20):
                task = asyncio.create_task(provider.draw(request_of()))
                while not server.requests:
                    await asyncio.sleep(0.005)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
        finally:
            await provider.aclose()

    asyncio.run(run())


def test_a_draw_before_opening_says_so(request_of):
    provider = create(Endpoint.parse("compatible:m@http://127.0.0.1:9/v1"), environment={})
    with pytest.raises(ProviderError, match="not open"):
        asyncio.run(provider.draw(request_of()))


@pytest.mark.parametrize(
    ("endpoint", "error", "says"),
    [
        ("compatible:m", UsageError, "base URL"),
        ("compatible:m@http://localhost/v1/chat/completions", UsageError, "is added"),
        ("compatible:m@http://☃☃.example/v1", UsageError, "base URL"),
        ("compatible:m@http://xn--999999999/v1", UsageError, "base URL"),
        ("compatible:m@http://localhost/v1,api=responses", ProviderError, "api=chat"),
        ("compatible:m@http://localhost/v1,api=messages", ProviderError, "api=chat"),
        ("compatible:m@http://localhost/v1,dtype=bf16", UsageError, "no option dtype"),
        ("compatible:m@http://localhost/v1,timeout=0", UsageError, "timeout"),
        ("compatible:m@http://localhost/v1,max_tokens=0", UsageError, "max_tokens"),
        ("compatible:m@http://localhost/v1,reasoning=huge", UsageError, "reasoning"),
        ("compatible:m@http://localhost/v1,body.stream=true", UsageError, "body.stream"),
        ("compatible:m@http://localhost/v1,body.a=1,body.a.b=2", UsageError, "body.a.b"),
        ("compatible:m@http://localhost/v1,body.a=2020-01-01", UsageError, "body.a"),
        ("compatible:m@http://localhost/v1,system_file=/nowhere", UsageError, "system_file"),
        ("compatible:m@http://localhost/v1,ca_bundle=/nowhere", UsageError, "/nowhere"),
        ("compatible:m@http://localhost/v1,proxy=nonsense", UsageError, "proxy"),
        ("compatible:m@http://localhost/v1,header.Host=x", UsageError, "Host"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(endpoint, error, says):
    with pytest.raises(error, match=says):
        create(Endpoint.parse(endpoint), environment={})


def test_hosts_and_places():
    local = create(Endpoint.parse("compatible:m@http://[::1]:8000/v1"), environment={})
    remote = create(Endpoint.parse("compatible:m@https://llm.example:444/v1"), environment={})
    assert (local.host, local.concurrency) == (None, 8)
    assert (remote.host, remote.concurrency) == ("llm.example:444", 4)
    assert local.ordered
    assert remote.ordered
