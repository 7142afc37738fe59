"""The library that ships: what it covers, that it holds no text, and what a study says with it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import provenance
from provenance import resources
from provenance.attribution.calibration import Calibration
from provenance.attribution.closed_set import Closed, summary
from provenance.attribution.ratios import Ratios, Told
from provenance.library.population import Library
from provenance.study import libraries

FOLDER = resources.configs() / "libraries" / "default"
MEGABYTES = 18
WORDS = "the of a to we have so that it is then each box has two balls and one of them"


@pytest.fixture(scope="module")
def library():
    return libraries.opened(None)


@pytest.fixture(scope="module")
def calibrations():
    return [
        Calibration.read(p.read_bytes(), p.name) for p in sorted(FOLDER.glob("calibrations/*.json"))
    ]


def test_it_is_small_and_holds_no_text(library):
    size = sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file())
    assert size < MEGABYTES * 1e6
    assert not (FOLDER / "bundles").exists()
    assert not any(b.has_texts for b in library.bundles())


def test_it_comes_from_sources_whose_terms_allow_it(library):
    assert {b.licence for b in library.bundles()} == {"CC0-1.0", "Apache-2.0"}
    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    for source in {b.source for b in library.bundles()}:
        assert source in notice
    labels = library.relations()
    assert all(labels.of(b.model).certain("unit") == "sure" for b in library.bundles())


def test_every_calibration_says_what_it_covers_and_how_it_did_elsewhere(library, calibrations):
    assert calibrations
    genres = {b.genre for b in library.bundles()}
    for c in calibrations:
        assert c.scope.space in library.spaces()
        assert set(c.scope.genres) <= genres
        assert c.scope.languages == ("en",)
        assert c.control_cllr is not None
        assert c.control_cllr > 0.9
        # Ratios for any genre only where each genre that was left out bore them out.
        assert len({a.left_out for a in c.across}) >= 2
        if not c.scope.genres:
            assert all(a.holds for a in c.across)
        for grade in c.grades:
            low, high = grade.bounds
            assert 10**high <= len(c.units) * (len(c.units) - 1) / 2 + 1
            assert 10**-low <= len(c.units) + 1 + 1e-9
            assert (grade.curves is None) == (grade.cllr is None)
        assert any(grade.cllr is not None for grade in c.grades)
    views = {library.space(c.scope.space).view for c in calibrations}
    assert views == {"raw", "canonical"}


def recording(folder: Path, name: str, n: int = 40, *, words: int = 60) -> str:
    rng = np.random.default_rng(n)
    vocabulary = WORDS.split()
    rows = [
        {
            "model": name,
            "prompt_id": f"q{i}",
            "sample": 0,
            "output": " ".join(rng.choice(vocabulary, words)).capitalize() + ".",
        }
        for i in range(n)
    ]
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"replay:{path}"


def test_without_a_genre_no_model_is_named_or_excluded(tmp_path):
    study = provenance.identify(
        recording(tmp_path, "mystery"), formats=["md"], seed=1, store=tmp_path / "s"
    )
    document = study.document
    assert study.verdict.label == "inconclusive"
    assert study.verdict.reasons[0].code == "other_genre"
    assert all(c.p_value is None and c.log10_lr is None for c in document.candidates)
    assert len(document.candidates) > 70
    assert document.population.name == "default"
    assert set(document.population.genres) == {"arithmetic", "code", "puzzles"}
    text = study.written["md"].read_text(encoding="utf-8")
    assert "--genre" in re.sub(r"\\", "", text)
    assert provenance.verify(study.store).ok


@pytest.mark.parametrize("words", [60, 180])
def test_within_a_genre_what_no_model_writes_is_none_of_them(tmp_path, calibrations, words):
    """Bounds are those of the grades that gave a ratio: none for texts shorter than its scope."""
    study = provenance.identify(
        recording(tmp_path, "mystery", words=words),
        genre="puzzles",
        formats=[],
        seed=1,
        store=tmp_path / "s",
    )
    population = study.document.population
    assert (population.alpha, population.genre) == (0.05, "puzzles")
    assert population.decidable
    given = [c for c in study.document.candidates if c.log10_lr is not None]
    assert bool(given) is (words == 180)
    assert (population.ratio_bounds is not None) is bool(given)
    if given:
        ends = {b for c in calibrations if "puzzles" in c.scope.genres for g in c.grades
                for b in g.bounds}  # fmt: skip
        assert set(population.ratio_bounds) <= ends
    assert study.verdict.label in ("none_of_these", "inconclusive")
    assert all((c.log10_lr or -1) <= 1 for c in study.document.candidates)
    assert population.false_inclusion is not None


def test_attribute_needs_no_library_either(tmp_path):
    study = provenance.attribute(
        recording(tmp_path, "a", 40), reference=recording(tmp_path, "b", 41), genre="puzzles",
        formats=[], seed=1, store=tmp_path / "s",
    )  # fmt: skip
    first = study.document.propositions[0]
    assert first.assessed or first.why_not
    assert study.document.population.name == "default"
    (why,) = (p.why_not for p in study.document.propositions if p.hypothesis == "derived")
    assert why.startswith("Of the library's 9 units that answered such prompts none holds two")
    assert "a calibration needs 3 such units" in why


def test_no_ratio_across_genres_lengths_or_languages_of_either_side(calibrations):
    """Null: a pair of different makers. Unit: a pair. Scope: genre, language and length of both.

    A change of genre looks like a change of model: a model's puzzles against its own stories got
    the smallest ratio that its calibration supports. Breaks if only the suspect's texts are held
    against the scope.
    """
    own = next(c for c in calibrations if c.scope.genres == ("puzzles",))
    ratios = Ratios(own.scope.space, (own,))
    told = Told("en", 2_000, "puzzles")

    def weigh(other):
        return ratios.weigh((own.hypothesis, own.against), 0.0, (20, 20), told, other=other)

    assert weigh(told).log10_lr is not None
    for other in (
        replace(told, genre="arithmetic"),
        replace(told, genre=""),
        replace(told, characters=20),
        replace(told, language="other"),
    ):
        found = weigh(other)
        assert (found.log10_lr, found.interval, found.bounds) == (None, None, None)
        assert found.why_not.startswith("For the texts of the reference: The calibration covers")


def test_a_reference_of_another_genre_gets_no_ratio(tmp_path):
    """Null: a pair of different makers. The library knows the reference's prompts by their ids."""
    enrolled = libraries.copies_of(libraries.opened(None)).enrolled
    ids = [i for i, d in enrolled.prompts.items() if enrolled.genres.get(d) == "arithmetic"][:80]
    path = tmp_path / "b.jsonl"
    texts = [json.loads(line) for line in _lines(recording(tmp_path, "a", 80, words=300))]
    rows = [row | {"prompt_id": i, "model": "b"} for row, i in zip(texts, ids, strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    study = provenance.attribute(
        recording(tmp_path, "a", 80, words=300), reference=f"replay:{path}", genre="puzzles",
        formats=[], seed=1, store=tmp_path / "s",
    )  # fmt: skip
    first = study.document.propositions[0]
    assert not first.assessed
    assert "this one is arithmetic" in first.why_not


def _lines(endpoint):
    return Path(endpoint.removeprefix("replay:")).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("genre", "why"),
    [
        (None, "The library's models answered prompts of another genre than the suspect."),
        ("puzzles", "Too few unrelated models of the population write texts"),
    ],
)
def test_why_a_likeness_is_not_ranked_is_said(tmp_path, genre, why):
    """Null: unrelated models of the population; there are some, but not for this case."""
    study = provenance.attribute(
        recording(tmp_path, "a", 40, words=4), reference=recording(tmp_path, "b", 41), genre=genre,
        formats=[], seed=1, store=tmp_path / "s",
    )  # fmt: skip
    taught = [p for p in study.document.propositions if p.hypothesis == "trained_on_outputs"]
    assert all(p.why_not.startswith(why) for p in taught)
    codes = [r.code for r in study.verdict.reasons]
    assert ("likeness_of_other_genre" in codes) == (genre is None)


def test_it_is_read_where_nothing_may_be_written(tmp_path):
    copy = tmp_path / "default"
    shutil.copytree(FOLDER, copy)
    before = sorted(p.relative_to(copy) for p in copy.rglob("*"))
    copies = libraries.copies_of(Library.open(copy))
    assert "habits" in copies.content
    assert {"population", "space", "population-canonical", "space-canonical"} <= set(copies.content)
    assert sorted(p.relative_to(copy) for p in copy.rglob("*")) == before


def test_it_says_which_model_it_would_be_and_how_often_that_was_right(library):
    """Of a genre's models; figures that the README gives stand here too."""
    rates = {}
    for digest in library.spaces():
        closed = Closed.of(library, digest)
        assert closed is not None
        for halves in closed.pairs():
            said = summary(halves)
            (genre,) = said["genres"]
            for t in said["tests"]:
                rates[said["view"], genre, t["outputs"]] = t["first"] / t["bundles"]
    assert {(view, genre) for view, genre, _ in rates} == {
        (view, genre)
        for view in ("raw", "canonical")
        for genre in ("arithmetic", "code", "puzzles")
    }
    assert rates["raw", "arithmetic", 1] > 0.55
    assert rates["raw", "arithmetic", 10] > 0.9
    assert rates["raw", "puzzles", 10] > 0.8
