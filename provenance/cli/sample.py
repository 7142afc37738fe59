"""``provenance sample``: record one endpoint."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provenance.cli import options

EPILOG = """
Examples:
  Record the vendor's own endpoint today, compare a relay with it next week:
    provenance sample \\
      compatible:qwen3-8b@https://api.example.com/v1,key_env=VENDOR_KEY \\
      --store recorded/vendor --draws 90
    provenance compare recorded/vendor prod --config endpoints.toml
  A checkpoint on this machine, with a battery of one's own:
    provenance sample transformers:models/qwen3-8b --battery mine.toml

Exit codes:
  0   done    1   no answer at all, or a fault    2   usage
  20  stopped by the budget; the same command with a larger one resumes
  130 interrupted; the same command resumes
"""


@options.takes(options.SAMPLING)
def sample(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="What is recorded.")],
    *,
    json: options.StudyJson = False,
    **flags: Any,
) -> None:
    """Record one endpoint's answers, to be the reference of later comparisons.

    A stored reference should be larger than what it is compared with: six draws to one of the
    suspect's, fifteen at least. `compare` refuses one that is older than --max-age.
    """
    from provenance import study
    from provenance.cli import outcome, prepared
    from provenance.cli.confirm import confirm
    from provenance.cli.progress import ProgressPrinter
    from provenance.dossier.text import for_terminal

    settings, config = prepared.read(flags)
    ready = prepared.prepare(endpoint, settings, config)
    confirm(ready.hosts, ready.estimate, yes=settings.yes)
    with ProgressPrinter() as progress:
        store = study.sample(ready.providers["reference"], settings=settings, progress=progress)
    answers, planned = _answers(store), sum(ready.plan.draws("reference"))
    if json:
        outcome.print_json({"store": str(store), "answers": answers, "planned": planned})
    else:
        path = for_terminal(str(store), 4096)
        print(f"Recorded {answers:,} of {planned:,} answers of {for_terminal(endpoint)}")
        print(f"Use it as a reference: provenance compare {path} SUSPECT")
    raise typer.Exit(0 if answers else outcome.UNANSWERED)


def _answers(store: Any) -> int:
    from provenance.evidence.store import Store
    from provenance.transcript import Transcript

    with Store.open(store) as opened:
        return len(Transcript(opened.records()).completed("reference"))
