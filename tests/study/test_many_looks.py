"""One family-wise budget over everything that can decide; what cannot decide is marked so.

Null hypothesis: ``same_deployment``. A study looks many times: at families, kernels, a panel,
cells, pairs as they come, and again at the end. Its error is at most α only if each of these looks
is in one budget: kernels within a family are one p-value, families and panel share Holm's
correction (Holm 1979) at the level that the sequential test has left, and whatever else prints a
p-value of this null decides nothing. A new instrument that forgets this fails here.
"""

import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from provenance import Endpoint, compare
from provenance.dossier import render
from provenance.providers.simulated import SimulatedProvider
from provenance.stats.multiplicity import holm

MODELS = """
[models.a.cells]
"*" = {"7" = 0.5, "42" = 0.3, "13" = 0.2}
[models.other.cells]
"*" = {"7" = 0.3, "3" = 0.4, "99" = 0.3}
"""
SHARES = {"7": 0.5, "42": 0.3, "13": 0.2, "3": 0.01, "99": 0.01}


class Scoring(SimulatedProvider):
    """A reference whose own weights are at hand."""

    async def score(self, messages, texts):
        return [(math.log(SHARES[t]), 1) for t in texts]


@pytest.fixture
def study(tmp_path, number_battery):
    (tmp_path / "models.toml").write_text(MODELS, encoding="utf-8")
    number_battery(tmp_path / "b.toml", ["one", "one", "two", "two", "three"], 8)
    rng = np.random.default_rng(1)
    members = [
        {
            "name": name,
            "source": "made",
            "licence": "none",
            "cells": {
                f"number-{i}": dict(Counter(rng.choice(answers, 60).tolist())) for i in range(5)
            },
        }
        for name, answers in (("x", ["7", "3", "99"]), ("y", ["42", "1"]))
    ]
    panel = {"name": "made", "measured_utc": "2026-11-01T00:00:00+00:00", "members": members}
    (tmp_path / "panel.json").write_text(json.dumps(panel))

    def run(name, *, panel=False, scored=True, seed=1, **options):
        sides = [
            Endpoint.parse(f"simulated:{tmp_path / 'models.toml'},model={n}") for n in ("a", name)
        ]
        if scored:
            sides[0] = Scoring(sides[0], environment={})
        if panel:
            options["panel"] = str(tmp_path / "panel.json")
        return compare(
            *sides,
            battery=str(tmp_path / "b.toml"),
            seed=seed,
            formats=[],
            store=tmp_path / f"{name}-{seed}-{panel}-{'-'.join(options)}",
            **options,
        ).document

    return run


def deciding(document):
    """Findings that can reject the verdict's null, by name."""
    null = document.verdict.null
    return {
        f.name: f
        for f in document.findings
        if f.p_value is not None
        and not f.exploratory
        and f.exactness != "descriptive"
        and null in (*f.speaks_to, f.null)
    }


def check_budget(document):
    """Assert that all that can decide shares one α."""
    alpha = document.settings["alpha"]
    found = deciding(document)
    sequential = found.pop("sequential", None)
    families = {f.name for f in document.families if f.p_value is not None}
    expected = {f"equality/{family}" for family in families}
    final = {name: f for name, f in found.items() if name in expected or name == "panel"}
    assert set(found) == set(final), "a finding decides outside of the budget"
    spent = 0.0 if sequential is None else sequential.alpha
    for f in final.values():
        assert f.alpha + spent == pytest.approx(alpha), "the arms spend more than α"
    corrected = holm([f.p_value for f in final.values()])
    assert [f.p_adjusted for f in final.values()] == pytest.approx(list(corrected)), (
        "Holm does not count every look"
    )
    for f in document.findings:
        if f.name.startswith("equality/") and f.name in final:
            kernels = f.values["kernels_exploratory"]
            assert len(kernels) >= 4
            assert all(name in f.method for name in kernels)
    assert document.cells
    assert all(cell.exploratory for cell in document.cells)


@pytest.mark.parametrize("name", ["a", "other"])
@pytest.mark.parametrize("panel", [False, True])
@pytest.mark.parametrize("sequential", [False, True])
def test_all_that_can_decide_shares_one_alpha(study, name, panel, sequential):
    document = study(name, panel=panel, sequential=sequential, draws=12)
    check_budget(document)
    names = {f.name for f in document.findings}
    assert ("sequential" in names) is sequential
    assert ("panel" in names) is panel
    assert "likelihood" in names


def test_the_rule_can_fail(study):
    document = study("a", panel=True, sequential=True)
    likelihood = next(f for f in document.findings if f.name == "likelihood")
    broken = {
        "outside of the budget": (likelihood, {"exploratory": False}),
        "more than α": (deciding(document)["panel"], {"alpha": 0.01}),
        "every look": (deciding(document)["panel"], {"p_adjusted": 1e-9}),
    }
    for message, (finding, change) in broken.items():
        findings = tuple(
            f.model_copy(update=change) if f.name == finding.name else f for f in document.findings
        )
        with pytest.raises(AssertionError, match=message):
            check_budget(document.model_copy(update={"findings": findings}))


@pytest.mark.parametrize("format", ["md", "html"])
def test_dossiers_say_that_cells_are_exploratory(study, format):
    document = study("other")
    text = render(document, format)
    text = text.decode() if isinstance(text, bytes) else text
    for begins in ("Where the two sides differ most", "All cells"):
        section = text[text.rindex(begins) - 2_000 : text.rindex(begins) + 2_000]
        assert "xploratory" in section
    assert "All cells, exploratory" in text
    assert "Exploratory: these cells were chosen after looking" in text


@pytest.mark.slow
def test_all_looks_together_are_rarely_wrong(study):
    """Sequential and final arm, families, panel and likelihood, on equal sides at α = .1."""
    runs = 40
    wrong = sum(
        study("a", panel=True, sequential=True, seed=seed, alpha=0.1).verdict.label == "different"
        for seed in range(runs)
    )
    assert binomtest(wrong, runs, 0.1, alternative="greater").pvalue > 0.001, wrong
