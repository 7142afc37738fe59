"""What is missing, and whether a rejection would survive it."""

import pytest

from provenance.attribution.equality import draws_by_family, equality
from provenance.attribution.missing import examine_missing
from provenance.attribution.observations import observe
from provenance.attribution.verdict import PANEL
from provenance.battery import Cell
from provenance.sampling.plan import RULES
from provenance.transcript import Completion, Failure, Message, Record, Transcript

CELL = Cell(
    id="c",
    probe="c",
    family="f",
    reading="integer",
    messages=(Message(role="user", content="A number."),),
    max_visible_tokens=8,
)
PAIRS = 16


def _record(slot, answer, second):
    failure = Failure(kind="timeout", message="no answer") if answer is None else None
    return Record(
        slot=slot,
        role="suspect" if slot % 2 else "reference",
        cell="c",
        draw=slot // 2,
        block=slot // 2,
        attempt=1,
        final=True,
        started_utc=f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00:00",
        elapsed_s=None,
        request_sha256="0",
        response_sha256="0",
        completion=None if answer is None else Completion(text=answer),
        failure=failure,
    )


def _observed(failing=0, late=0):
    """The sides answer 7 and 8; the suspect's first answers fail, its last ones come late."""
    records = []
    for slot in range(2 * PAIRS):
        suspect, pair = slot % 2, slot // 2
        answer = None if suspect and pair < failing else "78"[suspect]
        behind = 900 if suspect and pair >= PAIRS - late else 0
        records.append(_record(slot, answer, slot + behind))
    return observe(Transcript(records), [CELL], blocked=True, max_lag_s=600)


@pytest.mark.parametrize("panel", [False, True])
def test_the_worst_case_is_held_against_as_many_hypotheses_as_the_test(panel):
    """Holm with a panel test beside one family: the smallest worst-case p counts twice."""
    observed = _observed(failing=4)
    tests = equality(draws_by_family(observed), alpha=0.01, minimum_resamples=999, seed=1)
    assert tests.results["f"].p_value == 2 / 2**12
    if panel:
        tests = tests.with_panel(0.5)
    found = examine_missing(
        observed,
        tests,
        planned={"reference": PAIRS, "suspect": PAIRS},
        failed={"reference": 0, "suspect": 4},
        alpha=0.01,
        rules=RULES,
        seed=1,
    )
    finding = next(f for f in found.findings if f.name == "equality_worst_case/f")
    assert finding.p_adjusted == found.worst_case["f"]
    assert finding.p_adjusted == pytest.approx((1 + panel) * finding.p_value)
    assert (PANEL in found.worst_case) is panel


def test_a_block_left_out_for_its_lag_stays_out_of_the_worst_case():
    """The plan's lag holds for both tests; a partner of a failure is kept, to be filled in."""
    (cell,) = _observed(failing=3, late=5).cells
    assert cell.draws.n == 2 * (PAIRS - 8)
    assert cell.available.n == 2 * (PAIRS - 8) + 3
