"""Draws of distributions from small tables: right on average, also where tables were chosen.

Model: members of a panel are independent draws of a Dirichlet around one mean in every cell, tables
are multinomial. Estimand: squared distance of two members' true shares. Source: empirical Bayes
(Robbins 1956). What breaks it: members that are copies of each other; `promised.pull` is for those.
"""

from __future__ import annotations

import numpy as np
import pytest

from provenance.library.panel import Member
from provenance.library.smoothing import KAPPAS, PLACES, smoothed
from provenance.stats.distance import squared_distance

CELLS, K, MEMBERS = 60, 8, 7
NAMES = [f"q{i}" for i in range(CELLS)]


def made(seed: int, draws: int) -> tuple[np.ndarray, list[Member]]:
    """True shares (member, cell, K), half of the cells with members far apart, and tables."""
    rng = np.random.default_rng(seed)
    truth = np.empty((MEMBERS, CELLS, K))
    for c in range(CELLS):
        mean = rng.dirichlet(np.ones(K))
        truth[:, c] = rng.dirichlet(mean * (2.0 if c % 2 else 40.0) + 1e-3, size=MEMBERS)
    members = [
        Member(
            name=f"m{i}",
            source="s",
            licence="n",
            cells={
                name: {f"a{k}": int(n) for k, n in enumerate(rng.multinomial(draws, truth[i, c]))}
                for c, name in enumerate(NAMES)
            },
        )
        for i in range(MEMBERS)
    ]
    return truth, members


def distances(table) -> np.ndarray:
    """Squared distance of the first two members, by cell."""
    return np.array([((table[name]["m0"] - table[name]["m1"]) ** 2).sum() for name in NAMES])


def test_distances_are_right_on_average_also_where_they_were_chosen() -> None:
    """The 12 of 60 cells that look most different: tables overstate, draws do not."""
    found = []
    for seed in range(12):
        truth, members = made(seed, 24)
        drawn = smoothed(NAMES, members, np.random.default_rng(seed))
        real = ((truth[0] - truth[1]) ** 2).sum(axis=1)
        measured = {n: {m: c / c.sum() for m, c in t.items()} for n, t in drawn.counts.items()}
        told, posterior = distances(measured), distances(drawn.shares)
        unbiased = [
            float(squared_distance(drawn.counts[n]["m0"], drawn.counts[n]["m1"])) for n in NAMES
        ]
        chosen = np.argsort(unbiased)[-12:]
        found.append(
            [values[part].mean() for part in (slice(None), chosen)
             for values in (real, posterior, told)]
        )  # fmt: skip
    every, drawn_, told_, chosen_, chosen_drawn, chosen_told = np.mean(found, axis=0)
    assert drawn_ == pytest.approx(every, rel=0.1)
    assert told_ > 1.1 * every
    assert chosen_drawn == pytest.approx(chosen_, rel=0.12)
    assert chosen_told > 1.08 * chosen_


def test_much_that_was_measured_is_believed() -> None:
    truth, members = made(1, 50_000)
    drawn = smoothed(NAMES, members, np.random.default_rng(1))
    for c, name in enumerate(NAMES[:10]):
        for i in range(MEMBERS):
            assert sorted(drawn.shares[name][f"m{i}"])[-K:] == pytest.approx(
                sorted(truth[i, c]), abs=0.015
            )


def test_what_nobody_gave_can_come() -> None:
    members = [
        Member(
            name=f"m{i}",
            source="s",
            licence="n",
            cells={"q": {f"own{i}-{k}": 1 for k in range(9)}},
        )
        for i in range(5)
    ]
    drawn = smoothed(["q", "nowhere"], members, np.random.default_rng(2))
    assert list(drawn.shares) == ["q"]
    for name, shares in drawn.shares["q"].items():
        assert len(shares) == len(drawn.counts["q"][name]) == PLACES
        assert shares.sum() == pytest.approx(1)
        assert shares[-1] > 0.05  # Good and Turing: every answer so far was new


def test_a_member_without_a_cell_is_not_in_it_and_one_seed_is_one_draw() -> None:
    _, members = made(3, 10)
    cells = {n: t for n, t in members[0].cells.items() if n != "q0"}
    some = [members[0].model_copy(update={"cells": cells}), *members[1:]]
    one, two = (smoothed(NAMES, some, np.random.default_rng(4)) for _ in range(2))
    assert "m0" not in one.shares["q0"]
    assert "m1" in one.shares["q0"]
    assert all(
        np.array_equal(one.shares[c][m], two.shares[c][m])
        for c in one.shares
        for m in one.shares[c]
    )
    assert (np.diff(KAPPAS) > 0).all()
