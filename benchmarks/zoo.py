"""Record a ladder of real suspects: one small model, served again and damaged in known ways.

    python benchmarks/zoo.py                 (make zoo; about 40 minutes on one core, resumable)
    python benchmarks/zoo.py --recordings 2  a first look

Every rung is sampled through the provider that a study would use, first tokens alone
(``max_visible_tokens=1``) and short texts, and kept under ``benchmarks/zoo/`` as counts of answers
and as Parquet. What is there is not recorded again. ``benchmarks/identity.py`` reads it.

Two sets of cells, fixed before any rung but the base is looked at:

fixed    chosen on another model: the cells of `core` in which Gemma 3 270M has few likely answers
         and none of them is sure (configs/panels/core.json).
border   the same rule on the base itself, on 20 pilot draws a cell that are used for nothing else
         and count against the budget.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import local_models

from provenance.battery import Battery, Cell
from provenance.canonical import digest
from provenance.endpoint import Endpoint
from provenance.library.panel import Panel
from provenance.providers import create
from provenance.transcript import Completion, Message, Request

ZOO = Path(__file__).parent / "zoo"
BUDGET = 5_000  # output tokens a side and recording
PILOT = 20
CELLS = 12
LONGEST = 12  # visible tokens of the cells that are looked at
TEXT_PROMPTS, TEXT_TOKENS = 25, 32


def rungs() -> dict[str, tuple[str, int]]:
    """Name to endpoint and how many recordings; the first two are one model, served twice."""
    base = local_models.smollm2()
    return {
        "base": (f"transformers:{base}", 20),
        "served again": (f"transformers:{base}", 20),
        "Q8_0": (f"transformers:{local_models.make('q8_0')}", 20),
        "Q4_0": (f"transformers:{local_models.make('q4_0')}", 20),
        "Q5_0": (f"transformers:{local_models.make('q5_0')}", 4),
        "noise 1%": (f"transformers:{local_models.make('noise-0.01')}", 4),
        "noise 3%": (f"transformers:{local_models.make('noise-0.03')}", 4),
        "temperature .95": (f"transformers:{base},temperature=0.95", 4),
        "temperature .8": (f"transformers:{base},temperature=0.8", 4),
        "top_p .9": (f"transformers:{base},top_p=0.9", 4),
    }


TEXTS = {"base": 4, "served again": 4, "Q8_0": 4, "Q4_0": 4}


async def draw(endpoint: str, cells: list[Cell], n: list[int], tokens: int, seed: int) -> list:
    """Answers of each cell, as (text, output tokens)."""
    provider = create(Endpoint.parse(endpoint), environment=os.environ)
    await provider.open()
    found = []
    try:
        for cell, number in zip(cells, n, strict=True):
            requests = [
                Request(
                    slot=i,
                    role="reference",
                    cell=cell.id,
                    draw=i,
                    draws_planned=number,
                    messages=cell.messages,
                    max_visible_tokens=tokens,
                    seed=seed,
                )
                for i in range(number)
            ]
            exchanges = await asyncio.gather(*(provider.draw(r) for r in requests))
            answers = [e.outcome for e in exchanges if isinstance(e.outcome, Completion)]
            found.append([(a.text, a.usage.completion_tokens or 1) for a in answers])
    finally:
        await provider.aclose()
    return found


def candidates() -> list[Cell]:
    return [c for c in Battery.load("core").cells if c.max_visible_tokens <= LONGEST]


def fixed_cells() -> list[str]:
    """Where another model, Gemma 3 270M, has few likely answers and none of them is sure."""
    members = {m.name: m.cells for m in Panel.load("core").members}
    gemma = members["Gemma 3 270M base"]
    known = {c.id: list(Counter(gemma[c.id]).elements()) for c in candidates() if c.id in gemma}
    return border_cells(known)


def border_cells(pilot: dict[str, list[str]]) -> list[str]:
    """Few likely answers, none of them sure: Σp(1−p) over the root of the number of answers."""

    def worth(answers: list[str]) -> float:
        shares = np.array(list(Counter(answers).values())) / len(answers)
        return float((shares * (1 - shares)).sum() / np.sqrt(max(1, len(shares) - 1)))

    return sorted(pilot, key=lambda c: (-worth(pilot[c]), c))[:CELLS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", type=int, help="at most so many of each rung")
    parser.add_argument("--only", help="comma list of rungs")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else None
    ZOO.mkdir(exist_ok=True)
    cells = {c.id: c for c in candidates()}
    base = f"transformers:{local_models.smollm2()}"
    plan = ZOO / "plan.json"
    if not plan.is_file():
        found = asyncio.run(draw(base, list(cells.values()), [PILOT] * len(cells), 1, 11))
        pilot = {c: [text for text, _ in row] for c, row in zip(cells, found, strict=True)}
        content = {
            "pilot_tokens": PILOT * len(cells),
            "budget": BUDGET,
            "border": border_cells(pilot),
            "fixed": fixed_cells(),
            "text_prompts": TEXT_PROMPTS,
            "text_tokens": TEXT_TOKENS,
        }
        plan.write_text(json.dumps(content, indent=1), encoding="utf-8")
    chosen = json.loads(plan.read_text(encoding="utf-8"))
    for name, (endpoint, recordings) in rungs().items():
        if wanted is not None and name not in wanted:
            continue
        recordings = min(recordings, arguments.recordings or recordings)
        record_short(name, endpoint, recordings, chosen, cells)
    for name, recordings in TEXTS.items():
        if wanted is not None and name not in wanted:
            continue
        record_texts(name, rungs()[name][0], min(recordings, arguments.recordings or recordings))


def record_short(
    name: str, endpoint: str, recordings: int, chosen: dict, cells: dict[str, Cell]
) -> None:
    """First tokens: one file a rung, a row a draw."""
    path = ZOO / f"{_slug(name)}.parquet"
    if path.is_file():
        return
    started = time.time()
    border = (chosen["budget"] - chosen["pilot_tokens"]) // CELLS
    fixed = chosen["budget"] // CELLS
    sets = [("border", c, border) for c in chosen["border"]]
    sets += [("fixed", c, fixed) for c in chosen["fixed"]]
    found = asyncio.run(
        draw(
            endpoint,
            [cells[c] for _, c, _ in sets],
            [n * recordings for _, _, n in sets],
            1,
            int(digest(name)[:8], 16),
        )
    )
    rows = [
        (which, cell, i // n, text)
        for (which, cell, n), answers in zip(sets, found, strict=True)
        for i, (text, _) in enumerate(answers)
    ]
    frame = pd.DataFrame(rows, columns=["set", "cell", "recording", "answer"])
    for column in ("set", "cell", "answer"):
        frame[column] = frame[column].astype("category")
    frame["recording"] = frame["recording"].astype("int16")
    frame.to_parquet(path, index=False, compression="zstd")
    print(f"{name}: {len(frame):,} first tokens, {time.time() - started:.0f} s", flush=True)


def record_texts(name: str, endpoint: str, recordings: int) -> None:
    """Short texts to prompts of the shipped battery ``style``, for methods that need text."""
    path = ZOO / f"{_slug(name)}-texts.parquet"
    if path.is_file():
        return
    started = time.time()
    prompts = list(Battery.load("style").cells)[:TEXT_PROMPTS]
    cells = [
        c.model_copy(update={"messages": (Message(role="user", content=c.messages[-1].content),)})
        for c in prompts
    ]
    samples = max(1, BUDGET // (TEXT_PROMPTS * TEXT_TOKENS))
    found = asyncio.run(
        draw(
            endpoint,
            cells,
            [samples * recordings] * len(cells),
            TEXT_TOKENS,
            int(digest([name, "texts"])[:8], 16),
        )
    )
    rows = [
        (cell.id, i // samples, text, tokens)
        for cell, answers in zip(cells, found, strict=True)
        for i, (text, tokens) in enumerate(answers)
    ]
    frame = pd.DataFrame(rows, columns=["cell", "recording", "output", "tokens"])
    frame.to_parquet(path, index=False, compression="zstd")
    print(
        f"{name}: {len(frame):,} texts, {frame.tokens.sum():,} tokens, "
        f"{time.time() - started:.0f} s",
        flush=True,
    )


def _slug(name: str) -> str:
    return name.replace(" ", "-").replace("%", "pc").replace(".", "")


if __name__ == "__main__":
    main()
