"""A tenth of the requests answered by somebody else: the power of `identity.py`'s last table.

Everything is drawn from first-token distributions of real models that `zoo.py` keeps. The
reference is the base (in a second table the other model), the substitute a rung with a mean
Jensen–Shannon distance from it of at least .40 bits over the cells, the panel all other rungs, each
known only from a table of draws of its own. A blend of base and farthest rung at a distance of .40
stands for the least distant substitute. A study has `REQUESTS` suspect requests and `REFERENCE`
reference draws a cell, and is analysed as `provenance compare` analyses one: fused exact tests a
family and the panel test share α after Holm.

panel        substitute in the panel
outside      the same with its table left out
sequential   swap bets with the panel, a fifth of α, the exact tests with the rest
known        a panel of the substitute alone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from _ladder_power import BASE, first_shares
from numpy.typing import NDArray

from provenance.attribution.equality import equality
from provenance.battery import load_family
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.permutation import PermutationNull
from provenance.stats.sequential import SwapBetting
from provenance.stats.substitutes import foreign_share, panel_test

ALPHA, EPSILON = 0.01, 0.10
REQUESTS, REFERENCE, MEASURED = 600, 100, 100
CELLS = 40
LEAST_DISTANCE = 0.40
RESAMPLES = 499
# Share of α that the sequential test may spend, as in a study.
BETTING = 0.2
SUBSTITUTES = 3  # at most: the nearest, and the farthest
BLEND = "blend at .40"
Shares = NDArray[np.float64]


def setting(rungs: Sequence[str], cells: int = CELLS) -> tuple[list[str], dict[str, list[Shares]]]:
    """Cell names, and each rung's shares over the answers of a cell; the last is all others.

    Each rung is taken as its 60 likeliest answers and one for the rest.

    The cells are the one-token questions in the order of their file.
    """
    base = first_shares(BASE)
    names = [p.id for p in load_family("one_token") if p.id in base][:cells]
    answers = {c: sorted({a for rung in rungs for a in first_shares(rung)[c]}) for c in names}
    found = {}
    for rung in rungs:
        held = first_shares(rung)
        rows = []
        for cell in names:
            row = np.array([held[cell].get(answer, 0.0) for answer in answers[cell]])
            row = np.append(row, max(0.0, 1 - row.sum()))
            rows.append(row / row.sum())
        found[rung] = rows
    return names, found


def distance(p: Sequence[Shares], q: Sequence[Shares]) -> float:
    """Mean over cells of the Jensen–Shannon distance, in bits."""

    def against(x: Shares, mean: Shares) -> float:
        seen = x > 0
        return float((x[seen] * np.log2(x[seen] / mean[seen])).sum())

    return float(
        np.mean(
            [
                (against(x, (x + y) / 2) + against(y, (x + y) / 2)) / 2
                for x, y in zip(p, q, strict=True)
            ]
        )
    )


def study(
    truth: Mapping[str, Sequence[Shares]],
    reference: str,
    substitute: str,
    epsilon: float,
    seed: int,
    akin: Sequence[str] = (),
) -> dict[str, bool | float]:
    """Draw one study and analyse it.

    Parameters
    ----------
    akin
        Rungs that point the same way as the substitute: no panel that it is outside of holds them.
    """
    rng = np.random.default_rng([seed, round(1000 * epsilon)])
    base, other = truth[reference], truth[substitute]
    each = REQUESTS // len(base)
    known = [name for name in truth if name not in (reference, BLEND) or name == substitute]
    tables: dict[str, list[Shares]] = {name: [] for name in known if name != reference}
    cells = []
    for i, p in enumerate(base):
        from_other = rng.random(each) < epsilon
        mixed = np.where(from_other, _draws(other[i], each, rng), _draws(p, each, rng))
        codes = np.concatenate([_draws(p, REFERENCE, rng), mixed])
        labels = np.repeat([False, True], [REFERENCE, each])
        cells.append(CellDraws(codes, (), labels, None))
        for name in tables:
            tables[name].append(rng.multinomial(MEASURED, truth[name][i]).astype(float))
    outside = {name: t for name, t in tables.items() if name not in (substitute, *akin)}
    fused = equality({"one_token": cells}, alpha=ALPHA, minimum_resamples=RESAMPLES, seed=seed)
    p_fused = fused.results["one_token"].p_value
    p_panel, p_outside, p_known = (
        panel_test(
            cells,
            list(panel.values()),
            null=PermutationNull(np.random.default_rng([seed, 5]), RESAMPLES),
        ).p_value
        for panel in (tables, outside, {substitute: tables[substitute]})
    )
    early = _bets(cells, tables, rng)
    rest = (1 - BETTING) * ALPHA
    return {
        "fused alone": p_fused <= ALPHA,
        "panel": bool(min(holm([p_fused, p_panel])) <= ALPHA),
        "outside": bool(min(holm([p_fused, p_outside])) <= ALPHA),
        "known": bool(min(holm([p_fused, p_known])) <= ALPHA),
        "sequential": early <= BETTING * ALPHA,
        "sequential, then panel": early <= BETTING * ALPHA
        or bool(min(holm([p_fused, p_panel])) <= rest),
        "oracle": _oracle(cells, base, other, epsilon, rng),
        "lower limit of what is foreign": foreign_share(
            [c.categories[~c.suspect] for c in cells],
            [c.categories[c.suspect] for c in cells],
            alpha=ALPHA,
            rng=rng,
            resamples=RESAMPLES,
        ),
    }


def _draws(p: Shares, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return rng.choice(len(p), n, p=p)


def _bets(
    cells: Sequence[CellDraws], tables: Mapping[str, Sequence[Shares]], rng: np.random.Generator
) -> float:
    """Anytime p-value: reference draws that are over teach, the rest are paired in random order."""
    panel = [
        {i: {int(k): float(n) for k, n in enumerate(table) if n} for i, table in enumerate(counted)}
        for counted in tables.values()
    ]
    betting = SwapBetting(panel)
    waiting = []
    for i, cell in enumerate(cells):
        reference, suspect = cell.categories[~cell.suspect], cell.categories[cell.suspect]
        betting.learn(i, (int(x) for x in reference[len(suspect) :]))
        waiting += [
            (i, int(x), int(y)) for x, y in zip(reference[: len(suspect)], suspect, strict=True)
        ]
    for k in rng.permutation(len(waiting)):
        betting.bet(*waiting[k])
    return betting.p_value


def _oracle(
    cells: Sequence[CellDraws],
    base: Sequence[Shares],
    other: Sequence[Shares],
    epsilon: float,
    rng: np.random.Generator,
) -> bool:
    """Likelihood ratio with everything known: P, R and ε; the suspect's draws alone."""
    epsilon = epsilon or EPSILON
    total, null = 0.0, np.zeros(999)
    for cell, p, r in zip(cells, base, other, strict=True):
        drawn = cell.categories[cell.suspect]
        ratio = np.log(
            (1 - epsilon) + epsilon * np.divide(r, p, out=np.full_like(p, 1e6), where=p > 0)
        )
        total += float(ratio[drawn].sum())
        null += rng.multinomial(len(drawn), p, 999) @ ratio
    return bool((1 + (null >= total).sum()) / 1_000 <= ALPHA)


def power(rungs: Sequence[str], reference: str, studies: int, without: int) -> dict:
    """Power for every substitute far enough away, and false alarms without one."""
    names, truth = setting(rungs)
    distances = {r: distance(truth[reference], truth[r]) for r in rungs if r != reference}
    far = max(distances, key=lambda r: distances[r])
    truth[BLEND] = _blend(truth[reference], truth[far])
    distances[BLEND] = distance(truth[reference], truth[BLEND])
    rows = []
    enough = sorted((d, r) for r, d in distances.items() if round(d, 3) >= LEAST_DISTANCE)
    for apart, substitute in (*enough[: SUBSTITUTES - 1], *enough[SUBSTITUTES - 1 :][-1:]):
        akin = (far,) if substitute == BLEND else ()
        found = [
            study(truth, reference, substitute, EPSILON, seed, akin) for seed in range(studies)
        ]
        rows.append({"substitute": substitute, "distance": apart, **_shares(found)})
        _show(rows[-1])
    none = [study(truth, reference, far, 0.0, 10_000 + seed) for seed in range(without)]
    _show({"substitute": "none", **_shares(none)})
    return {
        "reference": reference,
        "cells": len(names),
        "suspect_requests": REQUESTS // len(names) * len(names),
        "reference_draws_a_cell": REFERENCE,
        "panel": len(rungs) - 1,
        "epsilon": EPSILON,
        "studies": studies,
        "rows": rows,
        "false_alarms": {"studies": without, **_shares(none)},
    }


def _show(row: Mapping[str, object]) -> None:
    shown = (f"{k}: {v:.3g}" if isinstance(v, float) else str(v) for k, v in row.items())
    print("  " + "  ".join(shown), flush=True)


def _blend(p: Sequence[Shares], q: Sequence[Shares]) -> list[Shares]:
    """(1 − w)·p + w·q at a distance of `LEAST_DISTANCE` from p."""

    def mixed(w: float) -> list[Shares]:
        return [(1 - w) * x + w * y for x, y in zip(p, q, strict=True)]

    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if distance(p, mixed(middle)) < LEAST_DISTANCE else (low, middle)
    return mixed(high)


def _shares(found: Sequence[Mapping[str, bool | float]]) -> dict[str, float]:
    return {name: float(np.mean([f[name] for f in found])) for name in found[0]}
