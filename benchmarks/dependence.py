"""What two strands of evidence are worth together: multiplied, one of them, or fused.

    python benchmarks/dependence.py [--corpora DIR] [--show]

A naive auditor who has two likelihood ratios multiplies them. That is right only if the strands are
independent given the hypothesis; style is one habit seen twice. Measured on pairs of models with
two strands each, in spaces and lines that took no part of their units:

- two sets of prompts: style in two sessions that share no prompt (alpaca_eval; held out:
  reasoning_gsm)
- two views: the same texts as they stand, and without case, Markdown and spacing (alpaca_eval)
- style and matched: style on other prompts, likeness on the same ones (misguided; held out)

One-token answers are no strand here: the recorded ones are of nine models and have no unit with
texts of another kind.

Methods. *One, the first*; *one, chosen*: the strand with the lower Cllr on the pairs of the fit,
as the tool does; *multiplied*: the sum of the log ratios, each within its bounds; *multiplied,
bounded*: the sum cut to the larger of the bounds; *mean* of the logs; *fused*: logistic regression
on both scores, weights at least 0, within bounds; *pooled*: all outputs in one bundle, one line,
where the strands are of one kind. Ratios of a fold come from lines on the pairs of the other folds.

Unit: a pair of models; independent ones are far fewer, so limits of rates are over effective pairs
and intervals resample units (makers of weights). "dependence" is the correlation of the two log
ratios within each kind of pair; "worth" the slope of the truth on their sum: 1 if they may be
multiplied, about .5 if the second says what the first said. Where few units bound the ratios most
of them lie at a bound, and both figures say little (misguided).

Fixed before held-out corpora were looked at: fusion pays if, on alpaca_eval and on held-out units,
its Cllr is 10% or more below the best of *chosen* and *pooled* with a 95% interval of the
difference below 0, and no more pairs mislead above 10. About 3 minutes on one core, with
cached counts.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _strands import Cut, Strands, style_and_matched, two_sets_of_prompts, two_views
from relations import CORPORA
from scipy.optimize import minimize

from provenance.attribution.calibration import Pairs, effective_different, effective_same, metrics
from provenance.attribution.calibration.fit import fit_line

RESULT = Path(__file__).parent / "results" / "dependence.json"
LN10 = float(np.log(10))
RIDGE = 1e-4
RESAMPLES = 400
Task = tuple[str, Callable[[Path], Strands]]
TASKS: dict[str, Task] = {
    "two sets of prompts": (
        "development",
        lambda d: two_sets_of_prompts(d, "alpaca_eval", 25, Cut(4, 3)),
    ),
    "two views of the same texts": (
        "development",
        lambda d: two_views(d, "alpaca_eval", 25, Cut(4, 3)),
    ),
    "two sets of prompts, chains of thought": (
        "held out",
        lambda d: two_sets_of_prompts(d, "reasoning_gsm", 25, Cut(3, 8)),
    ),
    "style and matched probes": (
        "held out",
        lambda d: style_and_matched(d, "misguided", 9, Cut(4, 12)),
    ),
}


def bounds(pairs: Pairs) -> tuple[float, float]:
    return -np.log10(effective_same(pairs) + 1), float(np.log10(effective_different(pairs) + 1))


def fused(scores: np.ndarray, first: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """log10 ratios from several scores: both kinds weigh alike, no weight is below 0."""
    w = np.where(first, 1 / first.sum(), 1 / (~first).sum()) / 2
    centre, spread = scores.mean(axis=0), scores.std(axis=0)
    x = (scores - centre) / spread

    def cost(c: np.ndarray) -> tuple[float, np.ndarray]:
        z = c[0] + x @ c[1:]
        p = 1 / (1 + np.exp(-z))
        loss = float((w * np.logaddexp(0, np.where(first, -z, z))).sum() + RIDGE * c[1:] @ c[1:])
        error = w * (p - first)
        return loss, np.array([error.sum(), *(error @ x + 2 * RIDGE * c[1:])])

    limits = [(None, None)] + [(0, None)] * scores.shape[1]
    found = minimize(cost, np.zeros(1 + scores.shape[1]), jac=True, bounds=limits).x
    return lambda s: (found[0] + (s - centre) / spread @ found[1:]) / LN10


def ratios(pairs: Strands) -> dict[str, np.ndarray]:
    """log10 ratios of every pair by every method, from the other folds of its repeat."""
    found: dict[str, np.ndarray] = {}

    def put(name: str, place: np.ndarray, values: np.ndarray) -> None:
        found.setdefault(name, np.full(len(pairs.same), np.nan))[place] = values

    for repeat in np.unique(pairs.repeat):
        for fold in np.unique(pairs.fold):
            here = (pairs.repeat == repeat) & (pairs.fold == fold)
            rest = pairs.only((pairs.repeat == repeat) & (pairs.fold != fold))
            each, costs, ends = [], [], []
            columns = [*rest.scores.T, rest.pooled]
            tested = [*pairs.scores[here].T, pairs.pooled[here]]
            for column, own in zip(columns, tested, strict=True):
                if np.isnan(column).any():
                    continue
                known = Pairs(column, rest.same, rest.a, rest.b)
                line, (low, high) = fit_line(known), bounds(known)
                each.append(np.clip(line.ratios(own), low, high))
                fit = np.clip(line.ratios(column), low, high)
                costs.append(metrics.cllr(fit[rest.same], fit[~rest.same]))
                ends.append((low, high))
            one, two = each[:2]
            low, high = min(e[0] for e in ends[:2]), max(e[1] for e in ends[:2])
            put("one, the first", here, one)
            put("one, the second", here, two)
            put("one, chosen", here, each[int(np.argmin(costs[:2]))])
            put("multiplied", here, one + two)
            put("multiplied, bounded", here, np.clip(one + two, low, high))
            put("mean", here, (one + two) / 2)
            both = fused(rest.scores, rest.same)(pairs.scores[here])
            put("fused", here, np.clip(both, low, high))
            if len(each) > 2:
                put("pooled", here, each[2])
    return found


def weights(pairs: Strands, drawn: np.ndarray) -> np.ndarray:
    counts = np.bincount(drawn, minlength=int(max(pairs.a.max(), pairs.b.max())) + 1)
    return np.where(pairs.a == pairs.b, counts[pairs.a], counts[pairs.a] * counts[pairs.b])


def cost(values: np.ndarray, pairs: Strands, own: np.ndarray | None = None) -> float:
    s, d = pairs.same, ~pairs.same
    w = (None, None) if own is None else (own[s], own[d])
    return metrics.cllr(values[s], values[d], *w)


def described(values: np.ndarray, pairs: Strands, n_same: float, n_different: float) -> dict:
    same, different = values[pairs.same], values[~pairs.same]
    found: dict[str, Any] = {
        "cllr": cost(values, pairs),
        "cllr_min": metrics.cllr_min(same, different),
    }
    for limit in (1, 10, 100):
        rate = float((different > np.log10(limit)).mean())
        found[f"different_above_{limit}"] = rate
        found[f"different_above_{limit}_upper"] = metrics.upper_limit(rate, n_different)
    for limit in (1, 10):
        rate = float((same < -np.log10(limit)).mean())
        found[f"same_below_{limit}"] = rate
        found[f"same_below_{limit}_upper"] = metrics.upper_limit(rate, n_same)
    return found


def measured(pairs: Strands) -> dict[str, Any]:
    found = ratios(pairs)
    known = Pairs(pairs.scores[:, 0], pairs.same, pairs.a, pairs.b)
    n = effective_same(known), effective_different(known)
    one, two = found["one, the first"], found["one, the second"]
    slope = fit_line(Pairs(one + two, pairs.same, pairs.a, pairs.b)).slope
    rng = np.random.default_rng(5)
    units = np.unique(np.concatenate([pairs.a, pairs.b]))
    base = min(("one, chosen", "pooled"), key=lambda m: cost(found[m], pairs) if m in found else 9)
    apart: dict[str, list[float]] = {m: [] for m in found}
    for _ in range(RESAMPLES):
        own = weights(pairs, rng.choice(units, len(units)))
        if not own[pairs.same].any() or not own[~pairs.same].any():
            continue
        reached = cost(found[base], pairs, own)
        for m in found:
            apart[m].append(cost(found[m], pairs, own) - reached)
    return {
        "pairs": {"same": int(pairs.same.sum()), "different": int((~pairs.same).sum())},
        "effective": {"same": n[0], "different": n[1]},
        "units": len(units),
        "dependence": {
            kind: float(np.corrcoef(one[chosen], two[chosen])[0, 1])
            for kind, chosen in (("same", pairs.same), ("different", ~pairs.same))
        },
        "worth": float(slope),
        "compared_with": base,
        "methods": {
            m: described(v, pairs, *n)
            | {"less_than": [float(x) for x in np.percentile(apart[m], (2.5, 97.5))]}
            for m, v in found.items()
        },
    }


def pays(found: dict[str, Any]) -> bool:
    """The rule of the head of this file."""
    own, base = found["methods"]["fused"], found["methods"][found["compared_with"]]
    return bool(
        own["cllr"] <= 0.9 * base["cllr"]
        and own["less_than"][1] < 0
        and own["different_above_10"] <= base["different_above_10"]
    )


def show(result: dict[str, Any]) -> None:
    for name, task in result.items():
        r, d = task["result"], task["result"]["dependence"]
        print(f"\n{name} ({task['data']}): {r['units']} units, worth {r['worth']:.2f}, correlation")
        print(f"within same {d['same']:.2f}, within different {d['different']:.2f}")
        head = (
            "method",
            "Cllr",
            "min",
            "less than base",
            "other>1",
            ">10",
            ">100",
            "same<1",
            "<.1",
        )
        print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for m, v in r["methods"].items():
            low, high = v["less_than"]
            rates = [v[f"different_above_{k}"] for k in (1, 10, 100)]
            rates += [v["same_below_1"], v["same_below_10"]]
            cells = [m, f"{v['cllr']:.3f}", f"{v['cllr_min']:.3f}", f"{low:+.3f} to {high:+.3f}"]
            print("| " + " | ".join(cells + [f"{100 * x:.2f}%" for x in rates]) + " |")
        print(f"base: {r['compared_with']}; fusion pays: {'yes' if pays(r) else 'no'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--show", action="store_true", help="the recorded result")
    parser.add_argument("--only", choices=("development", "held out"))
    options = parser.parse_args()
    if options.show:
        show(json.loads(RESULT.read_text(encoding="utf-8")))
        return 0
    if not (options.corpora / "alpaca_eval.parquet").is_file():
        print(f"no corpora at {options.corpora}: nothing was measured", file=sys.stderr)
        return 1
    result = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    for name, (data, make) in TASKS.items():
        if options.only in (None, data):
            print(f"{name} …", file=sys.stderr, flush=True)
            result[name] = {"data": data, "result": measured(make(options.corpora))}
            RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
