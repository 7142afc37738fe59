"""Whatever an adapter hands over is appended, and what was appended is read back."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store
from provenance.transcript import Completion, Exchange, Failure, TokenLogprob, Usage

PLAN = {"endpoints": {}, "slots": []}
BATTERY = {"name": "b", "digest": "d", "cells": []}

text = st.text(st.characters(), max_size=20)
number = st.floats() | st.sampled_from([1e17, -1e300, 5e-324, -0.0, float("-inf"), float("nan")])
maybe = st.none() | text
tokens = st.none() | st.integers(0, 10**19)
completions = st.builds(
    Completion,
    text=text,
    reasoning=maybe,
    finish_reason=maybe,
    served_model=maybe,
    system_fingerprint=maybe,
    response_id=maybe,
    usage=st.builds(Usage, prompt_tokens=tokens, completion_tokens=tokens),
    logprobs=st.none()
    | st.lists(
        st.builds(
            TokenLogprob,
            token=text,
            logprob=st.none() | number,
            top=st.lists(st.tuples(text, number), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    notes=st.lists(text, max_size=2).map(tuple),
)
failures = st.builds(
    Failure,
    kind=st.sampled_from(["malformed", "reset", "server_error"]),
    message=text,
    status=st.none() | st.integers(0, 999),
    retry_after_s=st.none() | number,
)
exchanges = st.builds(
    Exchange,
    request=st.binary(max_size=40),
    response=st.binary(max_size=40),
    outcome=completions | failures,
    started_utc=st.none(),
    elapsed_s=st.none() | number,
    first_byte_s=st.none() | number,
    status=st.none() | st.integers(0, 999),
    headers=st.dictionaries(text, text, max_size=3),
)


def put(store, slot, exchange):
    return store.append(
        exchange, slot=slot, role="suspect", cell="c", draw=0, block=None, attempt=1, final=True
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(exchanges, max_size=4))
def test_round_trip(tmp_path_factory, given_exchanges):
    path = tmp_path_factory.mktemp("s")
    with Store.create(path, plan=PLAN, battery=BATTERY) as store:
        written = [put(store, n, exchange) for n, exchange in enumerate(given_exchanges)]
        store.seal()
    with Store.open(path) as store:
        read = list(store.records())
        for record, exchange in zip(read, given_exchanges, strict=True):
            assert store.blob(record.request_sha256) == exchange.request
            assert store.blob(record.response_sha256) == exchange.response
            record.model_dump_json()  # no lone surrogate is left
    assert read == written
    assert check_integrity(path).problems == ()


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY) as made:
        yield made


def test_alternatives_that_are_impossible_are_left_out(store):
    token = TokenLogprob(
        token="a", logprob=float("-inf"), top=(("a", -0.5), ("b", float("-inf")), ("c", -3))
    )
    record = put(store, 0, Exchange(b"", b"", Completion(text="a", logprobs=(token,)), None, None))
    assert record.completion.logprobs[0].logprob is None
    assert record.completion.logprobs[0].top == (("a", -0.5), ("c", -3))


def test_a_number_beyond_what_json_can_count_does_not_make_a_store_unreadable(store):
    token = TokenLogprob(token="a", logprob=-1e17)
    put(store, 0, Exchange(b"", b"", Completion(text="a", logprobs=(token,)), None, 1e18))
    (record,) = store.records()
    assert record.completion.logprobs[0].logprob == -1e17
    store.close()
    with Store.open(store.path, write=True) as again:
        put(again, 1, Exchange(b"", b"", Completion(text="b"), None, 0.1))
        assert len(list(again.records())) == 2


@pytest.mark.slow
def test_twenty_thousand_records_open_in_time(store):
    for n in range(20_000):
        put(store, n, Exchange(b"q", b"%d" % (n % 50), Completion(text=f"answer {n}"), None, 0.1))
    store.close()
    began = time.monotonic()
    with Store.open(store.path, write=True) as again:
        assert time.monotonic() - began < 5
        assert sum(1 for _ in again.records()) == 20_000
