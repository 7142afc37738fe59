"""A figure as a file of its own: SVG that needs no page around it, and PDF made from it."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from provenance.dossier import svg
from provenance.dossier.blocks import Plot
from provenance.dossier.text import fonts
from provenance.errors import MissingExtra, RenderError

__all__ = ["to_pdf", "to_svg"]

WIDTH = 760
_MARGIN = 12
# The colours of dossier.css on paper; a file by itself has no custom properties to inherit.
_STYLE = """
svg { overflow: visible }
text { font: 12px "Liberation Sans", Arial, sans-serif; fill: #5c5c63 }
.name { fill: #1d1d1f }
.filled { fill: #34567a } .open { fill: #fdfdfb; stroke: #34567a; stroke-width: 1.75 }
.track { stroke: #d8d8d4 } .compared { stroke: #5c5c63; stroke-dasharray: 3 3 }
.line { fill: none; stroke-width: 1.75 } .line.neutral { stroke: #5c5c63 }
.line.reference { stroke: #34567a } .line.suspect { stroke: #b06a1c }
.dashed { stroke-dasharray: 7 4 } .dotted { stroke-dasharray: 2 3 }
"""


def to_svg(figure: Plot) -> str:
    """A whole SVG document; names in it are escaped as everywhere in a dossier."""
    inner = svg.plot(figure, "figure-")
    found = re.match(r'<svg width="100%" height="([\d.]+)"', inner)
    assert found is not None
    height = float(found[1])
    frame = f'x="{_MARGIN}" y="{_MARGIN}" width="{WIDTH}" height="{height:g}"'
    placed = inner.replace(found[0], f"<svg {frame}", 1)
    # Renderers that make other formats know pixels better than shares of a nested frame.
    placed = _in_pixels(placed)
    size = f'width="{WIDTH + 2 * _MARGIN}" height="{height + 2 * _MARGIN:g}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{_STYLE}</style>\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{placed}\n</svg>\n'
    )


def to_pdf(content: str) -> bytes:
    """One page, as large as the figure.

    Raises
    ------
    MissingExtra
        If typst is not installed.
    RenderError
        If it cannot read the figure.
    """
    try:
        import typst
    except ImportError:
        raise MissingExtra("figures as PDF", "report") from None
    source = (
        "#set page(width: auto, height: auto, margin: 0pt)\n"
        '#image(bytes(sys.inputs.at("figure")), format: "svg")\n'
    )
    available = typst.Fonts(include_system_fonts=False, font_paths=[str(fonts())])
    try:
        made: Any = typst.compile(
            source.encode("utf-8"),
            format="pdf",
            font_paths=available,
            ignore_system_fonts=True,
            sys_inputs={"figure": content},
        )
    except typst.TypstError as error:
        raise RenderError(f"Typst {version('typst')} could not read a figure: {error}") from error
    return bytes(made)


def _in_pixels(inner: str) -> str:
    return re.sub(
        r'\b(x|x1|x2|cx|width)="([\d.]+)%"',
        lambda m: f'{m[1]}="{float(m[2]) / 100 * WIDTH:.2f}"',
        inner,
    )
