import pytest

from provenance.evidence.store import Store
from provenance.transcript import Completion, Exchange


@pytest.fixture
def exchange():
    """Number -> an exchange whose texts and bytes depend on it."""

    def make(number, text=None):
        return Exchange(
            request=b'{"ask": %d}' % number,
            response=b'{"answer": %d}' % number,
            outcome=Completion(text=f"answer {number} ünï" if text is None else text),
            started_utc="2026-11-23T12:00:00.000000+00:00",
            elapsed_s=0.125,
        )

    return make


@pytest.fixture
def append(exchange):
    """Append numbered records to a store."""

    def put(store, numbers):
        for n in numbers:
            store.append(
                exchange(n),
                slot=n,
                role="suspect" if n % 2 else "reference",
                cell="c",
                draw=n // 2,
                block=n // 2,
                attempt=1,
                final=True,
            )

    return put


@pytest.fixture
def sealed(tmp_path, append):
    """A sealed store of ten records."""
    path = tmp_path / "store"
    plan = {"endpoints": {}, "slots": []}
    battery = {"name": "b", "digest": "d", "cells": []}
    with Store.create(path, plan=plan, battery=battery, copies={"panel": {"x": 1}}) as store:
        append(store, range(10))
        store.note("resumed", {})
        store.write_study(b'{"verdict": {"label": "inconclusive"}}\n')
        store.seal()
    return path
