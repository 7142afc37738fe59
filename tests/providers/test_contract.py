"""What every provider keeps to. To add one: a factory in `PROVIDERS` that writes what it needs."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from provenance.endpoint import Endpoint
from provenance.errors import MissingExtra
from provenance.providers import Provider, create
from provenance.providers.registry import registered
from provenance.transcript import Completion, Exchange, Failure

CELL = "number-en-1"
PROMPT = "Name a number between 1 and 100. Reply with the number only."
DRAWS = 6
KEY = "sk-decoy-contract-1234567890"
# Test processes share the cores, and threads that wait for each other are worse than one.
ENVIRONMENT = {"DECOY": KEY, "OPENAI_API_KEY": KEY, "OMP_NUM_THREADS": "1"}


def compatible(request, tmp_path):
    """The test's own server: another answer to every request."""
    completion = request.getfixturevalue("completion")
    server = request.getfixturevalue("serve")(
        lambda handler, number, body: handler.reply(completion(f"answer {number}"))
    )
    return f"compatible:m@{server.url},key_env=DECOY"


def compatible_stream(request, tmp_path):
    """The same as a stream of events."""

    def answer(handler, number, body):
        pieces = [{"content": "answer "}, {"content": str(number)}]
        events = [{"choices": [{"index": 0, "delta": piece}]} for piece in pieces]
        handler.events(*events)

    return f"compatible:m@{request.getfixturevalue('serve')(answer).url},stream=true,key_env=DECOY"


def by_sdk(name, stream=False):
    """The test's own server in the dialect of one SDK, whole or as a stream."""

    def factory(request, tmp_path):
        dialect = request.getfixturevalue("dialect")(name)

        def answer(handler, number, body):
            if stream:
                handler.events(*dialect.events("answer ", str(number)), end=False)
            else:
                handler.reply(dialect.answer(f"answer {number}"))

        url = request.getfixturevalue("serve")(answer).url
        option = ",stream=true" if stream else ""
        return f"{name.partition('-')[0]}:m@{url},key_env=DECOY{dialect.option}{option}"

    return factory


def llama_by_sdk(name, options=""):
    """llama.cpp's own server, which speaks all three dialects."""

    def factory(request, tmp_path):
        url = request.getfixturevalue("llama_server")
        option = request.getfixturevalue("dialect")(name).option
        return f"{name.partition('-')[0]}:smollm2@{url},key_env=DECOY{option}{options}"

    return factory


def llama_chat(request, tmp_path):
    """llama.cpp's own server, with its truncating defaults off."""
    url = request.getfixturevalue("llama_server")
    return f"compatible:smollm2@{url},key_env=DECOY,body.top_k=0,top_p=1.0,body.min_p=0.0"


def llama_stream(request, tmp_path):
    return llama_chat(request, tmp_path) + ",stream=true"


def llama_completions(request, tmp_path):
    return llama_chat(request, tmp_path) + ",api=completions"


def gguf(request, tmp_path):
    return f"gguf:{request.getfixturevalue('smollm2')}"


def transformers(request, tmp_path):
    return f"transformers:{request.getfixturevalue('smollm2')}"


def simulated(request, tmp_path):
    file = tmp_path / "models.toml"
    answers = ", ".join(f'"answer {n}" = 0.1' for n in range(10))
    file.write_text(f'[models.a]\ncells."*" = {{{answers}}}\n', encoding="utf-8")
    return f"simulated:{file},model=a"


def replay(request, tmp_path):
    file = tmp_path / "recorded.jsonl"
    rows = [
        {"model": "a", "prompt_id": CELL, "sample": n, "output": f"answer {n}", "prompt": PROMPT}
        for n in range(DRAWS)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"replay:{file},model=a"


LOCAL = pytest.mark.local
SLOW = [pytest.mark.local, pytest.mark.slow]
PROVIDERS = {
    "compatible": (compatible, []),
    "compatible-stream": (compatible_stream, []),
    "compatible-llama": (llama_chat, LOCAL),
    "compatible-llama-stream": (llama_stream, LOCAL),
    "compatible-llama-completions": (llama_completions, LOCAL),
    "openai": (by_sdk("openai"), []),
    "openai-stream": (by_sdk("openai", stream=True), []),
    "openai-responses": (by_sdk("openai-responses"), []),
    "openai-responses-stream": (by_sdk("openai-responses", stream=True), []),
    "openai-llama": (llama_by_sdk("openai"), LOCAL),
    "openai-llama-stream": (llama_by_sdk("openai", ",stream=true"), LOCAL),
    "openai-llama-responses": (llama_by_sdk("openai-responses"), LOCAL),
    "openai-llama-responses-stream": (llama_by_sdk("openai-responses", ",stream=true"), LOCAL),
    "anthropic": (by_sdk("anthropic"), []),
    "anthropic-stream": (by_sdk("anthropic", stream=True), []),
    "anthropic-llama": (llama_by_sdk("anthropic"), LOCAL),
    "anthropic-llama-stream": (llama_by_sdk("anthropic", ",stream=true"), LOCAL),
    "gguf": (gguf, SLOW),
    "transformers": (transformers, SLOW),
    "simulated": (simulated, []),
    "replay": (replay, []),
}


@pytest.fixture(
    params=[pytest.param(factory, id=i, marks=m) for i, (factory, m) in PROVIDERS.items()]
)
def provider(request, tmp_path):
    """One provider, created and not opened."""
    endpoint = Endpoint.parse(request.param(request, tmp_path))
    try:
        return create(endpoint, environment=ENVIRONMENT)
    except MissingExtra as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def drawn():
    """What was drawn from each provider, so that slow ones draw once for all tests."""
    return {}


@pytest.fixture
def draws(request, provider, request_of, drawn):
    """The provider, and its exchanges of `DRAWS` draws of one cell, one after another."""

    async def run():
        await provider.open()
        try:
            return [await provider.draw(asked(request_of, n)) for n in range(DRAWS)]
        finally:
            await provider.aclose()

    name = request.node.callspec.id
    if name not in drawn:
        drawn[name] = provider, asyncio.run(run())
    return drawn[name]


def asked(request_of, draw):
    return request_of(draw=draw, cell=CELL, content=PROMPT, draws_planned=DRAWS)


def test_every_registered_provider_is_here():
    assert {name.partition("-")[0] for name in PROVIDERS} == set(registered())


def test_it_is_a_provider(provider):
    assert isinstance(provider, Provider)
    assert provider.host is None  # everything here runs on this machine
    assert provider.concurrency >= 1
    assert provider.ordered in (True, False)
    assert create(provider.endpoint, environment={"DECOY": KEY}).endpoint == provider.endpoint


def test_an_exchange_is_complete(draws):
    provider, exchanges = draws
    for exchange in exchanges:
        assert isinstance(exchange, Exchange)
        assert isinstance(exchange.outcome, Completion), exchange.outcome
        assert exchange.outcome.text == exchange.outcome.text.encode().decode()
        assert isinstance(exchange.request, bytes)
        assert isinstance(exchange.response, bytes)
        assert exchange.request
        assert all(isinstance(v, str) for pair in exchange.headers.items() for v in pair)
        if provider.ordered:
            started = datetime.fromisoformat(exchange.started_utc)
            assert started.utcoffset() == timedelta(0)
            assert exchange.elapsed_s >= 0
        if exchange.first_byte_s is not None:
            assert 0 <= exchange.first_byte_s <= exchange.elapsed_s


def test_the_bytes_hold_the_answer(draws):
    _, exchanges = draws
    for exchange in exchanges:
        held = exchange.response.decode()
        pieces = exchange.outcome.text.split()[:1]
        if held.startswith(("data: ", "event: ")):
            pieces = [piece[0] for piece in pieces]  # cut apart by the stream
        assert all(piece in held or json.dumps(piece)[1:-1] in held for piece in pieces)


def test_draws_are_independent(draws):
    _, exchanges = draws
    assert len({exchange.outcome.text for exchange in exchanges}) > 1
    identities = [e.outcome.response_id for e in exchanges if e.outcome.response_id]
    if any(identity != "chatcmpl-1" for identity in identities):  # the test's server knows no other
        assert len(set(identities)) == len(exchanges)


def test_draws_may_be_made_at_the_same_time(provider, request_of):
    async def run():
        await provider.open()
        try:
            return await asyncio.gather(
                *(provider.draw(asked(request_of, n)) for n in range(DRAWS))
            )
        finally:
            await provider.aclose()

    exchanges = asyncio.run(run())
    assert [type(e.outcome) for e in exchanges] == [Completion] * DRAWS
    assert len({e.outcome.text for e in exchanges}) > 1


def test_cancelling_a_draw_cancels_it_and_leaves_the_provider_usable(provider, request_of):
    async def run():
        await provider.open()
        try:
            task = asyncio.create_task(provider.draw(asked(request_of, 0)))
            await asyncio.sleep(0)
            task.cancel()
            cancelled = False
            try:
                await task
            except asyncio.CancelledError:
                cancelled = True
            # What answers without waiting has nothing to cancel.
            assert cancelled or isinstance(task.result(), Exchange)
            return await provider.draw(asked(request_of, 1))
        finally:
            await provider.aclose()

    assert isinstance(asyncio.run(run()).outcome, Completion)


def test_closing_is_safe_at_any_time(provider):
    async def run():
        await provider.aclose()
        await provider.open()
        await provider.aclose()
        await provider.aclose()

    asyncio.run(run())


def test_no_key_is_kept_anywhere(draws):
    provider, exchanges = draws
    assert KEY not in repr(exchanges)
    assert KEY not in repr(provider)
    assert KEY not in str(provider.endpoint)
    for exchange in exchanges:
        assert KEY.encode() not in exchange.request + exchange.response


def test_an_outcome_survives_the_transcript(draws):
    for exchange in draws[1]:
        kind = Failure if isinstance(exchange.outcome, Failure) else Completion
        assert kind.model_validate_json(exchange.outcome.model_dump_json()) == exchange.outcome
