"""What a live endpoint is asked by default, and the genre that goes with it.

Nothing here is random but the simulated endpoint, whose draws are keyed by the seed: the tests say
which prompts are sent and which genre the analysis is told, not how well models are told apart.
"""

from __future__ import annotations

import json

import pytest

import provenance
from provenance import Battery
from provenance.attribution.known import InSpace, Known
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.settings import Settings
from provenance.study import asking, libraries
from provenance.study.attribution import prepare_attribution
from provenance.study.identification import prepare_identification

# Many, as a model that works gives them: copies of a few would be told from a bundle.
ANSWERS = [
    answer
    for n in range(100)
    for answer in (
        {"reasoning": f"First {n} + 3 gives {n + 3}. Then take away the 5 that broke."},
        {"reasoning": f"There are {n} of them, each of 20. So it is {n} × 20 = {20 * n}."},
    )
]


@pytest.fixture
def live(tmp_path):
    """A simulated endpoint that answers every probe with working in JSON."""
    shares = ", ".join(f"{json.dumps(json.dumps(a))} = {1 / len(ANSWERS):.6f}" for a in ANSWERS)
    text = f'[models.a.cells]\n"*" = {{{shares}}}\n[models.b]\nbase = "a"\n'
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    return f"simulated:{tmp_path / 'm.toml'},model=a"


@pytest.fixture
def recorded(tmp_path):
    rows = [
        {"model": "r", "prompt_id": f"q{i}", "sample": 0, "output": f"The answer is {i}."}
        for i in range(20)
    ]
    path = tmp_path / "r.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return f"replay:{path}"


def settings(**values):
    return Settings(format=(), **values)


def test_the_default_battery_is_of_a_genre_that_the_shipped_library_can_weigh():
    """No null: a fact about shipped files. Broken by a battery or a library of another genre."""
    genre = asking.genre_of(asking.SHIPPED)
    copies = libraries.copies_of(libraries.opened(None), declared=genre)
    assert genre in copies.enrolled.stated_genres
    covered = {
        g for c in copies.content["calibrations"]["calibrations"] for g in c["scope"]["genres"]
    }
    assert genre in covered
    assert asking.genre_of(asking.OWN) == ""  # five genres: none is stated


@pytest.mark.parametrize("name", Battery.shipped())
def test_a_genre_is_declared_only_where_every_probe_is_of_it(name):
    """No null: from the probes alone. Broken by reading the genre off the first probe."""
    genres = {p.genre for p in Battery.load(name).probes}
    assert asking.genre_of(name) == (genres.pop() or "" if len(genres) == 1 else "")


def test_a_live_suspect_of_the_shipped_library_is_asked_its_genre(live, tmp_path):
    """No null: what is planned. A stated --genre that agrees changes nothing."""
    suspect = Endpoint.parse(live)
    prepared = prepare_identification(suspect, None, settings(seed=1))
    assert prepared.questions.name == "arithmetic"
    assert prepared.copies["case"] == {"declared": "arithmetic"}
    again = prepare_identification(suspect, None, settings(seed=1), genre="arithmetic")
    assert again.copies["case"] == {"genre": "arithmetic"}


def test_a_battery_or_a_genre_of_the_users_comes_first(live, recorded):
    """No null: what is planned. Broken by a default that overrides what was said."""
    suspect = Endpoint.parse(live)
    style = prepare_identification(suspect, None, settings(seed=1, battery="style"))
    assert style.questions.name == "style"
    assert "case" not in style.copies
    both = prepare_identification(
        suspect, None, settings(seed=1, battery="arithmetic"), genre="puzzles"
    )
    assert both.copies["case"] == {"genre": "puzzles"}
    # A recording brings its own prompts: no battery says what they are.
    replay = prepare_identification(Endpoint.parse(recorded), None, settings(seed=1))
    assert replay.questions.name == "recorded"
    assert "case" not in replay.copies


def test_what_a_library_knows_of_its_prompts_comes_before_what_a_battery_declares():
    """No null: a rule of precedence. Broken by a battery that overrules labels of one's own."""
    space = libraries.opened(None).space(libraries.opened(None).spaces()[0])
    enrolled = libraries.copies_of(libraries.opened(None), space.digest).enrolled
    prompts = frozenset([p for p, g in enrolled.genres.items() if g == "puzzles"][:10])
    known = Known(InSpace(enrolled, space, None), declared="arithmetic")
    assert known.genre_of(prompts) == "puzzles"
    assert not known.only_stated(prompts)
    assert known.genre_of(frozenset({"another"})) == "arithmetic"
    assert known.only_stated({"another"})
    stated = Known(InSpace(enrolled, space, None), genre="code", declared="arithmetic")
    assert stated.genre_of(prompts) == "code"
    assert not Known(InSpace(enrolled, space, None)).only_stated({"another"})
    assert not Known(InSpace(enrolled, space, None), declared="poems").only_stated({"another"})


def test_prompts_of_one_genre_are_not_asked_to_be_held_against_another(live, recorded):
    """No null: the default is refused where --genre contradicts it, also for the reference."""
    suspect = Endpoint.parse(live)
    with pytest.raises(UsageError, match="--battery"):
        prepare_identification(suspect, None, settings(seed=1), genre="puzzles")
    with pytest.raises(UsageError, match="arithmetic, and --genre says puzzles"):
        prepare_attribution(
            Endpoint.parse(recorded), [("reference", suspect)], None, settings(), genre="puzzles"
        )


def test_attribute_asks_every_live_endpoint_the_same(live):
    """No null: what is planned for suspect, reference and control."""
    suspect, other = Endpoint.parse(live), Endpoint.parse(live.replace("model=a", "model=b"))
    made = prepare_attribution(suspect, [("reference", other)], None, settings(seed=1))
    assert [p.questions.name for p in made.plans()] == ["arithmetic"] * 2
    assert made.prepared.copies["case"] == {"declared": "arithmetic"}


def test_a_live_suspect_is_held_against_the_models_of_its_genre(live, tmp_path):
    """Null: the suspect is a model of the library. Unit: model; sampling: one draw a prompt.

    The simulated suspect is no model of any kind, so which verdict comes is not asserted: only
    that candidates are tested within the genre instead of being turned away, and that the limit of
    the wording is said. Broken by a genre that does not reach the analysis.
    """
    study = provenance.identify(live, formats=["md"], seed=1, store=tmp_path / "s")
    document = study.document
    assert (document.battery.name, document.coverage.suspect) == ("arithmetic", 60)
    assert document.population.genre == "arithmetic"
    assert "other_genre" not in [r.code for r in study.verdict.reasons]
    assert any(c.p_value is not None for c in document.candidates)
    assert any("not on this wording" in limit for limit in document.limits)
    assert "not on this wording" in study.written["md"].read_text(encoding="utf-8")
    assert provenance.verify(study.store).ok
