"""``provenance library band``: how far apart servings of the same weights are."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.library.band import Band

EPILOG = """
Examples:
  Compare two hosts that are known to serve the same weights, then keep it:
    provenance compare hostA hostB --config e.toml --store pairs/qwen3-8b
    provenance library band mine.json pairs/qwen3-8b --weights qwen3-8b \\
      --kind engine
  What is in it, and at which alpha it can decide:
    provenance library band mine.json
    provenance library band example --json
  Does a suspect differ more than that?
    provenance compare vendor relay --config e.toml --band mine.json

A band holds counts of answers, none of the answers. Pairs of one --weights are
one unit, so 99 different weights are needed at alpha 0.01, and 19 at 0.05.
Kinds: host, engine, precision, quantisation; the last is benign only with
--allow quantisation. Pairs count only for the battery that they were asked.

Exit codes:
  0   done    1   a store that was changed    2   usage
"""


def band(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|NAME", help="The band: a .json file, or a shipped one."),
    ],
    stores: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STORE…]",
            help="Comparisons of hosts known to serve the same weights, to add; none: show it.",
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="NAME", help="What both hosts of each STORE serve."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="In what they differ at most: host, engine, precision or quantisation.",
        ),
    ] = None,
    note: Annotated[
        str | None,
        typer.Option("--note", metavar="TEXT", help="Anything else that a reader should know."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a benign band, or add pairs of hosts that serve the same weights to it."""
    from provenance.cli import outcome
    from provenance.errors import UsageError
    from provenance.library import band as bands

    if not stores:
        if weights or kind or note:
            raise UsageError("--weights, --kind and --note describe a STORE, and none is named")
        held = bands.Band.load(file)
    else:
        known = next((k for k in bands.KINDS if k == kind), None)
        if weights is None or known is None:
            raise UsageError(
                f"a pair needs --weights NAME and --kind, one of {', '.join(bands.KINDS)}"
            )
        pairs = [
            bands.pair_of(store, weights=weights, kind=known, note=note or "") for store in stores
        ]
        held = bands.add(pairs, Path(file))
    if json:
        outcome.print_json(held.model_dump(mode="json"))
    else:
        print("\n".join(_lines(held)))


def _lines(held: Band) -> list[str]:
    from provenance.cli.words import columns
    from provenance.dossier.numbers import counted
    from provenance.dossier.text import for_terminal

    rows = [("Weights", "kind", "hosts", "battery", "cells", "draws a side")]
    batteries: dict[str, set[str]] = defaultdict(set)
    for pair in held.pairs:
        batteries[pair.battery_digest].add(pair.weights)
        draws = min(sum(sum(sides[i]) for sides in pair.cells.values()) for i in (0, 1))
        rows.append(
            (
                for_terminal(pair.weights, 40),
                pair.kind,
                for_terminal(f"{pair.reference} | {pair.suspect}", 60),
                pair.battery_digest[:8],
                str(len(pair.cells)),
                f"{draws:,}",
            )
        )
    lines = [
        f"{for_terminal(held.name, 60)}: {counted(len(held.pairs), 'pair')}, measured "
        f"{held.measured_utc[:10]}",
        "",
        *columns(rows, indent=""),
        "",
    ]
    for battery, names in batteries.items():
        n = len(names)
        lines.append(
            f"On battery {battery[:8]}: {counted(n, 'group')} of weights, so it can decide from "
            f"alpha {1 / (n + 1):.3g} on."
        )
    return lines
