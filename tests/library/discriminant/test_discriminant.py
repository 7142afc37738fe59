"""Discriminants: fitted on texts, applied to new ones, saved and read back as they were."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

import numpy as np
import pytest

from provenance.errors import EvidenceError, UsageError
from provenance.library.discriminant import Discriminant, Standing, Trials, fit
from provenance.library.parts import PARTS
from provenance.library.space import Labelled, read

WORDS = [f"w{a}{b}" for a in range(10) for b in "aeiou"]
NAMES, FAMILIES = ("m0", "m1", "m2", "m3"), ("f0", "f0", "f1", "f1")


def texts(rng, shares, n):
    return [
        ". ".join(" ".join(rng.choice(WORDS, 6, p=shares)).capitalize() for _ in range(3)) + "."
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def shares():
    rng = np.random.default_rng(1)
    return {name: rng.dirichlet(np.full(len(WORDS), 0.4)) for name in NAMES}


@pytest.fixture(scope="module")
def training(shares):
    rng = np.random.default_rng(2)
    return read(
        Labelled(name, f"u{name}", f"p{i}", text)
        for name, own in shares.items()
        for i, text in enumerate(texts(rng, own, 40))
    )


@pytest.fixture(scope="module")
def found(training):
    about = {"scope": {"space": "s"}}
    return fit(
        training, NAMES, FAMILIES, rng=np.random.default_rng(3), networks=1, about=about
    ).with_tests(
        Trials(
            np.array([1, 3]),
            np.array([0, 1]),
            np.array([0, 2]),
            np.array([True, False]),
            np.array([0.5, 1.5], np.float32),
        ),
        Standing(np.ones((4, PARTS), np.int64), np.zeros((4, PARTS, 4), np.float32)),
    )


def test_new_outputs_fit_their_own_model_best(found, shares):
    rng = np.random.default_rng(4)
    right = 0
    for k, own in enumerate(shares.values()):
        logs = found.logs(texts(rng, own, 20))
        assert logs.shape == (20, 4)
        right += int((logs.argmax(axis=1) == k).sum())
    assert right >= 64
    assert found.logs([]).shape == (0, 4)


def test_texts_and_outputs_that_were_read_already_get_the_same(found, training, shares):
    rng = np.random.default_rng(2)
    again = [text for own in shares.values() for text in texts(rng, own, 40)]
    assert np.allclose(found.logs(again), found.logs_of(training), atol=1e-4)


def test_what_comes_back_from_a_file_is_the_same(found, shares, tmp_path):
    path = tmp_path / "one.npz"
    path.write_bytes(found.to_bytes())
    back = Discriminant.load(path)
    assert back.digest == found.digest
    assert back.to_bytes() == found.to_bytes()
    assert (back.models, back.families) == (NAMES, FAMILIES)
    assert back.tested is not None
    assert back.tested.of_size(3).rank.tolist() == [2]
    assert back.standing is not None
    assert back.standing.total.shape == (4, PARTS, 4)
    some = texts(np.random.default_rng(6), shares["m1"], 5)
    assert np.array_equal(back.logs(some), found.logs(some))


def test_a_text_without_a_known_word_has_finite_numbers(found):
    assert np.isfinite(found.logs(["", "\x1b[31m", "ぬ" * 2_000])).all()


def changed(found, name, change):
    """Its file with one member changed."""
    out = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(found.to_bytes())) as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for member in old.namelist():
            content = old.read(member)
            if member == name:
                content = change(content)
            if content is not None:
                new.writestr(member, content)
    return out.getvalue()


def as_file(values):
    buffer = BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def huge():
    """The header of four terabytes, and nothing behind it."""
    buffer = BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<i8", "fortran_order": False, "shape": (1 << 39,)}
    )
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("about.json", lambda _: b"{}", "format"),
        ("about.json", lambda c: c.replace(b'"raw"', b'"sideways"'), "view"),
        ("about.json", lambda c: c.replace(b'"f0", "f0"', b'"f0"'), "families"),
        ("about.json", lambda c: c.replace(b'"nets": 2', b'"nets": 0'), "no net"),
        ("about.json", lambda c: c.replace(b'"nets": 2', b'"nets": 999999999999'), "nets"),
        ("about.json", lambda c: c.replace(b'"m0", "m1"', b'"m0", "m0"'), "named twice"),
        ("about.json", lambda _: b"[" * 100_000, "holds no discriminant"),
        ("tested.rank.npy", lambda _: as_file(np.zeros(3, np.int64)), "unlike lengths"),
        ("skeleton.columns.npy", lambda _: huge(), "holds no discriminant"),
        ("net0.weights0.npy", lambda _: None, "a net of"),
        ("net1.weights1.npy", lambda _: as_file(np.zeros((5, 4), np.int8)), "fit together"),
        ("net0.scales0.npy", lambda _: as_file(np.zeros(3, np.float32)), "fit together"),
        ("net0.offsets0.npy", lambda _: as_file(np.full(4, np.nan, np.float32)), "not finite"),
        ("skeleton.columns.npy", lambda _: as_file(np.zeros(2, np.int64)), "unlike lengths"),
        ("measures.centre.npy", lambda _: as_file(np.zeros(2, np.float32)), "measures instead"),
        ("standing.n.npy", lambda _: as_file(np.zeros((4, 2), np.int64)), "standing of"),
        ("net0.weights0.npy", lambda _: b"\x93NUMPY\x01\x00pickle", "holds no discriminant"),
    ],
)
def test_a_file_of_something_else_is_refused(found, name, change, said):
    with pytest.raises(EvidenceError, match=said):
        Discriminant.from_bytes(changed(found, name, change))


def test_other_signatures_and_a_missing_file_say_what_to_do(found, tmp_path):
    def older(content):
        head = json.loads(content)
        return json.dumps(head | {"signatures": "skeleton/0"}).encode()

    with pytest.raises(UsageError, match="library calibrate"):
        Discriminant.from_bytes(changed(found, "about.json", older))
    with pytest.raises(UsageError, match="cannot read"):
        Discriminant.load(tmp_path / "none.npz")
    with pytest.raises(EvidenceError, match="holds no discriminant"):
        Discriminant.from_bytes(b"no zip at all")
