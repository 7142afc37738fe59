"""Profiles travel without texts, and are checked on arrival."""

from __future__ import annotations

import hashlib

import pyarrow.parquet as pq
import pytest

from provenance.errors import EvidenceError, TamperedEvidence, UsageError
from provenance.library.population import Library, answers
from provenance.library.population.exchange import export, is_shared, take
from provenance.library.relations import Relation


@pytest.fixture
def full(library, space, recorded, summarise):
    for name in ("m", "n", "o"):
        library.add(
            name, recorded(f"SECRETWORD {name}"), label=Relation(family=name, teachers=("t",))
        )
    library.profile(space, summarise=summarise)
    return library


def test_a_library_made_of_shared_profiles_equals_the_first(full, tmp_path):
    file = tmp_path / "shared.parquet"
    done = export(full, file)
    assert (done.profiles, done.models, done.spaces) == (3, 3, tuple(full.spaces()))
    assert done.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    other = Library.create(tmp_path / "other")
    assert take(other, file).profiles == 3
    assert take(other, file).profiles == 3  # again: nothing doubles
    ours, theirs = full.profiles(parts=True), other.profiles(parts=True, check=True)
    assert (theirs.mean == ours.mean).all()
    assert (theirs.part_variance == ours.part_variance).all()
    assert [m.label for m in other.models()] == [m.label for m in full.models()]
    assert other.prompt_digests() == full.prompt_digests()
    assert not any(b.has_texts for b in other.bundles())
    with pytest.raises(EvidenceError, match="only its profile was imported"):
        list(other.outputs(other.bundles()[0]))


def test_no_text_is_in_the_file(full, tmp_path):
    file = tmp_path / "shared.parquet"
    export(full, file, models=["m"])
    table = pq.read_table(file)
    assert table.num_rows == 1
    assert "output" not in table.schema.names
    assert "SECRETWORD" not in str(table.to_pylist())
    assert b"SECRETWORD" not in file.read_bytes()


def test_labels_of_the_receiver_stay(full, tmp_path):
    export(full, tmp_path / "shared.parquet")
    other = Library.create(tmp_path / "other")
    other.label({"m": Relation(family="mine")})
    take(other, tmp_path / "shared.parquet")
    assert [other.relations().family_of(m) for m in "mn"] == ["mine", "n"]


def test_texts_that_come_later_take_the_place(full, tmp_path, recorded):
    export(full, tmp_path / "shared.parquet")
    other = Library.create(tmp_path / "other")
    take(other, tmp_path / "shared.parquet")
    added = other.add("m", recorded("SECRETWORD m"))
    assert other.bundle(added.id).has_texts
    assert len(other.bundles()) == 3


def test_what_was_changed_on_the_way_is_refused(full, tmp_path):
    file = tmp_path / "shared.parquet"
    export(full, file)
    table = pq.read_table(file)
    n = table.schema.get_field_index("n")
    pq.write_table(table.set_column(n, table.schema.field("n"), [[7, 7, 7]]), file)
    other = Library.create(tmp_path / "other")
    with pytest.raises(TamperedEvidence, match="not what was exported"):
        take(other, file)
    assert other.bundles() == []


def test_what_is_not_shared_profiles_is_told(full, tmp_path):
    file = tmp_path / "shared.parquet"
    assert not is_shared(file)
    with pytest.raises(UsageError, match=r"a \.parquet file"):
        export(full, tmp_path / "shared.csv")
    export(full, file)
    assert is_shared(file)
    with pytest.raises(UsageError, match="there already"):
        export(full, file)
    table = pq.read_table(file)
    pq.write_table(table.replace_schema_metadata({b"provenance.profiles": b"9"}), file)
    with pytest.raises(UsageError, match="format b'9'"):
        take(full, file)
    pq.write_table(
        table.drop_columns(["about"]).replace_schema_metadata({b"provenance.profiles": b"1"}), file
    )
    with pytest.raises(EvidenceError, match="not what this tool writes"):
        take(full, file)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("space", "../../../elsewhere", "no digest of a space"),
        ("about", '{"id": "../x"}', "id"),
        ("about", "{", "not what this tool writes"),
    ],
)
def test_a_hostile_file_names_no_folder(full, tmp_path, column, value, says):
    file = tmp_path / "shared.parquet"
    export(full, file)
    table = pq.read_table(file)
    i = table.schema.get_field_index(column)
    pq.write_table(table.set_column(i, table.schema.field(column), [[value] * 3]), file)
    other = Library.create(tmp_path / "other")
    with pytest.raises(EvidenceError, match=says):
        take(other, file)
    assert other.bundles() == []
    assert {p.name for p in tmp_path.iterdir()} == {"models", "other", "shared.parquet"}


def test_sketches_go_along_if_they_are_asked_for_and_are_checked(full, tmp_path):
    answers.make(full)
    export(full, tmp_path / "without.parquet")
    export(full, tmp_path / "with.parquet", sketched=True)
    first, second = Library.create(tmp_path / "first"), Library.create(tmp_path / "second")
    take(first, tmp_path / "without.parquet")
    assert answers.load(first, first.bundles()) == {}
    take(second, tmp_path / "with.parquet")
    take(second, tmp_path / "with.parquet")  # again: nothing doubles
    ours, theirs = (answers.load(x, x.bundles()) for x in (full, second))
    assert {k: v.digest for k, v in ours.items()} == {k: v.digest for k, v in theirs.items()}
    table = pq.read_table(tmp_path / "with.parquet")
    assert b"SECRETWORD" not in (tmp_path / "with.parquet").read_bytes()
    rows = table.to_pylist()
    rows[0]["answers_sketches"] = bytes(len(rows[0]["answers_sketches"]))
    changed = tmp_path / "changed.parquet"
    pq.write_table(
        table.from_pylist(rows, schema=table.schema).replace_schema_metadata(table.schema.metadata),
        changed,
    )
    with pytest.raises(TamperedEvidence, match="not what was stored"):
        take(Library.create(tmp_path / "third"), changed)
