"""``provenance identify``: which known model, or none of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from provenance.cli import options

EPILOG = """
Examples:
  Which model answers behind this URL? (60 requests of the battery arithmetic)
    provenance identify \\
      compatible:mystery@https://api.example.net/v1,key_env=KEY
  The same against a library of your own (90 requests of the battery style):
    provenance identify \\
      compatible:mystery@https://api.example.net/v1,key_env=KEY --library models
  Recorded answers, whatever their prompts:
    provenance identify replay:answers.jsonl,model=mystery --library models
  Against the library that ships, for answers to logic puzzles:
    provenance identify replay:answers.jsonl --genre puzzles
  A library of your own is made once:
    provenance library add '*' corpus.parquet --library models \\
      --relations models.toml
    provenance library calibrate --library models

How to read it:
  known            the models of one family are not excluded, all others are
  none_of_these    every model of the library was rejected at alpha
  inconclusive     several families remain, or there is too little to tell
  A set holds the true model with probability 1 - alpha on average over models,
  if it is in the library. A maker outside the library can get a set too: how
  often, measured by leaving makers out, stands in the dossier.
  The library that ships has ratios for two genres. The battery arithmetic asks
  one of them, with other problems in another wording than its models answered:
  the calibrations were tested on genres that were left out, as their files say,
  and not on this wording.
  Formats unlike the suspect's (Markdown stripped, lower case) are compared in
  the canonical view, and the dossier says which models that concerns.

Exit codes:
  0   done, and nothing that --fail-on names
  11  inconclusive (only with --fail-on)
  20  stopped by the budget; the same command with a larger one resumes
  1   no answer or no text at all, or a fault    2  usage    130  interrupted
"""

GENRE = typer.Option(
    "--genre",
    metavar="NAME",
    help="Of the suspect's prompts, if it is one that the library names: models are held against "
    "it only within one genre. Default: known where the suspect answered the library's prompts; "
    "else as the battery says, if it has one throughout; else not.",
)
IDENTIFYING = {
    name: option
    for name, option in options.COMPARING.items()
    if name not in ("reference_draws", "delta", "sequential", "panel", "max_age")
} | {
    "battery": Annotated[
        str | None,
        typer.Option(
            "--battery",
            metavar="NAME|FILE",
            rich_help_panel="Questions and test",
            help="What is asked. Default with the library that ships: arithmetic, 60 word "
            "problems, because its calibrations cover that genre and none of style's. With a "
            "library of your own: style, 90 requests in five genres. A recording brings its own "
            "prompts.",
        ),
    ],
    "alpha": Annotated[
        float | None,
        typer.Option(
            "--alpha",
            metavar="P",
            rich_help_panel="Questions and test",
            help="Chance of excluding the true model, on average over models. Default: 0.01, or "
            "0.05 where the library has fewer than 99 models to compare with.",
        ),
    ],
}


@options.takes(IDENTIFYING)
def identify(
    suspect: Annotated[
        str, typer.Argument(metavar="SUSPECT", help="The endpoint, recording or store in question.")
    ],
    *,
    library: Annotated[
        Path | None,
        typer.Option(
            "--library",
            metavar="DIR",
            help="Known models, with profiles. Default: the library that ships "
            "(`provenance library show`).",
        ),
    ] = None,
    genre: Annotated[str | None, GENRE] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space", metavar="DIGEST", help="This one alone, where the library has several."
        ),
    ] = None,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Say which models of a library cannot be excluded as the origin of a suspect's texts.

    Style is compared, not weights: siblings write alike and stay together. Every number has its
    population, and a set that is empty means that each model of the library was rejected.
    """
    from provenance import study
    from provenance.cli import outcome, prepared
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter
    from provenance.dossier.text import for_terminal

    settings, config = prepared.read(flags)
    settings = prepared.without_missing_pdf(settings)
    ready = study.prepare_identification(
        study.side_of(suspect, config), library, settings, space, genre
    )
    for warning in prepared.warnings(ready):
        print(f"warning: {for_terminal(warning, 500)}", file=sys.stderr)
    confirm(ready.hosts, ready.estimate, yes=settings.yes)
    with ProgressPrinter() as progress:
        done = study.conclude_identification(ready, progress)
    outcome.end(done, settings, as_json=json)
