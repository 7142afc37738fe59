"""What crashes, full disks and kills leave behind."""

import random
import subprocess
import sys

import pytest

from provenance.errors import EvidenceError
from provenance.evidence import journal
from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store

PLAN = {"endpoints": {}, "slots": []}
BATTERY = {"name": "b", "digest": "d", "cells": []}


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY) as made:
        yield made


def test_a_line_torn_at_any_byte_is_cut_off_and_kept(store, append):
    append(store, range(3))
    store.close()
    path = store.path / "transcript.jsonl"
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        (store.path / "torn.bin").unlink(missing_ok=True)
        (said,) = journal.repair(store.path)
        assert f"({cut - last} bytes)" in said
        assert path.read_bytes() == whole[:last]
        assert (store.path / "torn.bin").read_bytes() == whole[last:cut] + b"\n"
    assert journal.repair(store.path) == ()


@pytest.mark.parametrize("tail", [b"\x00" * 5000, b"x" * 200_000, b"\xff\xfe"])
def test_whatever_a_power_cut_leaves_at_the_end_is_cut_off(store, append, tail):
    append(store, range(2))
    store.close()
    path = store.path / "transcript.jsonl"
    path.write_bytes(path.read_bytes() + tail)
    with Store.open(store.path, write=True) as again:
        append(again, [2])
        assert [r.slot for r in again.records()] == [0, 1, 2]
        assert [n["kind"] for n in again.notes()] == ["repaired"]
    assert (store.path / "torn.bin").read_bytes() == tail + b"\n"


def test_a_torn_event_takes_no_other_with_it(store):
    store.note("one", {})
    store.close()
    events = store.path / "events.jsonl"
    events.write_bytes(events.read_bytes() + b'{"kind": "tw')
    with Store.open(store.path) as reading:
        assert [n["kind"] for n in reading.notes()] == ["one"]
    with Store.open(store.path, write=True) as again:
        again.note("three", {})
        assert [n["kind"] for n in again.notes()] == ["one", "repaired", "three"]


def test_what_a_killed_writer_left_half_written_is_swept_away(store, append):
    append(store, [0])
    store.close()
    blob = next(p for p in (store.path / "blobs").rglob("*") if p.is_file())
    left = blob.with_name(f"{blob.name}.1.part")
    left.write_bytes(b"half")
    Store.open(store.path, write=True).close()
    assert not left.exists()
    assert blob.exists()


@pytest.mark.parametrize("name", ["transcript.jsonl", "events.jsonl", "copies/old.json"])
def test_what_lies_in_the_folder_is_not_taken_for_evidence(tmp_path, name):
    stray = tmp_path / name
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"{}\n")
    with pytest.raises(EvidenceError, match="choose another folder"):
        Store.create(tmp_path, plan=PLAN, battery=BATTERY)
    assert stray.read_bytes() == b"{}\n"


def test_a_start_that_was_interrupted_is_made_good(tmp_path):
    (tmp_path / "battery.json").write_text('{"half')
    with Store.create(tmp_path, plan=PLAN, battery=BATTERY) as made:
        assert made.battery == BATTERY


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "C:x", "con", "NUL", "lpt1", "", "a" * 65])
def test_names_of_copies_are_safe_everywhere(tmp_path, name):
    with pytest.raises(EvidenceError, match="cannot be called"):
        Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY, copies={name: {}})
    Store.create(tmp_path / "s", plan=PLAN, battery=BATTERY).close()  # the lock is free again


def test_every_sync_forces_the_bytes_before_the_line(store, append, monkeypatch):
    forced = []
    monkeypatch.setattr("os.fsync", lambda number: forced.append(number))
    append(store, range(63))
    assert len(forced) == 0
    append(store, [63])
    assert len(forced) == 2 * 64 + 1, "a request and a response each, then the transcript"


def test_a_study_may_be_given_as_a_mapping(store):
    store.write_study({"b": 1, "a": None})
    assert (store.path / "study.json").read_bytes() == b'{"a":null,"b":1}'


FULL = """
import pathlib, resource, signal, sys
from provenance.errors import EvidenceError
from provenance.evidence.store import Store
from provenance.transcript import Completion, Exchange

def put(store, n):
    store.append(Exchange(b"q%d" % n, b"a%d" % n, Completion(text="x"), None, None), slot=n,
                 role="suspect", cell="c", draw=n, block=None, attempt=1, final=True)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = pathlib.Path(sys.argv[1])
store = Store.open(path, write=True)
put(store, 0)
size = (path / "transcript.jsonl").stat().st_size
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + int(sys.argv[2]), hard))
try:
    put(store, 1)
except EvidenceError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
try:
    put(store, 2)
except EvidenceError:
    print("stays closed")
store.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
@pytest.mark.parametrize("room", [0, 1, 50])
def test_a_disk_that_is_full_loses_nothing_that_was_recorded(store, append, room):
    store.close()
    command = [sys.executable, "-c", FULL, str(store.path), str(room)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "All earlier records are kept" in said.stdout
    assert "stays closed" in said.stdout
    with Store.open(store.path, write=True) as again:
        assert again.repairs == ()
        append(again, [1])
        assert [r.slot for r in again.records()] == [0, 1]


WRITER = """
import pathlib, sys
from provenance.evidence.store import Store
from provenance.transcript import Completion, Exchange

with Store.open(pathlib.Path(sys.argv[1]), write=True) as store:
    n = sum(1 for _ in store.records())
    print("ready", n, flush=True)
    while True:
        store.append(
            Exchange(b"q%d" % n, b"a%d" % n * 50, Completion(text=f"answer {n}"), None, None),
            slot=n, role="suspect", cell="c", draw=n, block=None, attempt=1, final=True,
        )
        print(n, flush=True)
        n += 1
"""


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_at_random_moments_lose_nothing_that_was_appended(store, kills):
    store.close()
    rng = random.Random(kills)
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(store.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            before = int(process.stdout.readline().split()[1])
            for _ in range(rng.randrange(1, 150)):
                process.stdout.readline()
            process.kill()
            # What it said before it died counts too; its very last word may be cut.
            said = [line for line in process.stdout if line.endswith("\n")]
        with Store.open(store.path, write=True) as again:
            records = list(again.records())
            assert [r.slot for r in records] == list(range(len(records)))
            assert len(records) > before
            if said:
                acknowledged = int(said[-1]) + 1
                assert acknowledged <= len(records) <= acknowledged + 1
            for record in records:
                assert record.completion.text == f"answer {record.slot}"
                assert again.blob(record.response_sha256) == b"a%d" % record.slot * 50
    with Store.open(store.path, write=True) as again:
        again.seal()
    assert check_integrity(store.path).problems == ()
