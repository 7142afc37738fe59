"""``provenance probes``: the questions, as they are sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.battery import Battery, Probe

LIST_EPILOG = """
Examples:
  provenance probes list
  provenance probes list --json | jq .batteries

Exit codes:
  0   done    1   a fault    2   usage
"""
SHOW_EPILOG = """
Examples:
  What exactly is asked, and why? Everything of one battery, family or probe:
    provenance probes show quick
    provenance probes show one_token
    provenance probes show number-en-1

Exit codes:
  0   done    2   there is nothing of that name
"""
CHECK_EPILOG = """
Examples:
  All that ships:
    provenance probes check
  A battery of one's own, before it is used with --battery:
    provenance probes check mine.toml

Exit codes:
  0   nothing found    1   mistakes were found    2   a file that cannot be read
"""
GENERATE_EPILOG = """
Examples:
  Questions that no relay has seen, from a secret in the environment:
    export AUDIT_SECRET=$(openssl rand -hex 32)
    provenance probes generate --secret-env AUDIT_SECRET --out private.toml
    provenance compare a b --config endpoints.toml --battery private.toml
  The same secret makes the same questions again: keep it to the end.

Exit codes:
  0   done    1   a fault    2   usage: no secret, a short one, too many probes
"""


def list_(json: options.Json = False) -> None:
    """List families and batteries: how many probes, cells and draws."""
    from provenance import battery
    from provenance.cli import outcome
    from provenance.cli.words import columns

    families = {name: battery.load_family(name) for name in battery.families()}
    batteries = [battery.Battery.load(name) for name in battery.Battery.shipped()]
    if json:
        outcome.print_json(
            {
                "families": {name: [p.id for p in probes] for name, probes in families.items()},
                "batteries": {
                    b.name: {
                        "description": b.description,
                        "digest": b.digest,
                        "probes": len(b.probes),
                        "cells": len(b.cells),
                        "draws": sum(cell.draws for cell in b.cells),
                    }
                    for b in batteries
                },
            }
        )
        return
    rows = [("Battery", "probes", "cells", "answers a side", "")] + [
        (b.name, str(len(b.probes)), str(len(b.cells)), _draws(b), b.description) for b in batteries
    ]
    print("\n".join(_cut(line) for line in columns(rows, indent="")))
    table = [("Family", "probes", "")] + [
        (name, str(len(probes)), ", ".join(p.id for p in probes))
        for name, probes in families.items()
    ]
    print("\n" + "\n".join(_cut(line) for line in columns(table, indent="")))


def show(
    name: Annotated[str, typer.Argument(metavar="ID|FAMILY|BATTERY", help="What to show.")],
    json: options.Json = False,
) -> None:
    """Show probes in full: what is sent, how it is read, why, and from which source."""
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal

    probes = _find(name)
    if json:
        outcome.print_json([probe.model_dump(mode="json") for probe in probes])
        return
    for number, probe in enumerate(probes):
        print("\n" * bool(number) + "\n".join(for_terminal(x, 4000) for x in _describe(probe)))


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME|FILE]…",
            help="Families, batteries or files. Default: everything that ships.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Check probes beyond their schema: readings that exist, readable answers, no duplicates."""
    from provenance import battery
    from provenance.cli import outcome
    from provenance.dossier.text import for_terminal
    from provenance.library.probe_checks import check as check_probes

    families = {name: str(path) for name, path in battery.families().items()}
    targets = names or [*families, *battery.Battery.shipped()]
    found = [
        (target, problem)
        for target in targets
        for problem in check_probes(families.get(target, target))
    ]
    if json:
        rows = [{"target": t, "where": p.where, "message": p.message} for t, p in found]
        outcome.print_json({"checked": targets, "problems": rows})
    else:
        for _, problem in found:
            print(for_terminal(f"{problem.where}: {problem.message}", 600))
        print(f"{len(targets)} checked, {len(found)} problem{'' if len(found) == 1 else 's'}")
    raise typer.Exit(1 if found else 0)


def generate(
    secret_env: Annotated[
        str,
        typer.Option(
            "--secret-env", metavar="NAME", help="Environment variable that holds the secret."
        ),
    ],
    probes: Annotated[
        int, typer.Option("--probes", metavar="N", min=1, max=200, help="How many questions.")
    ] = 30,
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", min=1, max=10_000, help="Draws of each.")
    ] = 8,
    templates: Annotated[
        Path | None,
        typer.Option("--templates", metavar="FILE", help="Templates of one's own."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to write. Default: stdout."),
    ] = None,
) -> None:
    """Make a battery from a secret: fresh wordings and values, the same readings.

    A relay that sends the published questions to the real model, and the rest elsewhere, does not
    know these. The secret itself is written nowhere.
    """
    import os

    from provenance import battery
    from provenance.errors import UsageError
    from provenance.library import private

    secret = os.environ.get(secret_env, "").encode()
    if not secret:
        raise UsageError(
            f"the variable {secret_env} is not set: export {secret_env}=$(openssl rand -hex 32)"
        )
    if out is not None and out.exists():
        raise UsageError(f"{out} exists already: choose another --out")
    known = private.load_templates(templates)
    avoid = [p for name in battery.families() for p in battery.load_family(name)]
    made = private.generate(secret, probes=probes, draws=draws, templates=known, avoid=avoid)
    text = private.to_toml(made)
    if out is None:
        print(text, end="")
        return
    out.write_text(text, encoding="utf-8")
    least = min(t.wordings for t in known)
    print(
        f"{out}: {len(made.probes)} probes of {min(len(known), probes)} templates, each one of at "
        f"least {least:,} wordings\ndigest {made.digest}"
    )


def _find(name: str) -> tuple[Probe, ...]:
    """A probe, a family, or a battery; a family wins over a battery of its name."""
    from provenance import battery
    from provenance.errors import BatteryError

    families = battery.families()
    if name in families:
        return battery.load_family(name)
    for family in families:
        for probe in battery.load_family(family):
            if probe.id == name:
                return (probe,)
    try:
        return battery.Battery.load(name).probes
    except BatteryError as error:
        if name in battery.Battery.shipped() or name.endswith(".toml"):
            raise
        raise BatteryError(
            f"no probe, family or battery {name!r}: `provenance probes list` names them all"
        ) from error


def _describe(probe: Probe) -> list[str]:
    lines = [
        f"{probe.id}   family {probe.family}, version {probe.version}, {probe.language}",
        *(f"  {m.role}: {line}" for m in probe.messages for line in m.content.splitlines()),
        f"  {probe.draws} draws, read as {probe.reading}, "
        f"at most {probe.max_visible_tokens} tokens",
    ]
    if probe.decoding:
        lines.append(f"  decoding {probe.decoding}")
    for condition in probe.conditions:
        change = [f"system: {condition.system}"] if condition.system is not None else []
        change += [f"decoding {condition.decoding}"] if condition.decoding else []
        lines.append(f"  also as {probe.id}/{condition.id}   {', '.join(change)}")
    return [*lines, f"  why: {probe.rationale}", f"  source: {probe.source}"]


def _draws(battery: Battery) -> str:
    return f"{sum(cell.draws for cell in battery.cells):,}"


def _cut(line: str) -> str:
    from provenance.cli.outcome import width

    return line if len(line) <= width() else line[: width() - 1] + "…"
