"""The dossier as one self-contained HTML file: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from provenance.dossier.blocks import (
    Bars,
    Block,
    Bullets,
    Code,
    Column,
    Heading,
    Paragraph,
    Quote,
    Table,
    Verdict,
)
from provenance.dossier.document import build
from provenance.dossier.text import for_html
from provenance.findings import StudyDocument

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_WIDTH = 640
_BAR = 360
_LABEL = 80
_CELL = 300
_QUOTE = 600


def render(document: StudyDocument) -> bytes:
    """UTF-8 HTML for light and dark screens and for print."""
    dossier = build(document)
    style = (Path(__file__).resolve().parent / "templates" / "dossier.css").read_text("utf-8")
    body = "\n".join(_block(block) for block in dossier.blocks)
    title, subtitle = for_html(dossier.title), for_html(dossier.subtitle)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}: {subtitle}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p class="subtitle"><bdi>{subtitle}</bdi></p>
<p class="small"><time datetime="{dossier.created:%Y-%m-%dT%H:%M:%SZ}">\
{dossier.created:%Y-%m-%d %H:%M:%S} UTC</time> · {for_html(dossier.footer)}</p>
</header>
{body}
</main>
</body>
</html>
""".encode()


def _block(block: Block) -> str:
    match block:
        case Heading():
            return _heading(block)
        case Paragraph():
            kind = ' class="small"' if block.small else ""
            return f"<p{kind}>{for_html(block.text)}</p>"
        case Bullets():
            items = "\n".join(f"<li>{for_html(item)}</li>" for item in block.items)
            return f"<ul>\n{items}\n</ul>"
        case Verdict():
            facts = "\n".join(f"<p>{for_html(fact)}</p>" for fact in block.facts)
            return (
                f'<section class="verdict {block.tone}" aria-label="Verdict">\n'
                f'<p class="label">{for_html(block.label)}</p>\n'
                f'<p class="sentence">{for_html(block.sentence)}</p>\n{facts}\n</section>'
            )
        case Table():
            return _table(block)
        case Bars():
            return _bars(block)
        case Quote():
            return (
                f'<div class="quote"><p class="small">{for_html(block.who)}</p>'
                f"<blockquote><bdi>{for_html(block.text, _QUOTE)}</bdi></blockquote></div>"
            )
        case Code():
            return f"<pre><code>{for_html(block.text)}</code></pre>"


def _heading(heading: Heading) -> str:
    tag = f"h{heading.level + 1}"
    text = for_html(heading.text, 100)
    return f"<{tag}>{f'<code>{text}</code>' if heading.code else text}</{tag}>"


def _table(table: Table) -> str:
    head = ""
    if table.header:
        titles = "".join(
            f'<th scope="col"{_class(c)}>{for_html(c.title)}</th>' for c in table.columns
        )
        head = f"<thead><tr>{titles}</tr></thead>\n"
    rows = "\n".join(
        "<tr>" + "".join(_cell(v, c) for v, c in zip(row, table.columns, strict=True)) + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{for_html(table.caption)}</caption>"
    return f'<div class="wide"><table>\n{caption}\n{head}<tbody>\n{rows}\n</tbody></table></div>'


def _class(column: Column) -> str:
    return f' class="{column.kind}"' if column.kind != "text" else ""


def _cell(value: str, column: Column) -> str:
    text = for_html(value, _CELL if column.kind == "code" else 3 * _CELL)
    inner = f"<code><bdi>{text}</bdi></code>" if column.kind == "code" and text else text
    return f"<td{_class(column)}>{inner}</td>"


def _bars(bars: Bars) -> str:
    """An SVG: a label above each group, a bar and its figure for each side."""
    parts, y = [], 0
    for group in bars.groups:
        y += 18
        parts.append(f'<text class="name" x="0" y="{y}">{for_html(group.label, _LABEL)}</text>')
        for bar in group.bars:
            width = max(1.0 if bar.share > 0 else 0.0, _BAR * bar.share)
            side = f"{bar.side} " if len(group.bars) > 1 else ""
            parts.append(
                f'<rect class="{bar.side}" x="0" y="{y + 5}" width="{width:.1f}" height="12"/>'
                f'<text x="{width + 6:.1f}" y="{y + 15}">{side}{for_html(bar.value)}</text>'
            )
            y += 16
        y += 6
    alt = for_html(bars.alt)
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {y + 4}" role="img" aria-label="{alt}">'
        f"{''.join(parts)}</svg>\n<figcaption>{for_html(bars.caption)}</figcaption></figure>"
    )
