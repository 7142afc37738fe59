"""A library keeps what it is given, finds it again, and refuses what does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from provenance.errors import (
    EvidenceError,
    ReferenceStale,
    SettingsError,
    TamperedEvidence,
    UsageError,
)
from provenance.library.parts import PARTS
from provenance.library.population import Library, Output, Recorded, is_library, table
from provenance.library.population.freshness import require_fresh
from provenance.library.relations import Relation, Relations
from provenance.library.space.formats import CLASSES

HOSTILE = [
    "",
    "nul \x00 and escape \x1b[31m and override \u202e",
    "\ud800 a lone surrogate",
    "emoji \U0001f600, newline\r\n\ttab",
    "'); DROP TABLE rows; --",
    "x" * 200_000,
]


def test_texts_come_back_as_they_were(library):
    outputs = [Output(f"p{i}", text, sample=i) for i, text in enumerate(HOSTILE)]
    bundle = library.add("m", Recorded(outputs, session="s", date_utc="2026-11-01T10:00:00Z"))
    back = [o.output for o in library.outputs(bundle)]
    assert back == [t.replace("\ud800", "\ufffd") for t in HOSTILE]
    assert bundle.outputs == bundle.prompts == len(HOSTILE)
    found = library.statistics(bundle)
    assert (found.empty, found.distinct) == (1, len(HOSTILE))


@pytest.mark.parametrize(
    "name",
    [
        "GPT/4 o",
        "gpt",
        "GPT",
        "con",
        "a\x00b",
        "../../etc/passwd",
        "\ud800",
        "x" * 300,
        "模型",
        "a.",
    ],
)
def test_any_name_is_safe_and_comes_back(library, name, tmp_path, recorded):
    bundle = library.add(name, recorded(), version=name)
    assert [m.model for m in library.models()] == [name.replace("\ud800", "\ufffd")]
    assert list(library.outputs(bundle))
    assert {p.name for p in tmp_path.iterdir()} == {"models"}
    for path in library.path.rglob("*"):
        assert len(path.name) < 80
        assert path.name.isascii()


def test_names_that_differ_in_case_alone_do_not_collide(library, recorded):
    for name in ("Abc", "abc", "ABC"):
        library.add(name, recorded(name))
    folders = [p.name.lower() for p in library.path.glob("bundles/*/model=*")]
    assert len(set(folders)) == 3


def test_partitions_are_hive_style_and_columns_as_documented(library, recorded):
    bundle = library.add("m", recorded(host="h"), version="v1")
    file = next(library.path.glob(f"bundles/battery={bundle.battery[:16]}/model=m/version=v1/*"))
    table = pq.read_table(file, partitioning=None)
    assert {"session", "host", "date_utc", "battery", "prompt_id", "cell", "sample", "output"} <= {
        *table.schema.names
    }
    assert table.column("battery").to_pylist()[0] == ""  # no battery: prompts stand for it
    assert table.column("host").to_pylist()[0] == "h"


def test_the_same_session_is_added_once(library, recorded):
    first, second = library.add("m", recorded()), library.add("m", recorded())
    assert first == second
    assert len(library.bundles()) == 1
    library.add("m", recorded(session="s2"))
    assert [len(m.bundles) for m in library.models()] == [2]


def test_what_a_battery_was_is_part_of_a_bundle(library, recorded):
    a = library.add("m", recorded(battery="a" * 64, battery_name="style"))
    b = library.add("m", recorded(session="s2", battery="b" * 64, battery_name="core"))
    assert library.bundles(battery="a" * 64) == [a]
    assert library.matched("b" * 64) == [b]
    with pytest.raises(ReferenceStale, match=r"answer core bbbb.*style aaaa"):
        library.matched("c" * 64)
    for hostile in ("../../x", "a" * 64 + "/..", "a" * 64 + "\n"):
        with pytest.raises(UsageError, match="expected SHA-256"):
            library.add("m", recorded(battery=hostile, battery_name="style"))
    with pytest.raises(UsageError, match="needs its digest"):
        library.add("m", recorded(battery_name="style"))


def test_old_and_undated_bundles_are_stale(library, recorded):
    now = datetime(2026, 11, 20, tzinfo=UTC)
    bundle = library.add("m", recorded(battery="a" * 64, battery_name="style"))
    assert library.matched("a" * 64, max_age_days=19, now=now) == [bundle]
    with pytest.raises(ReferenceStale, match="19 days ago, allowed are 18") as caught:
        library.matched("a" * 64, max_age_days=18, now=now)
    assert caught.value.exit_code == 12
    undated = library.add("n", recorded(date_utc=""))
    with pytest.raises(ReferenceStale, match="date of the recording is not known"):
        require_fresh([undated], max_age_days=1e6, now=now)
    with pytest.raises(UsageError, match="ISO 8601"):
        library.add("n", recorded(date_utc="last Tuesday"))


def test_another_fingerprint_needs_another_version(library, recorded):
    library.add("m", recorded(served=("m-0613",), fingerprints=("fp1", "fp2")))
    library.add("m", recorded(session="s2", fingerprints=("fp2", "fp3")))
    for changed in ({"served": ("m-1106",)}, {"fingerprints": ("fp9",)}):
        with pytest.raises(ReferenceStale, match="under another --version"):
            library.add("m", recorded(session="s3", **changed))
    library.add("m", recorded(session="s3", served=("m-1106",)), version="1106")
    assert [m.name for m in library.models()] == ["m", "m@1106"]


def test_a_changed_text_is_noticed(library, recorded):
    bundle = library.add("m", recorded("before"))
    other = Library.create(library.path.parent / "other")
    twin = other.add("m", recorded("behind"))
    file = next(library.path.glob("bundles/*/*/*/*.parquet"))
    file.write_bytes(next(other.path.glob("bundles/*/*/*/*.parquet")).read_bytes())
    with pytest.raises(TamperedEvidence, match="is not what was stored"):
        list(library.outputs(bundle))
    assert twin.id != bundle.id
    file.write_bytes(b"PAR1 but no Parquet")
    with pytest.raises(EvidenceError, match="cannot read"):
        list(library.outputs(bundle))
    file.unlink()
    with pytest.raises(EvidenceError, match="holds no texts"):
        list(library.outputs(bundle))


def test_models_are_chosen_by_name_and_version(library, recorded):
    for version in ("", "1", "2"):
        library.add("m", recorded(version), version=version)
    library.add("n", recorded("other"))
    assert [m.name for m in library.models(["m@2"])] == ["m@2"]
    assert [m.name for m in library.models(["m"])] == ["m", "m@1", "m@2"]
    with pytest.raises(UsageError, match=r"has no model 'mm'; it has m"):
        library.models(["mm"])
    with pytest.raises(UsageError, match="needs a name"):
        library.add(" ", recorded())
    with pytest.raises(UsageError, match="no output"):
        library.add("m", recorded(prompts=0))
    assert not list(library.path.rglob("*.part"))


def test_labels_are_kept_the_latest_wins(library, recorded):
    library.add("m", recorded(), label=Relation(family="f", unit="u"))
    assert library.models()[0].label.family == "f"
    assert library.label(Relations(models={"m": Relation(family="g", unit="u")})) == 1
    assert library.label(Relations(models={"m": Relation(family="g", unit="u")})) == 0
    assert library.relations().family_of("m") == "g"
    library.label({"m@2": Relation(released="2026-01-02")})
    assert library.relations().of("m", "2").family == "g"
    with pytest.raises(SettingsError, match="one unit"):
        library.add("n", recorded("n"), label=Relation(parent="m", unit="other"))
    assert [m.model for m in library.models()] == ["m"]


def test_what_is_no_library_says_so(tmp_path):
    with pytest.raises(UsageError, match="no library at"):
        Library.open(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EvidenceError, match="holds something else"):
        Library.create(tmp_path)
    made = Library.create(tmp_path / "new", name="ours")
    assert is_library(made.path)
    assert Library.open(made.path).manifest.name == "ours"
    assert (made.models(), made.bundles(), made.spaces()) == ([], [], [])
    with pytest.raises(EvidenceError, match="already"):
        Library.create(made.path)
    manifest = made.path / "library.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 2}))
    with pytest.raises(UsageError, match="later version"):
        Library.open(made.path)


def test_a_folder_with_pattern_characters_is_read(tmp_path, recorded):
    library = Library.create(tmp_path / "a[1]*{x}")
    bundle = library.add("m", recorded())
    assert library.models()[0].bundles == (bundle.id,)
    assert library.statistics(bundle).empty == 0


def test_many_additions_are_merged_and_nothing_is_lost(library, recorded):
    for i in range(40):
        library.add(f"m{i:02}", recorded(str(i), prompts=1), label=Relation(family=str(i)))
    assert len(library.models()) == 40
    assert len(list((library.path / "catalogue").glob("*.parquet"))) <= 33
    assert [m.label.family for m in library.models()] == [str(i) for i in range(40)]


ADDING = """
import sys
from pathlib import Path
from provenance.library.population import Library, Output, Recorded
library = Library.open(Path(sys.argv[1]))
for i in range(3):
    library.add(f"m{sys.argv[2]}-{i}", Recorded([Output("p", "a text")], session="s"))
"""


def test_two_writers_wait_for_each_other(library):
    writers = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(library.path), str(n)])
        for n in range(2)
    ]
    assert [w.wait(60) for w in writers] == [0, 0]
    assert len(library.models()) == 6


def test_profiles_hold_the_moments_of_each_part(library, space, recorded, summarise):
    bundle = library.add("m", recorded())
    assert library.profile(space, summarise=summarise) == 1
    assert library.profile(space, summarise=summarise) == 0
    found = library.profiles(parts=True, check=True)
    texts = [o.output for o in library.outputs(bundle)]
    whole = summarise(space, texts)
    assert found.n.tolist() == [len(texts)]
    assert found.mean[0] == pytest.approx(whole.mean)
    assert found.variance[0] == pytest.approx(whole.variance)
    assert found.part_n.sum() == len(texts)
    held, enrolled = found.halves(0)
    assert held.n + enrolled.n == len(texts)
    assert found.pooled([0, 0]).n == 2 * len(texts)
    assert library.spaces() == [space.digest]
    assert library.models()[0].spaces == (space.digest,)
    assert library.prompt_digests() == {o.prompt_digest for o in library.outputs(bundle)}


def test_profiles_follow_the_space_that_is_asked_for(
    library, space, recorded, summarise, another_space
):
    library.add("m", recorded())
    with pytest.raises(UsageError, match="no space yet"):
        library.profiles()
    library.profile(space, summarise=summarise)
    other = another_space
    library.profile(other, summarise=summarise)
    with pytest.raises(UsageError, match="several spaces"):
        library.profiles()
    assert library.profiles(other.digest[:10]).space == other.digest
    with pytest.raises(UsageError, match="only profiles in it are"):
        library.space(space.digest)
    library.add("n", recorded("n"))
    with pytest.raises(UsageError, match="no profile of these models"):
        library.profiles(space.digest, models=["n"])


def test_answers_without_a_word_have_no_profile(library, space, recorded, summarise):
    library.add("m", Recorded([Output("p", " \n"), Output("q", "")], session="s"))
    library.add("n", recorded("n"))
    assert library.profile(space, summarise=summarise) == 1
    assert [b.model for b in library.profiles().bundles] == ["n"]


def test_a_changed_profile_is_noticed(library, space, recorded, summarise):
    library.add("m", recorded())
    library.profile(space, summarise=summarise)
    file = next((library.path / "profiles").rglob("*.parquet"))
    table = pq.read_table(file, partitioning=None)
    mean = table.column("mean").to_pylist()
    changed = table.set_column(5, table.schema.field("mean"), [[[v + 1 for v in m] for m in mean]])
    pq.write_table(changed, file)
    library.profiles()  # not asked to check
    with pytest.raises(TamperedEvidence, match="profile of m"):
        library.profiles(check=True)


def test_a_catalogue_of_an_older_version_lacks_columns(library, recorded, monkeypatch):
    library.add("a", recorded())
    old = next((library.path / "catalogue").glob("*.parquet"))
    pq.write_table(pq.read_table(old).drop_columns(["genre"]), old)
    assert [b.genre for b in library.bundles()] == [""]
    monkeypatch.setattr(table, "_MOST", 1)  # the next part is merged with the old one
    library.add("b", recorded("other words", genre="odes"))
    assert [(b.model, b.genre) for b in library.bundles()] == [("a", ""), ("b", "odes")]
    assert len(list((library.path / "catalogue").glob("*.parquet"))) == 1


def test_the_genre_is_part_of_what_a_bundle_is(library, recorded):
    plain, stated = (library.add("a", recorded(**s)) for s in ({}, {"genre": "odes"}))
    assert plain.id != stated.id
    assert stated.genre == "odes"


def test_profiles_keep_how_outputs_are_laid_out(library, recorded, space, summarise):
    library.add("a", recorded("Loud words"))
    library.profile(space, summarise=summarise)
    found = library.profiles(parts=True, check=True)
    formats = found.formats[0]
    assert formats is not None
    assert formats.shape == (PARTS, len(CLASSES) + 1)
    assert formats[:, 0].sum() == found.n[0]  # each output has a capital letter
    assert formats[:, -1].sum() == sum(
        len(o.output) for b in library.bundles() for o in library.outputs(b)
    )
