"""The contract of every renderer, over every document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance import dossier
from provenance.errors import MissingExtra, RenderError, UsageError
from provenance.findings import StudyDocument

Make = Callable[[str], StudyDocument]
formats = pytest.mark.parametrize("format", dossier.FORMATS)


@formats
def test_renders_every_document_the_same_twice(document: StudyDocument, format: str) -> None:
    first = dossier.render(document, format)
    assert first
    assert dossier.render(document, format) == first
    if format != "pdf":
        first.decode("utf-8")


@pytest.mark.parametrize("format", ["md", "html"])
def test_text_formats_hold_nothing_unseen_and_stay_bounded(
    document: StudyDocument, format: str
) -> None:
    text = dossier.render(document, format).decode()
    isolates = "\u2068\u2069" if format == "md" else ""
    assert {c for c in text if not c.isprintable() and c not in "\n" + isolates} <= {"\u0301"}
    assert len(text) < 400_000


@pytest.mark.parametrize("format", ["md", "html"])
def test_verdict_comes_with_its_null_p_and_level(make: Make, format: str) -> None:
    text = dossier.render(make("different"), format).decode()
    assert "DIFFERENT" in text
    assert "Rejects same deployment. Cause not determined" in text
    assert "p = 0.0004 (Holm, 9 families); α 0.01" in text
    assert text.index("DIFFERENT") < text.index("What this says") < text.index("Findings")


@pytest.mark.parametrize("format", ["md", "html"])
def test_unknown_and_not_stated_are_said(make: Make, format: str) -> None:
    text = dossier.render(make("empty_side"), format).decode()
    assert "unknown" in text
    assert "not stated" in text
    assert "nothing could be tested" in text.lower()


@formats
def test_write_replaces_whole_and_leaves_nothing_else(
    make: Make, tmp_path: Path, format: str
) -> None:
    path = tmp_path / "new folder" / dossier.FORMATS[format]
    document = make("different")
    assert dossier.write(document, path, format) == path
    path.write_bytes(b"old")
    dossier.write(document, path, format)
    assert path.read_bytes() == dossier.render(document, format)
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dossier.md"
    path.write_text("old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RenderError, match="No space left"):
        dossier.write(make("different"), path, "md")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_format(make: Make) -> None:
    with pytest.raises(UsageError, match="no format 'docx': expected one of md, pdf, html, json"):
        dossier.render(make("different"), "docx")


def test_pdf_without_typst_is_refused_before_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossier, "_has_typst", lambda: False)
    with pytest.raises(MissingExtra, match=r"pip install 'llm-provenance\[report\]'"):
        dossier.require(["md", "pdf"])
    dossier.require(["md", "html", "json"])


def test_json_round_trips(document: StudyDocument) -> None:
    content = json.loads(dossier.render(document, "json"))
    assert next(iter(content)) == "schema_version"
    assert StudyDocument.model_validate(content) == document


def test_json_is_valid_against_the_schema(document: StudyDocument) -> None:
    import jsonschema

    from provenance.dossier.json import schema

    content = json.loads(dossier.render(document, "json"))
    jsonschema.Draft202012Validator(schema()).validate(content)


def test_json_says_null_for_what_json_cannot_say(make: Make) -> None:
    odd = make("different").model_copy(
        update={"settings": {"nan": float("nan"), "lone": "a\ud800b"}}
    )
    content = json.loads(dossier.render(odd, "json"))
    assert content["settings"] == {"nan": None, "lone": "a\ufffdb"}
    for format in ("md", "html", "pdf"):
        assert dossier.render(odd, format)


@pytest.mark.parametrize(("found", "usable"), [("0.14.9", False), ("0.15.2", True), ("1.0", True)])
def test_typst_must_be_able_to_fix_the_date(
    monkeypatch: pytest.MonkeyPatch, found: str, usable: bool
) -> None:
    pytest.importorskip("typst")
    monkeypatch.setattr(dossier, "version", lambda name: found)
    assert dossier._has_typst() is usable
