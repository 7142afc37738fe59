"""``provenance doctor``: is everything in place?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.sampling.checkup import Check, EndpointCheck

_MARKS = {"ok": "ok", "absent": "--", "problem": "!!"}
EPILOG = """
Examples:
  What is installed, and what is missing? (sends nothing)
    provenance doctor
  Does each endpoint answer, over TLS, as which model? (one request each)
    provenance doctor compatible:qwen3-8b@https://api.example.com/v1,key_env=KEY
    provenance doctor prod relay --config endpoints.toml

Exit codes:
  0   all is well    1   something is in the way    2   usage
"""


def doctor(
    endpoints: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ENDPOINT]…", help="Asked one short question each."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="A TOML file with [endpoints.NAME] tables."),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Agree to the first contact with a new host.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Look at this machine, and ask each ENDPOINT one question.

    Packages, extras, proxies and folders; then per endpoint: encryption, the name of the model
    that answers, parameters that it refuses, and how long it takes. Keys are never shown, only
    whether the variable that an endpoint names is set.
    """
    from provenance.cli import outcome
    from provenance.cli.confirm import confirm
    from provenance.sampling import checkup, contact
    from provenance.settings import find_endpoint

    parsed = [find_endpoint(text, config) for text in endpoints or ()]
    checks = checkup.machine(os.environ, contact.state_folder(os.environ))
    if not json:
        print("\n".join(_lines(checks)))
    found, hosts, estimate = checkup.plan(parsed, os.environ)
    confirm(hosts, estimate, yes=yes)
    answers = []
    for answer in checkup.ask(found, os.environ):
        answers.append(answer)
        if not json:
            print("\n" + "\n".join(_endpoint_lines(answer)), flush=True)
    bad = any(c.state == "problem" for c in checks) or any(a.problem for a in answers)
    if json:
        outcome.print_json(
            {
                "ok": not bad,
                "checks": [asdict(check) for check in checks],
                "endpoints": [asdict(answer) for answer in answers],
            }
        )
    raise typer.Exit(1 if bad else 0)


def _lines(checks: Sequence[Check]) -> list[str]:
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal

    rows = [
        (_MARKS[check.state], check.area, check.name, for_terminal(check.detail, 300))
        for check in checks
    ]
    lines = []
    for check, line in zip(checks, columns(rows, indent=""), strict=True):
        lines.append(line)
        if check.advice:
            lines.append(f"    → {check.advice}")
    return lines


def _endpoint_lines(answer: EndpointCheck) -> list[str]:
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal

    rows = [("connection", answer.transport)]
    if answer.host is not None:
        rows.append(("host", answer.host))
    rows += [
        (f"key {name}", "set" if is_set else "NOT SET") for name, is_set in answer.keys.items()
    ]
    if answer.problem is not None:
        rows.append(("no answer", answer.problem))
    else:
        rows.append(("model that answered", answer.served_model or "not said"))
    if answer.latency_s is not None:
        rows.append(("took", f"{answer.latency_s:.2f} s"))
    if answer.tokens is not None:
        rows.append(("answered with", f"{answer.tokens} tokens"))
    rows += [(f"parameter {name}", how) for name, how in answer.parameters.items()]
    mark = _MARKS["problem" if answer.problem else "ok"]
    safe = [(for_terminal(name), for_terminal(text, 400)) for name, text in rows]
    return [f"{mark}  {for_terminal(answer.endpoint, 400)}", *columns(safe, indent="    ")]
