"""Should columns count by how well they tell models apart? Costs of pairs, sets of `identify`.

    python benchmarks/telling.py [--corpora DIR] [--library DIR] [--only NAME …]

For each corpus, and for the genres of a library with texts (DIR, as `benchmarks/default_library.py
--work DIR` keeps it) in both views, all with the exponents 0 and 1/4 on the same draws:

cost      what `attribution.telling` chooses by: Cllr over units, units kept apart, in bits, and
          what 1/4 saves with its standard error over units
two criteria that it does not choose by: Cllr over all pairs of one split of the units, and log2 of
          the rank of a bundle's own model among those of its fold
sets      what the choice is for: a space fitted as it is stored, models enrolled as they are, sets
          of suspects on other prompts. The four held-out parts of the prompts take turns as what
          stands in for a suspect and what suspects come from: with one turn, which prompts are the
          easy ones decides the coverage. *At one coverage*: with the threshold that keeps 1 − α of
          the suspects' own models, the mean number of models in a set, and the share of suspects
          for which a model of another unit is

Unit: a unit of models (`supergroup`). Fixed beforehand: seeds 1 and 2 (alpaca_eval: 1), draws.
Nothing is tuned here but the choice between two criteria; all of it is development data.

What was found (``results/telling.json``): 1/4 pays with 134 models of one genre, in cost and in
sets, and with few models neither differs by more than chance. An earlier measure of the library
that ships had sets of puzzles grow from 3.5 to 7 models and the coverage of arithmetic fall to .75:
it was one turn of the parts and one draw, with other weights of the unusual. Over all turns the
coverage is as promised with both, and at one coverage a set of puzzles holds 1.9 or 2.0 models (20
outputs, .95), whichever is taken.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _corpora import corpus, frame_of, labels_of
from relations import CORPORA

from provenance.attribution import known_pairs, telling
from provenance.attribution.calibration import metrics, validated
from provenance.attribution.gathering import Population, gather
from provenance.attribution.hypotheses import pairs_for
from provenance.attribution.known_pairs import Scored, rows_of
from provenance.attribution.layouts import RAW
from provenance.attribution.open_set import open_set
from provenance.attribution.populations import fit_shipped
from provenance.attribution.same_source import scores
from provenance.attribution.weighing import ONE, WEIGHTS, folds_of
from provenance.library.parts import HELD_OUT, PARTS, prompt_digest
from provenance.library.population import Library, Moments
from provenance.library.relations import Relations
from provenance.library.space import Sizes, Space

RESULTS = Path(__file__).parent / "results" / "telling.json"
LEVELS = (0.05, 0.1, 0.2)
DRAWS = 2  # of a suspect's outputs, each turn
FEWEST = 10
# Seeds, repeats of the split, sizes of known pairs, sizes of suspects.
CORPUS = {
    "misguided": ((1, 2), 3, (10, 20), (20,)),
    "stories": ((1, 2), 3, (10, 25), (25,)),
    "reasoning_gsm": ((1, 2), 2, (10, 20, 50, 100), (20, 50)),
    "alpaca_eval": ((1,), 1, (25, 50, 100), (25, 50)),
}
LIBRARY = ((1, 2), 2, (10, 20, 50, 100), (20, 50))
Row = dict[str, Any]


def population_of(folder: Path, name: str) -> Population:
    """A corpus in the raw view, as `gathering.gather` would give a library of it."""
    data, frame, labels = corpus(folder, name), frame_of(folder, name), labels_of(folder, name)
    known = pd.read_parquet(folder / "prompts.parquet")
    words = known[known.corpus == name].set_index("prompt_id").prompt.to_dict()
    part = {p: int(prompt_digest(words.get(p, str(p))), 16) % PARTS for p in set(frame.prompt_id)}
    return Population(
        training=data.training,
        parts=np.array([part[p] for p in frame.prompt_id], dtype=np.int64),
        characters=data.formats[:, -1],
        models=tuple(data.names),
        units=tuple(str(labels.supergroup[m]) for m in data.names),
        labels=Relations(models={}),
        bundles=(),
        sources=(),
        samples=((),) * len(data.names),
        kinds=("",) * len(data.names),
        formats=data.formats,
    )


def measured(population: Population, plan: tuple[Any, ...]) -> list[Row]:
    seeds, repeats, outputs, suspects = plan
    alike = population.training.view == RAW
    rows = []
    for seed in seeds:
        each = telling.score_each(
            population,
            telling.TELLINGS,
            rng=np.random.default_rng([seed, 1]),
            sizes=Sizes(),
            outputs=outputs,
            repeats=repeats,
        )
        one = {
            t: telling.choose_telling(
                {t: s}, population.labels, rng=np.random.default_rng([seed, 2]), alike_only=alike
            )
            for t, s in each.items()
        }
        found = telling.choose_telling(
            each, population.labels, rng=np.random.default_rng([seed, 2]), alike_only=alike
        )
        first, second = telling.TELLINGS
        row: Row = {
            "seed": seed,
            "units": len(population.unit_names),
            "models": len(population.models),
            "chosen": found.telling,
            "saved": found.costs[first] - found.costs[second],
            "saved_error": found.error,
            "exponents": {},
        }
        for t, pairs in each.items():
            weight = one[t].unusual
            row["exponents"][f"{t:g}"] = {
                "unusual": weight,
                "cost": found.costs[t],
                "cllr_over_pairs": over_pairs(pairs, population.labels, seed, alike),
                "rank_of_own": rank(pairs.weighing(weight)),
                "sets": sets(population, t, weight, seed, suspects),
            }
        ranks = [rank_by_unit(each[t].weighing(one[t].unusual)) for t in telling.TELLINGS]
        differ = np.array([ranks[0][u] - ranks[1][u] for u in ranks[0]])
        row["rank_saved"] = float(differ.mean())
        row["rank_saved_error"] = float(differ.std(ddof=1) / np.sqrt(len(differ)))
        rows.append(row)
    return rows


def over_pairs(scored: Scored, labels: Relations, seed: int, alike: bool) -> float:
    """Least over weights of the mean over kinds and sizes: one split of the units."""
    costs = []
    for weight in WEIGHTS:
        own = []
        for kind in sorted(set(scored.kinds)):
            some = scored.only(scored.of_kind(kind)).weighing(weight)
            pairs = pairs_for(ONE, some, labels, alike_only=alike)
            if isinstance(pairs, str):
                continue
            folds = folds_of(pairs, np.random.default_rng(seed))
            ratios = [validated(p, folds) for p in pairs.values()]
            own += [metrics.cllr(*r) for r in ratios if r is not None]
        costs.append(float(np.mean(own)))
    return min(costs)


def rank_by_unit(scored: Scored) -> dict[str, float]:
    """Mean log2 of the rank of a suspect's own model among the references of its fold."""
    chosen = scored.only(scored.n_reference >= scored.n_suspect)
    equal = chosen.n_reference == chosen.n_suspect
    group = np.stack([chosen.fold, chosen.suspect, chosen.n_suspect, equal], axis=1)
    _, code = np.unique(group, axis=0, return_inverse=True)
    order = np.argsort(code.ravel(), kind="stable")
    found: dict[str, list[float]] = {}
    for rows in np.split(order, np.flatnonzero(np.diff(code.ravel()[order])) + 1):
        same = chosen.same[rows]
        if same.any() and not same.all():
            own = chosen.score[rows][same].max()
            above = int((chosen.score[rows][~same] >= own).sum())
            unit = chosen.units[chosen.suspect[rows[0]]]
            found.setdefault(unit, []).append(float(np.log2(1 + above)))
    return {unit: float(np.mean(ranks)) for unit, ranks in sorted(found.items())}


def rank(scored: Scored) -> float:
    return float(np.mean(list(rank_by_unit(scored).values())))


def sets(
    population: Population, exponent: float, weight: float, seed: int, suspects: tuple[int, ...]
) -> Row:
    sizes = Sizes(telling=exponent)
    space = fit_shipped(population, rng=np.random.default_rng([seed, 3]), sizes=sizes)
    space = replace(space, unusual=weight)
    rows: Row = {}
    for kind in sorted(set(population.kinds)):
        for n in suspects:
            turns = list(_turns(population, kind, space, n, np.random.default_rng([seed, 4])))
            if turns:
                key = f"{kind or 'all'}, {n}"
                rows[key] = {k: float(np.mean([t[k] for t in turns])) for k in turns[0]}
    return rows


def _turns(
    population: Population, kind: str, space: Space, n: int, rng: np.random.Generator
) -> Iterator[Mapping[str, float]]:
    of_kind = np.array(population.kinds)[population.training.models] == kind
    documents = np.flatnonzero(of_kind & ~np.isin(population.parts, known_pairs.FITTED))
    rows = rows_of(population.training, documents, space)
    model, part = population.training.models[documents], population.parts[documents]

    def held(m: int, parts: Any) -> np.ndarray:
        return np.flatnonzero((model == m) & np.isin(part, parts))

    def moments(chosen: np.ndarray) -> Moments:
        return Moments(len(chosen), rows[chosen].mean(axis=0), rows[chosen].var(axis=0, ddof=1))

    for turn in range(len(HELD_OUT)):
        order = np.roll(HELD_OUT, -turn)
        typical = np.median([len(held(m, order[:1])) for m in np.unique(model)])
        instead = order[: 1 if n < 1.5 * typical and typical >= FEWEST else 2]
        kept = [
            m
            for m in np.unique(model)
            if len(held(m, known_pairs.REFERENCE)) >= FEWEST
            and len(held(m, instead)) >= FEWEST
            and len(held(m, order[2:])) >= n
        ]
        if len(kept) < 2 * FEWEST:
            continue
        references = [moments(held(m, known_pairs.REFERENCE)) for m in kept]
        own = np.diagonal(scores([moments(held(m, instead)) for m in kept], references, space))
        unit = np.array([population.units[m] for m in kept])
        for _ in range(DRAWS):
            drawn = [moments(rng.choice(held(m, order[2:]), n, replace=False)) for m in kept]
            yield _judged(scores(drawn, references, space), own, unit)


def _judged(score: np.ndarray, own: np.ndarray, unit: np.ndarray) -> dict[str, float]:
    itself = np.diagonal(score)
    others = np.where(unit[:, None] != unit[None, :], score, -np.inf)
    row = {
        "models": float(len(own)),
        "first": float((score.argmax(axis=1) == range(len(own))).mean()),
    }
    for alpha in LEVELS:
        inside = np.array([open_set(s, own, alpha=alpha).included for s in score])
        threshold = np.quantile(itself, alpha)
        row |= {
            f"coverage, alpha {alpha:g}": float(np.diagonal(inside).mean()),
            f"set, alpha {alpha:g}": float(inside.sum(axis=1).mean()),
            f"set at one coverage, alpha {alpha:g}": float((score >= threshold).sum(axis=1).mean()),
            f"others at one coverage, alpha {alpha:g}": float(
                (others >= threshold).any(axis=1).mean()
            ),
        }
    return row


def show(name: str, rows: list[Row]) -> None:
    for row in rows:
        print(
            f"{name}, seed {row['seed']}: {row['models']} models of {row['units']} units; chosen "
            f"{row['chosen']:g}; 1/4 saves {row['saved']:+.4f} ± {row['saved_error']:.4f} bits, in "
            f"rank {row['rank_saved']:+.4f} ± {row['rank_saved_error']:.4f}"
        )
        for exponent, own in row["exponents"].items():
            print(
                f"  {exponent:>4}: cost {own['cost']:.4f}, over pairs "
                f"{own['cllr_over_pairs']:.4f}, rank {own['rank_of_own']:.4f}, unusual "
                f"{own['unusual']:g}"
            )
            for key, s in own["sets"].items():
                shown = "; ".join(
                    f"α {a:g}: {s[f'coverage, alpha {a:g}']:.3f} {s[f'set, alpha {a:g}']:.2f} "
                    f"{s[f'set at one coverage, alpha {a:g}']:.2f} "
                    f"{s[f'others at one coverage, alpha {a:g}']:.3f}"
                    for a in LEVELS
                )
                print(f"        {key}: first {s['first']:.3f}; {shown}")
    print(flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--library", type=Path, help="with texts: its genres, in both views")
    parser.add_argument("--only", nargs="*", help="names of corpora, or the views raw, canonical")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}

    def keep(name: str, population: Population, plan: tuple[Any, ...]) -> None:
        results[name] = measured(population, plan)
        show(name, results[name])
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

    for name, plan in CORPUS.items():
        if not options.only or name in options.only:
            keep(name, population_of(options.corpora, name), plan)
    for view in ("raw", "canonical") if options.library is not None else ():
        if not options.only or view in options.only:
            library = Library.open(options.library)
            found = gather(library, view=view, rng=np.random.default_rng(1))
            keep(f"library, {view} view", found, LIBRARY)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
