"""Which questions carry the information, and does what was chosen on some models hold on others?

    python benchmarks/probe_choice.py            eight minutes
    python benchmarks/probe_choice.py --promise  the third question alone, results added
    python benchmarks/probe_choice.py --quick    fewer simulated studies

On the answer tables of the panel `core`, cell by cell, as expected log-wealth a token
(`provenance.library.choice`):

1. do two sets of models agree on which cells are worth their tokens (Spearman's rank correlation)?
2. what do the requests of `quick` and of `core` show in few questions, chosen on one set of pairs,
   and in many, on the pairs of the other set?
3. is the power that `plan --target-power` promises reached on substitutes that it never saw, by
   the tests that studies use? In worlds whose models are known and like those of the panel
   (`world`), so that what was measured by chance helps nobody.

What the first two can show is bounded by the panel: 24 draws a cell and model, and, on most cells,
two models that are not of one family.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from provenance.battery import Battery, Cell
from provenance.library import choice, promised
from provenance.library.choice import Pair
from provenance.library.panel import Member, Panel
from provenance.library.smoothing import PLACES, smoothed
from provenance.stats.fused import fused_test
from provenance.stats.layout import CellDraws
from provenance.stats.multiplicity import holm
from provenance.stats.permutation import PermutationNull
from provenance.stats.substitutes import panel_test

OUT = Path(__file__).parent / "results" / "probe_choice.json"
ALPHA = 0.01
SHARES = (0.1, 0.3, 1.0)
RESAMPLES = 599
SEED = 60_417  # of the worlds in which promises are kept or not; first used for what ships
TARGETS = (0.80, 0.85, 0.88)
WORLDS = 4  # a target
REQUESTS = 120  # of quick
NUMBERS = (15, 12, 10, 8, 6, 5, 4)
OFTEN, SELDOM = "one_token", "one_token_wide"  # families of core: asked often, and the others

Fine = tuple[int, int]
Truth = dict[str, dict[str, NDArray[np.float64]]]


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


def by_reference(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """The pairs in which each model stands in for the reference."""
    return {
        name: [p for p in pairs if p[0].name == name]
        for name in dict.fromkeys(a.name for a, _ in pairs)
    }


def recorded_pairs(panel: Panel) -> list[Pair]:
    """Of the nine recorded models that were asked seven questions."""
    nine = [m for m in panel.members if not m.derivative and len(m.cells) == 7]
    return [(a, b) for a in nine for b in nine if a is not b]


def agreements(cells: Sequence[Cell], panel: Panel, pairs: Sequence[Pair]) -> list[dict]:
    one, other = list(by_reference(pairs).values())[:2]
    first, second = one[0][0], other[0][0]
    sets = {
        "pairs taken in turn": (pairs[::2], pairs[1::2]),
        f"{first.name} / {second.name} as reference": (one, other),
        "both of these / nine recorded models": (
            [(first, second), (second, first)],
            recorded_pairs(panel),
        ),
    }
    found = []
    for name, (one, other) in sets.items():
        for share in SHARES:
            rho, n = agreement(cells, one, other, share)
            found.append({"sets": name, "share": share, "rho": round(rho, 2), "cells": n})
    return found


def often_and_seldom(
    cells: Sequence[Cell], often: Sequence[str], many: int, few: int
) -> tuple[list[Cell], list[int]]:
    """All cells, some of them drawn more often and tested as a family of their own."""
    plan, draws = [], []
    for cell in cells:
        chosen = cell.id in often
        if cell.family in (OFTEN, SELDOM):
            cell = cell.model_copy(update={"family": OFTEN if chosen else SELDOM})
        plan.append(cell)
        draws.append(many if chosen else few)
    return plan, draws


def concentrations(battery: Battery, panel: Panel, pairs: Sequence[Pair], fine: Fine) -> dict:
    """What the same requests show in few questions and in many.

    Questions are chosen on the pairs in which one model stands in for the reference and judged on
    those of the other. *As shipped* was chosen on both, and by what recorded models of other
    makers answered, so its figures are not held out. The panel knows the substitutes.
    """
    held = by_reference(pairs)
    cells = [c for c in battery.cells if any(c.id in a.cells for a, _ in pairs)]
    choices = [c for c in cells if c.family in (OFTEN, SELDOM)]
    one_token = Battery(
        name="choices",
        probes=tuple(
            p.model_copy(update={"family": OFTEN})
            for p in battery.probes
            if p.family in (OFTEN, SELDOM)
        ),
    )
    drawn = smoothed([c.id for c in cells], panel.members, np.random.default_rng(SEED))
    ranked = {
        name: [
            p.id for p in choice._ranked(one_token, [q for q in pairs if q[0].name != name], 0.3)
        ]
        for name in held
    }

    def judged(plan_for: Callable[[str], tuple[list[Cell], list[int]]]) -> dict[str, object]:
        row: dict[str, object] = {}
        for share in SHARES:
            powers: list[float] = []
            for name, own in held.items():
                plan, draws = plan_for(name)
                powers += promised.powers_of(
                    plan, draws, own, share, ALPHA, fine, known=pairs, drawn=drawn
                )
            row[f"share {share}"] = round(median(powers), 3)
        asked, draws = plan_for(next(iter(held)))
        row["cells"], row["requests"] = len(asked), sum(draws)
        row["tokens"] = sum(n * c.max_visible_tokens for c, n in zip(asked, draws, strict=True))
        return row

    def few(number: int) -> Callable[[str], tuple[list[Cell], list[int]]]:
        def plan(name: str) -> tuple[list[Cell], list[int]]:
            own = ranked[name][:number]
            return [c for c in one_token.cells if c.id in own], [REQUESTS // number] * number

        return plan

    quick = Battery.load("quick").cells
    many, seldom = (max(c.draws for c in cells), min(c.draws for c in cells))
    often = [c.id for c in cells if c.draws == many]
    alike = round(sum(c.draws for c in cells) / len(cells))
    rows = {f"quick: {n} questions x {REQUESTS // n}": judged(few(n)) for n in NUMBERS}
    rows["quick: as shipped"] = judged(lambda _: (list(quick), [c.draws for c in quick]))
    rows[f"core: every question x {alike}"] = judged(
        lambda _: often_and_seldom(cells, [c.id for c in choices], alike, alike)
    )
    rows[f"core: {len(often)} x {many}, others x {seldom}"] = judged(
        lambda name: often_and_seldom(cells, ranked[name][: len(often)], many, seldom)
    )
    rows["core: as shipped"] = judged(lambda _: (list(cells), [c.draws for c in cells]))
    return rows


def worths(battery: Battery, panel: Panel, pairs: Sequence[Pair]) -> dict[str, dict[str, float]]:
    """Worth of one-token questions for each set of models, in units of their mean; shares .3, 1."""
    sets = by_reference(pairs) | {"nine recorded models": recorded_pairs(panel)}
    cells = [c for c in battery.cells if c.family in (OFTEN, SELDOM)]
    found: dict[str, dict[str, float]] = {}
    for name, own in sets.items():
        shared = [c for c in cells if all(_has(p, c) for p in own)]
        tokens = tokens_of(shared)
        both = [choice.worth(choice.information(shared, own, s), tokens) for s in (0.3, 1.0)]
        mean = np.mean([w / w[w > 0].mean() for w in both], axis=0)
        for cell, value in zip(shared, mean, strict=True):
            found.setdefault(cell.id, {})[name] = round(float(value), 2)
    order = sorted(found, key=lambda c: -float(np.mean(list(found[c].values()))))
    return {cell: found[cell] for cell in order}


def world(panel: Panel, cells: Sequence[Cell], rng: np.random.Generator) -> tuple[Truth, Panel]:
    """Models whose distributions are known, as like those of a panel as its tables allow.

    Each is a draw from what its tables leave open; a derivative then moves to the stand-in that it
    is nearest to, as far as its tables say. The panel of this world holds as many answers of each
    as the real one.
    """
    drawn = smoothed([c.id for c in cells], panel.members, rng)
    bases = list(dict.fromkeys(a.name for a, _ in choice.pairs_of(cells, panel)))
    by_name = {m.name: m for m in panel.members}
    truth: Truth = {}
    for member in panel.members:
        pulls = {b: promised.pull(by_name[b], member, drawn) for b in bases if b != member.name}
        base = min(pulls, key=lambda b: pulls[b]) if member.derivative else None
        truth[member.name] = {
            cell: shares[member.name]
            if base is None or base not in shares
            else shares[base] + pulls[base] * (shares[member.name] - shares[base])
            for cell, shares in drawn.shares.items()
            if member.name in shares
        }
    members = tuple(
        m.model_copy(update={"cells": {
            cell: {f"a{k}": int(n) for k, n in enumerate(
                rng.multinomial(int(drawn.counts[cell][m.name].sum()), shares)) if n}
            for cell, shares in truth[m.name].items()
        }})
        for m in panel.members if truth[m.name]
    )  # fmt: skip
    return truth, panel.model_copy(update={"members": members})


def promise(
    battery: Battery,
    real: Panel,
    target: float,
    share: float,
    studies: int,
    fold: int,
    number: int,
) -> dict:
    """Choose without every third substitute; then run the tests on pairs with those."""
    rng = np.random.default_rng([SEED, number])
    truth, panel = world(real, battery.cells, rng)
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
    powers = [simulated(chosen.battery, pair, truth, kept, share, studies, rng) for pair in held]
    return {
        "target": target,
        "share": share,
        "fold": fold,
        "cells": chosen.cells,
        "draws": chosen.battery.probes[0].draws,
        "tokens": chosen.tokens,
        "promised": chosen.power,
        "median_pair": chosen.median,
        "reached": chosen.reached,
        "studies": studies * len(held),
        "realised_median": round(median(powers), 3),
        "kept": median(powers) >= chosen.power,
        "realised": {f"{a.name} / {b.name}": p for (a, b), p in zip(held, powers, strict=True)},
    }


def simulated(
    battery: Battery,
    pair: Pair,
    truth: Truth,
    panel: Panel,
    share: float,
    studies: int,
    rng: np.random.Generator,
) -> float:
    """Share of studies in which a family or the panel test rejects, Holm over them."""
    reference, substitute = (truth[m.name] for m in pair)
    cells = [c for c in battery.cells if c.id in reference]
    sides = []
    for cell in cells:
        p = reference[cell.id]
        sides.append((p, (1 - share) * p + share * substitute.get(cell.id, p)))
    others = [m for m in panel.members if m is not pair[0] and any(c.id in m.cells for c in cells)]
    known = [_scaled(cells, m) for m in others]
    families = [c.family for c in cells]
    rejected = 0
    for _ in range(studies):
        drawn = [_draws(rng, p, q, c.draws) for c, (p, q) in zip(cells, sides, strict=True)]
        null = PermutationNull(rng, RESAMPLES)
        found = [
            fused_test([d for d, f in zip(drawn, families, strict=True) if f == name], null=null)
            for name in dict.fromkeys(families)
        ]
        p_values = [f.p_value for f in found]
        p_values.append(panel_test(drawn, known, null=null).p_value)
        rejected += bool(holm(p_values).min() <= ALPHA)
    return round(rejected / studies, 3)


def _scaled(cells: Sequence[Cell], member: Member) -> list:
    """A substitute's counts over the places of `world`."""
    found: list[NDArray[np.float64] | None] = []
    for cell in cells:
        table = member.cells.get(cell.id)
        row = [float((table or {}).get(f"a{k}", 0)) for k in range(PLACES)]
        found.append(np.array(row) if table else None)
    return found


def _draws(rng: np.random.Generator, p: NDArray, q: NDArray, n: int) -> CellDraws:
    codes = np.concatenate([rng.choice(len(p), n, p=p), rng.choice(len(q), n, p=q)])
    return CellDraws(codes, (), np.repeat([False, True], n), None)


def promises(battery: Battery, panel: Panel, studies: int) -> list[dict]:
    """Each target in worlds of its own; prints as it goes.

    A promise is kept if at least half of the substitutes that the plan never saw are seen with the
    power that was promised.
    """
    print("\nplan --target-power, every third substitute held out, in worlds that are known")
    rows = []
    for number, (fold, target) in enumerate(list(enumerate(TARGETS)) * WORLDS):
        row = promise(battery, panel, target, 0.5, studies, fold, number)
        print("  ".join(f"{k} {v}" for k, v in row.items() if k != "realised"), flush=True)
        rows.append(row)
    every = [(p, row["promised"]) for row in rows for p in row["realised"].values()]
    promised_, seen = np.mean([r["promised"] for r in rows]), median(p for p, _ in every)
    pairs, worlds = np.mean([p >= q for p, q in every]), np.mean([r["kept"] for r in rows])
    print(
        f"promised {promised_:.3f}, realised median of {len(every)} pairs {seen:.3f}; what was "
        f"promised have {pairs:.2f} of the pairs, and the median in {worlds:.2f} of the worlds",
        flush=True,
    )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer simulated studies")
    parser.add_argument("--promise", action="store_true", help="only what plans promise")
    options = parser.parse_args()
    battery, panel = Battery.load("core"), Panel.load("core")
    studies = 5 if options.quick else 42  # a pair; over 200 a plan
    if options.promise:
        result = json.loads(OUT.read_text(encoding="utf-8"))
        result["promise"] = promises(battery, panel, studies)
        if not options.quick:
            _write(result)
        return
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
    result["worth"] = worths(battery, panel, pairs)
    result["concentration"] = concentrations(battery, panel, pairs, fine)
    print("\nmedian power on held-out pairs, alpha .01")
    for name, row in result["concentration"].items():
        print(f"{name:36}", "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    result["promise"] = promises(battery, panel, studies)
    if not options.quick:
        _write(result)


def _write(result: dict) -> None:
    OUT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
