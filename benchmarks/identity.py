"""Head to head on a ladder of real suspects: power at α = .01 for the same number of output tokens.

    python benchmarks/identity.py            reads benchmarks/zoo (make zoo), some minutes
    python benchmarks/identity.py --quick    fewer pairs of recordings

A side is one recording of a rung, cut to the budget; reference and suspect are recordings of their
own. Every token that a server would bill counts, those that chose cells too.

fused, fixed cells     the test that studies use, on cells chosen on another model
fused, border cells    the same on cells chosen on the reference (pilot tokens are in the budget)
likelihood ratio, total variation       one-token tests, within-cell permutation, fixed cells
MET, corrected         MMD with the character Hamming kernel, labels permuted within prompts, on
                       short texts (Gao et al. 2024, arXiv:2410.20247)
MET, across prompts    the same statistic with labels permuted over all prompts, p = mean(null ≥
                       observed), as the authors' package does
oracle                 likelihood-ratio test with both distributions learnt on other recordings:
                       what can be seen on these cells, as far as it can be learnt

The row "served again" is the size of each test.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta

from provenance.stats.fused import fused_test
from provenance.stats.instruments import INSTRUMENTS
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

ZOO = Path(__file__).parent / "zoo"
OUT = Path(__file__).parent / "results" / "identity.json"
ALPHA, RESAMPLES = 0.01, 999
BUDGETS = (500, 1_000, 2_500, 5_000)
BASE = "base"
Cells = list[CellDraws]


def short(name: str, which: str) -> dict[int, dict[str, np.ndarray]]:
    """Recording → cell → answers."""
    frame = pd.read_parquet(ZOO / f"{name}.parquet")
    frame = frame[frame["set"] == which]
    return {
        int(r): {
            str(c): g["answer"].astype(str).to_numpy()
            for c, g in part.groupby("cell", observed=True)
        }
        for r, part in frame.groupby("recording")
    }


def texts(name: str) -> dict[int, dict[str, np.ndarray]]:
    frame = pd.read_parquet(ZOO / f"{name}-texts.parquet")
    return {
        int(r): {str(c): g["output"].to_numpy() for c, g in part.groupby("cell")}
        for r, part in frame.groupby("recording")
    }


def cells_of(reference: dict, suspect: dict, draws: int) -> Cells:
    """Draws of both sides, ``draws`` a cell and side at most."""
    made = []
    for cell, own in reference.items():
        a, b = own[:draws], suspect[cell][:draws]
        both = np.concatenate([a, b])
        codes = np.unique(both, return_inverse=True)[1]
        labels = np.repeat([False, True], [len(a), len(b)])
        made.append(CellDraws(codes, [str(t) for t in both], labels, None))
    return made


def fused(cells: Cells, seed: int) -> float:
    null = PermutationNull(resamples=RESAMPLES, rng=np.random.default_rng(seed))
    return float(fused_test(cells, null=null).p_value)


def instrument(name: str) -> Callable[[Cells, int], float]:
    def test(cells: Cells, seed: int) -> float:
        null = PermutationNull(resamples=RESAMPLES, rng=np.random.default_rng(seed))
        return float(INSTRUMENTS[name].test(cells, null=null).p_value)

    return test


def across_prompts(cells: Cells, seed: int) -> float:
    """The published statistic with labels permuted over prompts; the p-value can be 0."""
    rng = np.random.default_rng(seed)
    kernels = [_hamming(c.texts) for c in cells]
    labels = [np.asarray(c.suspect) for c in cells]

    def statistic(split: Sequence[np.ndarray]) -> float:
        total = 0.0
        for kernel, mark in zip(kernels, split, strict=True):
            n, m = int((~mark).sum()), int(mark.sum())
            if not n or not m:
                continue
            weights = np.where(mark, 1 / m, -1 / n)
            total += float(weights @ kernel @ weights)
        return total

    observed = statistic(labels)
    flat, places = np.concatenate(labels), np.cumsum([len(x) for x in labels])[:-1]
    null = [statistic(np.split(rng.permutation(flat), places)) for _ in range(RESAMPLES)]
    return float(np.mean(np.array(null) >= observed))


def _hamming(found: Sequence[str], length: int = 200) -> np.ndarray:
    codes = np.zeros((len(found), length), dtype=np.int32)
    for i, text in enumerate(found):
        for j, character in enumerate(text[:length]):
            codes[i, j] = ord(character) + 1
    return np.array([[float((a == b).mean()) for b in codes] for a in codes])


def power(
    reference: dict,
    suspect: dict,
    draws: int,
    test: Callable[[Cells, int], float],
    pairs: int,
    *,
    same: bool = False,
) -> tuple[float, int]:
    """Share of pairs of recordings that are rejected; each recording is used in few pairs."""
    a, b = sorted(reference), sorted(suspect)
    chosen = [(a[i % len(a)], b[(i + i // max(len(a), len(b))) % len(b)]) for i in range(pairs)]
    chosen = list(dict.fromkeys(chosen))
    hits = [
        test(cells_of(reference[i], suspect[j], draws), 1000 * i + j) <= ALPHA for i, j in chosen
    ]
    return float(np.mean(hits)), len(hits)


def oracle(reference: dict, suspect: dict, draws: int) -> tuple[float, float]:
    """Power of a test that knows both distributions, and the mean log ratio on held-out draws.

    The distributions are learnt on half of the recordings, threshold and power are of the other
    half: with as many draws as there are this is a lower limit of what a true oracle does.
    """
    rng = np.random.default_rng(5)
    total_p, total_q, gained = np.zeros(4_000), np.zeros(4_000), []
    halves = [(sorted(r)[::2], sorted(r)[1::2]) for r in (reference, suspect)]
    for cell in next(iter(reference.values())):
        learnt, held = (
            [
                np.concatenate([side[i][cell] for i in half[k]])
                for side, half in zip((reference, suspect), halves, strict=True)
            ]
            for k in (0, 1)
        )
        names = np.unique(np.concatenate([*learnt, *held]))

        def shares(answers: np.ndarray, smooth: float, names: np.ndarray = names) -> np.ndarray:
            counts = np.bincount(np.searchsorted(names, answers), minlength=len(names)) + smooth
            return counts / counts.sum()

        pooled = shares(np.concatenate(learnt), 0.5)
        # Towards the pooled shares, so that what was seen twice is not taken for a law.
        p, q = ((len(x) * shares(x, 0.0) + 20 * pooled) / (len(x) + 20) for x in learnt)
        ratio = np.log(q / p)
        total_p += rng.multinomial(draws, shares(held[0], 0.0), 4_000) @ ratio
        total_q += rng.multinomial(draws, shares(held[1], 0.0), 4_000) @ ratio
        gained.append(float(shares(held[1], 0.0) @ ratio))
    threshold = np.quantile(total_p, 1 - ALPHA)
    return float(np.mean(total_q > threshold)), float(np.mean(gained))


def interval(share: float, n: int) -> tuple[float, float]:
    hits = round(share * n)
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))
    return low, high


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="10 pairs of recordings a figure")
    arguments = parser.parse_args()
    if not (ZOO / "plan.json").is_file() or not (ZOO / "base.parquet").is_file():
        print("no recordings under benchmarks/zoo: `make zoo` makes them", file=sys.stderr)
        return 1
    plan = json.loads((ZOO / "plan.json").read_text(encoding="utf-8"))
    names = sorted(
        p.stem for p in ZOO.glob("*.parquet") if not p.stem.endswith("-texts") and p.stem != BASE
    )
    pairs = 10 if arguments.quick else 40
    cells = len(plan["fixed"])
    methods: dict[str, tuple[str, Callable[[Cells, int], float], int]] = {
        "fused, fixed cells": ("fixed", fused, 0),
        "fused, border cells": ("border", fused, plan["pilot_tokens"]),
        "likelihood ratio, fixed cells": ("fixed", instrument("likelihood_ratio"), 0),
        "total variation, fixed cells": ("fixed", instrument("total_variation"), 0),
        "MET, corrected": ("texts", instrument("hamming_published"), 0),
        "MET, across prompts": ("texts", across_prompts, 0),
    }
    results: list[dict] = []
    for rung in names:
        print(f"\n{rung}", flush=True)
        for method, (kind, test, spent) in methods.items():
            row = []
            for budget in BUDGETS:
                if kind == "texts":
                    if not (ZOO / f"{rung}-texts.parquet").is_file():
                        continue
                    a, b = texts(BASE), texts(rung)
                    draws = budget // (plan["text_prompts"] * plan["text_tokens"])
                else:
                    a, b = short(BASE, kind), short(rung, kind)
                    draws = (budget - spent) // cells
                if draws < 1:
                    continue
                tried = min(pairs, 12) if kind == "texts" else pairs
                share, n = power(a, b, draws, test, tried)
                low, high = interval(share, n)
                row.append(f"{budget:,}: {share:.2f}")
                results.append(
                    {
                        "rung": rung,
                        "method": method,
                        "tokens": budget,
                        "draws_a_cell": draws,
                        "power": share,
                        "interval": [low, high],
                        "pairs": n,
                    }
                )
            if row:
                print(f"  {method:32s} {'   '.join(row)}", flush=True)
        for kind in ("border", "fixed"):
            spent = plan["pilot_tokens"] if kind == "border" else 0
            best, kl = oracle(short(BASE, kind), short(rung, kind), (BUDGETS[-1] - spent) // cells)
            print(
                f"  oracle, {kind} cells, 5,000 tokens: {best:.2f}   held-out log ratio {kl:+.4f}",
                flush=True,
            )
            results.append(
                {
                    "rung": rung,
                    "method": f"oracle, {kind}",
                    "tokens": 5_000,
                    "power": best,
                    "held_out_log_ratio": kl,
                }
            )
    OUT.write_text(json.dumps({"alpha": ALPHA, "plan": plan, "rows": results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
