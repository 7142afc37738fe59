"""Habits that a reader can see, and which calibration speaks to a case."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.attribution.habits import HABITS, Habits, between, rates, shared_habits
from provenance.attribution.ratios import language_of
from provenance.library.population import Library, Output, Recorded
from provenance.transcript import Completion

EXAMPLES = {
    "a heading": "intro\n## Title\ntext",
    "bold text": "some **bold** words",
    "a bold lead-in with the colon inside": "- **Note:** text",
    "a bold lead-in with the colon outside": "- **Note**: text",
    "dash bullets": "list:\n- one\n- two",
    "star bullets": "list:\n* one",
    "a numbered list": "1. one\n2. two",
    "an em dash without spaces": "word—word",
    "an em dash with spaces": "word — word",
    "curly quotes": "he said “yes”",
    "an opening that agrees": "Certainly! Here it is.",
    "an opening with Here": "Here's a list of things.",
    "an apology": "I'm sorry, but that is wrong.",
    "self-reference as a model": "As an AI language model, I have no taste.",
    "an offer of more help": "Let me know if you need more.",
    "a closing question": "That is it. Shall I go on?",
    "It's important to note": "It's important to note that it rains.",
    "not only … but also": "It is not only cheap but also good.",
    "a step label": "**Step 1: Begin**",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_habit_is_seen_where_it_is_and_nowhere_else(name):
    place = list(HABITS).index(name)
    plain = "A plain sentence about the weather in spring. It ends with a full stop."
    assert rates([EXAMPLES[name]])[place] == 1.0
    assert rates([plain])[place] == 0.0
    assert rates([EXAMPLES[name], plain])[place] == 0.5


def test_no_pattern_is_slow_on_hostile_text():
    import time

    hostile = ["*" * 20_000, "- " * 10_000, "“" * 20_000, "a" * 20_000, "\n" * 20_000, "|" * 20_000]
    started = time.process_time()
    rates(hostile)
    assert time.process_time() - started < 20  # a pattern that backtracks takes hours


def test_shared_habits_are_the_unusual_ones():
    others = np.zeros((12, len(HABITS)))
    own = np.zeros(len(HABITS))
    place = list(HABITS).index("dash bullets")
    own[place] = 0.8
    completions = [Completion(text="list:\n- one\n- two")] * 5
    found = between(completions, own, "model", others)
    assert [h.name for h in found] == ["dash bullets"]
    assert found[0].quote == "- one"
    assert (found[0].suspect, found[0].of_model, found[0].share_below) == (1.0, 0.8, 1.0)
    assert between(completions, own, "model", others[:3]) == ()
    assert between([], own, "model", others) == ()


def test_rates_are_kept_in_the_library_until_it_changes(tmp_path):
    library = Library.create(tmp_path / "library")
    for i in range(9):
        outputs = [Output(f"p{k}", "- bullet" if i % 2 else "plain") for k in range(4)]
        library.add(f"m{i}", Recorded(outputs, session="one"))
    known = Habits.of(library)
    assert known is not None
    kept = (tmp_path / "library" / "habits.json").stat().st_mtime_ns
    again = Habits.of(library)
    assert again is not None
    assert np.array_equal(again.rates, known.rates)
    assert (tmp_path / "library" / "habits.json").stat().st_mtime_ns == kept
    library.add("m9", Recorded([Output("p", "text")], session="one"))
    more = Habits.of(library)
    assert more is not None
    assert len(more.models) == 10
    found = shared_habits([Completion(text="- bullet")] * 4, more, "m1")
    assert found == () or found[0].name == "dash bullets"
    assert shared_habits([Completion(text="x")], more, "nobody") == ()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat sat on the mat and it was not amused by any of this.", "en"),
        ("Die Katze saß auf der Matte und war davon nicht begeistert.", "other"),
        ("Кошка сидела на коврике и не была рада.", "other"),
        ("12345 67890", "other"),
        ("", "other"),
    ],
)
def test_language(text, language):
    assert language_of([Completion(text=text)]) == language
