"""Whatever an endpoint says: the study ends, the store holds, no page is broken, nothing runs."""

import json
import re

import pytest
from markdown_it import MarkdownIt
from pypdf import PdfReader

from provenance import compare, verify
from provenance.dossier.terminal import summary

HOSTILE = [
    "\x1b[2J\x1b[31mred\x07\x1b]0;title\x07",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](javascript:alert(1)) ![x](http://evil.example/x.png) | a | b |\n# H",
    '#import "x.typ"\n#eval("1") $x^2$ *b* _i_ @cite `raw` \\ "',
    "\ud800 lone, \u202eright to left, \u200bzero width, \U000e0001tag, \x00 nul",
    "x" * 3_000_000,
    "﷽" * 400 + "Z̸̢͎̖a̷̧͓l̶̛͎g̵̨o" * 50,
    "]]>' OR 1=1; --\r\n\r\nHTTP/1.1 200 OK",
]


@pytest.fixture
def study(tmp_path):
    for side in ("reference", "suspect"):
        rows = [
            {
                "model": side,
                "prompt_id": f"cell {i} <b>&amp;</b> \x1b[1m",
                "sample": s,
                "output": text if side == "suspect" else f"{i} {s % 2}",
                "prompt": "#panic() <i>|\x1b[5m",
                "served_model": "<b>m</b>\x1b[1m",
            }
            for i, text in enumerate(HOSTILE)
            for s in range(4)
        ]
        path = tmp_path / f"{side}.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return compare(
        f"replay:{tmp_path / 'reference.jsonl'}",
        f"replay:{tmp_path / 'suspect.jsonl'}",
        store=tmp_path / "s",
        formats=["md", "pdf", "html", "json"],
        seed=1,
    )


def test_the_study_ends_and_its_evidence_holds(study):
    assert study.verdict.label == "different"
    assert verify(study.store).ok


def test_nothing_reaches_a_terminal_or_a_page_unescaped(study):
    for width in (80, 120):
        text = summary(study.document, width=width, color=False, dossier=None)
        assert "\x1b" not in text
        assert all(len(line) <= width for line in text.splitlines())
    page = study.written["html"].read_text(encoding="utf-8")
    assert "<script" not in page.lower()
    assert "onerror=alert" not in page.replace("&#x3D;", "=").split("<body")[0]
    assert "<img src=x" not in page
    markdown = study.written["md"].read_bytes()
    assert b"\x1b" not in markdown
    assert b"\x00" not in markdown
    rendered = MarkdownIt("commonmark").enable("table").render(markdown.decode())
    assert not re.search(r"<(script|img|a|i|b)\b", rendered)


def test_the_pdf_opens_and_carries_the_study(study):
    reader = PdfReader(study.written["pdf"])
    assert 2 <= len(reader.pages) <= 40
    assert reader.attachments["study.json"][0] == (study.store / "study.json").read_bytes()


def test_a_printed_document_is_plain_json(study):
    text = study.written["json"].read_text(encoding="utf-8")
    assert json.loads(text)["verdict"]["label"] == "different"
