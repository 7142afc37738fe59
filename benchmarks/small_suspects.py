"""A suspect of fewer outputs than what stands in for it: coverage and sets of `identify`.

    python benchmarks/small_suspects.py --library DIR

DIR is a library with texts, such as `benchmarks/default_library.py --work DIR` keeps. Stand-ins
are whole parts of the held-out prompts, of which a library keeps means and variances alone, so a
suspect of ten outputs is held against bundles of twenty or thirty. In each genre, on texts as they
stand and without margins (which `identify` does not use then), 40 times: stand-ins are one or two
of the held-out parts, suspects 10 to 20 outputs of two others, models enrolled as in the library.

now         what `identify` does
degraded    noise as of fewer outputs added to the means of stand-ins, Gaussian, by their variances
subsampled  stand-ins of as few outputs, which a library does not keep: what would be right

coverage    share of sets that hold the suspect's own model; set: models in it

Unit of every rate: a bundle; draws share outputs and models.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from provenance.attribution.gathering import Population, gather
from provenance.attribution.known_pairs import REFERENCE, rows_of
from provenance.attribution.open_set import open_set
from provenance.attribution.same_source import scores
from provenance.library.parts import HELD_OUT
from provenance.library.population import Library, Moments
from provenance.library.space import Space

RESULTS = Path(__file__).parent / "results" / "small_suspects.json"
PARTS = {"arithmetic": 1, "puzzles": 2}  # that stand in: with some 21 outputs
OUTPUTS = (10, 12, 15, 20)
LEVELS = (0.05, 0.1)
DRAWS = 40


def moments(rows: np.ndarray) -> Moments:
    return Moments(len(rows), rows.mean(axis=0), rows.var(axis=0, ddof=1))


def degraded(bundle: Moments, n: int, rng: np.random.Generator) -> Moments:
    """As if it were of ``n`` outputs."""
    if bundle.n <= n:
        return bundle
    noise = rng.normal(size=len(bundle.mean)) * np.sqrt(bundle.variance * (1 / n - 1 / bundle.n))
    return replace(bundle, n=n, mean=bundle.mean + noise)


def measured(population: Population, space: Space, genre: str) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    models = np.flatnonzero(np.array(population.kinds) == genre)
    chosen = np.flatnonzero(np.isin(population.training.models, models))
    rows = rows_of(population.training, chosen, space)
    code, part = population.training.models[chosen], population.parts[chosen]
    own = [code == m for m in models]
    enrolled = [moments(rows[o & np.isin(part, REFERENCE)]) for o in own]
    found: dict[str, list[tuple[float, float]]] = {}
    sizes: list[int] = []
    for n in OUTPUTS:
        for _ in range(DRAWS):
            parts = rng.permutation(HELD_OUT)
            first, second = (
                [np.flatnonzero(o & np.isin(part, p)) for o in own]
                for p in (parts[: PARTS[genre]], parts[2:])
            )
            if min(map(len, first)) < 2 or min(map(len, second)) < 2:
                continue
            whole = [moments(rows[c]) for c in first]
            sizes += [b.n for b in whole]
            few = [moments(rows[rng.choice(c, min(n, len(c)), replace=False)]) for c in first]
            suspects = [moments(rows[rng.choice(c, min(n, len(c)), replace=False)]) for c in second]
            against = scores(suspects, enrolled, space)
            ways = {"now": whole, "degraded": [degraded(b, n, rng) for b in whole]}
            for way, bundles in (ways | {"subsampled": few}).items():
                pairs = zip(bundles, enrolled, strict=True)
                alone = np.array([scores([a], [b], space)[0, 0] for a, b in pairs])
                for alpha in LEVELS:
                    key = f"{n} outputs, α {alpha:g}, {way}"
                    for i, row in enumerate(against):
                        inside = open_set(row, alone, alpha=alpha).included
                        found.setdefault(key, []).append((float(inside[i]), float(inside.sum())))
    lines = {
        key: {
            "coverage": float(np.mean([a for a, _ in v])),
            "set": float(np.mean([b for _, b in v])),
        }
        for key, v in found.items()
    }
    return {"models": len(models), "stand_in": float(np.median(sizes)), "rows": lines}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True)
    options = parser.parse_args()
    library = Library.open(options.library)
    if not any(b.has_texts for b in library.bundles()):
        print(f"{options.library} holds no texts: nothing was measured", file=sys.stderr)
        return 1
    space = next(s for s in map(library.space, library.spaces()) if s.view == "raw")
    population = gather(library, rng=np.random.default_rng(1))
    results = {}
    for genre in PARTS:
        results[genre] = measured(population, space, genre)
        told = results[genre]
        print(f"{genre}: {told['models']} models, stand-ins of {told['stand_in']:g}")
        for key, row in results[genre]["rows"].items():
            print(f"  {key:34} coverage {row['coverage']:.3f}  set {row['set']:.2f}", flush=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
