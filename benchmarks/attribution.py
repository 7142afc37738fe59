"""Free text beside baselines: the same model or not, relatives, closed sets, lineage, teachers.

    python benchmarks/attribution.py              an hour on one core; extraction is cached
    python benchmarks/attribution.py --only same closed
    python benchmarks/attribution.py --table      prints what was measured last

Reads recorded outputs beside the checkout (../shared/corpora), which do not belong to the project;
without them it says so and ends. The figures are written after each task, so a run that was broken
off goes on with ``--only``.

Units (``supergroup``: all models that share a base or a maker) are left out of the fit in three
folds, and bundles are made of prompts that the fit did not see, half of them for each side.
Thresholds and lines are frozen on the scores of the other folds. Negatives are weighted: 92% of
other units, 8% of the model's own unit.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import _ablations
import _ancestry
import _calibrating
import _closed
import _lineage
import _matched
import _same_model
import _transfer
from _targets import table

OUT = Path(__file__).parent / "results" / "attribution.json"
TASKS: dict[str, tuple[str, Callable[[Path], dict[str, Any]]]] = {
    "same": ("same model or not, disjoint prompts", _same_model.same),
    "ratios": ("what bounds the cost of a ratio", _calibrating.ratios),
    "baselines": ("the same bundles, what others do", _same_model.baselines),
    "reformatted": ("the suspect alone re-formatted, 100 outputs", _same_model.reformatted_suspect),
    "matched": ("matched probes, two independent samples", _matched.matched),
    "closed": ("closed sets", _closed.closed),
    "lineage": ("lineage, matched prompts", _lineage.lineage),
    "teacher": ("whose outputs a student was trained on", _ancestry.teacher),
    "transfer": ("a space and thresholds of one corpus on others", _transfer.transfer),
    "controls": ("what must get no support", _same_model.controls),
    "ablations": ("spaces without a signature", _ablations.ablations),
}


def show(title: str, rows: dict[str, dict[str, Any]]) -> None:
    """One line a row."""
    print(f"\n{title}")
    for name, row in rows.items():
        cells = "  ".join(
            f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
        )
        print(f"  {name:44s} {cells}", flush=True)


def measured(path: Path) -> dict[str, Any]:
    """What was written before."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return found


def main() -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--only", nargs="+", choices=TASKS)
    parser.add_argument("--table", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if not arguments.table:
        if not (arguments.corpora / "alpaca_eval.parquet").is_file():
            print(f"no corpora at {arguments.corpora}: nothing was measured", file=sys.stderr)
            return 1
        for name, (title, run) in TASKS.items():
            if arguments.only and name not in arguments.only:
                continue
            began = time.process_time()
            rows = run(arguments.corpora)
            show(title, rows)
            # Read anew: another task may have been measured meanwhile.
            results = measured(arguments.out)
            results[name] = {"seconds": round(time.process_time() - began), "rows": rows}
            text = json.dumps(results, indent=1, ensure_ascii=False)
            arguments.out.write_text(text + "\n", encoding="utf-8")
    print(table({name: task["rows"] for name, task in measured(arguments.out).items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
