import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.canonical import canonical_json
from provenance.errors import EvidenceError, StoreLocked
from provenance.evidence.seal import merkle_root
from provenance.evidence.store import Store
from provenance.transcript import Completion, Exchange, Failure

PLAN = {"endpoints": {}, "slots": []}
BATTERY = {"name": "b", "digest": "d", "cells": []}


@pytest.fixture
def made(tmp_path):
    return Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY)


def test_the_recipe_of_the_hash_is_the_one_that_is_documented(sealed):
    names = ("plan.json", "battery.json", "copies/panel.json")
    foundation = {name: hashlib.sha256((sealed / name).read_bytes()).hexdigest() for name in names}
    text = json.dumps(foundation, sort_keys=True, separators=(",", ":"))
    previous = hashlib.sha256(text.encode()).hexdigest()
    for line in (sealed / "transcript.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        # Sorted keys, no spaces, UTF-8: what `jq -cS` prints for the values in these records.
        text = json.dumps(
            {"prev": previous, "record": row["record"]},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        assert hashlib.sha256(text.encode()).hexdigest() == row["hash"]
        assert row["prev"] == previous
        previous = row["hash"]


def _root(leaves):
    """RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + _root(leaves[:k]) + _root(leaves[k:])).digest()


@pytest.mark.parametrize("n", range(20))
def test_merkle_root_against_the_recursive_definition(n):
    hashes = [hashlib.sha256(bytes([i])).hexdigest() for i in range(n)]
    assert merkle_root(hashes) == _root([bytes.fromhex(h) for h in hashes]).hex()


def test_a_torn_last_line_is_repaired_wherever_it_was_torn(sealed, append, exchange):
    (sealed / "seal.json").unlink()
    path = sealed / "transcript.jsonl"
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last + 1, len(whole), 37):
        path.write_bytes(whole[:cut])
        (sealed / "torn.bin").unlink(missing_ok=True)
        with Store.open(sealed, write=True) as store:
            assert len(list(store.records())) == 9
            assert "torn" in store.repairs[0]
            append(store, [9])
            assert len(list(store.records())) == 10
        assert (sealed / "torn.bin").read_bytes() == whole[last:cut] + b"\n"
        assert path.read_bytes() == whole


def test_a_reader_ignores_a_line_that_is_being_written(sealed):
    path = sealed / "transcript.jsonl"
    path.write_bytes(path.read_bytes() + b'{"hash": "')
    with Store.open(sealed) as store:
        assert len(list(store.records())) == 10


def test_there_is_one_writer_and_the_other_is_told_who(made):
    code = (
        "import sys, pathlib; from provenance.evidence.store import Store;"
        "Store.open(pathlib.Path(sys.argv[1]), write=True)"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, str(made.path)], capture_output=True, text=True, check=False
    )
    assert f"pid {os.getpid()}" in other.stderr
    assert "StoreLocked" in other.stderr
    made.close()


def test_a_killed_writer_frees_the_lock(tmp_path):
    Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY).close()
    code = (
        "import sys, time, pathlib; from provenance.evidence.store import Store;"
        "s = Store.open(pathlib.Path(sys.argv[1]), write=True);"
        "print('open', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "s")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(StoreLocked):
            Store.open(tmp_path / "s", write=True)
        process.send_signal(signal.SIGKILL)
    Store.open(tmp_path / "s", write=True).close()


def test_a_store_is_not_made_twice(made):
    made.close()
    with pytest.raises(EvidenceError, match="holds a study already"):
        Store.create(made.path, plan=PLAN, battery=BATTERY)


def test_nothing_is_written_through_a_store_that_is_open_to_read(sealed, append):
    with pytest.raises(EvidenceError, match="reading only"), Store.open(sealed) as store:
        append(store, [11])


anything = st.text(st.characters(), max_size=60)


@settings(deadline=None)  # a new store each time waits for the disk
@given(anything, anything, anything)
def test_whatever_an_endpoint_says_is_written_and_read_back(tmp_path_factory, text, name, message):
    clean = "".join("�" if "\ud800" <= c <= "\udfff" else c for c in text)
    path = tmp_path_factory.mktemp("s")
    outcomes = [
        Completion(text=text, served_model=name),
        Failure(kind="malformed", message=message),
    ]
    with Store.create(path, plan=PLAN, battery=BATTERY) as store:
        for number, outcome in enumerate(outcomes):
            raw = Exchange(b"?", text.encode("utf-8", "surrogatepass"), outcome, None, None)
            store.append(
                raw,
                slot=number,
                role="suspect",
                cell="c",
                draw=0,
                block=None,
                attempt=1,
                final=True,
            )
        first, second = store.records()
    assert first.completion.text == clean
    assert second.failure.kind == "malformed"
    with Store.open(path) as store:
        assert store.blob(first.response_sha256) == text.encode("utf-8", "surrogatepass")


def test_equal_bytes_are_kept_once(made, exchange):
    for draw in range(5):
        made.append(
            exchange(1),
            slot=draw,
            role="suspect",
            cell="c",
            draw=draw,
            block=None,
            attempt=1,
            final=True,
        )
    made.close()
    assert len([p for p in (made.path / "blobs").rglob("*") if p.is_file()]) == 2


def test_a_blob_that_a_crash_left_half_written_is_written_again(made, exchange):
    content = exchange(1).request
    digest = hashlib.sha256(content).hexdigest()
    path = made.path / "blobs" / digest[:2] / digest
    path.parent.mkdir(parents=True)
    path.write_bytes(content[:3])
    made.append(
        exchange(1), slot=0, role="suspect", cell="c", draw=0, block=None, attempt=1, final=True
    )
    assert made.blob(digest) == content
    made.close()


def test_appending_is_fast(made, append):
    began = time.monotonic()
    append(made, range(240))
    assert time.monotonic() - began < 3
    made.close()


def test_plan_digest_is_over_canonical_json(made):
    assert made.plan_digest == hashlib.sha256(canonical_json(PLAN)).hexdigest()
    made.close()
