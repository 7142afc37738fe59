"""How fast labels are permuted, beside the package `model-equality-testing`, in one run.

    pip install --no-deps model-equality-testing tqdm; pip install torch matplotlib
    python benchmarks/permutation_speed.py

Same texts, same statistic (the character-Hamming discrepancy that the package publishes; equality
to 1e-9 is asserted), 1,000 texts a side, 25 prompts, 200 characters. Theirs: `run_two_sample_test`
with its own permutation procedure (labels across prompts) and B = 100, the time scaled to 1,000;
its texts are turned into arrays before the clock starts. Ours: `hamming_published` from texts to
p-value, labels within prompts, B = 1,000. Every row is measured in a process of its own, whose
libraries get 1 or 2 threads. Then ours alone with 10,000 texts a side, with the peak memory.
Prints a table and writes ``benchmarks/results/permutation_speed.json``. Other work on the machine
spoils the figures: the load is written down beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from provenance.stats.instruments import hamming_published
from provenance.stats.layout import CellDraws
from provenance.stats.permutation import PermutationNull

RESULTS = Path(__file__).parent / "results" / "permutation_speed.json"
CHARACTERS, RESAMPLES, PEER_RESAMPLES = 200, 1_000, 100
LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz ,.?"))
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def texts(a_side: int, prompts: int) -> list[tuple[list[str], list[str]]]:
    """Reference and suspect texts of each prompt; a prompt has letter frequencies of its own."""
    rng = np.random.default_rng(20_261)
    n = a_side // prompts
    found = []
    for _ in range(prompts):
        p = rng.dirichlet(np.ones(len(LETTERS)))
        rows = ["".join(row) for row in rng.choice(LETTERS, (2 * n, CHARACTERS), p=p)]
        found.append((rows[:n], rows[n:]))
    return found


def ours(a_side: int, prompts: int, runs: int) -> dict[str, Any]:
    """Seconds for each run from texts to p-value, and the statistic."""
    drawn = texts(a_side, prompts)
    cells = [
        CellDraws(
            np.zeros(2 * len(r), dtype=np.intp),
            (*r, *s),
            np.repeat([False, True], len(r)),
            None,
        )
        for r, s in drawn
    ]

    def once(seed: int) -> float:
        null = PermutationNull(np.random.default_rng(seed), RESAMPLES, exact_limit=0)
        found = hamming_published(cells, null=null)
        assert len(found.null) == RESAMPLES
        return found.statistic

    return _measured(once, runs, warm=runs > 1, drawn=drawn)


def theirs(a_side: int, prompts: int, runs: int) -> dict[str, Any]:
    """The same through the package, with `PEER_RESAMPLES` relabellings."""
    import torch
    from model_equality_testing.algorithm import run_two_sample_test
    from model_equality_testing.distribution import CompletionSample
    from model_equality_testing.utils import tokenize_unicode

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    drawn = texts(a_side, prompts)
    samples = [
        CompletionSample(
            np.repeat(np.arange(prompts), [len(pair[side]) for pair in drawn]),
            tokenize_unicode([t for pair in drawn for t in pair[side]]),
            m=prompts,
        )
        for side in (0, 1)
    ]

    def once(seed: int) -> float:
        torch.manual_seed(seed)
        with contextlib.redirect_stderr(io.StringIO()):
            found = run_two_sample_test(*samples, b=PEER_RESAMPLES, stat_type="mmd_hamming")
        return float(found[1])

    return _measured(once, runs, warm=False, drawn=drawn)


def _measured(
    once: Callable[[int], float], runs: int, *, warm: bool, drawn: list[Any]
) -> dict[str, Any]:
    if warm:
        once(0)
    seconds = []
    for seed in range(1, runs + 1):
        began = time.perf_counter()
        statistic = once(seed)
        seconds.append(time.perf_counter() - began)
    memory = psutil.Process().memory_info()
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would count the parent as well.
        line = next(s for s in status.read_text().splitlines() if s.startswith("VmHWM"))
        peak = int(line.split()[1]) / 1024
    else:
        peak = getattr(memory, "peak_wset", memory.rss) / 2**20
    digest = hashlib.sha256(json.dumps(drawn).encode()).hexdigest()
    return {"seconds": seconds, "statistic": statistic, "peak_mib": peak, "texts_sha256": digest}


def row(name: str, who: str, threads: int, a_side: int, prompts: int, runs: int) -> dict[str, Any]:
    """Measure one row in a process of its own."""
    print(f"  {name}, {threads} thread(s) …", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--worker", who, str(a_side), str(prompts), str(runs)]
    environment = os.environ | dict.fromkeys(THREADS, str(threads))
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    scale = RESAMPLES / PEER_RESAMPLES if who == "theirs" else 1.0
    seconds = sorted(s * scale for s in found.pop("seconds"))
    return {
        "name": name,
        "threads": threads,
        "texts_a_side": a_side,
        "prompts": prompts,
        "runs": runs,
        "resamples_measured": PEER_RESAMPLES if who == "theirs" else RESAMPLES,
        "seconds_at_1000": {
            "minimum": seconds[0],
            "median": median(seconds),
            "maximum": seconds[-1],
        },
        **found,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="of ours")
    parser.add_argument("--peer-runs", type=int, default=3, help="of theirs, minutes each")
    parser.add_argument("--large-runs", type=int, default=3, help="of ours with 10,000 a side")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        who, *numbers = arguments.worker
        measure = ours if who == "ours" else theirs
        print(json.dumps(measure(*(int(n) for n in numbers))))
        return 0

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    rows = []
    for threads in (1, 2):
        rows.append(row("provenance", "ours", threads, 1_000, 25, arguments.runs))
        rows.append(
            row("model-equality-testing", "theirs", threads, 1_000, 25, arguments.peer_runs)
        )
    rows += [
        row("provenance, 10,000 a side", "ours", threads, 10_000, prompts, arguments.large_runs)
        for threads, prompts in ((1, 25), (2, 25), (1, 1))
    ]
    for mine, peer in ((rows[0], rows[1]), (rows[2], rows[3])):
        assert mine["texts_sha256"] == peer["texts_sha256"], "unlike texts"
        gap = abs(mine["statistic"] / peer["statistic"] - 1)
        assert gap <= 1e-9, f"unlike statistics: {mine['statistic']} and {peer['statistic']}"
        a, b = mine["seconds_at_1000"], peer["seconds_at_1000"]
        mine["ratio"] = {
            "median": b["median"] / a["median"],
            "worst": b["minimum"] / a["maximum"],
            "best": b["maximum"] / a["minimum"],
        }
        mine["relative_gap_of_statistics"] = gap

    print(f"seconds for {RESAMPLES} relabellings, {CHARACTERS} characters")
    print(f"{'':28}{'threads':>8}{'prompts':>8}{'runs':>5}{'min':>10}{'median':>10}{'max':>10}"
          f"{'MiB':>7}{'times faster (worst–best)':>28}")  # fmt: skip
    for r in rows:
        s = r["seconds_at_1000"]
        ratio = r.get("ratio")
        said = (
            f"{ratio['median']:,.0f} ({ratio['worst']:,.0f}–{ratio['best']:,.0f})" if ratio else ""
        )
        print(
            f"{r['name']:28}{r['threads']:8}{r['prompts']:8}{r['runs']:5}{s['minimum']:10.3f}"
            f"{s['median']:10.3f}{s['maximum']:10.3f}{r['peak_mib']:7.0f}{said:>28}"
        )
    print(f"statistic {rows[0]['statistic']:.12g} and {rows[1]['statistic']:.12g}")
    document = {
        "characters": CHARACTERS,
        "resamples": RESAMPLES,
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load_1_min_before": load,
        },
        "versions": {
            name: version(name) for name in ("model-equality-testing", "torch", "numpy", "scipy")
        },
        "rows": rows,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
