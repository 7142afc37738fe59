import numpy as np
import pytest

from provenance.stats.fused import fused_test
from provenance.stats.permutation import PermutationNull
from provenance.stats.power import (
    minimum_detectable_dilution,
    plan_power,
    power_at,
)


def _models(rng, cells):
    return [rng.dirichlet(np.full(15, 0.1 if i % 2 else 0.6)) for i in range(cells)]


def _mixed(reference, substitute, share):
    return [(1 - share) * p + share * q for p, q in zip(reference, substitute, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "blocked"), [(1, True), (3, False)])
def test_planned_power_is_what_the_test_has(simulate, ratio, blocked):
    rng = np.random.default_rng(1)
    reference, substitute = _models(rng, 20), _models(rng, 20)
    suspect = _mixed(reference, substitute, 0.22)
    plan = plan_power(reference, [10 * ratio] * 20, [10] * 20, alpha=0.01, rng=rng)
    planned = plan.at(suspect, replicates=2_000)
    assert 0.3 < planned < 0.97
    rejected = [
        fused_test(
            simulate(rng, reference, suspect, 10, ratio=ratio, blocked=blocked),
            null=PermutationNull(rng, 499),
        ).p_value
        <= 0.01
        for _ in range(400)
    ]
    assert np.mean(rejected) == pytest.approx(planned, abs=0.07)


def test_level_and_certainty():
    rng = np.random.default_rng(2)
    reference = _models(rng, 12)
    plan = plan_power(reference, [8] * 12, [8] * 12, alpha=0.05, rng=rng)
    # Equal distributions that are not the same object: the level, give or take.
    nearly = [np.append(p[:-1], p[-1]) * 1.0 for p in reference]
    nearly = [(p + 1e-9) / (p + 1e-9).sum() for p in nearly]
    assert plan.at(nearly, replicates=4_000) == pytest.approx(0.05, abs=0.02)
    assert plan.at(reference) == 0.0
    assert plan.at([np.roll(p, 1) for p in reference]) > 0.95


def test_detectable_dilution_has_the_power_asked_for():
    rng = np.random.default_rng(3)
    reference, substitute = _models(rng, 20), _models(rng, 20)
    numbers = [10] * 20
    share = minimum_detectable_dilution(
        reference, substitute, numbers, numbers, alpha=0.01, rng=rng
    )
    assert 0.02 < share < 0.6
    reached = power_at(
        reference, _mixed(reference, substitute, share), numbers, numbers, alpha=0.01, rng=rng
    )
    assert reached == pytest.approx(0.8, abs=0.12)
    assert (
        minimum_detectable_dilution(reference, reference, numbers, numbers, alpha=0.01, rng=rng)
        is None
    )


def test_spreading_over_families_costs_power():
    rng = np.random.default_rng(4)
    reference = _models(rng, 18)
    suspect = _mixed(reference, _models(rng, 18), 0.25)
    one, many = (
        power_at(reference, suspect, [8] * 18, [8] * 18, alpha=0.01, rng=rng, families=f)
        for f in (None, [i // 3 for i in range(18)])
    )
    assert many < one


def test_errors():
    rng = np.random.default_rng(6)
    p = [np.array([0.5, 0.5])]
    with pytest.raises(ValueError, match="sum to 1"):
        plan_power([np.array([0.5, 0.4])], [5], [5], alpha=0.01, rng=rng)
    with pytest.raises(ValueError, match="draw a side"):
        plan_power(p, [0], [5], alpha=0.01, rng=rng)
    with pytest.raises(ValueError, match="1 cells"):
        plan_power(p, [5, 5], [5], alpha=0.01, rng=rng)
    with pytest.raises(ValueError, match="alpha"):
        plan_power(p, [5], [5], alpha=1, rng=rng)
    with pytest.raises(ValueError, match="family"):
        plan_power(p, [5], [5], alpha=0.01, rng=rng, families=[0, 1])
    plan = plan_power(p, [5], [5], alpha=0.01, rng=rng)
    with pytest.raises(ValueError, match="same cells"):
        plan.at([np.array([1.0])])


def test_a_panel_adds_power_for_its_members_and_keeps_the_level() -> None:
    """Eight families of three cells: the panel test pools what Holm splits."""
    rng = np.random.default_rng(31)
    reference, substitute = _models(rng, 24), _models(rng, 24)
    others = [_models(rng, 24) for _ in range(5)]
    numbers, families = [10] * 24, [c // 3 for c in range(24)]
    plain = plan_power(reference, numbers, numbers, alpha=0.01, rng=rng, families=families)
    pooled = plan_power(
        reference,
        numbers,
        numbers,
        alpha=0.01,
        rng=rng,
        families=families,
        panel=[substitute, *others],
    )
    mixed = [0.75 * p + 0.25 * q for p, q in zip(reference, substitute, strict=True)]
    assert pooled.at(mixed) > plain.at(mixed) + 0.2
    assert pooled.at(reference, replicates=4_000) <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / 4_000)
