"""Spaces: fitted once, then only applied; saved and read back as they were."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from scipy.sparse import csr_array

from provenance.attribution.same_source import scores
from provenance.errors import EvidenceError, UsageError
from provenance.library.space import Labelled, Sizes, Space, Summary, fit, read
from provenance.library.space.channels import Finish, fit_channel
from provenance.library.space.numbers import discriminants, leading_directions
from provenance.transcript import Completion

WORDS = [f"w{a}{b}" for a in range(10) for b in "aeiou"]
SMALL = Sizes(columns=800, rank=12, between=6, dimensions=6, sample=500, folds=3)


def texts(rng: np.random.Generator, shares: np.ndarray, n: int) -> list[str]:
    return [
        ". ".join(" ".join(rng.choice(WORDS, 6, p=shares)).capitalize() for _ in range(4)) + "."
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def habits() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {f"m{i}": rng.dirichlet(np.full(len(WORDS), 0.3)) for i in range(16)}


@pytest.fixture(scope="module")
def space(habits: dict[str, np.ndarray]) -> Space:
    rng = np.random.default_rng(2)
    documents = [
        Labelled(name, f"u{int(name[1:]) // 2}", f"p{i}", text)
        for name, shares in habits.items()
        for i, text in enumerate(texts(rng, shares, 40))
    ]
    return fit(read(documents), rng=np.random.default_rng(3), sizes=SMALL, about={"name": "test"})


def test_the_order_in_which_numbers_are_added_does_not_show(
    space: Space, habits: dict[str, np.ndarray]
) -> None:
    """Evidence is verified on other machines, which add in another order: single precision shows.

    The coordinates in another order, turned alike, are the same sums.
    """
    rng = np.random.default_rng(9)
    before = rng.normal(size=(30, len(space.finish.centre))).astype(np.float32)
    order = rng.permutation(before.shape[1])
    finish = space.finish
    other = Finish(finish.centre[order], finish.spread[order], finish.turn[order], finish.origin)
    assert np.abs(finish.apply(before) - other.apply(before[:, order])).max() < 1e-12


def test_outputs_of_one_model_lie_together(space: Space, habits: dict[str, np.ndarray]) -> None:
    """Models that the space never saw, on other words' shares."""
    rng = np.random.default_rng(4)
    new = [rng.dirichlet(np.full(len(WORDS), 0.3)) for _ in range(6)]
    first, second = (
        [Summary.of(space, texts(rng, shares, 40)) for shares in new] for _ in range(2)
    )
    found = scores(first, second, space)
    own = np.diag(found)
    others = found[~np.eye(6, dtype=bool)]
    assert own.min() > np.quantile(others, 0.9)


def test_a_space_is_the_same_after_it_was_saved(space: Space, tmp_path) -> None:
    path = tmp_path / "space.npz"
    space.save(path)
    again = Space.load(path)
    assert again.digest == space.digest
    assert again.about == space.about
    sample = ["W0a w1e. W2i!", "", "Something else entirely, in other words."]
    assert np.array_equal(again.rows(sample), space.rows(sample))
    assert again.to_bytes() == path.read_bytes()
    assert len(path.read_bytes()) < 400_000


def test_rows_hang_on_the_text_alone(space: Space) -> None:
    sample = ["W0a w1e w2i.", "W3o w4u."] * 200
    rows = space.rows(sample)
    assert rows.shape == (400, space.dimensions)
    assert np.allclose(rows[0], rows[2], atol=1e-5)
    assert np.allclose(space.rows([Completion(text="W0a w1e w2i.")])[0], rows[0], atol=1e-5)
    assert space.rows([]).shape == (0, space.dimensions)


@pytest.mark.parametrize(
    "text",
    ["", "\x00\ud800\u202e", "a" * 200_000, "```" * 3_000, "{" * 5_000, "中文" * 500, "\n" * 9_000],
)
def test_hostile_texts_have_finite_rows(space: Space, text: str) -> None:
    assert np.isfinite(space.rows([text])).all()


def test_the_same_seed_gives_the_same_space(habits: dict[str, np.ndarray]) -> None:
    def make() -> Space:
        rng = np.random.default_rng(5)
        documents = [
            Labelled(name, name, f"p{i}", text)
            for name, shares in habits.items()
            for i, text in enumerate(texts(rng, shares, 12))
        ]
        return fit(read(documents), rng=np.random.default_rng(6), sizes=SMALL)

    assert make().digest == make().digest


def test_a_space_of_one_channel(habits: dict[str, np.ndarray]) -> None:
    """What is fitted on some of the signatures reads these alone, and is saved as such."""
    rng = np.random.default_rng(9)
    documents = [
        Labelled(name, name, f"p{i}", text)
        for name, shares in habits.items()
        for i, text in enumerate(texts(rng, shares, 12))
    ]
    training = read(documents)
    one = replace(training, counts={"word_ngrams": training.counts["word_ngrams"]})
    made = fit(one, rng=np.random.default_rng(6), sizes=SMALL)
    assert list(made.channels) == ["word_ngrams"]
    again = Space.from_bytes(made.to_bytes())
    assert again.digest == made.digest
    assert "skeleton" not in again.signatures
    assert np.array_equal(again.rows(["W0a w1e."]), made.rows(["W0a w1e."]))


def test_what_cannot_be_fitted() -> None:
    few = [Labelled(f"m{i}", f"u{i}", "p", f"text {i} " * 5) for i in range(4)] * 3
    with pytest.raises(UsageError, match="6 units or more, found 4"):
        fit(read(few), rng=np.random.default_rng(1))
    with pytest.raises(UsageError, match="stands in the units"):
        read([Labelled("m", "a", "p", "x"), Labelled("m", "b", "p", "y")])
    with pytest.raises(UsageError, match="no output"):
        read([])
    with pytest.raises(UsageError, match="without outputs"):
        Summary.of_rows(np.zeros((0, 3)), "x")


def test_files_that_are_no_space(space: Space, tmp_path) -> None:
    with pytest.raises(UsageError, match="cannot read the space"):
        Space.load(tmp_path / "none.npz")
    with pytest.raises(EvidenceError, match="holds no space"):
        Space.from_bytes(b"PK not a zip")
    with pytest.raises(EvidenceError, match="holds no space"):
        Space.from_bytes(_with(space, "between.npy", None))
    older = json.loads(_part(space, "about.json"))
    older["signatures"] = older["signatures"].replace("skeleton/1", "skeleton/0")
    with pytest.raises(UsageError, match="other versions of the signatures"):
        Space.from_bytes(_with(space, "about.json", json.dumps(older).encode()))
    broken = BytesIO()
    np.lib.format.write_array(broken, np.full(space.dimensions, np.nan))
    with pytest.raises(EvidenceError, match="not finite"):
        Space.from_bytes(_with(space, "within.npy", broken.getvalue()))


def _part(space: Space, name: str) -> bytes:
    with zipfile.ZipFile(BytesIO(space.to_bytes())) as archive:
        return archive.read(name)


def _with(space: Space, name: str, content: bytes | None) -> bytes:
    out = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(space.to_bytes())) as old,
        zipfile.ZipFile(out, "w") as new,
    ):
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
            elif content is not None:
                new.writestr(part, content)
    return out.getvalue()


def test_leading_directions_against_a_full_decomposition() -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 60)) + 0.01 * rng.normal(size=(200, 60))
    found = leading_directions(rows, 5, rng=rng)
    exact = np.linalg.svd(rows, full_matrices=False)[2][:5].T
    # The same subspace: all cosines of the angles between them are 1.
    assert np.linalg.svd(found.T @ exact)[1] == pytest.approx(np.ones(5), abs=1e-3)


def test_discriminants_of_two_groups_are_fishers() -> None:
    rng = np.random.default_rng(8)
    groups = np.repeat([0, 1], 400)
    rows = rng.normal(size=(800, 3)) * [1.0, 2.0, 0.5]
    rows[groups == 1] += [1.0, 1.0, 0.0]
    found = discriminants(rows, groups, 5, ridge=0.0)
    assert found.shape == (3, 1)
    within = sum(np.cov(rows[groups == g].T) * 399 for g in (0, 1)) / 798
    fisher = np.linalg.solve(within, rows[groups == 1].mean(0) - rows[groups == 0].mean(0))
    cosine = found[:, 0] @ fisher / np.linalg.norm(found[:, 0]) / np.linalg.norm(fisher)
    assert abs(cosine) == pytest.approx(1.0, abs=1e-6)


def test_columns_that_part_models_rule_the_directions() -> None:
    """Two columns with as much variance: one is a model's habit, the other comes and goes."""
    rng = np.random.default_rng(3)
    models = np.repeat(np.arange(6), 60)
    habit = (models % 2 == 0) * rng.integers(1, 3, len(models))
    chance = rng.integers(0, 2, len(models)) * rng.integers(1, 3, len(models))
    always = rng.integers(1, 3, (len(models), 3))
    counts = csr_array(np.column_stack([habit, chance, always]).astype(np.int64))

    def sizes(codes: np.ndarray) -> np.ndarray:
        made = fit_channel(
            counts, np.arange(5), codes, keep=5, rank=5, between=0, sample=400, rng=rng
        )
        # All five directions are kept, so what is left in a row is the scale of its column.
        return np.linalg.norm(made.projection, axis=1)

    told, by_chance = sizes(models), sizes(rng.permutation(models))
    assert told[0] / told[1] > 3 * by_chance[0] / by_chance[1]
    assert np.isfinite(sizes(np.zeros(len(models), dtype=np.int64))).all()
