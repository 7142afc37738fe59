"""``provenance report``: render the dossiers of a store again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provenance.cli import options

EPILOG = """
Examples:
  The verdict once more, and the dossiers again:
    provenance report reports/relay-qwen3-8b-1f3a9c02
  One HTML page in another folder:
    provenance report reports/relay-qwen3-8b-1f3a9c02 --format html --out www/
  The study document for a program:
    provenance report reports/relay-qwen3-8b-1f3a9c02 --format "" --json

Exit codes:
  0   done    1   no finished study, or a fault    2   usage
  14  the store was changed
"""


def report(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="The folder of a study.")],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="LIST",
            help="A comma list of md, pdf, html, json; may be empty. Default: md,pdf,json.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to write. Default: the store."),
    ] = None,
    json: options.Json = False,
) -> None:
    """Show a finished study again and write its dossiers, in any format. Asks nothing."""
    from provenance import study
    from provenance.cli import outcome, prepared
    from provenance.evidence.store import Store
    from provenance.findings import StudyDocument

    if format is None:
        formats = prepared.renderable(("md", "pdf", "json"))
    else:
        formats = tuple(part.strip() for part in format.split(",") if part.strip())
    written = study.report(store, formats=formats, out=out)
    with Store.open(store) as opened:
        document = StudyDocument.model_validate(opened.read_study())
    if json:
        outcome.print_document(document)
        return
    outcome.show(document, written, store)
    first = outcome.main_file(written, store)
    for path in written.values():
        if path != first:
            print(path)
