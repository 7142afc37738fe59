"""``provenance plan``: what a comparison would cost and could see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.findings import Sensitivity
    from provenance.sampling.pilot import Pilot
    from provenance.sampling.prepare import Prepared
    from provenance.study import Comparison
    from provenance.transcript import Role

EPILOG = """
Examples:
  What would the comparison cost, and what could it see?
    provenance plan \\
      compatible:qwen3-8b@https://api.example.com/v1,key_env=VENDOR_KEY \\
      compatible:qwen3-8b@https://relay.example.net/v1,key_env=RELAY_KEY
  Would more draws find a smaller dilution?
    provenance plan a b --config endpoints.toml --draws 40
  Does a side think before it answers? What would that cost? (two requests)
    provenance plan a b --config endpoints.toml --pilot
  Which questions see a substitute that answers a fifth, nine times in ten?
    provenance plan a b --config endpoints.toml --target-power 0.9 \\
      --share 0.2 --write chosen.toml
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
    pilot: Annotated[
        bool,
        typer.Option(
            "--pilot", help="Send two requests a side, to learn whether it thinks and how much."
        ),
    ] = False,
    target_power: Annotated[
        float | None,
        typer.Option(
            "--target-power",
            metavar="P",
            help="Instead: choose questions (of core, or --battery) and draws that reach this "
            "power for the median substitute of the panel, with the fewest tokens.",
        ),
    ] = None,
    share: Annotated[
        float,
        typer.Option("--share", metavar="P", help="Share that the substitute answers, for it."),
    ] = 0.1,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Write the chosen questions as a battery."),
    ] = None,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Show what a comparison would ask, cost and be able to see.

    Sends nothing, unless --pilot is given. Takes the options of `compare`. The table at the end
    names the smallest share of foreign answers that this plan would detect, for every model of
    the panel.
    """
    from provenance.cli import outcome, prepared, target
    from provenance.errors import UsageError

    settings, config = prepared.read(flags)
    if target_power is not None:
        target.found((reference, suspect), settings, target_power, share, write, json=json)
        return
    if write is not None:
        raise UsageError("--write needs --target-power: which power should the battery have?")
    made = prepared.prepare_comparison(reference, suspect, settings, config)
    ready = made.prepared
    pilots: dict[Role, Pilot] = {}
    if pilot:
        ready, pilots = _ask(ready)
    if json:
        found = {role: asdict(found) for role, found in pilots.items()}
        anchors = {"anchors": [_as_json(plan) for plan in made.anchors]} if made.anchors else {}
        outcome.print_json(_as_json(ready) | anchors | ({"piloted": found} if pilot else {}))
    else:
        print("\n".join([*_lines(ready, pilots), *_anchors(made)]))


def _ask(ready: Prepared) -> tuple[Prepared, dict[Role, Pilot]]:
    import asyncio

    from provenance import study
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter
    from provenance.sampling.prepare import pilot_estimate

    confirm(*pilot_estimate(ready), yes=ready.settings.yes)
    with ProgressPrinter() as progress:
        return asyncio.run(study.pilot(ready, progress))


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


def _lines(ready: Prepared, piloted: dict[Role, Pilot]) -> list[str]:
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
    if piloted:
        lines += ["", "Pilot requests:", *columns([_found(r, p) for r, p in piloted.items()])]
    elif pilots:
        lines += ["", *wrapped(THINKING, outcome.width())]
    return [*lines, "", *_could_see(ready.sensitivity)]


def _anchors(made: Comparison) -> list[str]:
    """What anchors add, and what they can say."""
    from provenance.cli import outcome
    from provenance.cli.words import columns, estimate_rows, wrapped
    from provenance.dossier.numbers import counted
    from provenance.dossier.text import for_terminal
    from provenance.stats.multiplicity import resamples_needed

    if not made.anchors:
        return []
    needed = resamples_needed(made.prepared.settings.alpha, 1)
    held = counted(len(made.anchors), "anchor")
    lines = ["", f"Beside it, {held} on the same questions:"]
    for plan in made.anchors:
        names = f"{plan.reference.label_beside(plan.suspect)} and {plan.suspect.label}"
        lines += columns([("Anchor", for_terminal(names, 120)), *estimate_rows(plan.estimate)])
    say = (
        "enough to reject a host effect"
        if len(made.anchors) >= needed
        else f"fewer than {needed:,}: they can take a difference back and cannot confirm one"
    )
    return [
        *lines,
        *wrapped(
            f"At alpha {made.prepared.settings.alpha:g} that is {say}.", min(outcome.width(), 80)
        ),
    ]


def _found(role: Role, pilot: Pilot) -> tuple[str, str]:
    if pilot.thinks is None:
        return role, "no answer: `provenance doctor` says why"
    if not pilot.thinks:
        return role, "does not think, as far as its answers show"
    return role, (
        f"thinks: {pilot.thought:,} tokens and more an answer, room for {pilot.thinking_tokens:,}"
    )


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
