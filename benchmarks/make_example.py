"""Build reports/example from the recordings in configs/demo: the dossier that the README shows."""

from __future__ import annotations

import shutil
from pathlib import Path

from provenance import compare

CASE = "configs/demo/b-requantised"
OUT = Path("reports/example")


def main() -> None:
    store = Path(".cache/example")
    if store.exists():
        shutil.rmtree(store)
    study = compare(
        f"replay:{CASE}-reference.jsonl",
        f"replay:{CASE}-suspect.jsonl",
        battery="quick",
        seed=1,
        max_age=36_500,
        store=store,
        out=OUT,
        formats=["md", "pdf", "html", "json"],
        declaration={
            "asked_by": "the authors of llm-provenance",
            "purpose": "to show a dossier: a model against a damaged copy of itself",
        },
    )
    print(study.verdict.label, *study.written.values())


if __name__ == "__main__":
    main()
