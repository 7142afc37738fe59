"""Sketches of answers: what they keep, and what they do not hang on."""

from __future__ import annotations

import numpy as np
import pytest

from provenance.library.sketches import CHANNELS, COUNTED, DIMENSIONS, scheme, sketches
from provenance.library.space import VIEWS
from provenance.signatures import matrix, named

TEXTS = [
    "The trolley problem is a thought experiment. There are five people on the track, and they "
    "are already dead; so pulling the lever would kill the one person who is alive.",
    "First, note that the five people are dead. Therefore no lever should be pulled, because the "
    "only living person stands on the other track.",
    "A farmer takes the sheep across the river in one trip. The boat holds both of them.",
]


def cosine(a, b):
    a, b = a.astype(float), b.astype(float)
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_inner_products_estimate_those_of_the_rows():
    """Against the exact cosines of the counts; four standard errors of 1/16 a channel."""
    made = sketches(TEXTS)
    assert made.shape == (3, DIMENSIONS)
    assert made.dtype == np.int8
    counted = ("word_ngrams", "skeleton", "openings_closings")
    for name, channel in zip(counted, CHANNELS[:3], strict=True):
        rows = matrix(named(name)[0], TEXTS, view=VIEWS["canonical"]).toarray()
        rows = np.log1p(rows)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            exact = rows[i] @ rows[j] / np.sqrt((rows[i] @ rows[i]) * (rows[j] @ rows[j]))
            assert cosine(made[i, channel], made[j, channel]) == pytest.approx(exact, abs=0.25)


def test_listed_measures_are_kept_as_they_are_measured():
    made = sketches(TEXTS)
    for name, channel in zip(("function_words", "reasoning"), CHANNELS[3:], strict=True):
        rows = matrix(named(name)[0], TEXTS, view=VIEWS["canonical"])
        assert rows.max() < 7
        assert np.abs(made[:, channel] / 18 - rows).max() <= 0.5 / 18 + 1e-9


def test_a_reformatted_text_keeps_most_of_its_sketch():
    plain = TEXTS[0].lower()
    marked = "**" + TEXTS[0].replace(". ", ".\n\n## ") + "**"
    a, b, other = sketches([plain, marked, TEXTS[2]])
    assert cosine(a, b) > 0.9
    assert cosine(a, b) > cosine(a, other) + 0.5


def test_texts_without_words_and_hostile_texts_give_finite_sketches():
    made = sketches(["", " \n", "\ud800\u202e\x00", "x" * 200_000, "### " * 5_000])
    assert made.shape == (5, DIMENSIONS)
    assert not made[0, CHANNELS[0]].any()
    assert sketches([]).shape == (0, DIMENSIONS)


def test_what_answers_are_about_is_in_the_first_two_channels():
    """The test that answers belong to their prompts reads these, and no habit."""
    assert (COUNTED.start, COUNTED.stop) == (CHANNELS[0].start, CHANNELS[1].stop)
    assert CHANNELS[-1].stop == DIMENSIONS


def test_one_text_has_one_sketch_wherever_it_stands():
    assert np.array_equal(sketches(TEXTS)[2], sketches(TEXTS[2:])[0])
    assert len(scheme()) == 64
