"""The dossier as tagged PDF/A-3 with ``study.json`` attached, typeset by Typst.

The template holds no word of the study: the blocks are handed to it as JSON data, in strings that
Typst never reads as markup. Only fonts that come with Typst or with this package are used, and the
date is the study's, so that the same document gives the same bytes on every machine (for one
version of Typst).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from provenance.dossier import json as study_json
from provenance.dossier.blocks import CELL, LABEL, QUOTE, Bars, Block, Dots, Plot, Quote, Table
from provenance.dossier.document import build
from provenance.dossier.text import fonts, for_typst
from provenance.errors import MissingExtra, RenderError
from provenance.findings import StudyDocument

STANDARDS: tuple[Any, ...] = ("a-3a", "ua-1")
ATTACHMENT = "study.json"
_RUNNING = 90
_NO_GLYPH = "could not be displayed"


def render(document: StudyDocument) -> bytes:
    """The bytes of the PDF.

    Raises
    ------
    MissingExtra
        If typst is not installed.
    RenderError
        If Typst refuses the document.
    """
    pdf: bytes = compile_with(document, "pdf")
    return pdf


def compile_with(document: StudyDocument, format: Literal["pdf", "png"]) -> Any:
    """Typeset as ``pdf`` (bytes) or ``png`` (bytes, or a list of them, one a page)."""
    try:
        import typst
    except ImportError:
        raise MissingExtra("the format 'pdf'", "report") from None
    dossier = build(document)
    template = Path(__file__).resolve().parent / "templates" / "dossier.typ"
    available = typst.Fonts(include_system_fonts=False, font_paths=[str(fonts())])

    def attempt(ascii_only: bool) -> Any:
        content = {
            "title": for_typst(dossier.title, ascii_only=ascii_only),
            "subtitle": for_typst(dossier.subtitle, 300, ascii_only=ascii_only),
            "running": for_typst(dossier.subtitle, 300, ascii_only=ascii_only)[:_RUNNING],
            "footer": for_typst(dossier.footer, ascii_only=ascii_only),
            "created": f"{dossier.created:%Y-%m-%d %H:%M:%S} UTC",
            "date": [int(part) for part in f"{dossier.created:%Y %m %d %H %M %S}".split()],
            "blocks": [_data(block, ascii_only) for block in dossier.blocks],
        }
        return typst.compile(
            template.read_bytes(),
            format=format,
            font_paths=available,
            ignore_system_fonts=True,
            sys_inputs={
                "dossier": json.dumps(content, ensure_ascii=False),
                "study": study_json.render(document).decode(),
            },
            pdf_standards=list(STANDARDS) if format == "pdf" else [],
            timestamp=int(dossier.created.timestamp()),
        )

    try:
        try:
            return attempt(ascii_only=False)
        except typst.TypstError as error:
            if _NO_GLYPH not in str(error):
                raise
            # Another version of Typst may bring fonts that cover less than our list says.
            return attempt(ascii_only=True)
    except typst.TypstError as error:
        raise RenderError(
            f"Typst {version('typst')} could not typeset the dossier: {error}. The formats md, "
            "html and json do not need it"
        ) from error


def _data(block: Block, ascii_only: bool) -> dict[str, Any]:
    """A block as plain values, every string fit to be typeset."""
    limit = {Quote: QUOTE, Table: CELL, Bars: LABEL, Dots: LABEL, Plot: LABEL}.get(type(block))

    def fit(value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            if key in ("kind", "tone", "side", "style", "mark"):
                return value
            bound = 1200 if limit is None or key in ("caption", "alt") else limit
            return for_typst(value, bound, ascii_only=ascii_only)
        if isinstance(value, dict):
            return {k: fit(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [fit(v) for v in value]
        return value

    return {"block": type(block).__name__.lower(), **fit(asdict(block))}
