"""Measure a shipped panel: answer tables of plausible substitutes on the cells of a battery.

    python benchmarks/panel.py --battery quick --draws 200
    python benchmarks/panel.py --battery core --draws 24 --longest 12 --members 12
    python benchmarks/panel.py --battery core --planned    # measures nothing

What was measured is kept under ``.cache/panel``, so a run that was stopped goes on.

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
from itertools import islice
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
MEASURED = Path(".cache/panel")
PANELS = Path("configs/panels")
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


Row = tuple[str, str, str, str]


def few_members() -> Iterator[Row]:
    """(name, endpoint, licence, note) of the models that can be had here."""
    smollm2 = local_models.smollm2()
    yield _smollm2("", f"transformers:{smollm2}", "Q4_1 file, dequantised")
    yield _smollm2(
        ", temperature 0.7",
        f"transformers:{smollm2},temperature=0.7",
        "a derivative: the same weights, other decoding",
    )
    for kind in ("Q8_0", "Q4_0"):
        yield _quantised(kind)
    for size in (0.03, 0.10):
        yield _noised(size)
    gemma = local_models.gemma3_base()
    yield (
        "Gemma 3 270M base",
        f"transformers:{gemma},api=completions",
        "Gemma terms of use",
        "a base model, asked as plain text",
    )


def many_members() -> Iterator[Row]:
    """Those, and further derivatives of them."""
    yield from few_members()
    smollm2, gemma = local_models.smollm2(), local_models.gemma3_base()
    yield _quantised("Q5_0")
    yield _noised(0.01)
    yield _smollm2(
        ", temperature 1.4",
        f"transformers:{smollm2},temperature=1.4",
        "a derivative: the same weights, other decoding",
    )
    for name, text in SYSTEMS.items():
        path = CACHE / f"system-{name}.txt"
        path.write_text(text, encoding="utf-8")
        yield _smollm2(
            f", {name} system prompt",
            f"transformers:{smollm2},system_file={path}",
            f"a derivative: the same weights behind the system prompt {text!r}",
        )
    terms = "Gemma terms of use"
    yield (
        "Gemma 3 270M base, temperature 0.7",
        f"transformers:{gemma},api=completions,temperature=0.7",
        terms,
        "a derivative: the same weights, other decoding",
    )
    path = local_models.requantised(gemma, "Q4_0", CACHE / "gemma-3-270m-q4_0.gguf")
    yield (
        "Gemma 3 270M base, Q4_0",
        f"transformers:{path},api=completions",
        terms,
        "a derivative: re-quantised to Q4_0",
    )
    path = local_models.with_weight_noise(
        gemma, 0.05, CACHE / "gemma-3-270m-noise-0.05.gguf", seed=1
    )
    yield (
        "Gemma 3 270M base, 5% weight noise",
        f"transformers:{path},api=completions",
        terms,
        "a derivative: Gaussian noise on every weight matrix",
    )


MEMBERS = {"quick": few_members, "core": many_members}
SYSTEMS = {
    "pirate": "You are a pirate. Stay in character.",
    "assistant": "You are Nova, a helpful assistant made by Example Labs.",
}


def _smollm2(name: str, endpoint: str, note: str) -> Row:
    return f"SmolLM2-135M-Instruct{name}", endpoint, "Apache-2.0", note


def _quantised(kind: str) -> Row:
    path = CACHE / f"smollm2-{kind.lower()}.gguf"
    local_models.requantised(local_models.smollm2(), kind, path)
    return _smollm2(f", {kind}", f"transformers:{path}", f"a derivative: re-quantised to {kind}")


def _noised(size: float) -> Row:
    path = CACHE / f"smollm2-noise-{size:.2f}.gguf"
    local_models.with_weight_noise(local_models.smollm2(), size, path, seed=1)
    note = "a derivative: Gaussian noise on every weight matrix"
    return _smollm2(f", {size:.0%} weight noise", f"transformers:{path}", note)


def measured(
    name: str, endpoint: str, cells: tuple[Cell, ...], draws: int
) -> dict[str, dict[str, int]]:
    """As `measure`; a cell that was measured before, in whatever battery, is as it was then."""
    paths = {cell.id: MEASURED / f"{_key(name, cell, draws)}.json" for cell in cells}
    missing = tuple(cell for cell in cells if not paths[cell.id].is_file())
    if missing:
        print(f"measuring {name} on {len(missing)} cells …", flush=True)
        MEASURED.mkdir(parents=True, exist_ok=True)
        for cell, table in asyncio.run(measure(name, endpoint, missing, draws)).items():
            paths[cell].write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")
    return {cell: json.loads(path.read_text(encoding="utf-8")) for cell, path in paths.items()}


def _key(name: str, cell: Cell, draws: int) -> str:
    """Of an answer table: who was asked what, and how often."""
    asked = cell.model_dump(mode="json", exclude={"draws", "family"})
    return digest({"name": name, "cell": asked, "n": draws})[:16]


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


def write(panel: Panel, battery: Battery, path: Path) -> None:
    bare = panel.model_copy(update={"planned": {}})  # figures that it holds are not computed again
    panel = panel.model_copy(update={"planned": planned(battery, bare)})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(panel.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n",
        encoding="utf-8",
    )
    print(f"{path}: {len(panel.members)} members")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--battery", choices=MEMBERS, default="quick")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--longest", type=int, help="leave out cells with more visible tokens")
    parser.add_argument("--members", type=int, help="measure only the first of the list")
    parser.add_argument(
        "--planned", action="store_true", help="only compute again what plans of the battery see"
    )
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    battery = Battery.load(arguments.battery)
    path = arguments.out or PANELS / f"{battery.name}.json"
    if arguments.planned:
        write(Panel.load(PANELS / f"{battery.name}.json"), battery, path)
        return
    longest = arguments.longest or max(c.max_visible_tokens for c in battery.cells)
    cells = tuple(c for c in battery.cells if c.max_visible_tokens <= longest)
    members = [
        Member(
            name=name,
            source="measured by benchmarks/panel.py",
            licence=licence,
            note=note,
            derivative=note.startswith("a derivative"),
            cells=measured(name, endpoint, cells, arguments.draws),
        )
        for name, endpoint, licence, note in islice(MEMBERS[battery.name](), arguments.members)
    ]
    if CORPUS.is_file() and NUMBERS.is_file():
        members += recorded_members(battery.cells) + recorded_numbers(battery.cells)
    else:
        print(f"{CORPUS.parent} is absent: recorded members are kept as they are")
        if path.is_file():
            members += [m for m in Panel.load(path).members if "recorded" in m.name]
    panel = Panel(
        name=battery.name,
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        battery_digest=battery.digest,
        members=tuple(members),
    )
    write(panel, battery, path)


if __name__ == "__main__":
    main()
