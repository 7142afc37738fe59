"""Which cells lie near the border, from answers alone."""

import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from provenance.battery import Battery, Probe
from provenance.errors import UsageError
from provenance.library import border
from provenance.library.border import NearTie, Round, Spent
from provenance.library.private import to_toml
from provenance.library.probe_checks import check_probes
from provenance.transcript import Message

ASKED = {
    "x": "Pick a colour of the rainbow.",
    "y": "Which month is it, most likely?",
    "z": "Name any mammal; one word, please.",
}
SPENT = Spent(1_234, 20_000, 2_345)


def _probe(id, **changes):
    made = {
        "id": id,
        "family": "mine",
        "version": 1,
        "messages": (Message(role="user", content=ASKED.get(id[0], id)),),
        "max_visible_tokens": 8,
        "reading": "word",
        "rationale": "For tests, and long enough.",
        "source": "none",
    }
    return Probe(**(made | changes))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (5, 5), (4, 1), (9, 0)])
def test_nearness_is_the_posterior_density_of_the_log_odds_at_zero(n, m):
    # Share s has density f(s); its log odds have f(s)·s·(1 − s).
    expected = beta(n + 0.5, m + 0.5).pdf(0.5) / 4
    assert border.nearness([m, n]) == pytest.approx(expected)
    assert border.nearness([n, 0, m, 0]) == pytest.approx(expected)


@given(st.integers(0, 50), st.integers(0, 50))
def test_nearness_grows_with_draws_at_a_tie_and_falls_with_a_gap(n, gap):
    assert border.nearness([n + 1, n + 1]) > border.nearness([n, n])
    if n + gap:
        nearer = border.nearness([n + gap, n])
        assert border.nearness([n + gap + 1, n]) <= nearer * (1 + 1e-9)
    assert border.nearness([]) == 0


def test_the_nearest_come_first_and_one_answer_is_no_tie():
    answers = {
        "sure": ["a"] * 8,
        "tied": ["a", "b"] * 4,
        "less": ["a"] * 6 + ["b"] * 2,
        "spread": list("aabcdefg"),
        "unasked": [],
    }
    found = border.near_ties(answers, 9)
    assert [tie.cell for tie in found] == ["tied", "spread", "less"]
    assert (found[0].first, found[0].second, found[0].counts, found[0].draws) == (
        "a",
        "b",
        (4, 4),
        8,
    )
    assert [tie.cell for tie in border.near_ties(answers, 1)] == ["tied"]
    assert [t.temperature for t in border.near_ties(answers, 1, 0.1)] == [0.1]


def test_whoever_alternates_stays_and_others_only_fill_up():
    answers = {"sure": ["a"] * 4, "tied": ["a", "b"] * 2, "less": list("aaab"), "unasked": []}
    assert border.survivors(answers, 4, 1) == ["tied", "less"]
    assert border.survivors(answers, 1, 1) == ["tied"]
    assert border.survivors(answers, 4, 3) == ["tied", "less", "sure"]
    assert border.survivors(answers, 9, 9) == ["tied", "less", "sure", "unasked"]
    assert border.survivors({"x": [], "y": []}, 1, 1) == ["x"]


def test_by_log_probabilities_the_smallest_gap_comes_first():
    listed = {
        "sure": {"a": -0.01, "b": -5.0},
        "near": {"b": -0.75, "a": -0.7, "c": -4.0},
        "alone": {"a": -0.1},
    }
    found = border.nearest_tokens(listed, 9)
    assert [t.cell for t in found] == ["near", "sure"]
    assert (found[0].first, found[0].second) == ("a", "b")
    assert found[0].gap == pytest.approx(0.05)
    (probe, _) = border.battery_of(
        [_probe("near")], found[:1], greedy_draws=5, free_draws=1, spent=SPENT, source="s"
    ).probes
    assert "0.050 nats apart" in probe.rationale


def test_the_order_of_answers_changes_nothing():
    rng = np.random.default_rng(0)
    answers = {str(i): list(rng.choice(list("abc"), 7)) for i in range(9)}
    shuffled = {cell: list(rng.permutation(given)) for cell, given in answers.items()}
    one, two = border.near_ties(answers, 9), border.near_ties(shuffled, 9)
    assert [(t.cell, t.counts) for t in one] == [(t.cell, t.counts) for t in two]


def test_rounds_halve_and_never_fall_below_what_is_wanted():
    def sizes(*arguments):
        return [(r.candidates, r.draws) for r in border.rounds(*arguments)]

    assert sizes(300, 12, 16) == [(300, 4), (150, 4), (75, 4), (38, 4)]
    assert sizes(20, 12, 10) == [(20, 4), (12, 4), (12, 2)]
    assert sizes(5, 12, 3) == [(5, 3)]
    assert sum(r.requests for r in border.rounds(20, 12, 10)) == 20 * 4 + 12 * 4 + 12 * 2


def test_temperatures_fall_round_by_round_and_the_last_one_stays():
    def said(*temperatures):
        return [r.temperature for r in border.rounds(40, 5, 16, temperatures)]

    assert [r.temperature for r in border.rounds(40, 5, 16)] == [0.1] * 4
    assert said(None, 0.3, 0.1) == [None, 0.3, 0.1, 0.1]
    assert said(None) == [None] * 4
    for wrong in ((), (0.1, 0.3), (0.1, 0.1), (0.3, None), (0.0,), (2.5,), (float("nan"),)):
        with pytest.raises(UsageError, match="falling temperatures"):
            border.rounds(40, 5, 16, wrong)


def test_a_round_asks_at_its_temperature_and_compares_whole_answers():
    probe = _probe("x", reading="integer")
    cold = border.asked(probe, Round(0.1, 9, 4))
    assert (cold.decoding, cold.reading, cold.draws) == ({"temperature": 0.1}, "verbatim", 4)
    own = border.asked(probe, Round(None, 9, 3))
    assert (own.decoding, own.reading, own.draws) == ({}, "integer", 3)


def _searched(gaps, temperatures, rng):
    """Cells that a search keeps, and its requests: two answers a cell, ``gaps`` nats apart."""
    staying, answers, sent = [*gaps], {}, 0
    plan = border.rounds(len(gaps), 10, 16, temperatures)
    for before, now in zip([plan[0], *plan], plan, strict=False):
        if sent:
            staying = border.survivors({c: answers.get(c, []) for c in staying}, now.candidates, 10)
        if now.temperature != before.temperature:
            answers = {}
        for cell in staying:
            share = 1 / (1 + np.exp(-gaps[cell] / (now.temperature or 1)))
            drawn = np.where(rng.random(now.draws) < share, "a", "b").tolist()
            answers.setdefault(cell, []).extend(drawn)
            sent += now.draws
    assert sent <= sum(r.requests for r in plan)
    return [t.cell for t in border.near_ties({c: answers[c] for c in staying}, 10)], sent


def test_a_cold_search_finds_more_ties_with_fewer_requests_than_a_warm_one():
    """Ten of 200 cells are within a tenth of a nat, the others up to three nats apart.

    Of 10 cells chosen at random half a cell would be one of the ten. No null is tested: what is
    estimated is the mean number of ties found, over 20 searches; it breaks if draws at unlike
    temperatures were added up, or if a round kept what does not alternate.
    """
    found = {}
    for temperatures in ((0.1,), (None, 0.3, 0.1), (None,)):
        runs = []
        for run in range(20):
            rng = np.random.default_rng([1, run])
            leads = np.where(np.arange(200) < 10, 0.1, 3.0) * rng.random(200)
            kept, sent = _searched({str(i): g for i, g in enumerate(leads)}, temperatures, rng)
            runs.append((sum(int(cell) < 10 for cell in kept), sent))
        found[temperatures] = np.mean(runs, axis=0)
    cold, staged, warm = found.values()
    assert cold[0] >= staged[0] > 2 * warm[0]
    assert cold[1] < staged[1] < warm[1]


def test_candidates_are_short_and_ask_as_by_default():
    kept = border.candidates_of(
        [
            _probe("plain", conditions=({"id": "x", "system": "Be brief."},)),
            _probe("long", max_visible_tokens=border.SHORT_TOKENS + 1),
            _probe("cold", decoding={"temperature": 0}),
        ]
    )
    assert [(p.id, p.conditions) for p in kept] == [("plain", ())]


def _battery(ids, **draws):
    ties = [NearTie(i, "a", "b", (4, 3), 8, 1.0) for i in ids]
    draws = {"greedy_draws": 5, "free_draws": 10} | draws
    return border.battery_of(
        [_probe(i) for i in ids], ties, spent=SPENT, source="an evil \x1b[31m host\n", **draws
    )


def test_the_battery_asks_each_prompt_cold_and_free_and_says_what_it_took(tmp_path):
    made = _battery(["x", "y", "z" * 63])
    file = tmp_path / "b.toml"
    file.write_text(to_toml(made), encoding="utf-8")
    read = Battery.load(file)
    assert read.digest == made.digest
    assert read.probes == made.probes
    assert len({p.id for p in read.probes}) == 6
    assert not check_probes(read.probes)
    cold, free = read.probes[:2]
    assert (cold.family, cold.decoding, cold.draws) == ("border_greedy", {"temperature": 0}, 5)
    assert (free.family, free.decoding, free.draws) == ("border_free", {}, 10)
    assert (cold.reading, free.reading) == ("verbatim", "word")
    assert "1,234 answers of 2,345 tokens" in cold.rationale
    assert tomllib.loads(file.read_text())["probe"][0]["source"] == made.probes[0].source


def test_long_ids_that_begin_alike_stay_apart():
    made = _battery(["z" * 62, "z" * 63])
    assert len({p.id for p in made.probes}) == 4
    assert max(len(p.id) for p in made.probes) <= 64


def test_one_kind_of_cells_or_none():
    assert {p.family for p in _battery(["x"], free_draws=0).probes} == {"border_greedy"}
    assert {p.family for p in _battery(["x"], greedy_draws=0).probes} == {"border_free"}
    with pytest.raises(UsageError, match="found neither"):
        _battery(["x"], greedy_draws=0, free_draws=0)
    with pytest.raises(UsageError, match="second answer"):
        _battery([])


def test_the_same_question_at_one_temperature_twice_is_still_a_duplicate():
    two = [_probe("one"), _probe("two", messages=_probe("one").messages)]
    assert len(check_probes(two)) == 1
