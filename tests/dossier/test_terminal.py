from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from provenance.dossier.terminal import columns, summary
from provenance.findings import Reason, StudyDocument

Make = Callable[[str], StudyDocument]
PATH = Path("reports/relay-gpt-x-1f3a9c02/dossier.pdf")


@pytest.mark.parametrize("width", [1, 40, 80, 120, 200])
def test_lines_fit_and_hold_no_escape(document: StudyDocument, width: int) -> None:
    lines = summary(document, width=width, color=False, dossier=PATH).split("\n")
    assert lines[-1] == str(PATH)
    for line in lines:
        assert all(c.isprintable() for c in line), line
        assert columns(line) <= max(40, width)


def test_different(make: Make) -> None:
    text = summary(make("different"), width=80, color=False, dossier=PATH)
    lines = text.split("\n")
    assert lines[0] == "DIFFERENT   relay.example/gpt-x  vs  openai/gpt-x"
    assert lines[1] == "Rejects: same deployment.  Cause not determined."
    assert lines[2] == "p = 0.0004 (Holm, 9 families); α 0.01"
    assert lines[3] == "Most visible in: number-en-1   reference 7: 61%   suspect 7: 22%"
    assert lines[-2] == "Coverage 1,078/1,080 · 1,084 requests · 38,880 tokens · $0.03"
    assert lines[-1] == "reports/relay-gpt-x-1f3a9c02/dossier.pdf"


def test_inconclusive_says_what_the_plan_could_have_seen(make: Make) -> None:
    text = summary(make("inconclusive"), width=80, color=False, dossier=None)
    joined = text.replace("\n", " ")
    assert text.startswith("INCONCLUSIVE   relay.example/gpt-x")
    assert "No difference found. This is not evidence that they are the same." in joined
    assert "With power 90% the plan could have seen:" in joined
    assert "Most visible" not in text


def test_empty_side_says_unknown(make: Make) -> None:
    text = summary(make("empty_side"), width=120, color=False, dossier=None)
    assert "The suspect gave no answer: 8 requests failed, mostly unreachable." in text
    assert "Coverage 8/1,080 · 16 requests · tokens unknown · cost unknown" in text
    assert "p =" not in text


def test_supported_shows_the_ratio_with_its_pair(make: Make) -> None:
    text = summary(make("supported"), width=120, color=False, dossier=None)
    pair = "the same model against a model of another maker"
    assert f"log₁₀ LR = +2.31 for {pair} (bounds −1.2 to 2.3)" in text


def test_colour_touches_the_label_only(document: StudyDocument) -> None:
    plain = summary(document, width=80, color=False, dossier=PATH)
    coloured = summary(document, width=80, color=True, dossier=PATH)
    escapes = re.findall(r"\x1b\[[0-9;]*m", coloured)
    assert len(escapes) == 2
    assert coloured.startswith(escapes[0])
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_reasons_beyond_the_first_eight_are_counted(make: Make) -> None:
    """None is dropped in silence: a strand that is cut off would read as one that was not there."""
    document = make("different")
    spare = Reason(code="no_dates", text="A further reason.", values={})
    for more, said in ((0, False), (8, False), (9, True), (10, True)):
        reasons = (document.verdict.reasons[0], *(spare,) * more)
        assert reasons[0].code == "rejects_same_deployment"
        verdict = document.verdict.model_copy(update={"reasons": reasons})
        text = summary(
            document.model_copy(update={"verdict": verdict}), width=60, color=False, dossier=None
        )
        assert text.count("· A further reason.") == min(more, 8)
        assert ("in the dossier" in text) is said
    assert "· 2 more reasons in the dossier" in text
