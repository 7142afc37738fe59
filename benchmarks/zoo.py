"""Record a ladder of real suspects: one small model, served again and damaged in known ways.

    python benchmarks/zoo.py                 (make zoo; about two hours on one core, resumable)
    python benchmarks/zoo.py --recordings 2  a first look

Every rung (``_ladder.py``) is asked through the provider that a study would use: short texts draw
by draw, first tokens from the distribution that the model gives after one pass over the prompt
(``_first_tokens.py``). They are kept under ``benchmarks/zoo/`` as Parquet, a row a draw. What is
there is not recorded again; where a rung has fewer recordings than it should have, the rest is
added. ``benchmarks/identity.py`` reads it.

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
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import _border
import _ladder
from _first_tokens import FirstTokens, first_tokens, greedy_texts

from provenance.battery import Battery, Cell, load_family
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
ONE_TOKEN = 40
LLAMA_LISTS = 2_000  # tokens of which llama.cpp is asked the log probabilities
LISTED = 60  # first tokens a cell whose shares are kept
DISTANCES, FIRST = ZOO / "distances.json", ZOO / "first-tokens.parquet"
GREEDY = ZOO / "greedy.parquet"
GREEDY_PROMPTS, GREEDY_TOKENS = 3, 16  # prompts of each set of candidates
GREEDY_APART = 5  # prompts in a batch of what is served again; the others are asked by 16
Maker = Callable[[], str]


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


@lru_cache(maxsize=1)
def measured_cells() -> tuple[Cell, ...]:
    """Cells whose first tokens are measured: those of the plan, and the first one-token cells."""
    chosen = json.loads((ZOO / "plan.json").read_text(encoding="utf-8"))
    cells = candidates()
    asked = {c.id for c in cells}
    first = [p.id for p in load_family("one_token") if p.id in asked][:ONE_TOKEN]
    kept = {*chosen["fixed"], *chosen["border"], *first}
    return tuple(c for c in cells if c.id in kept)


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
    parser.add_argument("--what", choices=("short", "texts", "greedy", "all"), default="all")
    arguments = parser.parse_args()
    rungs = _ladder.ladder()
    wanted = arguments.only.split(",") if arguments.only else list(rungs)
    if unknown := sorted(set(wanted) - set(rungs)):
        parser.error(f"no rung {unknown[0]!r}: {', '.join(rungs)}")
    ZOO.mkdir(exist_ok=True)
    chosen = plan(rungs[_ladder.BASE].endpoint())
    most = arguments.recordings or 10**6
    what = ("short", "texts", "greedy") if arguments.what == "all" else (arguments.what,)
    for kind in what:
        for name in wanted:
            rung = rungs[name]
            if kind == "short":
                record(name, rung, min(rung.recordings, most), short_sets(chosen), 1)
                compare(name, rungs[_ladder.BASE].endpoint, rung.endpoint, chosen)
            elif kind == "texts" and rung.texts:
                record(name, rung, min(rung.texts, most), text_sets(), TEXT_TOKENS)
            elif kind == "greedy" and rung.greedy:
                record_greedy(name, rung.endpoint)
    if arguments.what == "all":
        _border.measure([name for name in wanted if name in _border.MEASURED])


def plan(base: str) -> dict:
    """The cells, chosen once and kept."""
    path = ZOO / "plan.json"
    if not path.is_file():
        cells = candidates()
        found = asyncio.run(draw(base, cells, [PILOT] * len(cells), 1, 11))
        pilot = {c.id: [text for text, _ in row] for c, row in zip(cells, found, strict=True)}
        content = {
            "pilot_tokens": PILOT * len(cells),
            "budget": BUDGET,
            "border": border_cells(pilot),
            "fixed": fixed_cells(),
            "text_prompts": TEXT_PROMPTS,
            "text_tokens": TEXT_TOKENS,
        }
        path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    chosen: dict = json.loads(path.read_text(encoding="utf-8"))
    return chosen


Sets = list[tuple[str, Cell, int]]  # set, cell, draws a recording


def short_sets(chosen: dict) -> Sets:
    """First tokens alone."""
    cells = {c.id: c for c in candidates()}
    border = (chosen["budget"] - chosen["pilot_tokens"]) // CELLS
    fixed = chosen["budget"] // CELLS
    sets = [("border", cells[c], border) for c in chosen["border"]]
    return sets + [("fixed", cells[c], fixed) for c in chosen["fixed"]]


def text_sets() -> Sets:
    """Short texts to prompts of the shipped battery ``style``, for methods that need text."""
    prompts = list(Battery.load("style").cells)[:TEXT_PROMPTS]
    samples = BUDGET // (TEXT_PROMPTS * TEXT_TOKENS)
    asked = [
        c.model_copy(update={"messages": (Message(role="user", content=c.messages[-1].content),)})
        for c in prompts
    ]
    return [("texts", cell, samples) for cell in asked]


def record(name: str, rung: _ladder.Rung, recordings: int, sets: Sets, tokens: int) -> None:
    """Add the recordings that a rung still lacks."""
    path = ZOO / f"{slug(name)}{'-texts' if tokens > 1 else ''}.parquet"
    before = pd.read_parquet(path) if path.is_file() else None
    done = 0 if before is None else int(before["recording"].max()) + 1
    if done >= recordings:
        return
    started = time.time()
    seed = int(digest([name, tokens, done]).removeprefix("sha256:")[:8], 16)
    cells = [cell for _, cell, _ in sets]
    numbers = [n * (recordings - done) for _, _, n in sets]
    if tokens == 1:
        found = first_answers(rung.endpoint(), cells, numbers, seed)
    else:
        found = asyncio.run(draw(rung.endpoint(), cells, numbers, tokens, seed))
    rows = [
        (which, cell.id, done + i // n, text, length)
        for (which, cell, n), answers in zip(sets, found, strict=True)
        for i, (text, length) in enumerate(answers)
    ]
    frame = pd.DataFrame(rows, columns=["set", "cell", "recording", "answer", "tokens"])
    if tokens == 1:
        frame = frame.drop(columns="tokens")
    if before is not None:
        frame = pd.concat([before.astype({"set": str, "cell": str, "answer": str}), frame])
    frame = frame.sort_values(["set", "cell", "recording"], kind="stable")
    for column in ("set", "cell", *(("answer",) if tokens == 1 else ())):
        frame[column] = frame[column].astype("category")
    frame["recording"] = frame["recording"].astype("int16")
    partial = path.with_suffix(".part")
    frame.to_parquet(partial, index=False, compression="zstd")
    os.replace(partial, path)
    spent = time.time() - started
    what = "texts" if tokens > 1 else "first tokens"
    print(f"{name}: {len(rows):,} {what} added, {spent:.0f} s", flush=True)


def record_greedy(name: str, endpoint: Maker) -> None:
    """Texts at temperature 0 to generated prompts, one each: local engines repeat them exactly."""
    before = pd.read_parquet(GREEDY) if GREEDY.is_file() else None
    if before is not None and slug(name) in set(before["rung"]):
        return
    cells = [cell for s in _border.SETS[:20] for cell in _border.candidates()[s][:GREEDY_PROMPTS]]
    asked = endpoint()
    if asked.startswith("transformers:"):
        # What is served again is served in other company: other batches, other padding.
        together = {"together": GREEDY_APART} if name == _ladder.AGAIN else {}
        found = greedy_texts(asked, cells, GREEDY_TOKENS, **together)
    else:
        asked = f"{asked},temperature=0"
        answers = asyncio.run(draw(asked, cells, [1] * len(cells), GREEDY_TOKENS, 0))
        found = [row[0] for row in answers]
    rows = [(slug(name), number, text, tokens) for number, (text, tokens) in enumerate(found)]
    frame = pd.DataFrame(rows, columns=["rung", "prompt", "answer", "tokens"])
    frame = frame if before is None else pd.concat([before, frame])
    frame.to_parquet(GREEDY, index=False, compression="zstd")
    print(f"{name}: {len(rows)} texts at temperature 0", flush=True)


def first_answers(endpoint: str, cells: list[Cell], n: list[int], seed: int) -> list:
    """As `draw` for one token: the prompt is read once, however many draws there are."""
    known = shares(endpoint)
    rows = {c.id: i for i, c in enumerate(measured_cells())}
    rng = np.random.default_rng(seed)
    return [
        [(str(t), 1) for t in known.draw(rows[c.id], k, rng)] for c, k in zip(cells, n, strict=True)
    ]


@lru_cache(maxsize=2)
def shares(endpoint: str) -> FirstTokens:
    """Of the first token, for `measured_cells`."""
    return first_tokens(endpoint, measured_cells(), listed=LLAMA_LISTS)


def compare(name: str, base_of: Maker, endpoint_of: Maker, chosen: dict) -> None:
    """Keep a rung's shares of first tokens, and how far they lie from the base's, exactly."""
    known = json.loads(DISTANCES.read_text(encoding="utf-8")) if DISTANCES.is_file() else {}
    if name in known:
        return
    base, found = base_of(), shares(endpoint_of())
    known[name] = _distance(shares(base), found, chosen)
    rows = []
    for cell, row in zip(measured_cells(), found.shares, strict=True):
        top = np.argsort(-row, kind="stable")[:LISTED]
        for text, share in zip(found.texts[top], row[top], strict=True):
            rows.append((slug(name), cell.id, str(text), share))
    frame = pd.DataFrame(rows, columns=["rung", "cell", "answer", "share"])
    if FIRST.is_file():
        before = pd.read_parquet(FIRST)
        frame = pd.concat([before.astype(dict.fromkeys(frame.columns[:3], str)), frame])
    for column in ("rung", "cell", "answer"):
        frame[column] = frame[column].astype("category")
    frame["share"] = frame["share"].astype("float32")
    frame.to_parquet(FIRST, index=False, compression="zstd")
    DISTANCES.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    print(f"{name}: first-token KL {known[name]['kl']}", flush=True)


def _distance(base: FirstTokens, rung: FirstTokens, chosen: dict) -> dict:
    """Mean over `measured_cells`; nulls for a model of another vocabulary."""
    p, q = base.shares.astype(float), rung.shares.astype(float)
    if len(rung.texts) > 2 * len(base.texts):
        return {"kl": None, "cells": len(p)}
    width = min(p.shape[1], q.shape[1])
    q = np.pad(q[:, :width], ((0, 0), (0, p.shape[1] - width)))
    # What the rung does not list (top_p, llama.cpp's list) is one answer.
    rest = [np.where(q > 0, 0, p).sum(axis=1), np.maximum(1 - q.sum(axis=1), 0)]
    rest[1][rest[1] < 1e-6] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        forward = np.where((p > 0) & (q > 0), p * np.log(p / q), 0).sum(axis=1)
        forward += np.where(rest[0] > 1e-6, rest[0] * np.log(rest[0] / rest[1]), 0)
        backward = np.where(q > 0, q * np.log(q / p), 0).sum(axis=1)
    rows = {c.id: i for i, c in enumerate(measured_cells())}
    fixed, border = ([rows[c] for c in chosen[kind]] for kind in ("fixed", "border"))
    return {
        "kl": _finite(forward.mean()),
        "kl_fixed_cells": _finite(forward[fixed].mean()),
        "kl_border_cells": _finite(forward[border].mean()),
        "kl_reverse": _finite(backward.mean()),
        "total_variation": _finite(np.abs(p - q).sum(axis=1).mean() / 2),
        "same_favourite": _finite((p.argmax(axis=1) == q.argmax(axis=1)).mean()),
        "cells": len(p),
    }


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None


def slug(name: str) -> str:
    return name.replace(" ", "-").replace("%", "pc").replace(".", "").replace(",", "")


if __name__ == "__main__":
    main()
