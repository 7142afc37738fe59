"""``provenance plan``: what a comparison would cost and could see; sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.findings import Sensitivity
    from provenance.sampling.prepare import Prepared

EPILOG = """
Examples:
  What would the comparison cost, and what could it see?
    provenance plan \\
      compatible:qwen3-8b@https://api.example.com/v1,key_env=VENDOR_KEY \\
      compatible:qwen3-8b@https://relay.example.net/v1,key_env=RELAY_KEY
  Would more draws find a smaller dilution?
    provenance plan a b --config endpoints.toml --draws 40
  For a program:
    provenance plan a b --config endpoints.toml --json

Exit codes:
  0   done    1   a fault    2   usage    12  the reference is stale or invalid
"""


@options.takes(options.COMPARING)
def plan(
    reference: options.Reference,
    suspect: options.Suspect,
    *,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Show what a comparison would ask, cost and be able to see. Sends nothing.

    Takes the options of `compare`. The table at the end names the smallest share of foreign
    answers that this plan would detect, for every model of the panel.
    """
    from provenance.cli import outcome, prepared

    settings, config = prepared.read(flags)
    ready = prepared.prepare(reference, suspect, settings, config)
    if json:
        outcome.print_json(_as_json(ready))
    else:
        print("\n".join(_lines(ready)))


def _as_json(ready: Prepared) -> dict[str, Any]:
    from provenance.cli import prepared

    return {
        "reference": str(ready.reference),
        "suspect": str(ready.suspect),
        "battery": {
            "name": ready.questions.name,
            "digest": ready.questions.digest,
            "cells": len(ready.plan.cells),
        },
        "draws": {role: sum(ready.plan.draws(role)) for role in ready.endpoints},
        "pilot": ready.plan.header["pilot"],
        "estimate": asdict(ready.estimate),
        "hosts": [asdict(host) for host in ready.hosts],
        "sensitivity": [row.model_dump(mode="json") for row in ready.sensitivity],
        "prices": {
            role: None if price is None else asdict(price) for role, price in ready.prices.items()
        },
        "warnings": prepared.warnings(ready),
        "key": ready.key,
        "store": str(ready.store_path),
    }


def _lines(ready: Prepared) -> list[str]:
    from provenance.cli import outcome
    from provenance.cli.words import THINKING, columns, estimate_rows, tokens, wrapped
    from provenance.dossier.numbers import usd
    from provenance.dossier.text import for_terminal

    draws = " + ".join(f"{sum(ready.plan.draws(role)):,} {role}" for role in ready.endpoints)
    pilots = sum(ready.plan.header["pilot"].values())
    if pilots:
        draws += f", and {pilots} pilot requests"
    rows = [
        ("Reference", for_terminal(ready.reference.label_beside(ready.suspect))),
        ("Suspect", for_terminal(ready.suspect.label_beside(ready.reference))),
        ("Battery", f"{for_terminal(ready.questions.name)}, {len(ready.plan.cells)} cells"),
        ("Answers", draws),
        *estimate_rows(ready.estimate),
        *_prices(ready),
        ("Store", for_terminal(str(ready.store_path), 400)),
    ]
    lines = columns(rows, indent="")
    hosts = [
        (
            for_terminal(host.host),
            f"{host.requests:,} requests",
            f"{tokens(None, host.tokens_high)} tokens at most",
            "cost unknown" if host.usd_high is None else f"{usd(host.usd_high)} at most",
        )
        for host in ready.hosts
    ]
    lines += (
        ["", "Leaves this machine for:", *columns(hosts)]
        if hosts
        else ["", "Nothing leaves this machine."]
    )
    if pilots:
        lines += ["", *wrapped(THINKING, outcome.width())]
    return [*lines, "", *_could_see(ready.sensitivity)]


def _prices(ready: Prepared) -> list[tuple[str, str]]:
    """List prices and their day, once if both sides have the same."""
    from provenance.cli.words import rates

    rows = [
        (f"Price of {role}", rates(price))
        for role, price in ready.prices.items()
        if price is None or price.as_of
    ]
    if len(rows) == 2 and rows[0][1] == rows[1][1]:
        return [("Prices", rows[0][1])]
    return rows


def _could_see(rows: Sequence[Sensitivity]) -> list[str]:
    from provenance.cli.words import columns
    from provenance.dossier.numbers import percent
    from provenance.dossier.text import for_terminal

    if not rows:
        return ["What this plan could see: not known, no --panel measured these questions."]
    table = [("Alternative", "At least", "Power", "α")] + [
        (
            for_terminal(row.alternative),
            "not even 100%" if row.minimum_detectable is None else percent(row.minimum_detectable),
            percent(row.power),
            f"{row.alpha:g}",
        )
        for row in rows
    ]
    kinds = ", ".join(sorted({for_terminal(row.effect_kind) for row in rows}))
    return [f"What this plan could see: {kinds}", *columns(table)]
