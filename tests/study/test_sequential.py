"""Studies that may stop early: what they save and claim, and that a stranger stops there too."""

import pytest

from provenance import analyse, compare
from provenance.errors import BudgetExhausted
from provenance.evidence.store import Store
from provenance.verification import verify


def study(endpoint, tmp_path, suspect, seed=1, **options):
    return compare(
        endpoint("a"), endpoint(suspect), sequential=True, seed=seed, formats=[],
        store=tmp_path / f"{suspect}-{seed}", **options,
    )  # fmt: skip


def by_name(found):
    return {f.name: f for f in found.findings}


def test_a_clear_difference_stops_the_study(endpoint, tmp_path):
    found = study(endpoint, tmp_path, "other")
    assert found.verdict.label == "different"
    reason = found.verdict.reasons[0]
    assert reason.code == "rejects_sequentially"
    assert reason.values["early"]
    bet = by_name(found)["sequential"]
    assert bet.exactness == "anytime"
    assert bet.p_value <= bet.alpha == pytest.approx(0.002)
    assert bet.e_value > 1
    assert found.document.usage.requests < 160, "of 240 that were planned"
    assert found.document.coverage.planned <= found.document.usage.requests
    for name, finding in by_name(found).items():
        if name.startswith("equality") or name == "panel":
            assert finding.exploratory
            assert finding.p_adjusted is None
    # Limits and Holm's p-values are of a number of draws that was fixed beforehand.
    assert not found.document.substitutes
    assert all(family.p_adjusted is None for family in found.document.families)
    assert any("sequential test" in text for text in found.document.deviations)


def test_a_stranger_comes_to_the_same_end(endpoint, tmp_path):
    found = study(endpoint, tmp_path, "other")
    assert verify(found.store).ok
    assert analyse(found.store) == found.document
    with Store.open(found.store) as store:
        assert store.finished
        assert sum(e["kind"] == "stopped_early" for e in store.notes()) == 1


def test_equal_sides_are_asked_to_the_end_and_tested_with_the_rest_of_alpha(endpoint, tmp_path):
    found = study(endpoint, tmp_path, "same")
    assert found.verdict.label != "different"
    assert found.document.coverage.completed == found.document.coverage.planned == 240
    names = by_name(found)
    assert names["equality/one_token"].alpha == pytest.approx(0.008)
    assert not names["equality/one_token"].exploratory
    assert names["sequential"].p_value > 0.002
    assert names["sequential"].n_suspect == 120


def test_a_cache_is_not_a_difference_here_either(endpoint, tmp_path):
    for seed in range(3):
        assert study(endpoint, tmp_path, "cached", seed).verdict.label == "inconclusive"


def test_a_study_that_a_budget_stopped_goes_on_betting(endpoint, tmp_path):
    options = {"seed": 3}
    with pytest.raises(BudgetExhausted):
        study(endpoint, tmp_path, "other", **options, max_requests=20)
    resumed = study(endpoint, tmp_path, "other", **options)
    whole = compare(
        endpoint("a"), endpoint("other"), sequential=True, seed=3, formats=[],
        store=tmp_path / "whole",
    )  # fmt: skip
    one, other = by_name(resumed)["sequential"], by_name(whole)["sequential"]
    assert resumed.verdict.label == whole.verdict.label == "different"
    assert one.p_value <= 0.002
    assert other.p_value <= 0.002


def test_a_recording_can_be_bet_on_too(endpoint, tmp_path):
    from provenance import sample

    stored = sample(endpoint("a"), store=tmp_path / "ref", seed=5, draws=24)
    found = compare(
        str(stored), endpoint("other"), sequential=True, seed=6, formats=[], draws=8,
        store=tmp_path / "s",
    )  # fmt: skip
    assert found.verdict.label == "different"
    assert by_name(found)["sequential"].null == "reference_as_recorded"
