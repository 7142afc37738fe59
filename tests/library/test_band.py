"""Benign pairs from stores, and files of them."""

import json

import pytest

from provenance import compare
from provenance.battery import Battery
from provenance.canonical import canonical_json
from provenance.errors import EvidenceError, SettingsError, UsageError
from provenance.library import band

MODELS = """
[models.a.cells]
"*" = {"7" = 0.6, "secret words" = 0.4}
[models.b]
base = "a"
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    (folder / "m.toml").write_text(MODELS, encoding="utf-8")
    return compare(
        f"simulated:{folder}/m.toml,model=a",
        f"simulated:{folder}/m.toml,model=b",
        draws=4,
        seed=1,
        formats=[],
        store=folder / "s",
    ).store


def test_a_pair_keeps_counts_and_no_answer(store):
    found = band.pair_of(store, weights="a", kind="engine", note="n")
    assert {sum(side) for sides in found.cells.values() for side in sides} == {4}
    assert len(found.cells) == len(Battery.load("quick").cells)
    text = found.model_dump_json()
    assert "secret" not in text
    assert (found.weights, found.kind, found.note) == ("a", "engine", "n")


def test_bands_grow_and_hold_a_recording_once(store, tmp_path):
    path = tmp_path / "mine.json"
    found = band.pair_of(store, weights="a", kind="engine")
    made = band.add([found], path)
    assert made == band.Band.load(path)
    assert made.name == "mine"
    with pytest.raises(UsageError, match="twice: each comparison counts once"):
        band.add([found], path)
    other = found.model_copy(update={"root": "f" * 64, "weights": "b"})
    grown = band.add([other], path)
    assert [p.weights for p in grown.pairs] == ["a", "b"]
    assert grown.digest != made.digest
    assert grown.asked(found.battery_digest) == grown.pairs
    assert grown.asked("0") == ()
    with pytest.raises(UsageError, match=r"a band is a \.json file"):
        band.add([found], tmp_path / "mine.toml")


def test_a_store_that_was_changed_is_refused(store, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    study = copy / "study.json"
    study.write_bytes(study.read_bytes() + b" ")
    with pytest.raises(EvidenceError, match="cannot be used"):
        band.pair_of(copy, weights="a", kind="host")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pairs": []}, "pairs"),
        ({"pairs": [{}]}, "weights"),
        ({"extra": 1}, "extra"),
        ("kind", "kind"),
        ("negative", "greater than or equal"),
        ("ragged", "count different answers"),
    ],
)
def test_a_hostile_file_is_named_and_refused(store, tmp_path, change, message):
    path = tmp_path / "bad.json"
    band.add([band.pair_of(store, weights="a", kind="host")], path)
    content = json.loads(path.read_bytes())
    first = content["pairs"][0]
    cell = next(iter(first["cells"]))
    if change == "kind":
        first["kind"] = "other"
    elif change == "negative":
        first["cells"][cell][0][0] = -1
    elif change == "ragged":
        first["cells"][cell][0].append(1)
    else:
        content |= change
    path.write_bytes(canonical_json(content))
    with pytest.raises(SettingsError, match=message):
        band.Band.load(path)


def test_a_file_that_is_no_json(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(SettingsError, match="is not JSON"):
        band.Band.load(path)
    with pytest.raises(SettingsError, match="shipped: "):
        band.Band.load("nope")


def test_the_shipped_band_is_as_small_as_it_is():
    """One or two sets of weights: nothing can be rejected at any α that is of use."""
    assert "example" in band.Band.shipped()
    held = band.Band.load("example")
    assert 0 < len({p.weights for p in held.pairs}) < 19
    assert not any("/" in p.reference + p.suspect for p in held.pairs)
