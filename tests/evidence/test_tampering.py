import json

import pytest

from provenance.errors import EvidenceError, TamperedEvidence
from provenance.evidence.chain import chain_start, write_line
from provenance.evidence.files import digests
from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store, blob_path


def lines(path):
    return (path / "transcript.jsonl").read_bytes().splitlines(keepends=True)


def rewrite(path, new):
    (path / "transcript.jsonl").write_bytes(b"".join(new))


def rechained(path, records):
    """The lines that an attacker would write who knows the recipe."""
    previous, out = chain_start(digests(path)), []
    for record in records:
        line, previous = write_line(previous, record)
        out.append(line)
    return out


def test_an_untouched_store_holds(sealed):
    found = check_integrity(sealed)
    assert found.problems == ()
    assert found.first_record is None
    assert found.records == 10


@pytest.mark.parametrize("number", [0, 4, 9])
def test_an_edited_answer_is_named(sealed, number):
    new = lines(sealed)
    new[number] = new[number].replace(b"answer %d " % number, b"Answer %d " % number)
    rewrite(sealed, new)
    found = check_integrity(sealed)
    assert found.first_record == number
    assert f"record {number}" in found.problems[0]
    with pytest.raises(TamperedEvidence) as caught, Store.open(sealed) as store:
        list(store.records())
    assert caught.value.record == number


@pytest.mark.parametrize("number", [0, 5, 8])
def test_a_removed_record_is_noticed_where_it_was(sealed, number):
    new = lines(sealed)
    del new[number]
    rewrite(sealed, new)
    assert check_integrity(sealed).first_record == number


def test_swapped_records_are_named(sealed):
    new = lines(sealed)
    new[3], new[4] = new[4], new[3]
    rewrite(sealed, new)
    assert check_integrity(sealed).first_record == 3


def test_a_chain_that_was_rewritten_with_its_hashes_is_still_named(sealed):
    records = [json.loads(line)["record"] for line in lines(sealed)]
    records[6]["completion"]["text"] = "something else"
    rewrite(sealed, rechained(sealed, records))
    with Store.open(sealed) as store:
        assert len(list(store.records())) == 10, "the chain by itself holds"
    assert check_integrity(sealed).first_record == 6


def test_an_inserted_record_is_named(sealed):
    records = [json.loads(line)["record"] for line in lines(sealed)]
    records.insert(5, records[4] | {"slot": 99})
    rewrite(sealed, rechained(sealed, records))
    assert check_integrity(sealed).first_record == 5


def test_a_cut_off_tail_is_noticed(sealed):
    rewrite(sealed, lines(sealed)[:-2])
    found = check_integrity(sealed)
    assert found.first_record == 8
    assert "10 were sealed, 8 are here" in " ".join(found.problems)


def test_appended_records_are_noticed(sealed, append):
    seal = (sealed / "seal.json").read_bytes()
    (sealed / "seal.json").unlink()
    with Store.open(sealed, write=True) as store:
        append(store, [10])
    (sealed / "seal.json").write_bytes(seal)
    assert check_integrity(sealed).first_record == 10


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_changed_or_missing_bytes_name_their_record(sealed, damage):
    digest = json.loads(lines(sealed)[7])["record"]["response_sha256"]
    path = blob_path(sealed, digest)
    path.unlink() if damage is None else path.write_bytes(damage)
    found = check_integrity(sealed)
    assert found.first_record == 7
    with pytest.raises(TamperedEvidence), Store.open(sealed) as store:
        store.blob(digest)


@pytest.mark.parametrize(
    "name", ["plan.json", "battery.json", "study.json", "events.jsonl", "copies/panel.json"]
)
@pytest.mark.parametrize("how", ["edited", "missing"])
def test_every_other_file_is_covered(sealed, name, how):
    if how == "missing":
        (sealed / name).unlink()
    else:
        (sealed / name).write_bytes((sealed / name).read_bytes().replace(b"{", b"{ ", 1))
    assert check_integrity(sealed).problems == (f"{name} is missing",) or check_integrity(
        sealed
    ).problems == (f"{name} was edited",)


def test_an_added_copy_is_noticed(sealed):
    (sealed / "copies" / "more.json").write_text("{}")
    assert check_integrity(sealed).problems == ("copies/more.json was added after the seal",)


def test_an_edited_or_missing_seal(sealed):
    seal = json.loads((sealed / "seal.json").read_bytes())
    seal["hashes"][2] = "0" * 64
    (sealed / "seal.json").write_text(json.dumps(seal))
    assert "its root is not that of the hashes" in check_integrity(sealed).problems[0]
    (sealed / "seal.json").write_text("{}")
    assert "seal.json was edited" in check_integrity(sealed).problems[0]
    (sealed / "seal.json").unlink()
    assert "seal.json is missing" in check_integrity(sealed).problems[0]


@pytest.mark.parametrize("name", ["../../etc/passwd", "A" * 64, "", "0" * 63])
def test_only_digests_become_paths(sealed, name):
    with pytest.raises(TamperedEvidence, match="not a SHA-256"):
        blob_path(sealed, name)


@pytest.mark.parametrize("name", ["plan.json", "battery.json", "copies/panel.json"])
def test_an_unfinished_study_is_not_resumed_under_another_plan(sealed, name):
    for later in ("seal.json", "study.json"):
        (sealed / later).unlink()
    with Store.open(sealed, write=True) as store:
        assert len(list(store.records())) == 10
    (sealed / name).write_bytes(b'{"edited":true}')
    with pytest.raises(TamperedEvidence, match=r"record 0 .*does not follow the plan, the battery"):
        Store.open(sealed, write=True)
    kinds = [(p.kind, p.record) for p in check_integrity(sealed).details]
    assert kinds == [("seal_missing", None), ("chain_broken", 0)]


def test_a_sealed_study_takes_no_further_record(sealed, append):
    with Store.open(sealed, write=True) as store:
        with pytest.raises(EvidenceError, match="is sealed"):
            append(store, [10])
        assert len(list(store.records())) == 10
