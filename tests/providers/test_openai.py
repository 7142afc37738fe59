"""The provider ``openai``: what the SDK is made to send, and what is read out of the answers."""

import asyncio
import json
import subprocess
import sys

import httpx2
import pytest

openai = pytest.importorskip("openai")

from provenance.endpoint import Endpoint  # noqa: E402  (after importorskip)
from provenance.errors import MissingExtra, ProviderError, UsageError  # noqa: E402
from provenance.providers import create  # noqa: E402
from provenance.transcript import Completion, Failure, TokenLogprob, Usage  # noqa: E402


def body_of(server, number=-1):
    return json.loads(server.requests[number][2])


@pytest.fixture
def answering(serve, dialect):
    """``answering(api)``: a server that answers "42" to everything."""

    def start(name="openai", **fields):
        return serve(lambda handler, *_: handler.reply(dialect(name).answer("42", **fields)))

    return start


def responses(url, options=""):
    return f"openai:m@{url},api=responses{options}"


def test_chat_sends_what_the_sdk_writes_and_no_parameter_besides(answering, ask):
    server = answering()
    (exchange,), provider = ask(f"openai:m@{server.url}", system="Be brief.")
    path, headers, raw = server.requests[0]
    assert path == "/v1/chat/completions"
    assert body_of(server) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Name a number."},
        ],
        "max_tokens": 8,
    }
    assert exchange.request == raw
    assert json.loads(exchange.response)["choices"][0]["message"]["content"] == "42"
    assert headers["user-agent"] == f"AsyncOpenAI/Python {openai.__version__}"
    assert headers["x-stainless-retry-count"] == "0"
    assert headers["accept-encoding"] == "gzip, deflate"
    assert not {name for name in headers if "auth" in name or "key" in name}
    assert provider.capabilities == {"max_tokens": "accepted"}


def test_responses_sends_what_the_sdk_writes_and_no_parameter_besides(answering, ask):
    server = answering("openai-responses")
    (exchange,), provider = ask(responses(server.url), system="Be brief.", tokens=20)
    path, _, raw = server.requests[0]
    assert path == "/v1/responses"
    assert body_of(server) == {
        "model": "m",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Name a number."},
        ],
        "max_output_tokens": 20,
    }
    assert exchange.request == raw
    assert exchange.outcome == Completion(
        text="42",
        finish_reason="stop",
        served_model="served-1",
        response_id="id 42",
        usage=Usage(prompt_tokens=20, completion_tokens=2, reasoning_tokens=0),
    )
    assert provider.capabilities == {"max_output_tokens": "accepted"}


def test_headers_are_those_of_the_sdk_used_by_hand(answering, ask):
    server = answering()
    ask(f"openai:m@{server.url},key_env=KEY", environment={"KEY": "sk-by-hand"})

    async def by_hand():
        http = httpx2.AsyncClient(trust_env=False)
        async with openai.AsyncOpenAI(
            api_key="sk-by-hand", base_url=server.url, http_client=http, timeout=120.0
        ) as client:
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Name a number."}], max_tokens=8
            )

    asyncio.run(by_hand())
    (ours, theirs) = ({**h, "host": ""} for _, h, _ in server.requests)
    assert ours == theirs | {"accept-encoding": "gzip, deflate"}
    assert body_of(server, 0) == body_of(server, 1)


def test_options_and_decoding_reach_both_dialects(answering, ask):
    for name, option in (("openai", ""), ("openai-responses", ",api=responses")):
        server = answering(name)
        ask(
            f"openai:m@{server.url},temperature=0.5,query.api-version=v1,header.X-Title=audit,"
            f"body.store=false{option}",
            decoding={"temperature": 1.5, "top_p": 0.9},
        )
        path, headers, _ = server.requests[0]
        body = body_of(server)
        assert path.endswith("?api-version=v1")
        assert headers["x-title"] == "audit"
        assert (body["temperature"], body["top_p"], body["store"]) == (0.5, 0.9, False)


def test_the_least_that_responses_takes_is_learnt_and_noted(serve, dialect, ask):
    def answer(handler, number, body):
        if body["max_output_tokens"] < 16:
            message = (
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, "
                f"but got {body['max_output_tokens']} instead."
            )
            error = {"message": message, "type": "invalid_request_error"}
            code = {"param": "max_output_tokens", "code": "integer_below_min_value"}
            handler.reply({"error": {**error, **code}}, 400)
        else:
            handler.reply(dialect("openai-responses").answer("42"))

    server = serve(answer)
    (refused, answered, _), provider = ask(responses(server.url), n=3, tokens=8)
    assert (refused.outcome.kind, refused.outcome.retryable) == ("refused_parameters", True)
    assert [body_of(server, n)["max_output_tokens"] for n in range(3)] == [8, 16, 16]
    assert answered.outcome.notes == ("max_output_tokens 16: the least that the server takes",)
    assert provider.capabilities == {"max_output_tokens": "accepted"}


@pytest.mark.parametrize(
    ("option", "learnt", "tokens", "effort"),
    [
        ("", 0, 20, None),
        ("", 500, 520, None),
        (",reasoning=100", 500, 120, None),
        (",reasoning=true", 0, 4116, None),
        (",reasoning=low", 0, 2068, "low"),
    ],
)
def test_thinking_is_room_on_top_of_the_visible_tokens(
    answering, ask, option, learnt, tokens, effort
):
    chat, other = answering(), answering("openai-responses")
    ask(f"openai:m@{chat.url}{option}", tokens=20, thinking_tokens=learnt)
    ask(responses(other.url, option), tokens=20, thinking_tokens=learnt)
    assert body_of(chat)["max_tokens"] == body_of(other)["max_output_tokens"] == tokens
    assert body_of(chat).get("reasoning_effort") == effort
    assert body_of(other).get("reasoning") == ({"effort": effort} if effort else None)


REFUSED = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.",
    "temperature": "Unsupported parameter: 'temperature' is not supported with this model.",
}


def refusing(spoken):
    """A server as reasoning models are served: it refuses two parameters by name."""

    def answer(handler, number, body):
        for name, message in REFUSED.items():
            if name in body:
                error = {"message": message, "param": name, "code": "unsupported_parameter"}
                handler.reply({"error": {**error, "type": "invalid_request_error"}}, 400)
                return
        handler.reply(spoken.answer("42"))

    return answer


def test_chat_learns_the_parameters_that_a_server_takes(serve, dialect, ask):
    server = serve(refusing(dialect("openai")))
    exchanges, provider = ask(f"openai:m@{server.url}", n=3, decoding={"temperature": 1.0})
    kinds = [getattr(e.outcome, "kind", "answer") for e in exchanges]
    assert kinds == ["refused_parameters", "refused_parameters", "answer"]
    assert all(e.outcome.retryable for e in exchanges[:2])
    assert set(body_of(server)) == {"model", "messages", "max_completion_tokens"}
    assert exchanges[2].outcome.notes == ("temperature not sent: the server refuses it",)
    assert provider.capabilities == {
        "max_tokens": "refused",
        "temperature": "refused",
        "max_completion_tokens": "accepted",
    }


def test_responses_learns_the_parameters_that_a_server_takes(serve, dialect, ask):
    server = serve(refusing(dialect("openai-responses")))
    exchanges, provider = ask(responses(server.url), n=2, decoding={"temperature": 1.0}, tokens=20)
    assert [type(e.outcome) for e in exchanges] == [Failure, Completion]
    assert provider.capabilities["temperature"] == "refused"
    assert "temperature" not in body_of(server)


def test_what_the_user_set_is_never_dropped(serve, dialect, ask):
    server = serve(refusing(dialect("openai-responses")))
    exchanges, _ = ask(responses(server.url, ",temperature=1.0"), n=2)
    assert [e.outcome.kind for e in exchanges] == ["refused_parameters"] * 2
    assert not exchanges[0].outcome.retryable


def item(kind, *parts, holder="content"):
    return {"type": kind, "id": "i1", holder: [dict(part) for part in parts]}


def out(text, kind="output_text", name="text"):
    return {"type": kind, name: text}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (  # reasoning as OpenAI gives it: a summary
            {"output": [item("reasoning", out("hm", "summary_text"), holder="summary"),
                        item("message", out("42"))]},
            {"text": "42", "reasoning": "hm", "finish_reason": "stop"},
        ),
        (  # and as open servers do: its text
            {"output": [{**item("reasoning", out("a", "reasoning_text"), out("b")), "summary": []},
                        item("message", out("4"), out("2"))]},
            {"text": "42", "reasoning": "ab"},
        ),
        (
            {"output": [item("message", out("I cannot.", "refusal", "refusal"))]},
            {"text": "I cannot.", "blocked": True, "finish_reason": "stop"},
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
             "output": [item("message", out("4"))]},
            {"text": "4", "finish_reason": "length", "blocked": False},
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"},
             "output": []},
            {"text": "", "finish_reason": "content_filter", "blocked": True},
        ),
        ({"output": [item("message", out(""))]}, {"text": "", "finish_reason": "stop"}),
        ({"output": [{"type": "function_call", "name": "f"}]}, {"text": ""}),
    ],
)  # fmt: skip
def test_a_response_is_read_completely(answering, ask, fields, expected):
    server = answering("openai-responses", **fields)
    (exchange,), _ = ask(responses(server.url), tokens=20)
    assert {name: getattr(exchange.outcome, name) for name in expected} == expected
    assert exchange.outcome.usage.completion_tokens == 2


def test_a_chat_refusal_and_a_filter_are_outcomes(serve, dialect, ask):
    def answer(handler, number, body):
        payload = dialect("openai").answer(None)
        choice = payload["choices"][0]
        if number == 1:
            choice["message"]["refusal"] = "I cannot."
        else:
            choice["finish_reason"] = "content_filter"
        handler.reply(payload)

    exchanges, _ = ask(f"openai:m@{serve(answer).url}", n=2)
    assert [(e.outcome.text, e.outcome.blocked) for e in exchanges] == [
        ("I cannot.", True),
        ("", True),
    ]


@pytest.mark.parametrize(
    "output", [[], [item("reasoning", out("hm", "summary_text"), holder="summary")]]
)
def test_thinking_that_used_all_tokens_is_starved(answering, ask, output):
    details = {"reason": "max_output_tokens"}
    server = answering(
        "openai-responses", status="incomplete", incomplete_details=details, output=output
    )
    (exchange,), _ = ask(responses(server.url))
    assert exchange.outcome.kind == "starved"


@pytest.mark.parametrize(
    ("fields", "kind", "retryable"),
    [
        ({"status": "failed", "error": {"code": "server_error"}}, "server_error", True),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded"}}, "rate_limited", True),
        ({"status": "failed"}, "server_error", True),
        ({"status": "in_progress"}, "malformed", False),
        ({"output": []}, "malformed", False),
        ({"output": None}, "malformed", False),
        ({"output": ["42"]}, "malformed", False),
        ({"output": [{"type": "message", "content": "42"}]}, "malformed", False),
        ({"output": [item("message", out(42))]}, "malformed", False),
        ({"output": [item("message", out("4\ud800"))]}, "malformed", False),
    ],
)
def test_a_response_without_an_answer_is_a_failure(answering, ask, fields, kind, retryable):
    server = answering("openai-responses", **fields)
    (exchange,), _ = ask(responses(server.url))
    assert (exchange.outcome.kind, exchange.outcome.retryable) == (kind, retryable)


def test_logprobs_of_a_response(answering, ask):
    top = [{"token": "42", "logprob": -0.1}, {"token": "7", "logprob": -2.5}]
    tokens = [{"token": "42", "logprob": -0.1, "bytes": [52, 50], "top_logprobs": top}]
    part = {**out("42"), "logprobs": tokens}
    asked = ',body.include=["message.output_text.logprobs"],body.top_logprobs=2'
    given, not_given = (
        answering("openai-responses", output=[item("message", part)]),
        answering("openai-responses"),
    )
    (exchange,), provider = ask(responses(given.url, asked))
    assert body_of(given)["include"] == ["message.output_text.logprobs"]
    assert exchange.outcome.logprobs == (
        TokenLogprob(token="42", logprob=-0.1, top=(("42", -0.1), ("7", -2.5))),
    )
    assert provider.capabilities["logprobs"] == "accepted"
    _, provider = ask(responses(not_given.url, asked))
    assert provider.capabilities["logprobs"] == "ignored"


def streaming(serve, *events, **options):
    return serve(lambda handler, *_: handler.events(*events, **options))


def test_a_stream_of_a_response_is_its_last_event(serve, dialect, ask):
    server = streaming(serve, *dialect("openai-responses").events("4", "2"), end=False)
    (exchange,), provider = ask(responses(server.url, ",stream=true"), tokens=20)
    assert body_of(server)["stream"] is True
    assert (exchange.outcome.text, exchange.outcome.served_model) == ("42", "served-1")
    assert exchange.outcome.usage.prompt_tokens == 20
    assert provider.capabilities["stream"] == "accepted"


@pytest.mark.parametrize("left", ["items", "pieces"])
def test_a_stream_whose_end_leaves_the_output_out_is_put_together(serve, dialect, ask, left):
    events = dialect("openai-responses").events("4", "2")
    output = events[-1]["response"].pop("output")
    if left == "items":
        done = {"type": "response.output_item.done", "item": output[0]}
        events = [e for e in events if "delta" not in e["type"]]
        events.insert(-1, done)
    (exchange,), _ = ask(responses(streaming(serve, *events).url, ",stream=true"))
    assert (exchange.outcome.text, exchange.outcome.finish_reason) == ("42", "stop")


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([{"type": "response.output_text.delta", "delta": "4"}], "reset"),
        ([{"type": "error", "code": "rate_limit_exceeded", "message": "slow"}], "rate_limited"),
        ([{"type": "response.failed", "response": {"status": "failed"}}], "server_error"),
        ([{"type": "response.output_text.delta", "delta": 4}], "malformed"),
        ([{"type": "response.completed", "response": "42"}], "malformed"),
        (["7"], "malformed"),
        (["{"], "malformed"),
    ],
)
def test_a_broken_stream_of_a_response_is_a_failure(serve, ask, events, kind):
    server = streaming(serve, *events, end=False)
    (exchange,), _ = ask(responses(server.url, ",stream=true"))
    assert exchange.outcome.kind == kind


@pytest.mark.parametrize(
    ("endpoint", "error", "says"),
    [
        ("openai:m@http://localhost/v1,api=completions", ProviderError, "api=chat and api=resp"),
        ("openai:m@http://localhost/v1,api=messages", ProviderError, "'openai' speaks api=chat"),
        ("openai:m@http://localhost/v1/responses", UsageError, "is added"),
        ("openai:m@http://localhost/v1,dtype=bf16", UsageError, "'openai' takes no option dtype"),
        ("openai:m@http://localhost/v1,api=responses,body.input=1", UsageError, "body.input"),
        ("openai:m@http://localhost/v1,reasoning=huge", UsageError, "reasoning"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(endpoint, error, says):
    with pytest.raises(error, match=says):
        create(Endpoint.parse(endpoint), environment={})


@pytest.mark.parametrize("missing", ["openai", "httpx2"])
def test_a_missing_sdk_is_said_with_the_line_that_installs_it(monkeypatch, missing):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == missing else found(name, *a)
    )
    with pytest.raises(MissingExtra, match=r"pip install 'llm-provenance\[openai\]'"):
        create(Endpoint.parse("openai:m@http://localhost/v1"), environment={})


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_the_sdk_is_imported_when_the_provider_is_opened_and_not_before(name):
    code = (
        "import asyncio, sys\n"
        "from provenance.endpoint import Endpoint\n"
        "from provenance.providers import create\n"
        f"p = create(Endpoint.parse('{name}:m@http://127.0.0.1:9/v1'), environment={{}})\n"
        f"assert not {{'{name}', 'httpx2'}} & set(sys.modules)\n"
        "asyncio.run(p.open())\n"
        f"assert '{name}' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def read_by_the_sdk(api, raw, streamed):
    """Text, finish, model and token counts as the SDK itself reads them out of the bytes."""
    kind = "text/event-stream" if streamed else "application/json"

    def handler(request):
        return httpx2.Response(200, headers={"content-type": kind}, content=raw)

    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    with openai.OpenAI(api_key="k", base_url="http://x/v1", http_client=http) as client:
        if api == "responses":
            made = client.responses.create(model="m", input="x", stream=streamed)
            if streamed:
                made = next(e.response for e in made if e.type == "response.completed")
            usage = (made.usage.input_tokens, made.usage.output_tokens)
            return made.output_text, made.model, usage
        made = client.chat.completions.create(model="m", messages=[], stream=streamed)
        if not streamed:
            usage = (made.usage.prompt_tokens, made.usage.completion_tokens)
            return made.choices[0].message.content, made.model, usage
        chunks = list(made)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        usage = next(c.usage for c in chunks if c.usage)
        return text, chunks[0].model, (usage.prompt_tokens, usage.completion_tokens)


@pytest.mark.local
@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("streamed", [False, True])
def test_the_sdk_reads_the_same_out_of_the_bytes_of_a_real_server(llama_server, ask, api, streamed):
    stream = ",stream=true" if streamed else ""
    (exchange,), _ = ask(f"openai:smollm2@{llama_server},api={api}{stream}", tokens=24)
    outcome = exchange.outcome
    text, model, usage = read_by_the_sdk(api, exchange.response, streamed)
    assert (text, model) == (outcome.text, outcome.served_model)
    assert usage == (outcome.usage.prompt_tokens, outcome.usage.completion_tokens)
    assert text
    assert min(usage) > 0


@pytest.mark.local
@pytest.mark.parametrize("stream", ["", ",stream=true"])
def test_logprobs_of_a_real_server(llama_server, ask, stream):
    wish = ",body.logprobs=true,body.top_logprobs=3,body.top_k=0,top_p=1.0,body.min_p=0.0"
    (exchange,), provider = ask(f"openai:smollm2@{llama_server}{wish}{stream}")
    tokens = exchange.outcome.logprobs
    assert "".join(t.token for t in tokens) == exchange.outcome.text
    assert all(len(t.top) == 3 and t.logprob <= 0 for t in tokens)
    assert provider.capabilities["logprobs"] == "accepted"
