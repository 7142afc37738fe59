"""Do the shipped tests reject true null hypotheses no more often than they say?

    python benchmarks/false_alarms.py                what the table lacks: an hour, more or less
    python benchmarks/false_alarms.py --runs 20000   no row to more studies than this
    python benchmarks/false_alarms.py --show         print the table that was computed
    python benchmarks/false_alarms.py --only panel --again    rows whose name holds this, anew
    python benchmarks/false_alarms.py --quick        200 studies a row, nothing is kept
    python benchmarks/false_alarms.py --check        which rows would now come out otherwise?
    python benchmarks/false_alarms.py --power        the power of every row, anew

Every row simulates studies in which suspect and reference answer alike, and counts rejections.
PASS: the one-sided 99% Clopper–Pearson upper bound is at most 1.25α (.05) or 1.5α (.01, .001), on
20,000 studies or more, 200,000 for .001. FAIL: the lower bound, Bonferroni over the table, is above
α. Between, a row is run on to four times as many studies. The power column is the same test against
one fixed alternative at α = .01 (.05 where that is all there is), so that a test that never rejects
does not pass; marked + where the studies of the row are too small for that and larger ones of
the same design are used.

Peers are published procedures as published. Stress rows break the tests' assumptions on purpose:
there a diagnostic must be raised, and what is missed is the share of studies that are called
``different`` all the same (α = .01).

The table is kept in results/false_alarms.json after every row, so that a run can be ended and
taken up; a row's numbers hang on its name alone, not on the others or on the workers. What the
first studies of a row gave is kept too, and --check computes it again: a row whose code has changed
since is stale.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from _null_rows import LEVELS, MANY, ROWS, SETTLES, Row, chunk_of

OUT = Path(__file__).parent / "results" / "false_alarms.json"
SLACK = {0.05: 1.25, 0.01: 1.5, 0.001: 1.5}
FEWEST = {0.05: SETTLES, 0.01: SETTLES, 0.001: MANY}
POWER_CHUNKS, POWER_CHUNK = 4, 50
STRESS = ("rejects", "diagnosed", "different")

Found = dict[str, Any]


def judge(rejections: int, runs: int, alpha: float, tests: int) -> tuple[float, float, str]:
    """Clopper–Pearson bounds and what they say; see the head of this file."""
    from scipy.stats import beta

    upper = float(beta.ppf(0.99, rejections + 1, runs - rejections)) if rejections < runs else 1.0
    confidence = 1 - 0.01 / tests
    lower = (
        float(beta.ppf(1 - confidence, rejections, runs - rejections + 1)) if rejections else 0.0
    )
    if lower > alpha:
        return lower, upper, "FAIL"
    if runs < FEWEST[alpha]:
        return lower, upper, "few"
    return lower, upper, "PASS" if upper <= SLACK[alpha] * alpha else "more"


def run_chunk(task: tuple[str, int, int, bool]) -> NDArray[np.float64]:
    """Rejections of one chunk; its seed is (row, chunk), whatever the workers."""
    name, chunk, runs, alternative = task
    rng = np.random.default_rng([20_261, zlib.crc32(name.encode()), chunk, int(alternative)])
    row = ROWS[name]
    if alternative:
        return (row.power or row.run)(rng, runs, True)
    later = row.rest is not None and chunk * chunk_of(row) >= SETTLES
    return (row.rest if later and row.rest is not None else row.run)(rng, runs, False)


def first_chunk(row: Row) -> list[int]:
    """Rejections of a row's first chunk, by level: what tells whether its code has changed."""
    return _summed(run_chunk((row.name, 0, chunk_of(row), False)))


def _summed(found: NDArray[np.float64]) -> list[int]:
    return np.nansum(found, axis=0).astype(int).tolist()


def power_of(row: Row) -> float:
    """Power at .01, or at .05 where a test can say no more."""
    found = np.concatenate(
        [run_chunk((row.name, c, POWER_CHUNK, True)) for c in range(POWER_CHUNKS)]
    )
    return round(float(found[:, 0 if np.isnan(found[:, 1]).all() else 1].mean()), 3)


def counted(row: Row, first: int, runs: int, workers: int) -> NDArray[np.float64]:
    """Rejections of studies ``first`` to ``runs``, whole chunks, shape (studies, 3)."""
    size = chunk_of(row)
    chunks = range(first // size, -(-runs // size))
    tasks = [(row.name, c, min(size, runs - c * size), False) for c in chunks]
    with ExitStack() as stack:
        mapper: Any = map
        if workers > 1:
            mapper = stack.enter_context(ProcessPoolExecutor(workers)).map
        return np.concatenate([*mapper(run_chunk, tasks)])


def compute(row: Row, runs: int, workers: int, tests: int, known: Found | None = None) -> Found:
    """One row, run on from what is known of it, and to four times as many where the rule asks.

    Studies are taken up where the row ended, in whole chunks.
    """
    started = time.perf_counter()
    total, counts, done = np.zeros(3, dtype=int), np.zeros(3, dtype=int), 0
    before = 0.0
    first = None if known is None else known.get("first")
    if known is not None and row.group != "stress":
        done, before = known["runs"], known["seconds"]
        levels = [known["levels"].get(str(a), {"runs": 0, "rejections": 0}) for a in LEVELS]
        total = np.array([level["rejections"] for level in levels])
        counts = np.array([level["runs"] for level in levels])
    wanted = runs
    while done < wanted:
        found = counted(row, done, wanted, workers)
        if not done and wanted >= chunk_of(row):
            first = _summed(found[: chunk_of(row)])
        total += np.nansum(found, axis=0).astype(int)
        counts += (~np.isnan(found)).sum(axis=0)
        done = wanted
        if row.group == "valid" and wanted == row.runs and _between(total, counts, tests):
            wanted = 4 * runs
    result: Found = {"row": row.name, "group": row.group, "runs": done}
    if row.group == "stress":
        result["counts"] = dict(zip(STRESS, total.tolist(), strict=True))
    else:
        result["levels"] = {
            str(a): {"runs": int(n), "rejections": int(k)}
            for a, k, n in zip(LEVELS, total, counts, strict=True)
            if n
        }
        result["power"] = power_of(row)
    if first is not None:
        result["first"] = first
    result["seconds"] = round(before + time.perf_counter() - started, 1)
    return result


def _between(total: NDArray[np.int_], counts: NDArray[np.int_], tests: int) -> bool:
    return any(
        n and judge(int(k), int(n), a, tests)[2] == "more"
        for a, k, n in zip(LEVELS, total, counts, strict=True)
    )


def tested(rows: Iterable[Found]) -> int:
    """Rows times levels of the table: what Bonferroni divides by."""
    return max(1, sum(len(r.get("levels", ())) for r in rows))


def lines(rows: Sequence[Found]) -> list[str]:
    """The table as text."""
    tests = tested(rows)
    width = max(len(r["row"]) for r in rows)
    out = []
    titles = {
        "valid": "Valid nulls: rate [lower, upper bound] at α = .05, .01, .001; power at .01",
        "peer": "Published procedures, as published",
        "stress": "Stress: shares of studies at α = .01",
    }
    for group, title in titles.items():
        mine = [r for r in rows if r["group"] == group]
        if mine:
            out += ["", title, *(_line(r, tests, width) for r in mine)]
    passed = [r for r in rows if r["group"] == "valid"]
    verdicts = [says(r, a, tests) for r in passed for a in LEVELS]
    summary = {w: verdicts.count(w) for w in ("PASS", "FAIL", "more", "few")}
    out += ["", f"{len(passed)} valid rows: " + ", ".join(f"{n} {w}" for w, n in summary.items())]
    settled = sum(says(r, 0.001, tests) == "PASS" for r in passed)
    out.append(f"α = .001 settled in {settled} rows; few: fewer studies than the level needs")
    return out


def says(row: Found, alpha: float, tests: int) -> str:
    """PASS, FAIL, more or few; "" where the level is not tested."""
    level = row["levels"].get(str(alpha))
    return judge(level["rejections"], level["runs"], alpha, tests)[2] if level else ""


def _line(row: Found, tests: int, width: int) -> str:
    if row["group"] == "stress":
        from scipy.stats import beta

        n, counts = row["runs"], row["counts"]
        missed = counts["different"]
        upper = float(beta.ppf(0.95, missed + 1, n - missed)) if missed < n else 1.0
        shares = "  ".join(f"{k} {counts[k] / n:.3f}" for k in STRESS[:2])
        return f"{row['row']:{width}s} {n:7,d}  {shares}  missed {missed / n:.4f} (≤ {upper:.4f})"
    parts = []
    for alpha in LEVELS:
        level = row["levels"].get(str(alpha))
        if level is None:
            parts.append(f"{'not tested':32s}")
            continue
        k, n = level["rejections"], level["runs"]
        lower, upper, word = judge(k, n, alpha, tests)
        parts.append(f"{k / n:.5f} [{lower:.5f}, {upper:.5f}] {word:4s}")
    more = "+" if ROWS[row["row"]].power else ""
    return f"{row['row']:{width}s} {row['runs']:7,d}  {'  '.join(parts)}  {row['power']:.2f}{more}"


def load() -> list[Found]:
    """Rows that were computed, in the order of the table; those it no longer has are dropped."""
    kept = {r["row"]: r for r in json.loads(OUT.read_text())["rows"]} if OUT.exists() else {}
    return [kept[name] for name in ROWS if name in kept and "group" in kept[name]]


def save(rows: Sequence[Found]) -> None:
    """Write the table whole, or leave the old one."""
    order = {name: i for i, name in enumerate(ROWS)}
    ordered = sorted(rows, key=lambda r: order[r["row"]])
    beside = OUT.with_suffix(".part")
    beside.write_text(json.dumps({"rows": ordered}, indent=1, ensure_ascii=False) + "\n")
    beside.replace(OUT)


def run(names: Sequence[str], runs: int | None, workers: int, known: list[Found], *, keep: bool):
    """Compute rows one after the other; kept after each if asked for."""
    tests = sum(row.group != "stress" for row in ROWS.values()) * len(LEVELS)
    for name in names:
        row = ROWS[name]
        start = next((r for r in known if r["row"] == name), None)
        found = compute(row, row.runs if runs is None else runs, workers, tests, start)
        known = [r for r in known if r["row"] != name] + [found]
        if keep:
            save(known)
        print(_line(found, tests, 42), f" {found['seconds']:.0f} s", flush=True)
    return known


def check(known: Sequence[Found]) -> int:
    """Say which rows would come out otherwise today: 1 if there are any."""
    stale = [r["row"] for r in known if first_chunk(ROWS[r["row"]]) != r.get("first")]
    print("\n".join(f"stale: {name}" for name in stale) or f"{len(known)} rows are what they were")
    return int(bool(stale))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="print what was computed")
    parser.add_argument("--quick", action="store_true", help="200 studies a row, nothing kept")
    parser.add_argument("--check", action="store_true", help="print which rows are stale")
    parser.add_argument("--power", action="store_true", help="compute the powers anew")
    parser.add_argument("--runs", type=int, help="studies a row; default: what the rule asks for")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    parser.add_argument("--group", choices=("valid", "peer", "stress"))
    parser.add_argument("--again", action="store_true", help="rows that are there, too")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    known = load()
    if options.check:
        return check([r for r in known if options.only in r["row"]])
    if options.power:
        for row in known:
            if options.only in row["row"] and "power" in row:
                row["power"] = power_of(ROWS[row["row"]])
                save(known)
    elif not options.show:
        chosen = [
            name
            for name, row in ROWS.items()
            if options.only in name and options.group in (None, row.group)
        ]
        runs = 200 if options.quick else options.runs
        if options.again or options.quick:
            known = [r for r in known if r["row"] not in chosen]
        there = {r["row"]: r["runs"] for r in known}
        chosen = [n for n in chosen if there.get(n, 0) < (runs or ROWS[n].runs)]
        known = run(chosen, runs, options.workers, known, keep=not options.quick)
    if known:
        print("\n".join(lines(known)))
    tests = tested(known)
    valid = [r for r in known if r["group"] == "valid"]
    return int(any(says(r, a, tests) == "FAIL" for r in valid for a in LEVELS))


if __name__ == "__main__":
    sys.exit(main())
