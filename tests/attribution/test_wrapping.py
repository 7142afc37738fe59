"""Words that nearly all of some texts share: what is found, and what is left without them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.attribution.wrapping import Shared, bare, shared

ANSWERS = [
    "Seven of them are left, so she sells six.",
    "In the first hour the train covers 40 miles.",
    "We add both: 12 and 30.",
    "No one knows. It hangs on the weather",
    "Let x be the number of boxes.\n\nThen 2x = 8.",
    "Twice as many, which is 84",
    "A dozen eggs cost $3.",
    "Half of the cake is gone!",
]
FENCED = [f'```json\n{{\n    "reasoning": "{a}",\n    "answer": "{i}"\n}}\n```' for i, a in
          enumerate(ANSWERS)]  # fmt: skip
LISTED = [f"- {a}\n- **{i}**" for i, a in enumerate(ANSWERS)]


@pytest.mark.parametrize("answers", [ANSWERS, FENCED, LISTED], ids=["prose", "json", "list"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Sure, here is the answer: ", ""),
        ("Of course!\n\n", ""),
        ("# Answer\n", ""),
        ("好的，以下是答案：", ""),
        ("", "\n\nI hope this helps!"),
        ("", " I hope this helps! Let me know if you need more."),
        ("Sure! Here you go:\n", "\n---\nAnswered by an assistant."),
        ("Note: " + "many words of a notice " * 30 + "end.\n", ""),
    ],
)
def test_what_a_host_adds_is_found_and_taken_off_whole(answers, before, after):
    """What is left is the answers: nothing of them goes, and no layout of theirs."""
    added = [before + a + after for a in answers]
    found = shared(added)
    openings, closing = found.ways()[0]
    assert [bare(t, openings, (closing,)) for t in added] == [a.strip() for a in answers]
    assert found.counts() == {
        "beginning": len(answers) * bool(before),
        "ending": len(answers) * bool(after),
    }


@pytest.mark.parametrize("answers", [ANSWERS, FENCED, LISTED, [], ["One answer."] * 0])
def test_answers_that_share_layout_alone_share_no_words(answers):
    assert not shared(answers)


def test_a_way_of_beginning_under_what_a_host_added_is_left_in_one_of_the_ways():
    """The model says "Let me think."; the host's words alone go in one way, both in another."""
    own = [f"Let me think. {a}" for a in ANSWERS]
    found = shared([f"Sure! Here is the answer: {t}" for t in own])
    left = [bare(f"Sure! Here is the answer: {own[0]}", o, (c,)) for o, c in found.ways()]
    assert left == [ANSWERS[0], own[0], f"Here is the answer: {own[0]}"]


def test_an_opening_of_most_outputs_is_none_of_nearly_all():
    """95 of 100 share it, or it is not taken for shared; those without it stay as they are."""
    texts = [f"Well then. {i} apples" for i in range(95)] + [f"  {i} pears " for i in range(5)]
    assert shared(texts).openings == ("Well then.",)
    assert shared(texts).beginning == 95
    assert bare(texts[-1], ("Well then.",), ()) == texts[-1]
    assert not shared([*texts, "a pear"])


def test_an_output_of_nothing_but_shared_words_keeps_them():
    texts = [*(f"Here it is: {a}" for a in ANSWERS * 3), "Here it is:"]
    found = shared(texts)
    assert found.openings == ("Here it is:",)
    assert bare("Here it is:", found.pieces, ("",)) == "Here it is:"


@pytest.mark.parametrize(
    "text",
    ["", " \n\t ", "\x00\x1b[31m", "\ud800: \u202e", "\u0301" * 50, "a", ". " * 2_000, "{" * 2_000],
)
def test_hostile_texts_are_borne(text):
    texts = [text + str(i) for i in range(7)] + [text]
    found = shared(texts)
    for openings, closing in [*found.ways(), ((text,), text)]:
        made = [bare(t, openings, (closing,)) for t in texts]
        assert all(m.strip() or m == t for m, t in zip(made, texts, strict=True))


def test_time_grows_with_the_texts_alone():
    """Runs of blanks, marks and layout, and one giant text, are where a pattern would linger."""
    started = time.perf_counter()
    for filler in (" ", "\n", "- ", ". ", "` ", "\n "):
        shared(["a" + filler * 500_000 + f"b {i}" for i in range(5)])
    shared([f"Sure, here it is: {i}" for i in range(20_000)])
    assert time.perf_counter() - started < 5


@given(
    st.lists(st.text(max_size=30), min_size=1, max_size=30),
    st.text(max_size=12),
    st.text(max_size=12),
)
def test_nothing_is_emptied_and_nothing_but_the_ends_goes(texts, before, after):
    """Property: what is left is a part of the text in one piece, not empty unless the text is."""
    added = [before + t + after for t in texts]
    found = shared(added)
    assert found.beginning * 100 >= 95 * len(texts) * bool(found.openings)
    assert found.ending * 100 >= 95 * len(texts) * bool(found.closing)
    assert found == shared(added[::-1])
    for openings, closing in found.ways():
        for text in added:
            left = bare(text, openings, (closing,))
            assert left in text
            assert left.strip() or left == text


def test_pieces_are_the_openings_one_without_the_other():
    assert Shared(("Sure!", "Sure! Here:")).pieces == ("Sure!", "Here:")
