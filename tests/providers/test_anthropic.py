"""The provider ``anthropic``: what the SDK is made to send, and what is read out of the answers."""

import json
import warnings

import httpx2
import pytest

anthropic = pytest.importorskip("anthropic")

from provenance.endpoint import Endpoint  # noqa: E402  (after importorskip)
from provenance.errors import MissingExtra, ProviderError, UsageError  # noqa: E402
from provenance.providers import create  # noqa: E402
from provenance.transcript import Completion, Failure, Usage  # noqa: E402


def body_of(server, number=-1):
    return json.loads(server.requests[number][2])


@pytest.fixture
def answering(serve, dialect):
    """A server that answers "42" to everything, or what ``fields`` make of it."""

    def start(**fields):
        answer = dialect("anthropic").answer("42", **fields)
        return serve(lambda handler, *_: handler.reply(answer))

    return start


@pytest.mark.parametrize("ending", ["/v1", "", "/v1/", "/proxy/v1"])
def test_what_the_sdk_writes_is_sent_and_no_parameter_besides(answering, ask, ending):
    server = answering()
    base = server.url.removesuffix("/v1")
    (exchange,), provider = ask(f"anthropic:m@{base}{ending}", system="Be brief.")
    path, headers, raw = server.requests[0]
    assert path == ("/proxy" if "proxy" in ending else "") + "/v1/messages"
    assert json.loads(raw) == {
        "model": "m",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Name a number."}],
        "max_tokens": 8,
    }
    assert exchange.request == raw
    assert headers["user-agent"] == f"AsyncAnthropic/Python {anthropic.__version__}"
    assert headers["anthropic-version"]
    assert not {name for name in headers if "auth" in name or "key" in name}
    assert provider.capabilities == {"max_tokens": "accepted"}


def test_an_answer_is_read_completely(answering, ask):
    (exchange,), _ = ask(f"anthropic:m@{answering().url}")
    assert exchange.outcome == Completion(
        text="42",
        finish_reason="stop",
        served_model="served-1",
        response_id="id 42",
        usage=Usage(prompt_tokens=20, completion_tokens=2),  # 12 and 8 from the cache
    )


def test_sampling_parameters_are_sent_though_the_sdk_has_dropped_them(answering, ask):
    server = answering()
    ask(
        f"anthropic:m@{server.url},temperature=0.5,body.top_k=5,query.beta=true",
        decoding={"temperature": 1.0, "top_p": 0.9},
    )
    body = body_of(server)
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0.5, 0.9, 5)
    assert server.requests[0][0] == "/v1/messages?beta=true"


REFUSALS = [
    ({"temperature": 0.5}, "temperature: Extra inputs are not permitted", {"temperature"}),
    ({"seed": 1}, "seed: Extra inputs are not permitted", {"seed"}),
    ({"temperature": 0}, "`temperature` is deprecated for this model.", {"temperature"}),
    (
        {"temperature": 0},
        "`temperature` may only be set to 1 when thinking is enabled.",
        {"temperature"},
    ),
    (
        {"temperature": 1, "top_p": 0.9},
        "`temperature` and `top_p` cannot both be specified for this model.",
        {"temperature", "top_p"},
    ),
]


@pytest.mark.parametrize(("decoding", "message", "refused"), REFUSALS)
def test_parameters_that_a_model_refuses_are_learnt(
    serve, dialect, ask, decoding, message, refused
):
    def answer(handler, number, body):
        if refused & body.keys():
            error = {"type": "invalid_request_error", "message": message}
            handler.reply({"type": "error", "error": error, "request_id": "req_1"}, 400)
        else:
            handler.reply(dialect("anthropic").answer("42"))

    server = serve(answer)
    exchanges, provider = ask(f"anthropic:m@{server.url}", n=2, decoding=decoding)
    assert exchanges[0].outcome.kind == "refused_parameters"
    assert exchanges[0].outcome.retryable
    assert exchanges[1].outcome.text == "42"
    assert exchanges[1].outcome.notes == tuple(
        f"{name} not sent: the server refuses it" for name in decoding if name in refused
    )
    assert {n for n, v in provider.capabilities.items() if v == "refused"} == refused


@pytest.mark.parametrize(
    ("option", "learnt", "tokens", "budget"),
    [
        ("", 0, 8, None),
        ("", 500, 508, None),
        (",reasoning=false", 500, 508, None),
        (",reasoning=100", 500, 1032, 1024),
        (",reasoning=minimal", 0, 1032, 1024),
        (",reasoning=low", 0, 2056, 2048),
        (",reasoning=true", 0, 4104, 4096),
    ],
)
def test_thinking_is_asked_for_by_the_user_alone_and_comes_on_top(
    answering, ask, option, learnt, tokens, budget
):
    server = answering()
    _, provider = ask(f"anthropic:m@{server.url}{option}", thinking_tokens=learnt)
    asked = {"type": "enabled", "budget_tokens": budget} if budget else None
    assert body_of(server)["max_tokens"] == tokens
    assert body_of(server).get("thinking") == asked
    assert ("thinking" in provider.capabilities) == (budget is not None)


def test_adaptive_thinking_goes_by_the_body(answering, ask):
    server = answering()
    ask(f"anthropic:m@{server.url},body.thinking.type=adaptive,body.output_config.effort=low")
    assert body_of(server)["thinking"] == {"type": "adaptive"}
    assert body_of(server)["output_config"] == {"effort": "low"}


def test_an_old_model_is_asked_without_a_warning(answering, ask):
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    server = answering()
    model = next(iter(DEPRECATED_MODELS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(f"anthropic:{model}@{server.url},reasoning=true,max_tokens=100000,timeout=600")
    assert body_of(server)["model"] == model


def block(kind, **fields):
    return {"type": kind, **fields}


THINKING = block("thinking", thinking="hm", signature="c2ln")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"content": [THINKING, block("text", text="4"), block("text", text="2")]},
            {"text": "42", "reasoning": "hm", "notes": ()},
        ),
        (
            {"content": [block("redacted_thinking", data="x"), block("text", text="42")]},
            {
                "text": "42",
                "reasoning": None,
                "notes": ("the server encrypted some of the thinking: left out",),
            },
        ),
        (
            {"stop_reason": "refusal", "content": []},
            {"text": "", "finish_reason": "content_filter", "blocked": True},
        ),
        (
            {"stop_reason": "refusal"},
            {"text": "42", "finish_reason": "content_filter", "blocked": True},
        ),
        ({"stop_reason": "max_tokens"}, {"text": "42", "finish_reason": "length"}),
        ({"stop_reason": "model_context_window_exceeded"}, {"finish_reason": "length"}),
        ({"stop_reason": "stop_sequence"}, {"finish_reason": "stop"}),
        ({"stop_reason": "pause_turn"}, {"finish_reason": "pause_turn"}),
        ({"content": []}, {"text": "", "finish_reason": "stop", "blocked": False}),
        (
            {"content": [block("tool_use", name="f", input={})], "stop_reason": "tool_use"},
            {"text": "", "finish_reason": "tool_calls"},
        ),
        (
            {"usage": {"input_tokens": 1, "output_tokens": 9,
                       "output_tokens_details": {"thinking_tokens": 5}}},
            {"usage": Usage(prompt_tokens=1, completion_tokens=9, reasoning_tokens=5)},
        ),
    ],
)  # fmt: skip
def test_a_message_is_read_completely(answering, ask, fields, expected):
    (exchange,), _ = ask(f"anthropic:m@{answering(**fields).url}")
    assert {name: getattr(exchange.outcome, name) for name in expected} == expected


@pytest.mark.parametrize("content", [[], [THINKING], [block("text", text="")]])
def test_thinking_that_used_all_tokens_is_starved(answering, ask, content):
    server = answering(content=content, stop_reason="max_tokens")
    (exchange,), _ = ask(f"anthropic:m@{server.url}")
    assert exchange.outcome.kind == "starved"


@pytest.mark.parametrize(
    "fields",
    [
        {"content": None},
        {"content": "42"},
        {"content": ["42"]},
        {"content": [block("text", text=42)]},
        {"content": [block("text")]},
        {"content": [block("picture")]},
        {"content": [block("text", text="4\udfff")]},
    ],
)
def test_a_message_without_a_text_is_malformed(answering, ask, fields):
    (exchange,), _ = ask(f"anthropic:m@{answering(**fields).url}")
    assert (exchange.outcome.kind, exchange.outcome.retryable) == ("malformed", False)


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"usage": 7}, "usage of an unexpected type left out"),
        ({"usage": {"input_tokens": "9"}}, "a token count that is no count left out"),
        ({"usage": {"cache_read_input_tokens": -1}}, "a token count that is no count left out"),
        ({"usage": {"output_tokens": True}}, "a token count that is no count left out"),
        ({"model": []}, "model of an unexpected type left out"),
        ({"stop_reason": 7}, "finish_reason of an unexpected type left out"),
        (
            {"content": [block("thinking", thinking=7), block("text", text="42")]},
            "reasoning of an unexpected type left out",
        ),
    ],
)
def test_a_wrong_type_beside_the_text_is_noted(answering, ask, fields, note):
    (exchange,), _ = ask(f"anthropic:m@{answering(**fields).url}")
    assert (exchange.outcome.text, exchange.outcome.notes) == ("42", (note,))


@pytest.mark.parametrize(
    ("status", "kind_of_error", "message", "kind", "retryable"),
    [
        (400, "invalid_request_error", "max_tokens: too large", "refused_parameters", False),
        (400, "invalid_request_error", "Your credit balance is too low to", "payment", False),
        (401, "authentication_error", "invalid x-api-key", "auth", False),
        (402, "billing_error", "pay", "payment", False),
        (413, "request_too_large", "too large", "refused_parameters", False),
        (429, "rate_limit_error", "slow down", "rate_limited", True),
        (529, "overloaded_error", "Overloaded", "server_error", True),
    ],
)
def test_errors_as_the_api_says_them(serve, ask, status, kind_of_error, message, kind, retryable):
    error = {"type": "error", "error": {"type": kind_of_error, "message": message}}
    server = serve(lambda handler, *_: handler.reply(error, status))
    (exchange,), _ = ask(f"anthropic:m@{server.url}")
    assert exchange.outcome == Failure(
        kind=kind, message=f"HTTP {status}: {message}", status=status, retryable=retryable
    )


def streaming(serve, *events, **options):
    return serve(lambda handler, *_: handler.events(*events, **options))


def test_a_stream_is_put_together(serve, dialect, ask):
    events = dialect("anthropic").events("4", "2")
    thinking = [
        {"type": "content_block_start", "index": 0, "content_block": block("thinking")},
        *[
            {"type": "content_block_delta", "index": 0, "delta": delta}
            for delta in (
                block("thinking_delta", thinking="h"),
                block("thinking_delta", thinking="m"),
                block("signature_delta", signature="x"),
            )
        ],
        {"type": "content_block_stop", "index": 0},
    ]
    for event in events:
        if "index" in event:
            event["index"] = 1
    events[-2]["usage"] = {"output_tokens": 30}
    server = streaming(serve, events[0], *thinking, *events[1:], end=False)
    (exchange,), provider = ask(f"anthropic:m@{server.url},stream=true")
    assert body_of(server)["stream"] is True
    assert (exchange.outcome.text, exchange.outcome.reasoning) == ("42", "hm")
    assert exchange.outcome.usage == Usage(prompt_tokens=20, completion_tokens=30)
    assert exchange.outcome.finish_reason == "stop"
    assert provider.capabilities["stream"] == "accepted"


def test_a_server_that_does_not_stream_is_noticed(answering, ask):
    (exchange,), provider = ask(f"anthropic:m@{answering().url},stream=true")
    assert exchange.outcome.text == "42"
    assert provider.capabilities["stream"] == "ignored"


def delta(**fields):
    return {"type": "content_block_delta", "index": 0, **fields}


START = {"type": "message_start", "message": {"id": "1", "content": []}}


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        ([START, delta(delta=block("text_delta", text="4"))], "reset"),
        ([START, block("error", error=block("overloaded_error", message="b"))], "server_error"),
        ([START, block("error", error=block("rate_limit_error"))], "rate_limited"),
        ([block("error", error=block("authentication_error"))], "auth"),
        ([block("error")], "server_error"),
        ([START, delta(delta=block("text_delta", text=4))], "malformed"),
        ([START, delta(delta=7)], "malformed"),
        ([START, {**delta(delta={}), "index": "0"}], "malformed"),
        ([block("message_start", message=7)], "malformed"),
        ([block("message_delta", delta=None)], "malformed"),
        (["7"], "malformed"),
        (["{"], "malformed"),
    ],
)
def test_a_broken_stream_is_a_failure(serve, ask, events, kind):
    server = streaming(serve, *events, end=False)
    (exchange,), _ = ask(f"anthropic:m@{server.url},stream=true")
    assert exchange.outcome.kind == kind


@pytest.mark.parametrize(
    ("endpoint", "error", "says"),
    [
        ("anthropic:m@http://localhost,api=chat", ProviderError, "'anthropic' speaks api=messages"),
        ("anthropic:m@http://localhost/v1/messages", UsageError, "is added"),
        ("anthropic:m@http://localhost,dtype=bf16", UsageError, "'anthropic' takes no option"),
        ("anthropic:m@http://localhost,body.system=x", UsageError, "system_file"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(endpoint, error, says):
    with pytest.raises(error, match=says):
        create(Endpoint.parse(endpoint), environment={})


def test_a_missing_sdk_is_said_with_the_line_that_installs_it(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None)
    with pytest.raises(MissingExtra, match=r"pip install 'llm-provenance\[anthropic\]'"):
        create(Endpoint.parse("anthropic:m@http://localhost"), environment={})


def read_by_the_sdk(raw, streamed):
    """Text, model and output tokens as the SDK itself reads them out of the bytes."""
    kind = "text/event-stream" if streamed else "application/json"

    def handler(request):
        return httpx2.Response(200, headers={"content-type": kind}, content=raw)

    http = httpx2.Client(transport=httpx2.MockTransport(handler))
    with anthropic.Anthropic(api_key="k", base_url="http://x", http_client=http) as client:
        if not streamed:
            made = client.messages.create(model="m", max_tokens=1, messages=[])
        else:
            with client.messages.stream(model="m", max_tokens=1, messages=[]) as stream:
                made = stream.get_final_message()
    usage = made.usage
    prompt = usage.input_tokens + (usage.cache_read_input_tokens or 0)
    text = "".join(b.text for b in made.content if b.type == "text")
    return text, made.model, made.stop_reason, (prompt, usage.output_tokens)


@pytest.mark.local
@pytest.mark.parametrize("streamed", [False, True])
def test_the_sdk_reads_the_same_out_of_the_bytes_of_a_real_server(llama_server, ask, streamed):
    stream = ",stream=true" if streamed else ""
    (exchange,), _ = ask(f"anthropic:smollm2@{llama_server}{stream}", tokens=8, system="Be brief.")
    outcome = exchange.outcome
    text, model, reason, usage = read_by_the_sdk(exchange.response, streamed)
    assert (text, model) == (outcome.text, outcome.served_model)
    assert usage == (outcome.usage.prompt_tokens, outcome.usage.completion_tokens)
    assert {"end_turn": "stop", "max_tokens": "length"}[reason] == outcome.finish_reason
    assert text


@pytest.mark.local
def test_a_real_server_counts_the_same_tokens_in_every_dialect(llama_server, ask):
    asked = {
        api: ask(f"{api}:smollm2@{llama_server}{option}", system="Be brief.", tokens=16)[0][0]
        for api, option in (("compatible", ""), ("openai", ",api=responses"), ("anthropic", ""))
    }
    assert len({e.outcome.usage.prompt_tokens for e in asked.values()}) == 1
