from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest

from provenance import dossier
from provenance.dossier import pdf, text
from provenance.errors import MissingExtra, RenderError
from provenance.findings import StudyDocument

typst = pytest.importorskip("typst")
Make = Callable[[str], StudyDocument]
A4 = (595.28, 841.89)
MARGIN = 62.0


def opened(document: StudyDocument) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(dossier.render(document, "pdf")))


def words(reader: pypdf.PdfReader) -> str:
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in reader.pages))


def test_says_the_verdict_and_attaches_the_study(document: StudyDocument) -> None:
    reader = opened(document)
    label = document.verdict.label.replace("_", " ").upper()
    assert label in reader.pages[0].extract_text()
    attached = {name: b"".join(content) for name, content in reader.attachments.items()}
    assert attached == {"study.json": dossier.render(document, "json")}


def test_is_tagged_archival_pdf(make: Make) -> None:
    reader = opened(make("different"))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] is True or root["/MarkInfo"]["/Marked"].value is True
    assert "/StructTreeRoot" in root
    assert root["/Lang"] == "en"
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfaid:part>3<", xmp)
    assert re.search(r"pdfaid:conformance>A<", xmp)
    assert re.search(r"pdfuaid:part>1<", xmp)
    assert "/JavaScript" not in str(root)


def test_dates_and_title_are_the_studys(make: Make) -> None:
    metadata = opened(make("different")).metadata
    assert metadata is not None
    assert metadata.creation_date is not None
    assert metadata.creation_date.isoformat() == "2026-11-20T09:42:03+00:00"
    assert metadata.title == (
        "Comparison of two language-model endpoints: relay.example/gpt-x against openai/gpt-x"
    )


@pytest.mark.parametrize(
    ("name", "pages"),
    [("different", 6), ("empty_side", 4), ("many_cells", 10), ("hostile", 30), ("huge", 8)],
)
def test_page_count_is_sane(make: Make, name: str, pages: int) -> None:
    assert 2 <= len(opened(make(name)).pages) <= pages


def test_text_begins_inside_the_page(document: StudyDocument) -> None:
    outside: list[tuple[float, float, str]] = []

    def look(piece: str, cm: list[float], tm: list[float], *_: Any) -> None:
        x = tm[4] * cm[0] + cm[4]
        y = tm[5] * cm[3] + cm[5]
        inside = MARGIN - 1 <= x <= A4[0] - MARGIN + 1 and 30 <= y <= A4[1] - 30
        if piece.strip() and not inside:
            outside.append((x, y, piece))

    for page in opened(document).pages:
        assert [round(float(v), 1) for v in page.mediabox[2:]] == [595.3, 841.9]
        page.extract_text(visitor_text=look)
    assert outside == []


def test_hostile_text_is_shown_and_nothing_is_run(make: Make) -> None:
    reader = opened(make("hostile"))
    shown = words(reader).replace(" ", "")
    assert '#import"@preview/x:1.0.0":*#eval("1")#read("/etc/passwd")$x^2$*b*_i_@cite' in shown
    assert "<script>alert(1)</script>" in shown
    assert "⟨U+202E⟩evil" in shown
    assert "root:" not in shown
    annotations = [page.get("/Annots") for page in reader.pages]
    assert annotations == [None] * len(reader.pages)


def test_digests_can_be_copied_whole(make: Make) -> None:
    document = make("different")
    shown = words(opened(document))
    assert document.evidence.root is not None
    assert document.evidence.root in shown
    assert document.plan_digest in shown
    assert "\u200b" not in shown


def test_chinese_and_japanese_are_readable(make: Make) -> None:
    shown = words(opened(make("different")))
    assert "请说出一种动物" in shown
    assert "熊猫" in shown


def test_every_character_of_the_list_has_a_glyph() -> None:
    first, last = text._coverage()
    covered = [chr(c) for a, b in zip(first, last, strict=True) for c in range(a, b + 1)]
    lines = [" ".join(covered[i : i + 64]) for i in range(0, len(covered), 64)]
    fonts = '("Libertinus Serif", "DejaVu Sans Mono", "Droid Sans Fallback")'
    mono = '("DejaVu Sans Mono", "Libertinus Serif", "Droid Sans Fallback")'
    source = f"""#set document(title: "coverage")
#set text(font: {fonts})
#for line in sys.inputs.lines.split("\\n") {{
  [#line #strong(line) #text(font: {mono}, line) #text(font: {mono}, weight: "bold", line) \\ ]
}}"""
    available = typst.Fonts(include_system_fonts=False, font_paths=[str(text.fonts())])
    content = typst.compile(
        source.encode(),
        font_paths=available,
        ignore_system_fonts=True,
        sys_inputs={"lines": "\n".join(lines)},
        pdf_standards=["a-3a"],
        timestamp=0,
    )
    assert len(covered) > 8_000
    assert content.startswith(b"%PDF")


def test_fonts_that_cover_less_give_escapes_not_errors(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_is_covered", lambda character: True)
    shown = words(opened(make("hostile")))
    assert "⟨U+4E2D⟩" in shown


def test_another_error_of_typst_is_a_render_error(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "STANDARDS", ("a-1a",))
    with pytest.raises(RenderError, match="could not typeset the dossier"):
        dossier.render(make("different"), "pdf")


def test_missing_typst_names_the_extra(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingExtra, match="report"):
        pdf.render(make("different"))


def test_the_template_needs_no_network_and_no_file() -> None:
    template = (Path(pdf.__file__).parent / "templates" / "dossier.typ").read_text("utf-8")
    assert not re.search(r"@preview|#import|#include|read\(|eval\(|image\(|https?:", template)
