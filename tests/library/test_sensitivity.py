"""Whether the smallest share that a plan is said to detect is the true one, where that is known."""

from itertools import pairwise
from statistics import mean, median

import numpy as np

from provenance.battery import Cell
from provenance.library.panel import Member, Panel
from provenance.library.sensitivity import planned_sensitivity
from provenance.stats.power import plan_power

CELLS = tuple(
    Cell(id=f"c{i}", probe=f"c{i}", family="f", reading="word", messages=(), max_visible_tokens=8)
    for i in range(6)
)
DRAWS = [20] * len(CELLS)


def world(rng, models):
    """Models whose answers to a question are unlike, from many to one, as in real cells."""
    return {
        f"m{k}": [rng.dirichlet(np.full(8, 0.25) * rng.uniform(0.3, 2)) for _ in CELLS]
        for k in range(models)
    }


def panel_of(rng, truth, answers):
    members = []
    for name, cells in truth.items():
        tables = {}
        for cell, p in zip(CELLS, cells, strict=True):
            counts = rng.multinomial(answers, p)
            tables[cell.id] = {f"a{j}": int(n) for j, n in enumerate(counts) if n}
        members.append(Member(name=name, source="made", licence="none", cells=tables))
    return Panel(name="p", measured_utc="2026-01-01T00:00:00+00:00", members=tuple(members))


def true_shares(truth, stand_ins):
    """As the plan computes them, from the distributions themselves."""
    found = {name: [] for name in truth}
    for reference in stand_ins:
        others = [n for n in truth if n != reference]
        power = plan_power(
            truth[reference],
            DRAWS,
            DRAWS,
            alpha=0.01,
            rng=np.random.default_rng(1),
            panel=[truth[n] for n in others],
        )
        for name in others:
            share = power.minimum_detectable_dilution(truth[name], power=0.8)
            found[name].append(2.0 if share is None else share)
    return {name: median(values) for name, values in found.items()}


def test_a_share_is_not_promised_from_noise():
    """Estimand: the smallest detectable share, told from tables of 11 answers; not below the truth.

    Four worlds of four models, each of which stands in for the reference. A little above it: the
    test towards the panel knows the tables, not the models. Tables that are taken for the truth
    say less than is true: eleven answers that are all one leave no room for a twelfth.
    """
    ratios = []
    for seed in range(4):
        rng = np.random.default_rng([seed, 7])
        truth = world(rng, 4)
        planned = planned_sensitivity(
            CELLS, DRAWS, DRAWS, alpha=0.01, panel=panel_of(rng, truth, 11)
        )
        true = true_shares(truth, list(truth))
        ratios += [np.log((s.minimum_detectable or 2.0) / true[s.alternative]) for s in planned]
    assert -0.05 < mean(ratios) < 0.4


def test_more_answers_say_it_better():
    """The same worlds, told by tables of ever more answers: what is planned nears what is true."""
    errors = []
    for answers in (6, 40, 400):
        off = []
        for seed in range(3):
            rng = np.random.default_rng([seed, 8])
            truth = world(rng, 4)
            true = true_shares(truth, list(truth))
            panel = panel_of(rng, truth, answers)
            off += [
                abs(np.log((s.minimum_detectable or 2.0) / true[s.alternative]))
                for s in planned_sensitivity(CELLS, DRAWS, DRAWS, alpha=0.01, panel=panel)
            ]
        errors.append(mean(off))
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 0.15
