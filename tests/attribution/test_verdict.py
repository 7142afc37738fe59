from dataclasses import replace

import pytest

from provenance.attribution.verdict import Case, decide

EQUAL = Case(
    alpha=0.01,
    p_adjusted={"one_token": 0.4, "format": 1.0},
    clearest={"one_token": "number-en"},
    p_worst_case=None,
    planned={"reference": 120, "suspect": 120},
    completed={"reference": 120, "suspect": 120},
    used={"reference": 120, "suspect": 120},
    failed={"reference": 0, "suspect": 0},
    failure_p=1.0,
    minimum_coverage=0.5,
    failure_alpha=0.2,
    serial={},
    drift={},
    paired=True,
    serial_alpha=0.01,
)
REJECTED = replace(EQUAL, p_adjusted={"one_token": 0.0004, "format": 1.0})


def codes(case):
    label, reasons = decide(case)
    return label, [code for code, _ in reasons]


def test_without_a_rejection_nothing_is_claimed():
    assert codes(EQUAL) == ("inconclusive", ["no_difference_found"])


def test_a_rejection_names_the_family_and_its_p_value():
    label, reasons = decide(REJECTED)
    assert label == "different"
    assert reasons == [
        (
            "rejects_same_deployment",
            {
                "p": 0.0004,
                "alpha": 0.01,
                "families": 2,
                "family": "one_token",
                "cell": "number-en",
            },
        )
    ]


def test_the_level_itself_still_rejects():
    assert codes(replace(EQUAL, p_adjusted={"f": 0.01}))[0] == "different"
    assert codes(replace(EQUAL, p_adjusted={"f": 0.0100001}))[0] == "inconclusive"


def test_dependent_draws_block_different():
    case = replace(REJECTED, serial={"suspect": (0.001, 14.0)})
    assert codes(case) == ("inconclusive", ["serial_dependence"])


def test_drift_blocks_different_only_where_the_sides_were_not_paired_in_time():
    drifting = replace(REJECTED, drift={"suspect": 0.002})
    assert codes(drifting)[0] == "different"
    assert codes(replace(drifting, paired=False)) == ("inconclusive", ["drift"])


def test_a_rejection_that_the_missing_draws_could_undo_is_none():
    failing = {"reference": 0, "suspect": 30}
    case = replace(REJECTED, failed=failing, failure_p=1e-9, p_worst_case={"one_token": 0.3})
    assert codes(case) == ("inconclusive", ["not_robust_to_missing", "suspect_withholds"])
    robust = replace(case, p_worst_case={"one_token": 0.002})
    assert codes(robust) == ("different", ["rejects_same_deployment", "suspect_withholds"])


def test_failures_of_the_reference_are_named_as_such():
    case = replace(EQUAL, failed={"reference": 30, "suspect": 0}, failure_p=1e-9)
    assert codes(case)[1] == ["no_difference_found", "failures_differ_reference"]


@pytest.mark.parametrize("side", ["reference", "suspect"])
def test_a_silent_side_is_inconclusive_whatever_the_p_values(side):
    case = replace(
        REJECTED, completed={**EQUAL.completed, side: 0}, failed={**EQUAL.failed, side: 8}
    )
    assert codes(case) == ("inconclusive", ["nothing_answered"])


def test_too_little_coverage_is_inconclusive_whatever_the_p_values():
    case = replace(REJECTED, used={"reference": 120, "suspect": 59})
    assert codes(case) == ("inconclusive", ["too_little_coverage"])
