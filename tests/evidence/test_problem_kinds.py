"""Which problem is named, not only that there is one."""

import json

import pytest

from provenance.errors import TamperedEvidence
from provenance.evidence.blobs import blob_path
from provenance.evidence.chain import chain_start, write_line
from provenance.evidence.files import digests
from provenance.evidence.integrity import check_integrity
from provenance.evidence.seal import merkle_root, read_seal
from provenance.evidence.store import Store


def lines(path):
    return (path / "transcript.jsonl").read_bytes().splitlines(keepends=True)


def rewrite(path, new):
    (path / "transcript.jsonl").write_bytes(b"".join(new))


def kinds(path):
    return {problem.kind for problem in check_integrity(path).details}


@pytest.mark.parametrize("number", [0, 5, 9])
def test_any_single_changed_byte_names_its_record(sealed, number):
    original = lines(sealed)
    for place in range(0, len(original[number]) - 1, 11):
        line = bytearray(original[number])
        line[place] ^= 1
        rewrite(sealed, [*original[:number], bytes(line), *original[number + 1 :]])
        found = check_integrity(sealed)
        assert found.first_record == number, (place, found.problems)
        assert found.first.kind == "record_edited", (place, found.problems)
        with pytest.raises(TamperedEvidence) as caught, Store.open(sealed) as store:
            list(store.records())
        assert caught.value.record == number


def test_a_space_that_changes_no_value_is_an_edit(sealed):
    new = lines(sealed)
    new[4] = new[4].replace(b'"slot":4', b'"slot": 4')
    rewrite(sealed, new)
    first = check_integrity(sealed).first
    assert (first.kind, first.record, first.slot) == ("record_edited", 4, 4)


@pytest.mark.parametrize("number", [0, 4, 9])
def test_a_removed_record(sealed, number):
    new = lines(sealed)
    del new[number]
    rewrite(sealed, new)
    found = check_integrity(sealed)
    assert (found.first.kind, found.first_record) == ("record_removed", number)
    assert f"record {number} was removed" in found.problems


def test_moved_records(sealed):
    new = lines(sealed)
    new.insert(2, new.pop(7))
    rewrite(sealed, new)
    first = check_integrity(sealed).first
    assert (first.kind, first.record, first.slot) == ("record_moved", 2, 7)
    assert kinds(sealed) == {"record_moved"}


def test_an_inserted_record_with_a_true_hash_of_its_own(sealed):
    new = lines(sealed)
    record = json.loads(new[4])["record"] | {"slot": 77}
    new.insert(5, write_line(json.loads(new[4])["hash"], record)[0])
    rewrite(sealed, new)
    first = check_integrity(sealed).first
    assert (first.record, first.kind) == (5, "record_inserted")
    assert "record 5 (slot 77) was inserted here" in check_integrity(sealed).problems


def test_a_copy_of_a_record(sealed):
    new = lines(sealed)
    new.insert(5, new[4])
    rewrite(sealed, new)
    found = check_integrity(sealed)
    assert found.first_record in (4, 5)
    assert "10 were sealed, 11 are here" in " ".join(found.problems)


def test_a_chain_computed_anew_says_from_where(sealed):
    records = [json.loads(line)["record"] for line in lines(sealed)]
    records[6]["final"] = False
    previous, new = chain_start(digests(sealed)), []
    for record in records:
        line, previous = write_line(previous, record)
        new.append(line)
    rewrite(sealed, new)
    found = check_integrity(sealed)
    assert (found.first.kind, found.first.record, found.first.slot) == ("record_replaced", 6, 6)
    assert found.problems[0].endswith("nor are the 3 after it")


@pytest.mark.parametrize("how", ["removed", "moved", "copied"])
def test_a_broken_chain_is_neither_read_nor_written_on(sealed, how):
    (sealed / "seal.json").unlink()
    new = lines(sealed)
    if how == "removed":
        del new[4]
    elif how == "moved":
        new[4], new[5] = new[5], new[4]
    else:
        new.insert(4, new[3])
    rewrite(sealed, new)
    with pytest.raises(TamperedEvidence, match="does not follow") as caught:
        list(Store.open(sealed).records())
    assert caught.value.record == 4
    with pytest.raises(TamperedEvidence, match="does not follow"):
        Store.open(sealed, write=True)


def test_all_problems_are_collected(sealed):
    new = lines(sealed)
    new[8] = new[8].replace(b"answer 8 ", b"Answer 8 ")
    new[2] = new[2].replace(b"answer 2 ", b"Answer 2 ")
    rewrite(sealed, new)
    blob_path(sealed, json.loads(new[5])["record"]["request_sha256"]).unlink()
    (sealed / "battery.json").write_text("{}")
    (sealed / "study.json").unlink()
    found = check_integrity(sealed)
    assert [(p.kind, p.record, p.file) for p in found.details] == [
        ("record_edited", 2, None),
        ("record_edited", 8, None),
        ("file_edited", None, "battery.json"),
        ("file_missing", None, "study.json"),
        ("bytes_missing", 5, None),
    ]
    assert found.first_record == 2


def test_bytes_edited_and_missing_are_told_apart(sealed):
    record = json.loads(lines(sealed)[3])["record"]
    blob_path(sealed, record["response_sha256"]).write_bytes(b"else")
    assert check_integrity(sealed).first.kind == "bytes_edited"
    blob_path(sealed, record["response_sha256"]).unlink()
    first = check_integrity(sealed).first
    assert (first.kind, first.record, first.slot) == ("bytes_missing", 3, 3)


def test_a_lost_line_end_is_noticed(sealed):
    path = sealed / "transcript.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert "has lost its line end" in check_integrity(sealed).problems[0]


@pytest.mark.parametrize("where", [0, 10])
def test_a_blank_line_is_noticed(sealed, where):
    new = lines(sealed)
    new.insert(where, b"\n")
    rewrite(sealed, new)
    assert check_integrity(sealed).first_record == where


def test_without_a_seal_the_chain_alone_tells_of_a_removal(sealed):
    (sealed / "seal.json").unlink()
    new = lines(sealed)
    del new[4]
    rewrite(sealed, new)
    found = check_integrity(sealed)
    assert [p.kind for p in found.details] == ["seal_missing", "chain_broken"]
    assert found.first_record == 4


def test_a_seal_made_anew_over_a_chain_with_a_gap_does_not_hide_it(sealed):
    seal = json.loads((sealed / "seal.json").read_bytes())
    new = lines(sealed)
    del new[4], seal["hashes"][4]
    seal |= {"records": 9, "root": merkle_root(seal["hashes"])}
    rewrite(sealed, new)
    (sealed / "seal.json").write_text(json.dumps(seal))
    found = check_integrity(sealed)
    assert (found.first.kind, found.first_record) == ("chain_broken", 4)


@pytest.mark.parametrize(
    "change",
    [{"head": "0" * 64}, {"records": 11}, {"root": "0" * 64}, {"signature": "x"}, {"more": 1}],
)
def test_an_edited_seal(sealed, change):
    seal = json.loads((sealed / "seal.json").read_bytes()) | change
    (sealed / "seal.json").write_text(json.dumps(seal))
    assert kinds(sealed) == {"seal_edited"}
    with pytest.raises(TamperedEvidence, match=r"seal\.json was edited"):
        read_seal(sealed)


def test_what_the_seal_says(sealed):
    seal = read_seal(sealed)
    stated = [json.loads(line)["hash"] for line in lines(sealed)]
    assert list(seal.hashes) == stated
    assert (seal.head, seal.records, seal.signature) == (stated[-1], 10, None)
    with Store.open(sealed) as store:
        assert seal.files["plan.json"] == store.plan_digest
        assert seal.root == store.root
        assert store.sealed
        assert store.finished


def test_ten_thousand_records_computed_anew_are_aligned_in_time(tmp_path, append):
    """Aligning is quadratic where little is equal; here nothing after the first record is."""
    path = tmp_path / "s"
    path.mkdir()
    for name in ("plan.json", "battery.json"):
        (path / name).write_text("{}")

    def chain(change):
        previous, hashes, out = chain_start(digests(path)), [], []
        for n in range(10_000):
            line, previous = write_line(previous, {"slot": n, "x": change if n == 1 else 0})
            hashes.append(previous)
            out.append(line)
        return hashes, out

    hashes, new = chain(0)
    rewrite(path, new)
    with Store.open(path) as store:
        store.seal()
    assert read_seal(path).head == hashes[-1]
    rewrite(path, chain(1)[1])
    replaced = [p for p in check_integrity(path).details if p.kind == "record_replaced"]
    assert replaced[0].record == 1
