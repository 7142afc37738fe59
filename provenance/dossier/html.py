"""The dossier as one self-contained HTML file: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

from provenance.dossier import svg
from provenance.dossier.blocks import (
    CELL,
    QUOTE,
    Bars,
    Block,
    Bullets,
    Code,
    Column,
    Dots,
    Heading,
    Paragraph,
    Plot,
    Quote,
    Table,
    Verdict,
)
from provenance.dossier.document import build
from provenance.dossier.text import for_html
from provenance.findings import StudyDocument

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(document: StudyDocument) -> bytes:
    """UTF-8 HTML for light and dark screens and for print."""
    dossier = build(document)
    style = (Path(__file__).resolve().parent / "templates" / "dossier.css").read_text("utf-8")
    body = "\n".join(_block(block, f"f{i}") for i, block in enumerate(dossier.blocks))
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


def _block(block: Block, key: str) -> str:
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
            return _figure(block.caption, svg.bars(block, key))
        case Dots():
            return _figure(block.caption, svg.dots(block, key))
        case Plot():
            return _figure(block.caption, svg.plot(block, key))
        case Quote():
            return (
                f'<div class="quote"><p class="small">{for_html(block.who)}</p>'
                f"<blockquote><bdi>{for_html(block.text, QUOTE)}</bdi></blockquote></div>"
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
    rows = "\n".join(f"<tr>{_row(row, table.columns)}</tr>" for row in table.rows)
    caption = for_html(table.caption)
    kind = "" if table.header else ' class="pairs"'
    # What scrolls sideways on a phone can be reached and scrolled by the keyboard.
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0"><table{kind}>\n'
        f"<caption>{caption}</caption>\n{head}<tbody>\n{rows}\n</tbody></table></div>"
    )


def _row(row: tuple[str, ...], columns: tuple[Column, ...]) -> str:
    """The first cell names the row."""
    first, *rest = (
        (_class(column), _words(value, column)) for value, column in zip(row, columns, strict=True)
    )
    cells = "".join(f"<td{kind}>{words}</td>" for kind, words in rest)
    return f'<th scope="row"{first[0]}>{first[1]}</th>{cells}'


def _class(column: Column) -> str:
    return f' class="{column.kind}"' if column.kind != "text" else ""


def _words(value: str, column: Column) -> str:
    text = for_html(value, CELL if column.kind == "code" else 3 * CELL)
    return f"<code><bdi>{text}</bdi></code>" if column.kind == "code" and text else text


def _figure(caption: str, drawing: str) -> str:
    return f"<figure>{drawing}\n<figcaption>{for_html(caption)}</figcaption></figure>"
