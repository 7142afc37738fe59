import hashlib
import json
import shutil
import subprocess

import pytest

from provenance.canonical import canonical_json
from provenance.errors import TamperedEvidence
from provenance.evidence.chain import chain_start, parse_line, read_line, write_line

START = chain_start({"plan.json": "0" * 64, "battery.json": "1" * 64})
RECORD = {
    "slot": 3,
    "text": 'tab\t, quote", \x7f, ünï, \U0001f600',
    "n": 1e-7,
    "z": 1e17,
    "a": None,
}


@pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "sed", "cut", "sha256sum"))), reason="needs a Unix shell"
)
def test_the_recipe_in_the_docstring_gives_the_hash(tmp_path, sealed):
    hostile = tmp_path / "hostile.jsonl"
    line, stated = write_line(START, RECORD)
    hostile.write_bytes(line)
    recipe = "sed -n {}p '{}' | (printf '{{'; cut -b 76-) | tr -d '\\n' | sha256sum"
    transcript = sealed / "transcript.jsonl"
    for number, path in [(1, hostile), (1, transcript), (10, transcript)]:
        command = recipe.format(number, path)
        said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        content = path.read_bytes().splitlines()[number - 1]
        assert said.stdout.split()[0] == json.loads(content)["hash"]
    assert json.loads(line)["hash"] == stated


def test_a_line_is_canonical_json_of_all_three():
    line, hashed = write_line(START, RECORD)
    assert line == canonical_json({"hash": hashed, "prev": START, "record": RECORD}) + b"\n"
    inner = canonical_json({"prev": START, "record": RECORD})
    assert hashed == hashlib.sha256(inner).hexdigest()


def test_what_was_written_is_read():
    line, hashed = write_line(START, RECORD)
    link = read_line(line, START, 0)
    assert (link.hash, link.prev, link.intact) == (hashed, START, True)
    assert link.record() == RECORD


@pytest.mark.parametrize(
    "record",
    [
        b'{"slot":NaN}',
        b'{"slot":Infinity}',
        b'{"slot":' + b"9" * 5000 + b"}",
        b'{"slot":"\\ud800"}',
        b'{"slot":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"slot":1e999}',
        b"{not json}",
        b'{"slot":"\xff"}',
    ],
)
def test_hostile_lines_are_named_and_do_not_crash(record):
    content = b'"prev":"' + START.encode() + b'","record":' + record + b"}"
    stated = hashlib.sha256(b"{" + content).hexdigest().encode()
    forged = b'{"hash":"' + stated + b'",' + content + b"\n"
    assert parse_line(forged, 7).name.startswith("record 7")
    edited = forged.replace(b'"slot"', b'"slat"')
    if edited != forged:
        with pytest.raises(TamperedEvidence, match=r"record 7 (\(.*\) )?was edited"):
            read_line(edited, START, 7)


@pytest.mark.parametrize(
    "line", [b"", b"\n", b"{}\n", b'{"hash":"x"}\n', b"\x00" * 200 + b"\n", b"null\n"]
)
def test_what_is_no_line_is_named(line):
    with pytest.raises(TamperedEvidence, match="record 2 is not a line that this tool writes"):
        read_line(line, START, 2)


def test_the_chain_starts_from_the_foundation_and_from_nothing_else():
    files = {"plan.json": "a", "battery.json": "b", "copies/panel.json": "c"}
    start = chain_start(files)
    assert start == hashlib.sha256(canonical_json(files)).hexdigest()
    assert chain_start(files | {"study.json": "d", "events.jsonl": "e"}) == start
    for name in files:
        assert chain_start(files | {name: "x"}) != start
