"""Border inputs at temperature 0: the experiment of `identity.py` that reaches for 8-bit weights.

    python benchmarks/_border.py     measures the candidates (make zoo does it), some minutes

A small change of the weights turns the greedy answer of a prompt whose two favourites nearly tie,
and of no other. So: many candidate prompts, a pilot on the reference alone, the few that lie
nearest the border asked at temperature 0, five draws a side. Constant cells are left out (which
they are does not depend on labels) and labels are permuted within the rest: one cell in which the
sides differ gives p = 2/252.

Candidates come from the templates of private probes, a secret a set: what a user would generate.
``TEST`` sets measure power, ``DEVELOPMENT`` sets, other prompts and other suspects, chose the rule.
Of each prompt the distribution of the first token is kept (the likeliest `KEPT` tokens), so that
pilots and tests can be drawn from it again and again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

import _ladder
from _first_tokens import first_tokens

from provenance.battery import Cell
from provenance.library.private import generate, load_templates

FILE = Path(__file__).parent / "zoo" / "border.parquet"
MADE, SIZE = 100, 60  # prompts made for a set, and the first of them that are its candidates
SETS = tuple(range(22))
TEST, DEVELOPMENT = SETS[:20], SETS[20:]
KEPT = 30
NEAR = 0.6  # log ratio of the two favourites
AT_ONCE = 5  # sets held in memory, 100 MB
PLAIN = {"rung": str, "text": str}
MEASURED = {
    "base": (*TEST, *DEVELOPMENT),
    "noise 0.5%": DEVELOPMENT,
    "noise 1%": DEVELOPMENT,
    "Q5_0": DEVELOPMENT,
    "Q8_0": TEST,
    "other engine": TEST,
}


@cache
def candidates() -> dict[int, tuple[Cell, ...]]:
    """Sets of prompts; none is in two sets."""
    templates = load_templates()
    seen: set[str] = set()
    sets = {}
    for number in SETS:
        secret = hashlib.sha256(f"border candidates {number}".encode()).digest()
        made = generate(secret, probes=MADE + 20, draws=1, templates=templates).cells
        fresh = [c for c in made if c.messages[-1].content not in seen][:MADE]
        seen |= {c.messages[-1].content for c in fresh}
        sets[number] = tuple(fresh[:SIZE])
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="comma list of rungs")
    only = parser.parse_args().only
    measure(only.split(",") if only else list(MEASURED))


def measure(names: Sequence[str]) -> None:
    """Add what is missing."""
    rungs = _ladder.ladder()
    known = pd.read_parquet(FILE) if FILE.is_file() else None
    for name, sets in MEASURED.items():
        if name not in names:
            continue
        have = set() if known is None else set(known[known.rung == name]["set"])
        missing = [s for s in sets if s not in have]
        if not missing:
            continue
        started = time.time()
        near = None if name == _ladder.BASE else near_border(known)
        for start in range(0, len(missing), AT_ONCE):
            places = [(s, i) for s in missing[start : start + AT_ONCE] for i in range(SIZE)]
            if near is not None:
                places = [place for place in places if place in near]
            rows = _measured(name, rungs[name].endpoint(), places)
            known = rows if known is None else pd.concat([known.astype(PLAIN), rows])
            known = known.astype(dict.fromkeys(PLAIN, "category"))
            partial = FILE.with_suffix(".part")
            known.to_parquet(partial, index=False, compression="zstd")
            os.replace(partial, FILE)
        spent = time.time() - started
        print(f"border, {name}: {len(missing)} sets, {spent:.0f} s", flush=True)


def near_border(known: pd.DataFrame | None) -> set[tuple[int, int]]:
    """Prompts whose favourite leads the second by less than `NEAR` in the base.

    Only these are measured in the suspects: where the favourite leads by more, it is taken to stay
    the favourite, which can only lower the power.
    """
    if known is None:
        raise SystemExit("measure the base first")
    base = known[known.rung == _ladder.BASE]
    leads = base.groupby(["set", "prompt"])["share"].apply(
        lambda share: float(np.log(share.iloc[0] / share.iloc[1]))
    )
    return {(int(s), int(i)) for s, i in leads.index[leads < NEAR]}


def _measured(name: str, endpoint: str, places: Sequence[tuple[int, int]]) -> pd.DataFrame:
    cells = [candidates()[s][i] for s, i in places]
    found = first_tokens(endpoint, cells, listed=2 * KEPT)
    frames = []
    for (number, prompt), shares in zip(places, found.shares, strict=True):
        top = np.argsort(-shares, kind="stable")[:KEPT]
        frames.append(
            pd.DataFrame(
                {
                    "rung": name,
                    "set": np.int16(number),
                    "prompt": np.int16(prompt),
                    "token": top.astype(np.int32),
                    "text": found.texts[top],
                    "share": shares[top].astype(np.float32),
                }
            )
        )
    return pd.concat(frames)


if __name__ == "__main__":
    main()
