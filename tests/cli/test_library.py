"""Panels of one's own: recorded, added, looked for. Libraries of models: added, listed, shared."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from provenance import resources
from provenance.attribution import populations
from provenance.attribution.telling import TELLINGS
from provenance.library.panel import Panel
from provenance.library.population import Library
from provenance.library.space import Sizes


@pytest.fixture
def recorded(run, endpoint, tmp_path, monkeypatch):
    """``recorded("other")`` is the store of a recording of that simulated model."""
    monkeypatch.chdir(tmp_path)

    def make(name):
        done = run("sample", endpoint(name), "--store", name, "--seed", 7, "--draws", 30)
        assert done.exit_code == 0, done.output
        return name

    return make


def test_list(run):
    shown = run("library", "list")
    assert shown.exit_code == 0
    for name in Panel.shipped():
        assert name in shown.stdout
        members = [m.name for m in Panel.load(name).members]
        assert json.loads(run("library", "list", "--json").stdout)[name] == members
        assert members[0] in run("library", "list", name).stdout
    assert run("library", "list", "frobnicate").exit_code == 2


def test_a_model_that_was_added_is_looked_for(run, endpoint, recorded):
    first = run("library", "add", recorded("other"), "--panel", "mine.json")
    assert first.exit_code == 0, first.output
    second = run("library", "add", recorded("same"), "--panel", "mine.json", "--name", "bee")
    assert "2 members" in second.stdout
    panel = Panel.load("mine.json")
    assert [m.name for m in panel.members][1] == "bee"
    assert sum(sum(c.values()) for c in panel.members[0].cells.values()) == 30 * len(
        panel.members[0].cells
    )
    done = run(
        "compare", endpoint("a"), endpoint("a"), "--panel", "mine.json", "--draws", 30,
        "--seed", 2, "--store", "s", "--format", "md", "--json",
    )  # fmt: skip
    study = json.loads(done.stdout)
    assert {s["name"] for s in study["substitutes"]} == {m.name for m in panel.members}
    assert any(f["name"] == "panel" for f in study["findings"])


def test_what_cannot_be_added_says_why(run, endpoint, recorded, tmp_path):
    store = recorded("other")
    assert run("library", "add", store, "--panel", "mine.json").exit_code == 0
    again = run("library", "add", store, "--panel", "mine.json")
    assert (again.exit_code, "give another --name" in again.stderr) == (2, True)
    assert run("library", "add", store, "--panel", "mine.txt").exit_code == 2
    assert run("library", "add", store, "--panel", "x.json", "--side", "both").exit_code == 2
    assert run("library", "add", "nowhere", "--panel", "x.json").exit_code == 1
    none = run("library", "add", store, "--panel", "x.json", "--side", "suspect")
    assert "no answer of a suspect" in none.stderr
    other = Panel.load("mine.json").model_copy(update={"battery_digest": "f" * 64})
    (tmp_path / "old.json").write_text(other.model_dump_json())
    stale = run("library", "add", store, "--panel", "old.json", "--name", "new")
    assert stale.exit_code == 12
    assert "was measured on the battery" in stale.stderr
    transcript = tmp_path / store / "transcript.jsonl"
    transcript.write_bytes(transcript.read_bytes().replace(b'"draw":3', b'"draw":4', 1))
    changed = run("library", "add", store, "--panel", "y.json")
    assert (changed.exit_code, "was changed" in changed.stderr) == (1, True)


def test_a_name_may_come_first_and_a_place_must_be_told(run, recorded):
    store = recorded("other")
    done = run("library", "add", "sea", store, "--panel", "mine.json")
    assert done.exit_code == 0, done.output
    assert [m.name for m in Panel.load("mine.json").members] == ["sea"]
    for wrong in (
        ["sea", store],
        ["sea", store, "--panel", "mine.json", "--library", "models"],
        ["sea", store, "more", "--panel", "mine.json"],
        ["sea", store, "--library", "models", "--note", "for panels"],
        ["sea", "--library", "models"],
    ):
        assert run("library", "add", *wrong).exit_code == 2, wrong


RELATIONS = """
[models.x]
family = "ex"
unit = "X Labs"
maker = "X Labs"
[models.y]
family = "why"
unit = "Y"
parent = "x"
[models.z]
family = "zed"
"""


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """``corpus()`` is a file of three models, with what is known of them beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models.toml").write_text(RELATIONS.replace('unit = "Y"', 'unit = "X Labs"'))
    (tmp_path / "wrong.toml").write_text(RELATIONS)
    rows = [
        {"model": m, "prompt_id": str(p), "sample": 0, "output": f"{m} says \x1b[31m{p}"}
        for m in "xyz"
        for p in range(12)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "corpus.parquet")
    prompts = [{"prompt_id": str(p), "prompt": f"Say {p}."} for p in range(12)]
    pq.write_table(pa.Table.from_pylist(prompts), tmp_path / "prompts.parquet")
    return "corpus.parquet"


def test_all_models_of_a_file_with_what_is_known_of_them(run, corpus):
    done = run(
        "library", "add", "*", f"replay:{corpus}", "--library", "models", "--relations",
        "models.toml", "--date", "2026-10-01", "--prompts", "prompts.parquet", "--licence", "CC0",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "added 3 models, 3 sessions, 36 outputs" in done.stdout
    again = run(
        "library", "add", corpus, "--all-models", "--library", "models", "--json", "--date",
        "2026-10-01", "--prompts", "prompts.parquet", "--licence", "CC0",
    )  # fmt: skip
    assert len(json.loads(again.stdout)["already_there"]) == 3
    listed = run("library", "list", "models")
    assert listed.stdout == run("library", "list", "--library", "models").stdout
    assert [line.split()[0] for line in listed.stdout.splitlines()[2:]] == ["x", "y", "z"]
    found = json.loads(run("library", "list", "models", "--json").stdout)
    assert [m["label"]["family"] for m in found["models"]] == ["ex", "why", "zed"]
    batteries = [tuple(m["batteries"]) for m in found["models"]]
    assert len(set(batteries)) == 1


def test_show_says_what_a_model_is_and_how_it_was_recorded(run, corpus):
    run("library", "add", "*", corpus, "--library", "models", "--relations", "models.toml")
    shown = run("library", "show", "y", "--library", "models")
    assert shown.exit_code == 0, shown.output
    for part in ("why (likely)", "parent", "12 to 12 prompts", "date unknown", "characters"):
        assert part in shown.stdout, part
    (found,) = json.loads(run("library", "show", "y", "--library", "models", "--json").stdout)
    assert found["sessions"][0]["statistics"]["distinct"] == 12
    missing = run("library", "show", "w", "--library", "models")
    assert (missing.exit_code, "has no model 'w'; it has x, y, z" in missing.stderr) == (2, True)


def test_one_model_by_name_with_labels(run, corpus):
    done = run("library", "add", "mine", f"replay:{corpus},model=x", "--library", "models",
               "--version", "2", "--family", "f", "--maker", "us", "--host", "h", "--date",
               "2026-10-01T12:00:00Z", "--session", "first")  # fmt: skip
    assert done.exit_code == 0, done.output
    library = Library.open(Path("models"))
    (model,) = library.models()
    assert (model.name, model.label.family, model.hosts) == ("mine@2", "f", ("h",))
    assert library.bundles()[0].session == "first"
    for wrong, says in (
        (["mine", corpus], "holds several models (x, y, z)"),
        (["*", corpus, "--family", "f"], "--family belongs to one model"),
        (["*", corpus, "--relations", "wrong.toml"], "one unit"),
        (["n", "compatible:m@https://api.example.com/v1"], "is not recorded yet"),
        (["n", "nowhere.parquet"], "no recording at"),
        (["n", f"replay:{corpus},model=x", "--date", "soon"], "ISO 8601"),
    ):
        refused = run("library", "add", *wrong, "--library", "models")
        assert (refused.exit_code, says in refused.stderr) == (2, True), (wrong, refused.output)


def test_a_store_is_a_session_with_its_battery_host_and_date(run, recorded):
    done = run("library", "add", "sea", recorded("other"), "--library", "models", "--json")
    assert done.exit_code == 0, done.output
    (added,) = json.loads(done.stdout)["added"]
    assert added["battery_name"] == "small"
    assert added["host"] == "simulated"
    assert added["outputs"] == 4 * 30
    assert added["date_utc"].startswith("20")
    shown = run("library", "show", "sea", "--library", "models").stdout
    assert added["battery"] in shown


def test_what_a_changed_store_holds_is_not_added(run, recorded, tmp_path):
    store = recorded("other")
    transcript = tmp_path / store / "transcript.jsonl"
    transcript.write_bytes(transcript.read_bytes().replace(b'"draw":3', b'"draw":4', 1))
    changed = run("library", "add", "sea", store, "--library", "models")
    assert (changed.exit_code, "was changed" in changed.stderr) == (1, True)


def test_nothing_to_export_and_no_library(run, corpus):
    assert run("library", "list", "--library", "nowhere").exit_code == 2
    run("library", "add", "*", corpus, "--library", "models")
    none = run("library", "export", "--library", "models", "--out", "x.parquet")
    assert (none.exit_code, "no space yet" in none.stderr) == (2, True)


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """A folder of recordings of nine models with habits of their own, and their labels."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    words = [f"{a}{b}{c}" for a in "bdkt" for b in "aeo" for c in ("", "l", "ning")]
    rows = []
    for m in range(9):
        shares = rng.dirichlet(np.full(len(words), 0.3))
        end = rng.choice([". ", "! ", "? ", "; ", ": "], 2)
        for p in range(40):
            parts = [" ".join(rng.choice(words, 6, p=shares)) + rng.choice(end) for _ in range(3)]
            rows.append({"model": f"m{m}", "prompt_id": p, "sample": 0, "output": "".join(parts)})
    folder = tmp_path / "recordings"
    folder.mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "all.parquet")
    prompts = [{"prompt_id": p, "prompt": f"Say {p}."} for p in range(40)]
    pq.write_table(pa.Table.from_pylist(prompts), folder / "prompts.parquet")
    labels = "".join(f'[models.m{m}]\nunit = "u{m}"\nfamily = "f"\n' for m in range(9))
    (tmp_path / "labels.toml").write_text(labels)
    return folder


@pytest.fixture
def small_spaces(monkeypatch):
    """The command as it is, on spaces as small as nine models need: to fit them is what costs."""
    sizes = Sizes(columns=400, rank=8, between=6, dimensions=6, sample=300, folds=2)
    whole = populations.calibrate

    def small(*args, tellings, **more):
        # What is done without sizes.
        return whole(*args, sizes=sizes, tellings=tellings or TELLINGS, **more)

    monkeypatch.setattr(populations, "calibrate", small)


def test_calibrate_makes_a_library_that_can_be_shared(run, recordings, small_spaces):
    done = run(
        "library", "calibrate", "--corpus", recordings, "--relations", "labels.toml",
        "--outputs", "8", "--seed", 5, "--licence", "CC0",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    library = Library.open(Path("recordings-library"))
    for part in ("raw view", "canonical view", "9 models of 9 units", "same_weights  8",
                 "shuffled labels", "seed 5"):  # fmt: skip
        assert part in done.stdout, part
    shown = run("library", "show", "--library", library.path, "--plots", "figures")
    assert shown.exit_code == 0, shown.output
    about = [library.space(s).about for s in library.spaces()]
    assert all(set(a["telling_tried"]) == {f"{t:g}" for t in TELLINGS} for a in about)
    for stdout in (done.stdout, shown.stdout):
        assert stdout.count("; telling 0") == 2
        assert all(f"; telling {a['telling']:g} (cost 0: " in stdout for a in about)
        assert "If it is one of 9 models, raw view: first place right in" in stdout
        assert "If it is one of 9 models, canonical view" in stdout
    for part in ("covers genres any", "formats alike", "cannot exceed", "Shuffled labels"):
        assert part in shown.stdout, part
    made = sorted(p.name for p in Path("figures").glob("*.svg"))
    assert made == sorted(
        f"{n}.svg"
        for n in (
            "map", "tree", "recordings-library-same_weights-ece",
            "recordings-library-same_weights-tippett",
            "recordings-library-canonical-same_weights-ece",
            "recordings-library-canonical-same_weights-tippett",
        )
    )  # fmt: skip
    told = json.loads(run("library", "show", "--library", library.path, "--json").stdout)
    assert [c["name"] for c in told["calibrations"]] == [
        "recordings-library-canonical-same_weights", "recordings-library-same_weights",
    ]  # fmt: skip
    assert "prompts.parquet holds no recordings" in done.stderr
    assert (library.path / "calibrations" / "recordings-library-same_weights.json").is_file()
    listed = json.loads(run("library", "list", library.path, "--json").stdout)
    assert all(m["spaces"] == listed["spaces"] for m in listed["models"])
    shared = run("library", "export", "--library", library.path, "--out", "p.parquet", "--json")
    sent = json.loads(shared.stdout)
    assert (sent["profiles"], sent["models"]) == (18, 9)
    taken = run("library", "add", "p.parquet", "--library", "theirs", "--json")
    received = json.loads(taken.stdout)
    assert received["files"][0]["sha256"] == sent["sha256"]
    assert sorted(received["spaces_missing"]) == sorted(sent["spaces"])
    assert len(sent["spaces"]) == 2
    assert Library.open(Path("theirs")).models()[0].label.unit == "u0"
    again = run("library", "calibrate", "--corpus", library.path, "--outputs", "8", "--seed", 5,
                "--name", "again", "--view", "raw", "--telling", 0, "--networks", "none",
                "--json")  # fmt: skip
    found = json.loads(again.stdout)
    assert found["views"]["raw"]["telling"] == 0
    assert found["views"]["raw"]["telling_tried"] == {}
    assert found["views"]["raw"]["closed"] == {}
    assert [c["models"] for c in told["closed"]] == [9, 9]
    assert {t["outputs"] for t in told["closed"][0]["tests"]} >= {1, 3, 10}
    assert found["views"]["raw"]["calibrations"]["same_weights"]["grades"][0]["pairs_same"] > 0
    late = run("library", "add", "new", "replay:recordings/all.parquet,model=m3", "--library",
               library.path, "--session", "later")  # fmt: skip
    assert "3 profiles made" in late.stdout  # one in each space


def test_a_space_of_another_version_does_not_hide_the_rest(run, tmp_path):
    library = tmp_path / "library"
    shutil.copytree(resources.configs() / "libraries" / "default", library)
    file = min((library / "spaces").iterdir())
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(parts["about.json"])
    parts["about.json"] = json.dumps(head | {"signatures": "older"}).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    shown = run("library", "show", "--library", library)
    assert shown.exit_code == 0, shown.output
    assert "was made by other versions of the signatures (older)" in shown.stdout
    assert "raw view  " in shown.stdout
    assert "default-arithmetic-same_weights" in shown.stdout


def test_what_cannot_be_calibrated_says_what_is_missing(run, recordings, corpus):
    for wrong, says in (
        (["--corpus", corpus], "has 20 outputs whose texts are here"),
        (["--corpus", "nowhere"], "no recording at nowhere"),
        (["--corpus", "prompts.parquet"], "holds no recordings"),
        (["--corpus", recordings, "--outputs", "many"], "expected numbers of 2 or more"),
        (["--corpus", recordings, "--telling", 2], "expected a number from 0 to 1"),
        (["--corpus", recordings, "--networks", "9"], "expected 0 to 8, or none"),
        (["--corpus", recordings, "--view", "flat"], "expected both, raw or canonical"),
        (["--corpus", recordings, "--language", "xx"], "expected en or other"),
        (["--corpus", recordings, "--relations", "wrong.toml"], "one unit"),
    ):
        refused = run("library", "calibrate", *wrong, "--library", "made")
        assert (refused.exit_code, says in refused.stderr) == (2, True), (wrong, refused.output)
