"""``provenance library``: models whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenance.cli import options

LIST_EPILOG = """
Examples:
  provenance library list
  provenance library list core
  provenance library list mine.json --json

Exit codes:
  0   done    2   there is no such panel
"""
ADD_EPILOG = """
Examples:
  Record a model that a relay might serve instead, and look for it ever after:
    provenance sample compatible:small@https://api.example.com/v1,key_env=KEY \\
      --battery core --draws 40 --store recorded/small
    provenance library add recorded/small --panel mine.json
    provenance compare a b --config e.toml --battery core --panel mine.json
  Start from a shipped panel:
    provenance library list core --json > mine.json

Exit codes:
  0   done    1   a store that was changed    2   usage
  12  the panel was measured on other questions
"""


def list_(
    panel: Annotated[
        str | None, typer.Argument(metavar="[PANEL|FILE]", help="Show the members of this one.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List the panels of substitutes, or the members of one."""
    from provenance.cli import outcome
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal
    from provenance.library.panel import Panel

    if panel is not None:
        found = Panel.load(panel)
        if json:
            outcome.print_json(found.model_dump(mode="json"))
            return
        table = [
            ("Member", "cells", "answers", ""),
            *(
                (
                    for_terminal(m.name, 60),
                    str(len(m.cells)),
                    f"{sum(sum(c.values()) for c in m.cells.values()):,}",
                    for_terminal(m.note, 200),
                )
                for m in found.members
            ),
        ]
    else:
        panels = [Panel.load(name) for name in Panel.shipped()]
        if json:
            outcome.print_json({p.name: [m.name for m in p.members] for p in panels})
            return
        table = [
            ("Panel", "members", "measured", ""),
            *((p.name, str(len(p.members)), p.measured_utc[:10], "") for p in panels),
        ]
    for line in columns(table, indent=""):
        print(line if len(line) <= outcome.width() else line[: outcome.width() - 1] + "…")


def add(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A recording of the model.")],
    panel: Annotated[
        Path, typer.Option("--panel", metavar="FILE", help="The panel; made if there is none.")
    ],
    name: Annotated[
        str | None, typer.Option("--name", help="Of the member. Default: its endpoint.")
    ] = None,
    side: Annotated[
        str, typer.Option("--side", help="Of a comparison: reference or suspect.")
    ] = "reference",
    licence: Annotated[str, typer.Option("--licence", help="Of its answers.")] = "not stated",
    note: Annotated[str, typer.Option("--note", help="What a reader should know.")] = "",
    derivative: Annotated[
        bool, typer.Option("--derivative", help="It is a version of another member.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Add a recorded model to a panel of substitutes.

    The panel test then looks for it, and `consistent` must exclude it. Record many draws: what
    the panel does not know of a model cannot be looked for.
    """
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal
    from provenance.errors import UsageError
    from provenance.library import measure

    if side not in ("reference", "suspect"):
        raise UsageError(f"--side {side}: expected reference or suspect")
    member, battery = measure.member_of(
        store,
        name=name,
        role="reference" if side == "reference" else "suspect",
        licence=licence,
        note=note,
        derivative=derivative,
    )
    made = measure.add(member, battery, panel)
    answers = sum(sum(c.values()) for c in member.cells.values())
    if json:
        outcome.print_json({"panel": str(panel), "members": [m.name for m in made.members]})
        return
    print(
        for_terminal(
            f"{panel}: {len(made.members)} members. Added {member.name}: {len(member.cells)} "
            f"cells, {answers:,} answers.",
            500,
        )
    )
