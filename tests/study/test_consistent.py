"""`consistent` over the whole way: said where it holds, and seldom where it does not."""

import json
import random
from collections import Counter

import numpy as np
import pytest

from provenance import compare
from provenance.attribution import assemble
from provenance.attribution.switching import Switching
from provenance.battery import Battery
from provenance.readings import read
from provenance.stats.substitutes import share_limits

DELTA, ALPHA = 0.1, 0.05
SUBSTITUTE = {"9": 0.5, "11": 0.3, "13": 0.2}
MODELS = """
[models.a.cells]
"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}
[models.substitute.cells]
"*" = {"9" = 0.5, "11" = 0.3, "13" = 0.2}
[models.mixed]
base = "a"
dilute_with = "substitute"
epsilon = 0.12
[models.cached]
base = "a"
cache = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("consistent")
    (path / "models.toml").write_text(MODELS)
    rng = random.Random(1)
    members = []
    for name, weights in (
        ("substitute", SUBSTITUTE),
        ("other", {"1": 0.7, "99": 0.3}),
        ("twin", {"7": 0.5, "42": 0.3, "13": 0.2}),
    ):
        cells = {}
        for cell in Battery.load("quick").cells:
            answers = rng.choices(list(weights), weights.values(), k=200)
            cells[cell.id] = dict(Counter(read(cell.reading, answer) for answer in answers))
        members.append({"name": name, "source": "made", "licence": "none", "cells": cells})
    panel = {"name": "made", "measured_utc": "2026-11-01T00:00:00+00:00", "members": members}
    (path / "panel.json").write_text(json.dumps(panel))
    return path


def study(folder, suspect, seed, **options):
    return compare(
        f"simulated:{folder}/models.toml,model=a",
        f"simulated:{folder}/models.toml,model={suspect}",
        panel=str(folder / "panel.json"),
        **({"draws": 20, "alpha": ALPHA, "delta": DELTA} | options),
        seed=seed,
        formats=[],
        store=folder / f"{suspect}-{seed}",
    )


def test_consistent_within_delta_against_the_panel(folder):
    found = study(folder, "a", 1)
    assert found.verdict.label == "consistent"
    assert (found.verdict.delta, found.verdict.panel) == (DELTA, "made")
    assert found.verdict.not_excluded == ("twin",)
    assert [r.code for r in found.verdict.reasons] == ["consistent_within"]
    limits = {s.name: s for s in found.document.substitutes}
    assert limits["substitute"].upper <= DELTA
    assert limits["other"].upper <= DELTA
    assert not limits["twin"].parted


def test_what_changed_during_the_study_is_not_called_consistent(folder, monkeypatch):
    """The limits assume one share throughout: a study cannot say both."""
    values = {"side": "suspect", "p": 0.002, "after": 0.9}
    changed = Switching((), [("changed_during_study", values)])
    monkeypatch.setattr(assemble, "examine_switch", lambda *_, **__: changed)
    found = study(folder, "a", 1, new=True)
    assert found.verdict.label == "inconclusive"
    assert {r.code for r in found.verdict.reasons} == {
        "no_difference_found",
        "changed_during_study",
    }
    assert found.verdict.not_excluded == ()


def test_too_few_draws_leave_it_open(folder):
    found = study(folder, "a", 2, draws=3, alpha=0.01)
    assert found.verdict.label == "inconclusive"
    assert "share_not_excluded" in [r.code for r in found.verdict.reasons]


def test_repeated_answers_forbid_it(folder):
    for seed in range(2):
        assert study(folder, "cached", seed).verdict.label == "inconclusive"


def test_a_share_above_delta_is_seldom_called_consistent(folder):
    """At ε = .12 > δ = .10 the chance is at most α: counted on limits, then on whole studies.

    Null: ε_R > δ. Unit: a study of 8 cells × 12 draws a side, 60 of the substitute. The limit alone
    decides "consistent" where nothing else forbids it (`verdict.consistent`, intersection–union),
    so the rate of limits at most δ bounds that of the label.
    """
    rng = np.random.default_rng(24)
    p, r = np.array([0.5, 0.3, 0.2, 0, 0]), np.array([0, 0, 0.2, 0.5, 0.3])
    mixed = 0.88 * p + 0.12 * r
    below = 0
    for _ in range(120):
        reference, suspect, own = (
            [rng.choice(5, n, p=shares) for _ in range(8)]
            for shares, n in ((p, 12), (mixed, 12), (r, 60))
        )
        limits = share_limits(reference, suspect, own, alpha=ALPHA, rng=rng, resamples=199)
        below += limits.upper <= DELTA
    assert below <= 14  # 99.9% quantile of Binomial(120, .05)
    labels = [study(folder, "mixed", seed, draws=8).verdict.label for seed in range(2)]
    assert "consistent" not in labels  # .9975 where the chance is .05 a study
    equal = [study(folder, "a", 100 + seed).verdict.label for seed in range(3)]
    assert "consistent" in equal
    assert "different" not in equal
