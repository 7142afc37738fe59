"""What a study prints and returns at its end."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from provenance.findings import StudyDocument
    from provenance.settings import Settings
    from provenance.study import Study

UNANSWERED = 1
FAIL_CODES = {"different": 10, "inconclusive": 11, "supported": 13}
_FIRST = ("pdf", "html", "md", "json")  # which dossier the last line names


def end(study: Study, settings: Settings, *, as_json: bool) -> NoReturn:
    """Print the study, on stdout alone what was asked for, and leave with its exit code."""
    if as_json:
        print_document(study.document)
        print(main_file(study.written, study.store), file=sys.stderr)
    else:
        show(study.document, study.written, study.store)
    raise typer.Exit(exit_code(study, settings))


def exit_code(study: Study, settings: Settings) -> int:
    """1 if a side gave nothing, else what ``--fail-on`` asks for, else 0."""
    if study.unanswered:
        return UNANSWERED
    label = study.verdict.label
    return FAIL_CODES.get(label, 0) if label in settings.fail_on else 0


def show(document: StudyDocument, written: Mapping[str, Path], store: Path) -> None:
    """The few lines at the end."""
    from provenance.dossier.terminal import summary

    print(summary(document, width=width(), color=colored(), dossier=main_file(written, store)))


def main_file(written: Mapping[str, Path], store: Path) -> Path:
    """The dossier to open first; the store if none was written."""
    return next((written[format] for format in _FIRST if format in written), store)


def print_document(document: StudyDocument) -> None:
    """The study document alone."""
    from provenance.dossier.json import render

    print_json(json.loads(render(document)))


def print_json(content: Any) -> None:
    """JSON in ASCII: the same bytes in every locale, and no escape reaches a terminal."""
    print(json.dumps(content, indent=1, allow_nan=False))


def width() -> int:
    """Columns of the terminal (``COLUMNS`` counts)."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def colored() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
