"""Closed sets: what is said of an order, and that the tests behind it are of new outputs."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution import closed_fit
from provenance.attribution.calibration import Scope
from provenance.attribution.closed_fit import SIZES, fit_closed, trials_of
from provenance.attribution.closed_set import Closed, closed_set, summary
from provenance.attribution.gathering import gather
from provenance.attribution.ratios import Told
from provenance.errors import EvidenceError
from provenance.library.population import Library, Output, Recorded
from provenance.library.relations import Relation

WORDS = [f"w{a}{b}" for a in range(8) for b in "aeiou"]
MODELS, PROMPTS = 6, 48
SCOPE = Scope(space="s", genres=("odes",), languages=("en",), characters=(20, 400))


def text(rng, shares):
    said = (" ".join(rng.choice(WORDS, 6, p=shares)) for _ in range(2))
    return ". ".join(s.capitalize() for s in said) + "."


@pytest.fixture(scope="module")
def shares():
    rng = np.random.default_rng(1)
    return [rng.dirichlet(np.full(len(WORDS), 1.5)) for _ in range(MODELS)]


@pytest.fixture(scope="module")
def library(shares, tmp_path_factory):
    rng = np.random.default_rng(2)
    library = Library.create(tmp_path_factory.mktemp("closed") / "library")
    for k, own in enumerate(shares):
        outputs = [Output(f"p{i}", text(rng, own)) for i in range(PROMPTS)]
        label = Relation(unit=f"u{k}", family=f"f{k // 2}", certainty="sure")
        library.add(f"m{k}", Recorded(outputs, session="one", genre="odes"), label=label)
    return library


@pytest.fixture(scope="module")
def population(library):
    return gather(library, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def found(population):
    told = []
    made = fit_closed(
        population,
        "odes",
        rng=np.random.default_rng(3),
        networks=0,
        about={"scope": SCOPE.model_dump(mode="json")},
        say=lambda *step: told.append(step),
    )
    assert told[-1][1:] == (600, 600)
    return made


@pytest.fixture(scope="module")
def plain(library):
    """In the canonical view."""
    population = gather(library, rng=np.random.default_rng(0), view="canonical")
    about = {"scope": SCOPE.model_dump(mode="json")}
    return fit_closed(population, "odes", rng=np.random.default_rng(3), networks=0, about=about)


def told(characters=90.0, genre="odes", language="en"):
    return Told(language, characters, genre)


def digests(halves):
    return tuple(d.digest for d in halves.both)


def ask(found, texts, *, strange=(), plain=None, **case):
    views = {"raw": Closed(found.both), "canonical": plain}
    unlike = {f"m{k}": k in strange for k in range(MODELS)}
    return closed_set(texts, told(**case), views, unlike)


def test_the_tests_promise_no_more_than_new_bundles_keep(found, shares):
    """Unit: a bundle of 10 outputs of one of the models, drawn as the library's were.

    Either discriminant was tested alone; both together do at least as well, up to chance: 120 new
    bundles against 60 tested ones.
    """
    rng = np.random.default_rng(9)
    right = 0
    for _ in range(20):
        for k, own in enumerate(shares):
            said = ask(found, [text(rng, own) for _ in range(10)])
            right += said.first[0].name == f"m{k}"
    assert said.tests.outputs == 10
    assert said.tests.bundles == 2 * MODELS * closed_fit.REPEATS
    promised = said.tests.first / said.tests.bundles
    assert 0.5 < promised < 1
    spread = np.sqrt(promised * (1 - promised) * (1 / 60 + 1 / 120))
    assert right / 120 > promised - 2.5 * spread


def test_a_larger_lead_is_right_more_often(found, shares):
    rng = np.random.default_rng(10)
    kept = [ask(found, [text(rng, own) for _ in range(3)]) for own in shares for _ in range(20)]
    for said in kept:
        t = said.tests
        assert t.outputs == 3
        assert 0 <= t.as_far_ahead_first <= t.as_far_ahead <= t.bundles
    tested = [s.tests for s in kept if s.tests.as_far_ahead >= 10]
    far = min(tested, key=lambda t: t.as_far_ahead)
    near = max(tested, key=lambda t: t.as_far_ahead)
    assert far.as_far_ahead_first / far.as_far_ahead > near.as_far_ahead_first / near.as_far_ahead


def test_labels_drawn_at_random_are_told_apart_by_chance_alone():
    """Null: log likelihoods that know nothing of the models; the truth is first in one of six."""
    rng = np.random.default_rng(4)
    logs = rng.normal(size=(6 * 60, 6)).astype(np.float32)
    models = np.repeat(np.arange(6), 60)
    first = np.concatenate(
        [trials_of(logs, rng.permutation(models), list("aabbcc"), rng).rank == 0 for _ in range(20)]
    )
    assert abs(first.mean() - 1 / 6) < 0.02


def test_one_output_is_enough_and_says_so(found, shares):
    said = ask(found, [text(np.random.default_rng(5), shares[2])])
    assert (said.outputs, said.tests.outputs, said.models) == (1, 1, MODELS)
    assert len(said.first) == 5
    assert said.lead is not None
    assert said.lead >= 0
    assert {m.family for m in said.first} <= {"f0", "f1", "f2"}


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ({"characters": 4_000.0}, "20 to 400 characters"),
        ({"language": "other"}, "covers en"),
    ],
)
def test_what_was_not_tested_gets_no_order(found, case, why):
    said = ask(found, ["W0a w1e."] * 12, **case)
    assert said.first == ()
    assert said.tests is None
    assert why in said.why_not


def test_another_genre_is_not_spoken_of_at_all(found):
    assert ask(found, ["W0a w1e."] * 12, genre="proofs") is None


def test_unlike_formats_are_looked_at_in_the_canonical_view_or_not_at_all(found, plain, shares):
    texts = [text(np.random.default_rng(6), shares[2]) for _ in range(10)]
    both = {"plain": Closed(plain.both)}
    first = ask(plain, texts).first[0].name
    assert ask(found, texts, strange=range(4)).why_not == "format_mismatch"
    assert ask(found, texts, strange=range(3)).discriminants == digests(found)
    assert ask(found, texts, strange=[int(first[1:])], **both).discriminants == digests(plain)
    other = (int(first[1:]) + 1) % MODELS
    assert ask(found, texts, strange=[other], **both).discriminants == digests(found)
    only = closed_set(texts, told(), {"canonical": Closed(plain.both)}, {})
    assert only.discriminants == digests(plain)


def test_models_that_it_did_not_learn_are_named_and_most_of_them_silence_it(found, shares):
    texts = [text(np.random.default_rng(5), shares[2])]
    views = {"raw": Closed(found.both)}
    names = [f"m{k}" for k in range(MODELS)]
    said = closed_set(texts, told(), views, {}, [*names, "added later"])
    assert said.missing == ("added later",)
    assert said.first
    other = closed_set(texts, told(), views, {}, ["m0", "other", "another"])
    assert (other.why_not, other.first) == ("models_differ", ())


@pytest.mark.parametrize("copy", [{}, {"files": 5}, {"files": ["?"]}, {"files": [None]}])
def test_a_copy_of_something_else_is_refused(copy):
    with pytest.raises(EvidenceError):
        Closed.from_json(copy)


def test_what_is_kept_in_the_evidence_comes_back(found):
    closed = Closed(found.both)
    back = Closed.from_json(closed.to_json()).covering("odes")
    assert back is not None
    assert digests(back) == digests(found)
    assert Closed((found.enrolled,)).covering("odes") is None
    assert closed.within("odes").found == closed.within("").found == found.both
    assert closed.within("proofs").found == ()
    assert [t["outputs"] for t in summary(found)["tests"]] == [n for n in SIZES if n <= 10]


def test_too_few_or_too_many_models_have_none(population, monkeypatch):
    ask_for = {"rng": np.random.default_rng(3), "networks": 0, "about": {}}
    assert "fewer than two models" in fit_closed(population, "proofs", **ask_for)
    monkeypatch.setattr(closed_fit, "MOST", 5)
    assert "6 models; one is fitted for 5 at most" in fit_closed(population, "odes", **ask_for)
