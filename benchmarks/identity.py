"""Head to head on a ladder of real suspects: power at α = .01 for the same number of output tokens.

    python benchmarks/identity.py                    reads benchmarks/zoo (make zoo), half an hour
    python benchmarks/identity.py --part ladder      one table: ladder, border, recorded, dilution
    python benchmarks/identity.py --quick            fewer pairs and studies

A side is a run of draws that no other study of the rung uses (``_ladder_power.py``). Every output
token that a server would bill counts, those that chose cells too; prompt tokens do not, so the
number of requests stands beside: one-token cells are cheap in tokens and dear in requests.

fused, fixed cells     the test that studies use, on cells chosen on another model
fused, border cells    the same on cells chosen on the reference (pilot tokens are in the budget)
fused, texts           the same test on the short texts that MET is given
MET, corrected         MMD with the character Hamming kernel, labels permuted within prompts, on
                       short texts (Gao et al. 2024, arXiv:2410.20247)
MET, as released       the authors' package: labels across prompts, p can be 0
MET on short cells     the corrected statistic on our cells: parts the cells from the statistic
JSD, total variation   one token, within-cell permutation, fixed cells. With equal sides JSD is the
                       likelihood-ratio statistic up to a factor
RUT                    rank uniformity by the reference's own probabilities, exact and as published
plug-in betting        a likelihood ratio with estimated reference shares, which is no e-value
energy distance        of trigram frequencies, texts
logprob tracking       where both endpoints report log probabilities: not text only
oracle                 likelihood-ratio test that is told both distributions, same cells and draws

The rows "served-again" and "base" (of texts, one half against the other) are the size of each
test. Further tables: border inputs and short texts at temperature 0 (``_border_power.py``,
``_greedy_power.py``), recorded corpora (``_recorded_power.py``), a diluted service
(``_dilution.py``). Curves are kept under ``.cache/identity``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import _border_power
import _dilution
import _greedy_power
import _ladder_power as ladder
import _peers
import _recorded_power
import numpy as np
from _border import DEVELOPMENT, TEST

OUT = Path(__file__).parent / "results" / "identity.json"
PARTS = ("ladder", "border", "recorded", "dilution")
# Rungs for which every method is run; the others get the fused test alone.
MAIN = (*ladder.MEDIAN_OF, ladder.AGAIN, "Q8_0", "other-engine")
# Chosen on the development sets and suspects: see the rows "development" of the table.
BORDER_RULES = {
    "warm, 12 cells": _border_power.Rule(12, temperatures=(None,)),
    "from 1 down, 12 cells": _border_power.Rule(12, temperatures=(None, 0.3, 0.1)),
    "from .3 down, 12 cells": _border_power.Rule(12, temperatures=(0.3, 0.1)),
    "cold, 12 cells": _border_power.Rule(12),
    "cold, 20 cells": _border_power.Rule(20),
    "as shipped: cold, 12 cells, 9 draws": _border_power.Rule(12, tested=9),
    "by log probabilities, 12 cells, 9 draws": _border_power.Rule(12, tested=9, listed=True),
}
BORDER_RULE = BORDER_RULES["as shipped: cold, 12 cells, 9 draws"]
BORDER_SUSPECTS = ("noise 0.5%", "noise 1%", "Q5_0")


def ladder_part(quick: bool, only: str | None = None) -> dict:
    """Every method on every rung, and the tokens that a power of .8 takes."""
    pairs = 8 if quick else ladder.PAIRS
    spent = json.loads((ladder.ZOO / "plan.json").read_text(encoding="utf-8"))["pilot_tokens"]
    rows: list[ladder.Row] = []

    def add(label: str, rung: str, kind: str, test: ladder.Test, **options: int) -> None:
        wanted = 60 if rung == ladder.AGAIN and not quick else pairs
        if label == "target" and not quick:
            wanted = 100
        found = ladder.kept_curve(label, rung, kind, test, wanted=wanted, **options)
        rows.extend(found)
        for method in dict.fromkeys(r.method for r in found):
            points = "  ".join(f"{r.tokens:,}: {r.power:.2f}" for r in found if r.method == method)
            print(f"{rung:16s} {method:22s} {points}", flush=True)

    for rung in ladder.recorded("fixed"):
        if only not in (None, rung):
            continue
        add("fused", rung, "fixed", ladder.fused("fused, fixed cells"))
        if rung == "Q4_0":  # it carries a target: many disjoint units
            add("target", rung, "fixed", ladder.fused("fused, 100 pairs"), largest=500)
        if rung in MAIN:
            add("tables", rung, "fixed", ladder.on_tables)
            add("scores", rung, "fixed", ladder.with_scores, largest=1_000)
            add("fused", rung, "border", ladder.fused("fused, border cells"), spent=spent)
    for rung in (ladder.BASE, *ladder.recorded("texts")):
        if only not in (None, rung):
            continue
        add("fused", rung, "texts", ladder.fused("fused, texts", ladder.TEXT_KERNELS))
        add("texts", rung, "texts", ladder.on_texts)
        add("released", rung, "texts", ladder.as_released, largest=6)
    if only is not None:
        return {}
    methods = list(dict.fromkeys(r.method for r in rows))
    rng = np.random.default_rng(8)
    cells = len(ladder.pool(ladder.BASE, "fixed"))
    measured = [r for r in ladder.recorded("fixed") if ladder.first_shares(r)]
    short = [r for r in ladder.MEDIAN_OF if r in ladder.recorded("fixed")]
    both = [r for r in short if r in ladder.recorded("texts")]
    return {
        "chosen_beforehand": list(ladder.MEDIAN_OF),
        "rows": [row.to_json() for row in rows],
        "tokens_for_80": {
            "rungs": short,
            "methods": {m: ladder.median_tokens(rows, m, short, rng) for m in methods},
        },
        "tokens_for_80_with_texts": {
            "rungs": both,
            "methods": {m: ladder.median_tokens(rows, m, both, rng) for m in methods},
        },
        "false_alarms": {m: alarms(rows, m) for m in methods},
        "oracle_4980_tokens": {rung: ladder.oracle(rung, 4_990 // cells) for rung in measured},
        "logprob_tracking": {rung: tracked(rung) for rung in measured},
        "distances": json.loads((ladder.ZOO / "distances.json").read_text(encoding="utf-8")),
    }


def alarms(rows: list[ladder.Row], method: str) -> dict:
    """Rejections of one model against itself, all budgets together."""
    hits = [
        hit
        for row in rows
        if row.method == method and row.rung in (ladder.AGAIN, ladder.BASE)
        for _, hit in row.hits
    ]
    return {"rejected": sum(hits), "tests": len(hits)}


def tracked(rung: str) -> dict:
    """Logprob tracking with two requests a cell and side: 24 tokens."""
    base, other = ladder.first_shares(ladder.BASE), ladder.first_shares(rung)
    a, b = {}, {}
    for cell in ladder.pool(ladder.BASE, "fixed"):
        top = sorted(base[cell], key=lambda t: -base[cell][t])[:20]
        a[cell] = np.log([base[cell][t] for t in top])
        b[cell] = np.log([max(other[cell].get(t, 0.0), _peers.LEAST) for t in top])
    p = _peers.logprob_tracking(a, b, 2, np.random.default_rng(9), 999)
    return {"tokens": 2 * len(a), "p": p}


def border_part(quick: bool) -> dict:
    """Temperature 0: one token of searched prompts, and short texts of any."""
    searches = 5 if quick else 20
    development = {
        name: _border_power.power(rule, DEVELOPMENT, BORDER_SUSPECTS, searches, 1)
        for name, rule in BORDER_RULES.items()
    }
    greedy = [
        _greedy_power.power(rung, *design, seed=3)
        for rung in _greedy_power.recorded()
        for design in _greedy_power.DESIGNS
    ]
    part = {
        "development": development,
        "test": {
            "rule": asdict(BORDER_RULE),
            "sets_of_prompts": len(TEST),
            **_border_power.power(BORDER_RULE, TEST, ("Q8_0", "other engine"), searches, 2),
            "other_searches": {
                name: _border_power.power(rule, TEST, ("Q8_0", "other engine"), searches, 2)
                for name, rule in BORDER_RULES.items()
                if rule.temperatures == (None,) or rule.listed
            },
            "false_alarms_two_engines_on_both_sides": _border_power.two_engines(
                BORDER_RULE, searches, 4
            ),
        },
        "greedy_texts": greedy,
        "greedy_turned": {r: _greedy_power.turned(r) for r in _greedy_power.recorded()},
        "greedy_false_alarms_two_engines_on_both_sides": {
            f"{prompts} x {draws}": _greedy_power.mixed_fleet(prompts, draws, 10 * searches, 5)
            for prompts, draws in _greedy_power.DESIGNS
        },
    }
    print(json.dumps(part, indent=1))
    return part


def recorded_part(quick: bool) -> dict | None:
    """Other people's models, real repeats."""
    if not _recorded_power.available():
        print(f"{_recorded_power.CORPORA} is absent: no table of recorded corpora")
        return None
    studies = 8 if quick else _recorded_power.STUDIES
    rows = [
        row for corpus in _recorded_power.SIZES for row in _recorded_power.power(corpus, studies)
    ]
    for row in rows:
        shares = "  ".join(f"{m}: {v:.2f}" for m, v in row["rejected"].items())
        print(f"{row['corpus']:10s} {row['models']:9s} {row['outputs_a_side']:4d}   {shares}")
    return {"alpha": ladder.ALPHA, "rows": rows}


def dilution_part(quick: bool) -> dict:
    """A tenth of the requests answered by somebody else."""
    rungs = [r for r in ladder.recorded("fixed") if ladder.first_shares(r) and r != ladder.AGAIN]
    part = {}
    studies = 5 if quick else 40
    for reference in (ladder.BASE,):
        found = _dilution.power([ladder.BASE, *rungs], reference, studies, studies)
        part[reference] = found
        print(f"reference {reference}, panel of {found['panel']}")
    return part


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer pairs and studies")
    parser.add_argument("--part", choices=PARTS, action="append", help="this table alone")
    parser.add_argument("--rung", help="compute this rung's curves alone; they are kept")
    arguments = parser.parse_args()
    if not (ladder.ZOO / "distances.json").is_file():
        print("no recordings under benchmarks/zoo: `make zoo` makes them", file=sys.stderr)
        return 1
    if arguments.rung:
        ladder_part(arguments.quick, arguments.rung)
        return 0
    made: dict[str, Callable[[bool], dict | None]] = {
        "ladder": ladder_part,
        "border": border_part,
        "recorded": recorded_part,
        "dilution": dilution_part,
    }
    document: dict = {}
    for name in arguments.part or PARTS:
        found = made[name](arguments.quick)
        document = merged({} if found is None else {name: found})
    if "ladder" in document:
        summary(document)
    return 0


def merged(found: dict) -> dict:
    """Write parts into the table, and give all of it.

    It is read again just before: parts take long, and others may have written theirs meanwhile.
    """
    kept = json.loads(OUT.read_text(encoding="utf-8")) if OUT.is_file() else {}
    document = {name: kept[name] for name in PARTS if name in kept} | found
    partial = OUT.with_suffix(".part")
    partial.write_text(_dumped({"alpha": ladder.ALPHA, **document}, 3) + "\n", encoding="utf-8")
    os.replace(partial, OUT)
    return document


def summary(document: dict) -> None:
    """The table: tokens for a power of .8, method by method."""
    for kind in ("tokens_for_80", "tokens_for_80_with_texts"):
        part = document["ladder"][kind]
        print(
            f"\nOutput tokens a side for a power of .80 at α = {ladder.ALPHA}, median of", end=" "
        )
        print(", ".join(part["rungs"]))
        for method, found in part["methods"].items():
            if found is None:
                continue
            most = found["at_least"]
            middle, low, high = (_print(v, most) for v in (found["median"], *found["interval"]))
            wrong = document["ladder"]["false_alarms"][method]
            print(
                f"  {method:22s} {middle:>8s}  ({low} to {high})   "
                f"false alarms {wrong['rejected']} of {wrong['tests']}"
            )


def _dumped(value: object, depth: int, indent: str = "") -> str:
    """JSON, one line for what lies deeper than ``depth``."""
    if depth == 0 or not value or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    if isinstance(value, dict):
        lines = [f"{json.dumps(k)}: {_dumped(v, depth - 1, inner)}" for k, v in value.items()]
        left, right = "{}"
    else:
        lines = [_dumped(v, depth - 1, inner) for v in value]
        left, right = "[]"
    return left + ",".join(f"\n{inner}{line}" for line in lines) + f"\n{indent}{right}"


def _print(tokens: int | None, most: int) -> str:
    return f"> {most:,}" if tokens is None else f"{tokens:,}"


if __name__ == "__main__":
    sys.exit(main())
