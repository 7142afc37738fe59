import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.readings import EMPTY, READINGS, UNREADABLE, read

SHOWN = {
    "integer": [
        ("**7**", "7"),
        ("The number is 42.", "42"),
        ("７３", "73"),
        ("٤٢", "42"),
        ("四十二", "42"),
        ("1,234", "1234"),
        ("007", "7"),
        ("-3", "-3"),
        ("3.7", "⟨3…⟩"),
        ("I'm sorry, but as an AI I cannot choose.", "⟨i'm…⟩"),
    ],
    "number": [("3,50", "3.5"), ("about 2.0 or so", "2"), ("百", "100")],
    "word": [
        ("Blue.", "blue"),
        ("**Otter**", "otter"),
        ("New York", "new york"),
        ("Straße!", "strasse"),
        ("北京。", "北京"),
        ("กรุงเทพ", "กรุงเทพ".casefold()),
        ("हिन्दी।", "हिन्दी"),
        ("Sure! My favourite is blue", "⟨sure…⟩"),
    ],
    "letter": [("k", "K"), ("The letter is **Q**", "Q"), ("Sure", "⟨sure…⟩")],
    "yes_no": [("Yes, of course.", "yes"), ("Нет", "no"), ("是的。", "yes"), ("不", "no")],
    "opening": [("Hello there!", "hello"), ("  «Привет»", "привет"), ("!!!", UNREADABLE)],
    "bullets": [
        ("- a\n- b", "dash"),
        ("1. **a**\n2. b", "number. bold"),
        ("eggs, milk, bread", "comma"),
        ("You could buy eggs.", "plain"),
    ],
    "json_style": [
        ('```json\n{"a": 1}\n```', "fenced dict line"),
        ("[1,\n2]", "bare list lines"),
        ('{"a": }', "broken"),
        ("[" * 5000, "broken"),
    ],
    "text": [("  so  be\nit ", "so be it"), ("a " * 200, "a a a …"), ("Ja.", "Ja.")],
}


@pytest.mark.parametrize(
    ("reading", "answer", "category"),
    [(r, a, c) for r, rows in SHOWN.items() for a, c in rows],
)
def test_real_looking_answers(reading, answer, category):
    assert read(reading, answer) == category


def test_every_reading_is_shown_on_three_answers():
    assert set(SHOWN) == set(READINGS)
    assert all(len(rows) >= 3 for rows in SHOWN.values())


@pytest.mark.parametrize("reading", READINGS)
def test_silence_is_a_category_of_its_own(reading):
    assert read(reading, "") == read(reading, " \n\t") == EMPTY


@pytest.mark.parametrize("reading", READINGS)
@given(st.text(st.characters(), max_size=300))
def test_no_answer_breaks_a_reading(reading, answer):
    category = read(reading, answer)
    assert category
    assert len(category) <= 200


@pytest.mark.parametrize("reading", READINGS)
def test_every_category_can_be_written(reading):
    for answer in ("\ud800", "\ud800x", "7 \udfff", "blue\ud83d"):
        read(reading, answer).encode("utf-8")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("unit", ["a", "1", "- ", "\x1b[31m", "{", "，", "1,", "a'"])
def test_megabytes_are_read_by_their_beginning(reading, unit):
    began = time.monotonic()
    assert len(read(reading, unit * 3_000_000)) <= 200
    assert time.monotonic() - began < 0.5
