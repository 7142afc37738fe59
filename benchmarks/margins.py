"""What parts the models, added to the score of `identify`: coverage, sets and strangers by weight.

    python benchmarks/margins.py [--corpora DIR] [--only NAME …] [--networks N]

Corpora lie beside the checkout (../shared/corpora); without them this says so. Each corpus on its
own: its prompts are dealt into eight parts; the space is fitted on parts 4 and 5, models are
enrolled with 6 and 7, what parts them is learnt from 4 to 7, stand-ins come from 0 and 1 and
suspects from 2 and 3, 20 or 25 outputs each, drawn anew in every round. By weight and limit of the
margin (`provenance.attribution.margins`), at α = .05 and .1:

coverage   share of sets that hold the suspect's own model
set        mean number of models in a set
strangers  share of bundles with a set where all models of the suspect's unit left the library
refitted   the same where what parts the models learnt without the unit, too (with --refit)
new        the same where the space did as well (with --refit): what a maker outside the library
           really sees, and what `identify` prints (`provenance.attribution.outsiders`)

The weight .25 and the limit 2 were chosen on misguided and reasoning_gsm, as `identify` ships them.
Unit of every rate: a bundle; bundles of one model share outputs, and rounds share models.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from _corpora import Corpus, corpus
from relations import CORPORA

from provenance.attribution.known_pairs import rows_of
from provenance.attribution.margins import leads
from provenance.attribution.open_set import open_set
from provenance.attribution.same_source import scores
from provenance.library.discriminant import Discriminant, fit
from provenance.library.population import Moments
from provenance.library.space import Space
from provenance.library.space import fit as fit_space

RESULTS = Path(__file__).parent / "results" / "margins.json"
OUTPUTS = {"misguided": 20, "reasoning_gsm": 20, "alpaca_eval": 25, "stories": 25}
WEIGHTS = ((0.0, 2.0), (0.1, 2.0), (0.25, 2.0), (0.5, 2.0), (1.0, 2.0), (0.25, 0.0), (1.0, 0.0))
LEVELS = (0.05, 0.1)
ROUNDS = 6
UNUSUAL = 0.6  # weight of the unusual, as the shipped space of texts as they stand has it


class View:
    """Outputs in one space, and the models that are enrolled there."""

    def __init__(self, space: Space, rows: np.ndarray, enrolled: list[np.ndarray]) -> None:
        self.space, self.rows = space, rows
        self.enrolled = self.moments(enrolled)

    def moments(self, bundles: list[np.ndarray]) -> list[Moments]:
        own = [self.rows[c] for c in bundles]
        return [Moments(len(r), r.mean(axis=0), r.var(axis=0, ddof=1)) for r in own]

    def scores(self, bundles: list[np.ndarray]) -> np.ndarray:
        return scores(self.moments(bundles), self.enrolled, self.space)


class World:
    """One corpus, dealt out."""

    def __init__(self, folder: Path, name: str, networks: int) -> None:
        self.data: Corpus = corpus(folder, name)
        self.n = OUTPUTS[name]
        self.networks = networks
        count = int(self.data.prompt.max()) + 1
        dealt = np.empty(count, dtype=int)
        dealt[np.random.default_rng(3).permutation(count)] = np.arange(count) % 8
        self.part = dealt[self.data.prompt]
        self.models = len(self.data.names)
        every = np.ones(self.models, dtype=bool)
        self.view = self.seen(every)
        self.logs = self.learnt(every)

    def of(self, *parts: int, model: int | None = None) -> np.ndarray:
        chosen = np.isin(self.part, parts)
        return np.flatnonzero(chosen if model is None else chosen & (self.data.model == model))

    def seen(self, models: np.ndarray) -> View:
        """In a space that was fitted on these models."""
        kept = self.of(4, 5)
        kept = kept[models[self.data.model[kept]]]
        space = fit_space(self.data.training.only(kept), rng=np.random.default_rng(1))
        free = np.flatnonzero(~np.isin(self.part, (4, 5)))
        rows = np.zeros((len(self.part), space.dimensions))
        rows[free] = rows_of(self.data.training, free, space)
        own = [self.of(6, 7, model=k) for k in range(self.models)]
        return View(replace(space, unusual=UNUSUAL), rows, own)

    def learnt(self, models: np.ndarray) -> np.ndarray:
        """Log likelihood of every output under these models; −∞ under others."""
        kept = self.of(4, 5, 6, 7)
        kept = kept[models[self.data.model[kept]]]
        names = [n for n, own in zip(self.data.names, models, strict=True) if own]
        found: Discriminant = fit(
            self.data.training.only(kept),
            names,
            names,
            rng=np.random.default_rng(2),
            networks=self.networks,
        )
        logs = np.full((len(self.part), self.models), -np.inf)
        logs[:, models] = found.logs_of(self.data.training)
        return logs

    def bundles(self, parts: tuple[int, ...], rng: np.random.Generator) -> list[np.ndarray]:
        own = [self.of(*parts, model=k) for k in range(self.models)]
        return [rng.choice(c, min(self.n, len(c)), replace=False) for c in own]


def margins(logs: np.ndarray, bundles: list[np.ndarray], columns: np.ndarray) -> np.ndarray:
    """Of each bundle under each model, over the best other of these columns, an output."""
    return leads(np.array([np.where(columns, logs[c].mean(axis=0), -np.inf) for c in bundles]))


def measured(world: World, *, refit: bool) -> dict[str, dict[str, float]]:
    unit, k = world.data.unit, world.models
    every = np.ones(k, dtype=bool)
    without = {u: world.learnt(unit != u) for u in np.unique(unit)} if refit else {}
    views = {u: world.seen(unit != u) for u in np.unique(unit)} if refit else {}
    rng = np.random.default_rng(5)
    collected: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):
        stand_ins, suspects = world.bundles((0, 1), rng), world.bundles((2, 3), rng)
        score = [world.view.scores(b) for b in (stand_ins, suspects)]
        new = {u: [v.scores(b) for b in (stand_ins, suspects)] for u, v in views.items()}
        whole = [margins(world.logs, b, every) for b in (stand_ins, suspects)]
        left = {}
        for u in np.unique(unit):
            for label, logs in (("", world.logs), ("refitted", without.get(u))):
                if logs is not None:
                    pair = (margins(logs, b, unit != u) for b in (stand_ins, suspects))
                    left[u, label] = tuple(pair)
        for weight, most in WEIGHTS:
            own, other = (
                s + weight * np.minimum(m, most) for s, m in zip(score, whole, strict=True)
            )
            for alpha in LEVELS:
                rows = collected.setdefault(f"weight {weight:g}, limit {most:g}, α {alpha:g}", [])
                for i in range(k):
                    inside = open_set(other[i], np.diag(own), alpha=alpha).included
                    row = [float(inside[i]), float(inside.sum())]
                    for label, in_space in (
                        ("", score),
                        *([("refitted", score), ("refitted", new[unit[i]])] if refit else []),
                    ):
                        a, b = left[unit[i], label]
                        outside = unit != unit[i]
                        added = weight * np.minimum(np.diag(a)[outside], most)
                        calibration = np.diag(in_space[0])[outside] + added
                        added = weight * np.minimum(b[i][outside], most)
                        against = in_space[1][i][outside] + added
                        found = open_set(against, calibration, alpha=alpha)
                        row.append(float(found.included.any()))
                    rows.append(row)
    names = ("coverage", "set", "strangers", "refitted", "new")
    return {
        label: {n: float(v) for n, v in zip(names, np.mean(rows, axis=0), strict=False)}
        for label, rows in collected.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    parser.add_argument("--only", nargs="+", default=list(OUTPUTS), choices=list(OUTPUTS))
    parser.add_argument("--networks", type=int, default=0)
    parser.add_argument("--refit", action="store_true", help="a fit more for every unit")
    options = parser.parse_args()
    if not (options.corpora / "prompts.parquet").is_file():
        print(f"no corpora at {options.corpora}: nothing was measured", file=sys.stderr)
        return 1
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    for name in options.only:
        world = World(options.corpora, name, options.networks)
        key = f"{name}, {options.networks} networks" if options.networks else name
        results[key] = {
            "models": world.models,
            "units": len(np.unique(world.data.unit)),
            "outputs": world.n,
            "rounds": ROUNDS,
            "rows": measured(world, refit=options.refit),
        }
        print(key)
        for label, row in results[key]["rows"].items():
            print(f"  {label:30}", "  ".join(f"{n} {v:.3f}" for n, v in row.items()), flush=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
