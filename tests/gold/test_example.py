"""reports/example is what the present code writes from the recordings in configs/demo."""

import json
from pathlib import Path

import pytest

from provenance import StudyDocument, compare, dossier

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
# The day and the machine of the example, and what follows from them.
NOT_COMPARED = {"created_utc", "environment", "plan_digest", "evidence", "declaration"}


@pytest.fixture(scope="module")
def written():
    return StudyDocument.model_validate(json.loads((EXAMPLE / "study.json").read_bytes()))


@pytest.mark.parametrize("format", ["md", "pdf", "html", "json"])
def test_the_renderers_write_the_same_bytes_again(written, format):
    path = EXAMPLE / dossier.FORMATS[format]
    assert dossier.render(written, format) == path.read_bytes(), (
        "if the change is meant: python benchmarks/make_example.py, and look at every page"
    )


def test_the_recordings_give_the_same_study_again(written, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    case = "configs/demo/b-requantised"
    study = compare(
        f"replay:{case}-reference.jsonl",
        f"replay:{case}-suspect.jsonl",
        battery="quick",
        seed=1,
        max_age=36_500,
        store=tmp_path / "s",
        formats=[],
    )
    again, before = (
        json.loads(d.model_dump_json(exclude=NOT_COMPARED)) for d in (study.document, written)
    )
    assert again.keys() == before.keys()
    for key in before:
        assert again[key] == before[key], key


def test_the_example_names_no_machine(written):
    text = (EXAMPLE / "study.json").read_text(encoding="utf-8")
    assert str(ROOT) not in text
    assert "/home/" not in text
    assert "/tmp/" not in text
