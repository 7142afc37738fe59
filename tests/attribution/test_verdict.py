from dataclasses import replace

import pytest

from provenance.attribution.verdict import (
    PANEL,
    Case,
    Held,
    against_anchors,
    consistent,
    decide,
)
from provenance.findings import SubstituteShare

EQUAL = Case(
    alpha=0.01,
    p_adjusted={"one_token": 0.4, "format": 1.0},
    clearest={"one_token": "number-en"},
    leading=None,
    sequential=None,
    early=False,
    p_worst_case=None,
    planned={"reference": 120, "suspect": 120},
    completed={"reference": 120, "suspect": 120},
    used={"reference": 120, "suspect": 120},
    failed={"reference": 0, "suspect": 0},
    asked_again={"reference": 0, "suspect": 0},
    failure_p=1.0,
    failure_side=None,
    failure_family=None,
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
                "tests": 2,
                "family": "one_token",
                "cell": "number-en",
                "substitute": None,
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
    case = replace(
        REJECTED,
        failed=failing,
        failure_p=1e-9,
        failure_side="suspect",
        p_worst_case={"one_token": 0.3},
    )
    assert codes(case) == ("inconclusive", ["not_robust_to_missing", "suspect_withholds"])
    robust = replace(case, p_worst_case={"one_token": 0.002})
    assert codes(robust) == ("different", ["rejects_same_deployment", "suspect_withholds"])


def test_failures_of_the_reference_are_named_as_such():
    case = replace(
        EQUAL,
        failed={"reference": 30, "suspect": 0},
        failure_p=1e-9,
        failure_side="reference",
    )
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


def test_a_rejection_by_the_panel_test_names_the_substitute():
    case = replace(EQUAL, p_adjusted={"one_token": 0.4, PANEL: 0.0003}, leading="gpt-y")
    label, reasons = decide(case)
    assert label == "different"
    values = reasons[0][1]
    assert (values["families"], values["tests"]) == (1, 2)
    assert (values["family"], values["substitute"]) == (None, "gpt-y")


DIAGNOSED = replace(EQUAL, serial={"reference": (0.5, 0.0), "suspect": (0.5, 0.0)})


def share(name, upper, *, parted=True):
    return SubstituteShare(name=name, cells=9, lower=0.0, upper=upper, alpha=0.01, parted=parted)


def weigh(shares, case=DIAGNOSED, delta=0.1):
    label, reasons, not_excluded = consistent(
        case, decide(case)[1], shares, delta=delta, panel="core"
    )
    return label, [code for code, _ in reasons], not_excluded


def test_consistent_needs_every_substitute_that_can_be_told_apart():
    low, twin = share("a", 0.1), share("twin", 1.0, parted=False)
    assert weigh([low, twin]) == ("consistent", ["consistent_within"], ("twin",))
    found = weigh([low, share("b", 0.105)])
    assert found == ("inconclusive", ["no_difference_found", "share_not_excluded"], ())
    assert weigh([twin])[0] == "inconclusive"
    odd = low.model_copy(update={"fits": False})
    assert weigh([odd])[1] == ["no_difference_found", "no_mixture_fits"]
    assert weigh([])[0] == "inconclusive"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"serial": {}}, "order_unknown"),
        ({"serial": {"reference": (0.5, 0.0)}}, "order_unknown"),
        ({"serial": {"reference": (0.5, 0.0), "suspect": (0.001, 0.4)}}, "serial_dependence"),
        ({"drift": {"suspect": 0.001}}, "drift"),
        ({"failure_p": 0.1, "failure_side": "suspect"}, "suspect_withholds"),
        ({"failure_p": 0.1, "failure_side": "reference"}, "failures_differ_reference"),
        ({"p_adjusted": {"one_token": 0.001}}, "rejects_same_deployment"),
        ({"completed": {"reference": 120, "suspect": 0}}, "nothing_answered"),
    ],
)
def test_what_forbids_consistent(change, code):
    label, found, _ = weigh([share("a", 0.05)], replace(DIAGNOSED, **change))
    assert label == "inconclusive"
    assert code in found


def test_a_change_at_some_moment_forbids_consistent():
    case, shares = DIAGNOSED, [share("a", 0.05)]
    found = consistent(case, decide(case)[1], shares, delta=0.1, panel="core", changed=True)
    assert found == ("inconclusive", decide(case)[1], ())


BET = replace(EQUAL, sequential=(0.0015, 0.002, 64), early=True)


def test_the_sequential_test_decides_by_itself():
    label, reasons = decide(BET)
    assert label == "different"
    values = {"p": 0.0015, "alpha": 0.002, "pairs": 64, "early": True}
    assert reasons == [("rejects_sequentially", values)]
    assert codes(replace(BET, sequential=(0.0021, 0.002, 64)))[0] == "inconclusive"


def test_tests_of_the_end_decide_nothing_where_the_study_stopped_early():
    case = replace(REJECTED, sequential=(0.5, 0.002, 64), early=True)
    assert codes(case)[0] == "inconclusive"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"serial": {"suspect": (0.001, 0.4)}}, "serial_dependence"),
        ({"failure_p": 0.1, "failure_side": "suspect"}, "suspect_withholds"),
        ({"used": {"reference": 10, "suspect": 10}}, "too_little_coverage"),
    ],
)
def test_what_forbids_a_sequential_rejection(change, code):
    label, found = codes(replace(BET, **change))
    assert label == "inconclusive"
    assert code in found


HELD = Held(anchors=1, as_far=0, needed=99, p=None, p_excess=0.001, p_common=0.001)


def held_against(held, label="different"):
    given = [("rejects_same_deployment", {})]
    found, reasons = against_anchors(label, given, held, alpha=0.01)
    return found, [code for code, _ in reasons[1:]]


@pytest.mark.parametrize(
    ("held", "label", "added"),
    [
        (None, "different", []),
        (HELD, "different", ["beyond_anchors"]),
        (replace(HELD, as_far=1), "inconclusive", ["anchors_shift_alike"]),
        (replace(HELD, p_excess=0.02), "inconclusive", ["anchors_shift_alike"]),
        # The hosts leave the anchors alone, so the test of the suspect by itself stands.
        (replace(HELD, p_excess=0.02, p_common=0.6), "different", ["beyond_anchors"]),
        (replace(HELD, p_excess=0.6, p_common=0.6), "inconclusive", ["anchors_shift_alike"]),
        (replace(HELD, as_far=1, p_common=0.6), "inconclusive", ["anchors_shift_alike"]),
        # Enough anchors: the rank decides, and one of many may be as far.
        (replace(HELD, anchors=199, as_far=1, p=0.01), "different", ["beyond_anchors"]),
        (replace(HELD, anchors=99, as_far=1, p=0.02), "inconclusive", ["anchors_shift_alike"]),
        (
            replace(HELD, anchors=99, as_far=0, p=0.01, p_excess=0.5),
            "inconclusive",
            ["anchors_shift_alike"],
        ),
    ],
)
def test_anchors_can_only_take_a_difference_back(held, label, added):
    assert held_against(held) == (label, added)
    assert held_against(held, "inconclusive") == ("inconclusive", [])
    assert held_against(held, "consistent") == ("consistent", [])
