"""The dossier: from a study document alone to Markdown, PDF, HTML and JSON.

`FORMATS` names the file of each format. `write` renders one; `require` says before any sampling
that a format cannot be rendered here. `terminal.summary` is what a person sees at the end.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from provenance.errors import MissingExtra, RenderError, UsageError
from provenance.findings import StudyDocument

FORMATS: dict[str, str] = {
    "md": "dossier.md",
    "pdf": "dossier.pdf",
    "html": "dossier.html",
    "json": "study.json",
}
_MODULES = {"md": "markdown", "pdf": "pdf", "html": "html", "json": "json"}

__all__ = ["FORMATS", "render", "require", "write"]


def require(formats: Iterable[str]) -> None:
    """Make sure that every format can be rendered.

    Raises
    ------
    UsageError
        For an unknown format.
    MissingExtra
        If a format needs a package that is not installed.
    """
    for format in formats:
        if format not in FORMATS:
            raise UsageError(f"no format {format!r}: expected one of {', '.join(FORMATS)}")
        if format == "pdf" and not _has_typst():
            raise MissingExtra("the format 'pdf'", "report")


def _has_typst() -> bool:
    """Whether a Typst is installed that can attach files and fix the date."""
    try:
        major, minor = version("typst").split(".")[:2]
    except PackageNotFoundError:
        return False
    return find_spec("typst") is not None and (int(major), int(minor)) >= (0, 15)


def render(document: StudyDocument, format: str) -> bytes:
    """The dossier in one format.

    Raises
    ------
    UsageError, MissingExtra
        As `require`.
    RenderError
        If it cannot be rendered.
    """
    require([format])
    module = import_module(f"provenance.dossier.{_MODULES[format]}")
    renderer: Callable[[StudyDocument], bytes] = module.render
    return renderer(document)


def write(document: StudyDocument, path: Path, format: str) -> Path:
    """Write the dossier; an existing file is replaced whole, a half-written one never stays.

    Raises
    ------
    UsageError, MissingExtra
        As `require`.
    RenderError
        If it cannot be rendered or the file cannot be written.
    """
    content = render(document, format)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RenderError(f"cannot write {path}: {error.strerror}") from error
    return path
