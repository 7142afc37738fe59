"""``provenance verify``: integrity, then the verdict computed again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from provenance.cli import options

CHANGED = 14
EPILOG = """
Examples:
  Was anything changed, and does the verdict follow from what was recorded?
    provenance verify reports/relay-qwen3-8b-1f3a9c02
  In a script:
    provenance verify reports/relay-qwen3-8b-1f3a9c02 --json || exit 1

Exit codes:
  0   the evidence is whole and gives the same verdict
  14  something was changed; the first record that was touched is named
  1   no store, or it cannot be read    2   usage
"""


def verify(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The folder of a study.")],
    json: options.Json = False,
) -> None:
    """Check that a store was not changed, and compute its verdict again from the records.

    It shows integrity since the capture. It does not show that an endpoint sent these answers.
    """
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal
    from provenance.verification import verify as verify_store

    found = verify_store(store)
    if json:
        outcome.print_json({"ok": found.ok, **asdict(found)})
    else:
        print("VERIFIED" if found.ok else "CHANGED", for_terminal(str(store), 4096), sep="   ")
        for problem in found.problems:
            print(f"· {for_terminal(problem, 600)}")
        if found.first_record is not None:
            print(f"First record touched: line {found.first_record + 1} of transcript.jsonl")
        for line in found.statement.splitlines():
            print(for_terminal(line, 600))
    raise typer.Exit(0 if found.ok else CHANGED)
