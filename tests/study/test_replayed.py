"""Panels, bands and anchors that were learnt from the draws of a study are refused.

Unit: a recorded draw. Null of the tests below, where they compare: both sides are one model, in
independent draws. What a refusal protects is shown first: without it the panel test rejects a true
null. What breaks the refusal (entries without digests, answers exported and read back) is said in
`sampling.replayed`; the first is checked here as well.
"""

import json

import pytest

from provenance import compare, sample
from provenance.errors import ReferenceStale
from provenance.evidence.draws import KEPT, draw_digest, sketch
from provenance.evidence.store import Store
from provenance.library import band, measure
from provenance.library.panel import Panel

ANSWERS = ", ".join(f'"{n}" = {1 / 40}' for n in range(40))
MODELS = f'[models.a.cells]\n"*" = {{{ANSWERS}}}\n[models.b]\nbase = "a"\n'
CELLS, DRAWS = 4, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory, number_battery):
    path = tmp_path_factory.mktemp("replayed")
    (path / "m.toml").write_text(MODELS, encoding="utf-8")
    number_battery(path / "numbers.toml", ["one_token"] * CELLS, DRAWS)
    return path


@pytest.fixture(scope="module")
def record(folder):
    """``record("x", 3)``: the store of 20 draws a cell with seed 3; a second call is the first."""

    def recorded(name, seed, model="a"):
        store = folder / name
        if not store.exists():
            endpoint = f"simulated:{folder}/m.toml,model={model}"
            sample(endpoint, battery=str(folder / "numbers.toml"), seed=seed, store=store)
        return store

    return recorded


@pytest.fixture
def panel_of(tmp_path):
    def made(store, **options):
        path = tmp_path / "mine.json"
        measure.add(*measure.member_of(store, name="learnt", **options), path)
        return path

    return made


def study(reference, suspect, store, **options):
    return compare(reference, suspect, **({"formats": [], "seed": 5, "store": store} | options))


def test_a_panel_that_knows_the_tested_draws_rejects_a_true_null_and_is_refused(
    record, panel_of, tmp_path
):
    """40 even answers, 20 draws a cell: the suspect's own draws alone are in the member's table."""
    reference, suspect = record("reference", 1), record("suspect", 2)
    panel = panel_of(suspect)
    with pytest.raises(ReferenceStale, match=r"'learnt'.*the suspect replays.*provenance sample"):
        study(reference, suspect, tmp_path / "s", panel=str(panel))
    assert not (tmp_path / "s").exists()
    with pytest.raises(ReferenceStale, match="the reference replays"):
        study(suspect, reference, tmp_path / "s", panel=str(panel))
    content = json.loads(panel.read_text())
    del content["members"][0]["draws"]  # as an older version wrote it: it cannot be checked
    panel.write_text(json.dumps(content))
    found = study(reference, suspect, tmp_path / "s", panel=str(panel))
    assert found.verdict.label == "different"
    assert next(f for f in found.findings if f.name == "panel").p_adjusted <= 0.01


def test_other_draws_of_the_same_model_are_no_reason(record, panel_of, tmp_path):
    panel = panel_of(record("another", 3))
    found = study(record("reference", 1), record("suspect", 2), tmp_path / "s", panel=str(panel))
    assert found.verdict.label == "inconclusive"


def test_a_copy_in_another_store_is_recognised(record, panel_of, folder, tmp_path):
    """Another root, the same answers at the same times: what a store that has grown keeps too."""
    suspect = record("suspect", 2)
    copied = sample(suspect, store=tmp_path / "copy")
    assert Store.open(copied).root != Store.open(suspect).root
    panel = panel_of(suspect)
    with pytest.raises(ReferenceStale, match="learnt from draws that this study tests"):
        study(record("reference", 1), copied, tmp_path / "s", panel=str(panel))


def test_the_other_side_of_the_same_store_is_not_the_member(record, panel_of, tmp_path):
    """The member was made from the suspect of a comparison; its reference is other draws."""
    both = study(record("reference", 1), record("suspect", 2), tmp_path / "both").store
    panel = panel_of(both, role="suspect")
    other = record("another", 3)
    found = study(f"replay:{both},model=reference", other, tmp_path / "s", panel=str(panel))
    assert found.verdict.label == "inconclusive"
    with pytest.raises(ReferenceStale, match="the suspect replays"):
        study(other, f"replay:{both},model=suspect", tmp_path / "t", panel=str(panel))


def test_a_file_is_recognised_by_its_path_or_its_times(tmp_path, panel_of):
    rows = [
        {"model": "x", "prompt_id": f"p{i}", "sample": n, "output": str(n * i % 7)}
        for i in range(4)
        for n in range(9)
    ]
    timed = [r | {"started_utc": f"2026-11-0{i % 8 + 1}T00:00:{i:02}Z"} for i, r in enumerate(rows)]
    for name, content in (("plain", rows), ("timed", timed), ("moved", timed)):
        text = "\n".join(json.dumps(r) for r in content)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    other = [r | {"sample": r["sample"] + 100} for r in rows]
    (tmp_path / "other.jsonl").write_text("\n".join(json.dumps(r) for r in other))
    replayed = {n: f"replay:{tmp_path}/{n}.jsonl" for n in ("plain", "timed", "moved", "other")}
    panel = panel_of(sample(replayed["plain"], store=tmp_path / "from-plain"))
    with pytest.raises(ReferenceStale):
        study(replayed["other"], replayed["plain"], tmp_path / "s", panel=str(panel))
    panel.unlink()
    panel = panel_of(sample(replayed["timed"], store=tmp_path / "from-timed"))
    with pytest.raises(ReferenceStale):
        study(replayed["other"], replayed["moved"], tmp_path / "s", panel=str(panel))
    assert study(replayed["other"], replayed["plain"], tmp_path / "s", panel=str(panel))


def test_shipped_panels_and_older_files_are_read_and_written_as_they_were():
    for name in Panel.shipped():
        panel = Panel.load(name)
        assert all("draws" not in m for m in panel.model_dump(mode="json")["members"])
        assert Panel.model_validate(panel.model_dump()) == panel


def test_a_band_with_the_tested_comparison_is_refused(record, tmp_path):
    reference, suspect = record("reference", 1), record("suspect", 2)
    known = study(reference, suspect, tmp_path / "known").store
    path = tmp_path / "band.json"
    pair = band.pair_of(known, weights="a", kind="engine")
    assert len(pair.draws) == 2 * CELLS * DRAWS
    band.add([pair], path)
    other = record("another", 3)
    for number, sides in enumerate([(reference, other), (other, suspect)]):
        with pytest.raises(ReferenceStale, match=r"its pair of 'a' \(engine\)"):
            study(*sides, tmp_path / f"s{number}", band=str(path))
    assert study(other, record("fourth", 4), tmp_path / "t", band=str(path))
    old = json.loads(path.read_text())
    before = band.Band.load(path).digest
    del old["pairs"][0]["draws"]
    path.write_text(json.dumps(old))
    assert band.Band.load(path).digest != before
    with pytest.raises(ReferenceStale):  # by its root
        study(f"replay:{known},model=reference", other, tmp_path / "u", band=str(path))


@pytest.mark.parametrize(
    ("anchor", "says"),
    [
        (("suspect", "fourth"), "the study's suspect"),
        (("fourth", "reference"), "the study's reference"),
        (("fourth", "fourth-copy"), "its other side"),
    ],
)
def test_an_anchor_of_the_studys_draws_is_refused(record, tmp_path, anchor, says):
    reference, suspect = record("reference", 1), record("suspect", 2)
    record("fourth", 4)
    copy = tmp_path / "fourth-copy"
    sample(record("fourth", 4), store=copy)
    stores = [copy if name == "fourth-copy" else record(name, 0) for name in anchor]
    moved = [  # under another name, so that its address does not give it away
        sample(store, store=tmp_path / f"moved-{i}") for i, store in enumerate(stores)
    ]
    with pytest.raises(ReferenceStale, match=f"draws that {says} replays too"):
        study(reference, suspect, tmp_path / "s", anchors=[tuple(moved)])


def test_two_anchors_of_one_recording_are_one(record, tmp_path):
    stores = [record("fourth", 4), record("fifth", 5), record("sixth", 6)]
    anchors = [(stores[0], stores[1]), (stores[0], stores[2])]
    with pytest.raises(ReferenceStale, match="another anchor replays too"):
        study(record("reference", 1), record("suspect", 2), tmp_path / "s", anchors=anchors)


def test_a_sketch_is_the_smallest_digests(record):
    """P(no digest of the sketch in a store that holds a twentieth of the draws) = .95^256."""
    with Store.open(record("suspect", 2)) as store:
        records = list(store.records())
    kept = sketch(records)
    assert len(kept) == len(set(kept)) == len(records)  # fewer than are kept at most
    assert sketch(records[:20]) != sketch(records[20:40])
    many = [
        r.model_copy(update={"response_sha256": f"{i:064x}"}) for i in range(4) for r in records
    ]
    assert len(sketch(many)) == KEPT
    whole = sorted(
        {draw_digest(r.cell, r.started_utc, r.request_sha256, r.response_sha256) for r in many}
    )
    assert list(sketch(many)) == whole[:KEPT]
