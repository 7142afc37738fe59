"""Units of a library that hold a pair for which a hypothesis surely holds."""

from __future__ import annotations

from provenance.attribution.related import surely, units_holding, why_none
from provenance.library.relations import Relations

LABELS = Relations.model_validate(
    {
        "models": {
            "base-chat": {"unit": "A", "base": "base", "certainty": "sure"},
            "student": {"unit": "A", "parent": "base-chat", "base": "base", "certainty": "sure"},
            "guessed": {"unit": "A", "parent": "base-chat", "certainty": "likely"},
            "served": {"unit": "A", "same_weights_as": "base-chat", "certainty": "sure"},
            "one": {"unit": "B", "base": "b", "certainty": "sure"},
            "two": {"unit": "B", "base": "b", "certainty": "sure"},
            "alone": {"unit": "C", "base": "c", "certainty": "sure"},
        }
    }
)
UNITS = {
    "A": ["base-chat", "student", "guessed", "served"],
    "B": ["one", "two"],
    "C": ["alone"],
}


def test_only_sure_labels_count_and_the_same_weights_are_another_question() -> None:
    """Breaks if a likely parent or a second host of one model makes a pair."""
    assert surely(LABELS, "student", "base-chat", "derived")
    assert not surely(LABELS, "base-chat", "student", "derived")
    assert not surely(LABELS, "guessed", "base-chat", "derived")
    assert not surely(LABELS, "served", "base-chat", "common_base")
    assert units_holding(UNITS, LABELS, "derived") == ["A"]
    assert units_holding(UNITS, LABELS, "common_base") == ["A", "B"]


def test_why_there_is_no_ratio_counts_units_not_pairs() -> None:
    """Unit: makers of weights. Breaks if the many pairs of one unit pass for many."""
    derived = why_none("derived", UNITS, LABELS)
    assert derived.startswith(
        "Of the library's 3 units that answered such prompts 1 (A) holds two models"
    )
    assert "a calibration needs 3 such units" in derived
    assert "`parent`" in derived
    base = why_none("common_base", UNITS, LABELS)
    assert "2 (A, B) hold two models" in base
    assert why_none("derived", {"C": ["alone"]}, LABELS).startswith(
        "Of the library's 1 unit that answered such prompts none holds"
    )
    assert why_none("same_weights", UNITS, LABELS) == "no_calibration"


def test_enough_units_and_no_fit_says_what_to_run() -> None:
    """Breaks if a library that was never calibrated for it is called too small."""
    more = {f"{unit}{i}": models for i in range(2) for unit, models in UNITS.items()}
    assert "`provenance library calibrate` can try it" in why_none("common_base", more, LABELS)
