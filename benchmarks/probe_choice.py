"""Which questions carry the information, and does what was chosen on some models hold on others?

    python benchmarks/probe_choice.py            two minutes
    python benchmarks/probe_choice.py --quick    fewer simulated studies

On the answer tables of the panel `core`, cell by cell, as expected log-wealth a token
(`provenance.library.choice`):

1. do two sets of models agree on which cells are worth their tokens (Spearman's rank correlation)?
2. what do cells chosen on one set of pairs gain on the other set, at the tokens of `quick`?
3. is the power that `plan --target-power` promises reached on substitutes that it never saw, by
   the tests that studies use?

What this can show is bounded by the panel: 24 draws a cell and model, and, on most cells, two
models that are not of one family.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from provenance.battery import Battery, Cell
from provenance.library import choice
from provenance.library.choice import Pair
from provenance.library.panel import Member, Panel
from provenance.stats.fused import fused_test
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.permutation import PermutationNull
from provenance.stats.substitutes import panel_test

OUT = Path(__file__).parent / "results" / "probe_choice.json"
ALPHA = 0.01
SHARES = (0.1, 0.3, 1.0)
RESAMPLES = 599


def tokens_of(cells: Sequence[Cell]) -> NDArray[np.float64]:
    return np.array([c.max_visible_tokens for c in cells], dtype=np.float64)


def agreement(
    cells: Sequence[Cell], one: Sequence[Pair], other: Sequence[Pair], share: float
) -> tuple[float, int]:
    """Rank correlation of the worth of cells between two sets of pairs, over shared cells."""
    shared = [c for c in cells if any(_has(p, c) for p in one) and any(_has(p, c) for p in other)]
    a, b = (
        choice.worth(choice.information(shared, p, share), tokens_of(shared)) for p in (one, other)
    )
    return float(spearmanr(a, b).statistic), len(shared)


def _has(pair: Pair, cell: Cell) -> bool:
    return all(cell.id in m.cells for m in pair)


def agreements(cells: Sequence[Cell], panel: Panel, pairs: Sequence[Pair]) -> list[dict]:
    stand_ins = list(dict.fromkeys(a.name for a, _ in pairs))
    by_name = {m.name: m for m in panel.members}
    first, second = (by_name[n] for n in stand_ins[:2])
    recorded = [m for m in panel.members if not m.derivative and len(m.cells) == 7]
    sets = {
        "pairs taken in turn": (pairs[::2], pairs[1::2]),
        f"{first.name} / {second.name} as reference": (
            [p for p in pairs if p[0] is first],
            [p for p in pairs if p[0] is second],
        ),
        "both of these / nine recorded models": (
            [(first, second), (second, first)],
            [(a, b) for a in recorded for b in recorded if a is not b],
        ),
    }
    found = []
    for name, (one, other) in sets.items():
        for share in SHARES:
            rho, n = agreement(cells, one, other, share)
            found.append({"sets": name, "share": share, "rho": round(rho, 2), "cells": n})
    return found


def gains(battery: Battery, quick: Battery, pairs: Sequence[Pair], fine: tuple[int, int]) -> list:
    """Median power on held-out pairs: the cells of quick, and chosen ones at the same tokens."""
    shipped = [c for c in quick.cells if all(c.id in a.cells for a, _ in pairs)]
    draws = shipped[0].draws
    budget = draws * sum(c.max_visible_tokens for c in shipped)
    found = []
    for fold, (learn, held) in enumerate(((pairs[::2], pairs[1::2]), (pairs[1::2], pairs[::2]))):
        for share in SHARES:
            ranked = choice._ranked(battery, learn, share)
            row = {"fold": fold, "share": share, "tokens": budget}
            row["quick"] = _median(shipped, draws, held, learn, share, fine)
            own = [p for p in ranked if p.id in {c.probe for c in shipped}]
            for n in (draws, 2 * draws):
                if n > draws:
                    fewer = _affordable(own, budget // n)
                    row[f"best of quick x {n}"] = _median(fewer, n, held, learn, share, fine)
                chosen = _affordable(ranked, budget // n)
                row[f"chosen x {n}"] = _median(chosen, n, held, learn, share, fine)
                row[f"cells x {n}"] = len(chosen)
            found.append(row)
    return found


def _affordable(ranked: Sequence, tokens: int) -> list[Cell]:
    taken: list[Cell] = []
    for probe in ranked:
        more = choice._cells_of([probe])
        if sum(c.max_visible_tokens for c in [*taken, *more]) <= tokens:
            taken += more
    return taken


def _median(
    cells: Sequence[Cell],
    draws: int,
    pairs: Sequence[Pair],
    known: Sequence[Pair],
    share: float,
    fine: tuple[int, int],
) -> float:
    found = choice._powers(cells, draws, pairs, share, ALPHA, fine, known=known)
    return round(median(found), 3)


def promise(
    battery: Battery, panel: Panel, target: float, share: float, studies: int, fold: int
) -> dict:
    """Choose without every third substitute; then run the tests on pairs with those."""
    covering = [b for _, b in choice.pairs_of(battery.cells, panel)]
    names = list(dict.fromkeys(m.name for m in covering if m.derivative))[fold::3]
    kept = panel.model_copy(
        update={"members": tuple(m for m in panel.members if m.name not in names)}
    )
    chosen = choice.choose(battery, kept, target=target, share=share, alpha=ALPHA)
    held = [
        (a, b)
        for a, b in choice.pairs_of(battery.cells, panel)
        if b.name in names and choice.parted((a, b))
    ]
    rng = np.random.default_rng(11)
    powers = [simulated(chosen.battery, pair, kept, share, studies, rng) for pair in held]
    return {
        "target": target,
        "share": share,
        "fold": fold,
        "cells": chosen.cells,
        "draws": chosen.battery.probes[0].draws,
        "tokens": chosen.tokens,
        "promised": chosen.power,
        "reached": chosen.reached,
        "realised": {f"{a.name} / {b.name}": p for (a, b), p in zip(held, powers, strict=True)},
    }


def simulated(
    battery: Battery,
    pair: Pair,
    panel: Panel,
    share: float,
    studies: int,
    rng: np.random.Generator,
) -> float:
    """Share of studies in which a family or the panel test rejects, Holm over them."""
    cells = [c for c in battery.cells if c.id in pair[0].cells]
    tables = choice._tables(cells, *pair)
    others = [m for m in panel.members if m is not pair[0] and any(c.id in m.cells for c in cells)]
    known = [_scaled(cells, pair[0], m) for m in others]
    families = [c.family for c in cells]
    rejected = 0
    for _ in range(studies):
        drawn = [_draws(rng, p, (1 - share) * p + share * r, c.draws)
                 for c, (p, r) in zip(cells, tables, strict=True)]  # fmt: skip
        null = PermutationNull(rng, RESAMPLES)
        found = [
            fused_test([d for d, f in zip(drawn, families, strict=True) if f == name], null=null)
            for name in dict.fromkeys(families)
        ]
        p_values = [f.p_value for f in found]
        p_values.append(panel_test(drawn, known, null=null).p_value)
        rejected += bool(holm(p_values).min() <= ALPHA)
    return round(rejected / studies, 3)


def _scaled(cells: Sequence[Cell], reference: Member, member: Member) -> list:
    """A substitute's counts over the places of the reference."""
    found: list[NDArray[np.float64] | None] = []
    for cell, (_, r) in zip(cells, choice._tables(cells, reference, member), strict=True):
        counted = member.cells.get(cell.id)
        found.append(r * sum(counted.values()) if counted else None)
    return found


def _draws(rng: np.random.Generator, p: NDArray, q: NDArray, n: int) -> CellDraws:
    codes = np.concatenate([rng.choice(len(p), n, p=p), rng.choice(len(q), n, p=q)])
    return CellDraws(codes, (), np.repeat([False, True], n), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer simulated studies")
    options = parser.parse_args()
    battery, quick, panel = Battery.load("core"), Battery.load("quick"), Panel.load("core")
    measured = choice.pairs_of(battery.cells, panel)
    pairs = [pair for pair in measured if choice.parted(pair)]
    cells = [c for c in battery.cells if any(c.id in a.cells for a, _ in pairs)]
    fine = (1_000, 200) if options.quick else (3_000, 400)
    result = {"cells": len(cells), "pairs": len(pairs), "alike": len(measured) - len(pairs)}
    print(f"{len(cells)} cells, {len(pairs)} pairs of models, {result['alike']} more not parted\n")
    result["agreement"] = agreements(cells, panel, pairs)
    for row in result["agreement"]:
        print(
            f"rho {row['rho']:5.2f}  share {row['share']:.1f}  {row['cells']} cells  {row['sets']}"
        )
    result["gain"] = gains(battery, quick, pairs, fine)
    print("\nmedian power on held-out pairs, alpha .01, at the tokens of quick")
    for row in result["gain"]:
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    studies = 20 if options.quick else 40
    print("\nplan --target-power, every third substitute held out in turn")
    result["promise"] = []
    for target, share in ((0.8, 0.3),):
        rows = [promise(battery, panel, target, share, studies, fold) for fold in range(3)]
        realised = [p for row in rows for p in row["realised"].values()]
        for row in rows:
            print("  ".join(f"{k} {v}" for k, v in row.items() if k != "realised"), flush=True)
        print(f"realised, median of {len(realised)} pairs: {median(realised):.3f}")
        result["promise"] += rows
    if not options.quick:
        OUT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
