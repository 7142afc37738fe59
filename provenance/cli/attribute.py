"""``provenance attribute``: was this model made from mine, or trained on its outputs?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from provenance.cli import options
from provenance.cli.identify import GENRE, IDENTIFYING

EPILOG = """
Examples:
  Was the model behind this URL made from ours?
    provenance attribute suspect --reference ours --library models \\
      --config endpoints.toml
  With a model that cannot be the source, and one of the suspect's base:
    provenance attribute suspect --reference ours --control other \\
      --sibling base-chat --library models --config endpoints.toml
  Did it move towards ours between two versions?
    provenance attribute v2 --reference ours --before v1 --after v2 \\
      --control other --control another --library models --config e.toml

What is weighed, each pair apart and nothing multiplied:
  same_weights, derived, common_base against none_of_these: calibrated
    likelihood ratios, if the library has a calibration that covers the case
  likeness: is the suspect more like the reference than unrelated models are?
  change: did it step towards the reference, rather than to any control?
    A reason of its own: it enters no ratio and decides no verdict
  Likeness has no direction: who learned from whom needs dates or parentage.

Verdicts:
  supported      a ratio of 100 or more, and its interval above 1
  not_supported  every ratio, with its interval, is 1/10 or less
  inconclusive   all else; the reasons say what would be needed

Exit codes:
  0   done, and nothing that --fail-on names
  11  inconclusive   13  supported   (only with --fail-on)
  20  stopped by the budget; the same command with a larger one resumes
  1   no answer or no text at all, or a fault    2  usage    130  interrupted
"""
_SIDES = "Endpoints"


def _many(flag: str, help: str) -> Any:
    return typer.Option(flag, metavar="ENDPOINT", rich_help_panel=_SIDES, help=help)


@options.takes(IDENTIFYING)
def attribute(
    suspect: Annotated[
        str, typer.Argument(metavar="SUSPECT", help="The endpoint, recording or store in question.")
    ],
    *,
    reference: Annotated[str, _many("--reference", "The model that it may have been made from.")],
    library: Annotated[
        Path | None,
        typer.Option(
            "--library",
            metavar="DIR",
            rich_help_panel=_SIDES,
            help="Known models: the population that gives the numbers their meaning. Default: the "
            "library that ships (`provenance library show`).",
        ),
    ] = None,
    genre: Annotated[str | None, GENRE] = None,
    control: Annotated[
        list[str] | None, _many("--control", "A model known to be unrelated; repeatable.")
    ] = None,
    sibling: Annotated[
        list[str] | None,
        _many("--sibling", "Another model with the suspect's base; repeatable."),
    ] = None,
    before: Annotated[
        str | None, _many("--before", "The suspect before the date in question.")
    ] = None,
    after: Annotated[str | None, _many("--after", "The suspect after it.")] = None,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            metavar="DIGEST",
            rich_help_panel=_SIDES,
            help="This one alone, where the library has several.",
        ),
    ] = None,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Weigh whether a suspect was made from a reference, or trained on its outputs.

    Every pair of hypotheses gets its own ratio, with its bounds and the population it rests on, or
    the reason why there is none. Nothing is summed up into one score.
    """
    from provenance import study
    from provenance.cli import outcome, prepared
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter
    from provenance.dossier.text import for_terminal

    settings, config = prepared.read(flags)
    settings = prepared.without_missing_pdf(settings)
    named: list[tuple[Any, str]] = [("reference", reference)]
    named += [("control", c) for c in control or []] + [("sibling", s) for s in sibling or []]
    named += [(role, side) for role, side in (("before", before), ("after", after)) if side]
    others = [(role, study.side_of(side, config)) for role, side in named]
    made = study.prepare_attribution(
        study.side_of(suspect, config), others, library, settings, space, genre
    )
    for warning in (*made.warnings, *prepared.warnings(made.prepared)):
        print(f"warning: {for_terminal(warning, 500)}", file=sys.stderr)
    for plan in made.plans():
        confirm(plan.hosts, plan.estimate, yes=settings.yes)
    with ProgressPrinter() as progress:
        done = study.conclude_attribution(made, progress)
    outcome.end(done, settings, as_json=json)
