"""A reference that is small against the suspect: when the plan says so."""

import pytest

from provenance.sampling.questions import Questions, reference_warnings, short_of_reference


def questions(reference, suspect):
    return Questions("b", "0", (), {"reference": reference, "suspect": suspect}, ())


def test_cells_that_are_short():
    assert short_of_reference([14, 15, 90, 0], [2, 3, 15, 4]) == (1, 1)


@pytest.mark.parametrize(
    ("replays", "sequential", "said"),
    [
        ([], False, 0),
        ([], True, 2),
        (["reference"], False, 2),
        (["reference"], True, 2),
        (["reference", "suspect"], True, 0),
    ],
)
def test_who_is_warned(replays, sequential, said):
    found = reference_warnings(questions([8, 8], [8, 8]), replays, sequential=sequential)
    assert len(found) == said
    assert all("reference draws" in line for line in found)


def test_enough_is_enough():
    assert not reference_warnings(questions([90], [15]), ["reference"], sequential=True)
    assert not reference_warnings(questions([90], [15]), [], sequential=True)


def test_a_sequential_test_says_what_to_do():
    found = reference_warnings(questions([20], [8]), [], sequential=True)
    assert found == [
        "1 cell has fewer than 6 reference draws to a suspect's: the sequential test sees "
        "little before it has learnt the reference. --reference-draws asks for more."
    ]


def test_a_live_panel_test_is_warned_about_once():
    found = reference_warnings(questions([8, 20], [8, 20]), [], sequential=False, panel=True)
    assert found == [
        "1 cell has fewer than 15 reference draws, 2 fewer than 6 to a suspect's: the panel test "
        "sees large shares only. --reference-draws asks for more."
    ]
    assert not reference_warnings(questions([90], [15]), [], sequential=False, panel=True)
    stored = reference_warnings(questions([8], [8]), ["reference"], sequential=False, panel=True)
    assert stored == reference_warnings(questions([8], [8]), ["reference"], sequential=False)


def test_a_recording_of_one_side_is_never_warned_about():
    only = Questions("b", "0", (), {"reference": [3]}, ())
    assert not reference_warnings(only, ["reference"], sequential=True)
