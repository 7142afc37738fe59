"""``provenance probes border``: prompts on which a reference is undecided."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provenance.cli import options

if TYPE_CHECKING:
    from provenance.battery import Probe
    from provenance.study.bordering import Selection

EPILOG = """
Examples:
  Which prompts show 8-bit weights? Ask the reference, then compare:
    provenance probes border transformers:models/qwen3-8b --out border.toml
    provenance compare transformers:models/qwen3-8b prod \\
      --config endpoints.toml --battery border.toml
  One token a candidate, where the reference lists log probabilities:
    provenance probes border vendor --config endpoints.toml --logprobs \\
      --out border.toml
  A reference that refuses temperatures: its own one, more answers of each:
    provenance probes border vendor --config endpoints.toml --draws 40 \\
      --temperatures default --greedy-draws 0 --out border.toml
  Candidates of one's own, twenty cells, at temperature 0 only:
    provenance probes border vendor --config endpoints.toml --cells 20 \\
      --candidates mine.toml --free-draws 0 --out border.toml

How it searches:
  Rounds of 4 answers at temperature 0.1, where two answers alternate only if
  they nearly tie. After each round those candidates stay that alternate, at
  most half of them and never fewer than --cells; the others are not asked
  again. What all rounds take at most is said beforehand (by default 299
  candidates, 2,248 requests), and what they took afterwards. A higher first
  temperature (--temperatures 1,0.3,0.1) found fewer ties with more requests.

Exit codes:
  0   done    1   no answer, or a fault    2   usage: nothing to ask or found
  20  stopped by the budget; the same command with a larger one resumes
  130 interrupted; the same command resumes
"""
GENERATED = "generated"
_SHOWN = 12
_BY_TOKENS = ("nats apart", "likeliest", "second")
_PASSED_ON = (
    *(
        "config",
        "seed",
        "max_requests",
        "budget_usd",
        "prices",
        "concurrency",
        "rpm",
        "logprobs",
        "yes",
    ),
)


@options.takes({name: options.SAMPLING[name] for name in _PASSED_ON})
def border(
    endpoint: Annotated[
        str, typer.Argument(metavar="ENDPOINT", help="The reference; the suspect is never asked.")
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE.toml", help="The battery that is made.")
    ],
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidates",
            metavar="NAME|FILE|generated",
            help="Prompts to choose from; may be repeated. Default: core and generated.",
        ),
    ] = None,
    number: Annotated[
        int,
        typer.Option(
            "--number", metavar="N", min=1, max=200, help="How many prompts to generate, at most."
        ),
    ] = 150,
    cells: Annotated[
        int, typer.Option("--cells", metavar="K", min=1, max=500, help="Prompts to choose.")
    ] = 12,
    draws: Annotated[
        int,
        typer.Option(
            "--draws",
            metavar="N",
            min=2,
            max=1_000,
            help="Times that a candidate is asked which stays to the last round. Every 4 draws "
            "at most the better half stays.",
        ),
    ] = 16,
    temperatures: Annotated[
        str,
        typer.Option(
            "--temperatures",
            metavar="T,…",
            help="Of the rounds, falling, the last for all that follow; only draws at the last "
            "one choose. 'default', as the first, sends none.",
        ),
    ] = "0.1",
    greedy_draws: Annotated[
        int,
        typer.Option(
            "--greedy-draws",
            metavar="N",
            min=0,
            help="Draws a side at temperature 0; with 9 a single cell that turned over gives "
            "p = 2/512 in a live comparison. 0: none.",
        ),
    ] = 9,
    free_draws: Annotated[
        int,
        typer.Option(
            "--free-draws", metavar="N", min=0, help="Draws a side at the default one. 0: none."
        ),
    ] = 10,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Find prompts on which a reference is undecided: a small change turns their answers over.

    Candidates are asked of the reference alone; those stay whose two favourite answers alternate.
    Each becomes a cell at temperature 0 and one at the default temperature. What was asked is kept
    in a folder beside the file and read by no test.
    """
    from provenance import settings as settings_module
    from provenance.cli import outcome, prepared
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter
    from provenance.errors import UsageError
    from provenance.library.private import to_toml
    from provenance.study.bordering import select_border

    settings, config = prepared.read(flags)
    if out.suffix != ".toml":
        raise UsageError(f"--out {out}: expected a file that ends in .toml")
    if out.exists():
        raise UsageError(f"{out} exists already: choose another --out")
    folder = out.with_suffix(".asked")
    side = settings_module.find_endpoint(endpoint, config)
    with ProgressPrinter() as progress:
        found = select_border(
            side,
            _candidates(candidates or ["core", GENERATED], number, folder),
            folder=folder,
            cells=cells,
            draws=draws,
            temperatures=_temperatures(temperatures),
            greedy_draws=greedy_draws,
            free_draws=free_draws,
            name="border",
            settings=settings,
            agree=lambda hosts, estimate: confirm(hosts, estimate, yes=settings.yes),
            progress=progress,
        )
    out.write_text(to_toml(found.battery), encoding="utf-8")
    if json:
        outcome.print_json(_as_json(found, out))
    else:
        _show(found, out, folder)


def _temperatures(said: str) -> tuple[float | None, ...]:
    from provenance.errors import UsageError

    try:
        return tuple(None if t.strip() == "default" else float(t) for t in said.split(","))
    except ValueError:
        raise UsageError(
            f"--temperatures {said}: expected numbers or 'default' with commas between, as in "
            "default,0.3,0.1"
        ) from None


def _candidates(names: list[str], number: int, folder: Path) -> list[Probe]:
    """Probes of families, batteries and files, and generated ones; each id once."""
    from provenance.battery import Battery, families, load_family
    from provenance.study.bordering import generated

    found: dict[str, Probe] = {}
    for name in names:
        if name == GENERATED:
            probes = generated(number, folder)
        elif name in families() and name not in Battery.shipped():
            probes = load_family(name)
        else:
            probes = Battery.load(name).probes
        for probe in probes:
            found.setdefault(probe.id, probe)
    return list(found.values())


def _as_json(found: Selection, out: Path) -> dict[str, Any]:
    return {
        "battery": str(out),
        "digest": found.battery.digest,
        "candidates": found.candidates,
        "planned": found.planned,
        "requests": found.requests,
        "answers": found.spent.answers,
        "prompt_tokens": found.spent.prompt_tokens,
        "completion_tokens": found.spent.completion_tokens,
        "recorded": [str(store) for store in found.stores],
        "cells": [
            {
                "candidate": tie.cell,
                "first": tie.first,
                "second": tie.second,
                "counts": list(tie.counts),
                "gap_nats": tie.gap,
                "draws": tie.draws,
                "temperature": tie.temperature,
            }
            for tie in found.ties
        ],
    }


def _show(found: Selection, out: Path, folder: Path) -> None:
    from provenance.cli.words import columns
    from provenance.dossier.text import for_terminal

    by_draws = found.ties[0].gap is None
    rows = [("Candidate", *(("draws", "favourite", "", "second", "") if by_draws else _BY_TOKENS))]
    for tie in found.ties[:_SHOWN]:
        names = for_terminal(tie.first, 24), for_terminal(tie.second, 24)
        counts = [str(n) for n in tie.counts]
        own = (
            (str(tie.draws), names[0], counts[0], names[1], counts[1])
            if tie.gap is None
            else (f"{tie.gap:.3f}", *map(repr, names))
        )
        rows.append((for_terminal(tie.cell, 40), *own))
    print("\n".join(columns(rows, indent="")))
    spent = found.spent
    print(
        f"\n{len(found.ties)} of {found.candidates} candidates chosen: {found.requests:,} requests "
        f"(planned: {found.planned:,} at most), {spent.answers:,} answers of "
        f"{spent.completion_tokens:,} tokens ({spent.prompt_tokens:,} of prompts), kept in "
        f"{for_terminal(str(folder), 4096)}\n{for_terminal(str(out), 4096)}   digest "
        f"{found.battery.digest}\nUse it: provenance compare REFERENCE SUSPECT --battery "
        f"{for_terminal(str(out), 4096)}"
    )
