"""How far apart servings of the same weights are: a benign band from local models.

    python benchmarks/band.py            (10 minutes on two free cores; resumable)

Each pair is a comparison on the battery quick, kept under ``.cache/band/`` and added to
``configs/bands/example.json``; pairs that the file holds are not measured again, and a file whose
pairs answered other questions than today's is begun anew. There are two sets
of weights at hand, so the band can hold two groups at most: far too few to decide anything, which
is what it is shipped to show. The quantised pair enters a study with ``--allow quantisation`` only.
Prints a table of the pairs with their distances.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import local_models

from provenance import compare
from provenance.battery import Battery
from provenance.library import band
from provenance.library.band import Kind
from provenance.stats.distance import squared_distance

ROOT = Path(__file__).resolve().parent.parent
STORES = ROOT / ".cache" / "band"
BAND = ROOT / "configs" / "bands" / "example.json"
DRAWS = 20


def pairs() -> list[tuple[str, Kind, str, str, str]]:
    """Weights, kind, reference, suspect, note."""
    smol = local_models.smollm2()
    gemma = local_models.gemma3_base()
    eight = local_models.make("q8_0")
    name, small = "SmolLM2-135M-Instruct Q4_1", "Gemma 3 270M base Q4_K_M"
    api = ",api=completions"
    full = ",dtype=float32"
    return [
        (name, "host", f"transformers:{smol}{full}", f"transformers:{smol}{full}", "served twice"),
        (name, "engine", f"transformers:{smol}{full}", f"gguf:{smol}", "against int8 activations"),
        (
            name,
            "precision",
            f"transformers:{smol}{full}",
            f"transformers:{smol},dtype=bfloat16",
            "",
        ),
        (name, "quantisation", f"transformers:{smol}{full}", f"transformers:{eight}{full}", "Q8_0"),
        (small, "host", f"gguf:{gemma}{api}", f"gguf:{gemma}{api}", "served twice"),
    ]


def main() -> None:
    known = set()
    battery = Battery.load("quick").digest
    if BAND.is_file():
        asked = band.Band.load(BAND).asked(battery)
        known = {p.note + p.kind + p.weights for p in asked}
        if not known:  # all of other questions
            BAND.unlink()
    for number, (weights, kind, reference, suspect, note) in enumerate(pairs()):
        if note + kind + weights in known:
            continue
        store = STORES / battery[:8] / str(number)
        if not (store / "seal.json").is_file():
            compare(
                reference,
                suspect,
                battery="quick",
                draws=DRAWS,
                seed=number,
                formats=[],
                store=store,
                new=None,
            )
        found = band.pair_of(store, weights=weights, kind=kind, note=note)
        hidden = {"reference": engine(reference), "suspect": engine(suspect)}
        band.add([found.model_copy(update=hidden)], BAND)
        print(f"measured {weights}, {kind}", file=sys.stderr, flush=True)
    print(f"{'weights':28} {'kind':13} {'squared distance':>16}   sides")
    for pair in band.Band.load(BAND).pairs:
        tables = [np.array(sides) for sides in pair.cells.values()]
        usable = [t for t in tables if t.sum(axis=1).min() >= 2]
        distance = float(np.mean([squared_distance(t[0], t[1]) for t in usable]))
        sides = f"{pair.reference} | {pair.suspect}"
        print(f"{pair.weights:28} {pair.kind:13} {distance:16.4f}   {sides}")


def engine(endpoint: str) -> str:
    """``transformers, dtype=bfloat16``: what a reader needs, without the path of a file."""
    provider, _, rest = endpoint.partition(":")
    options = rest.partition(".gguf")[2].lstrip(",")
    return ", ".join(part for part in (provider, options) if part)


if __name__ == "__main__":
    main()
