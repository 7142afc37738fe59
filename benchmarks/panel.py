"""Measure the shipped panel: answer tables of plausible substitutes on the cells of `quick`.

Local models are asked through the same providers as in a study, each with a seed of its own: with
one seed for all, a model and its derivatives would draw from the same random numbers, and their
tables would be more alike than independent samples of them are. The recorded one-token answers of
other models come from two corpora beside the checkout (../shared/corpora, MIT licence, counts
only); they were given to other wordings, and the notes say so. Without that folder the local
members are measured and the recorded ones are kept from the present panel.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import local_models

from provenance.battery import Battery, Cell
from provenance.canonical import digest
from provenance.endpoint import Endpoint
from provenance.library.panel import Member, Panel
from provenance.library.sensitivity import plan_key, planned_sensitivity
from provenance.providers import create
from provenance.readings import read
from provenance.transcript import Completion, Request

CACHE = Path(".cache/models")
PANEL = Path("configs/panels/quick.json")
CORPUS = Path("../shared/corpora/one_token_frontier.csv")
NUMBERS = Path("../shared/corpora/one_token_number_1_100.csv")
SEED = 20261123
# Which recorded question is nearest to which of our cells.
SIMILAR = {
    "number-100-en": "rand_num_100",
    "number-100-zh": "rand_num_100_zh",
    "favourite-number-en": "fav_num",
    "letter-en": "rand_letter",
    "colour-en": "fav_color",
    "animal-en": "rand_animal",
    "city-en": "rand_city",
}


def local_members() -> Iterator[tuple[str, str, str, str]]:
    """(name, endpoint, licence, note) of the models that can be had here."""
    smollm2 = local_models.smollm2()
    apache = "Apache-2.0"
    yield "SmolLM2-135M-Instruct", f"transformers:{smollm2}", apache, "Q4_1 file, dequantised"
    yield (
        "SmolLM2-135M-Instruct, temperature 0.7",
        f"transformers:{smollm2},temperature=0.7",
        apache,
        "a derivative: the same weights, other decoding",
    )
    for kind in ("Q8_0", "Q4_0"):
        path = local_models.requantised(smollm2, kind, CACHE / f"smollm2-{kind.lower()}.gguf")
        note = f"a derivative: re-quantised to {kind}"
        yield f"SmolLM2-135M-Instruct, {kind}", f"transformers:{path}", apache, note
    for size in (0.03, 0.10):
        path = local_models.with_weight_noise(
            smollm2, size, CACHE / f"smollm2-noise-{size:.2f}.gguf", seed=1
        )
        yield (
            f"SmolLM2-135M-Instruct, {size:.0%} weight noise",
            f"transformers:{path}",
            apache,
            "a derivative: Gaussian noise on every weight matrix",
        )
    gemma = local_models.gemma3_base()
    yield (
        "Gemma 3 270M base",
        f"transformers:{gemma},api=completions",
        "Gemma terms of use",
        "a base model, asked as plain text",
    )


async def measure(
    name: str, endpoint: str, cells: tuple[Cell, ...], draws: int
) -> dict[str, dict[str, int]]:
    seed = SEED + int(digest(name)[:8], 16)
    provider = create(Endpoint.parse(endpoint), environment=os.environ)
    await provider.open()
    tables: dict[str, dict[str, int]] = {}
    try:
        for cell in cells:
            requests = [
                Request(
                    slot=draw,
                    role="reference",
                    cell=cell.id,
                    draw=draw,
                    draws_planned=draws,
                    messages=cell.messages,
                    max_visible_tokens=cell.max_visible_tokens,
                    seed=seed,
                )
                for draw in range(draws)
            ]
            exchanges = await asyncio.gather(*(provider.draw(r) for r in requests))
            answers = [e.outcome for e in exchanges if isinstance(e.outcome, Completion)]
            counts = Counter(read(cell.reading, a.text) for a in answers)
            tables[cell.id] = dict(counts.most_common())
    finally:
        await provider.aclose()
    return tables


def recorded_members(cells: tuple[Cell, ...]) -> list[Member]:
    readings = {cell.id: cell.reading for cell in cells}
    answers: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    with CORPUS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for cell, question in SIMILAR.items():
                if row["cell"] == question and cell in readings:
                    answers[row["model"]][cell][read(readings[cell], row["output"])] += 1
    return [
        Member(
            name=f"{model} (recorded, other wording)",
            source="Mohamed7415/fpverify, recorded 2026",
            licence="MIT",
            note="11 answers a cell to a similar question, all asked together in one message "
            "inside an agent harness",
            cells={cell: dict(counts.most_common()) for cell, counts in tables.items()},
        )
        for model, tables in sorted(answers.items())
    ]


def recorded_numbers(cells: tuple[Cell, ...]) -> list[Member]:
    """Models of 2024 at temperature 1, on the one cell that was recorded."""
    cell = next((c for c in cells if c.id == "number-100-en"), None)
    if cell is None:
        return []
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    with NUMBERS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if float(row["temperature"]) == 1.0:
                answers[row["model"]][read(cell.reading, row["output"])] += 1
    return [
        Member(
            name=f"{model} (recorded, other wording)",
            source="sanand0/llmrandom, recorded 2024",
            licence="MIT",
            note="answers to a similar question at temperature 1; one cell only",
            cells={cell.id: dict(counts.most_common())},
        )
        for model, counts in sorted(answers.items())
    ]


def planned(battery: Battery, panel: Panel) -> dict[str, dict[str, float | None]]:
    """Sensitivities of the battery at its own draws, so that a study need not simulate them."""
    figures = {}
    draws = [cell.draws for cell in battery.cells]
    plan = tuple((c.id, c.family, c.draws, c.draws) for c in battery.cells)
    for alpha in (0.01, 0.05):
        found = planned_sensitivity(battery.cells, draws, draws, alpha=alpha, panel=panel)
        figures[plan_key(plan, alpha)] = {s.alternative: s.minimum_detectable for s in found}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--out", type=Path, default=PANEL)
    arguments = parser.parse_args()
    battery = Battery.load("quick")
    members = []
    for name, endpoint, licence, note in local_members():
        print(f"measuring {name} …", flush=True)
        tables = asyncio.run(measure(name, endpoint, battery.cells, arguments.draws))
        source = "measured by benchmarks/panel.py"
        members.append(
            Member(
                name=name,
                source=source,
                licence=licence,
                note=note,
                derivative=note.startswith("a derivative"),
                cells=tables,
            )
        )
    if CORPUS.is_file() and NUMBERS.is_file():
        members += recorded_members(battery.cells) + recorded_numbers(battery.cells)
    else:
        print(f"{CORPUS.parent} is absent: recorded members are kept as they are")
        if PANEL.is_file():
            members += [m for m in Panel.load(PANEL).members if "recorded" in m.name]
    panel = Panel(
        name="quick",
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        battery_digest=battery.digest,
        members=tuple(members),
    )
    panel = panel.model_copy(update={"planned": planned(battery, panel)})
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(
        json.dumps(panel.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n",
        encoding="utf-8",
    )
    print(f"{arguments.out}: {len(members)} members")


if __name__ == "__main__":
    main()
