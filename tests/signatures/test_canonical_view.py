"""What a host does to fences, JSON and layout is undone by the canonical view.

No statistics here: nothing is sampled, no null is tested. The unit is one text; what is asserted is
that all signatures of the canonical document are equal for a text and for the same text after a
host, exactly. The hosts are written apart from the view. They are broken by whatever is read of a
text before it is canonical.
"""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from provenance.library.space import VIEWS
from provenance.signatures import DEFAULT, CanonicalView, Counts, Document

VIEW = VIEWS["canonical"]
ANSWERS = {
    "arithmetic": json.dumps(
        {
            "reasoning": "Let's see:\n\n* **Monday**: 2 * 3 = 6\n* Tuesday: 6 × 2 = 12\n\n"
            'So "twelve" in `total`. Wait, let me check: 12 / 2 = 6. Therefore 12.',
            "answer": "12",
        },
        indent=4,
    ),
    "steps": json.dumps(
        {
            "plan": {"first": "add", "then": ["halve", "round"]},
            "steps": [
                {"step": 1, "text": "First, add 2 and 3. That is 5."},
                {"step": 2, "text": "Then \\(5/2\\) is 2.5 — or “two and a half”."},
            ],
            "sure": True,
            "answer": 2.5,
        },
        indent=2,
        ensure_ascii=False,
    ),
    "code in it": json.dumps(
        {
            "reasoning": "Write a loop:\n\n```python\nfor i in (1, 2):\n    print(i)\n```\n\nSo.",
            "answer": "3",
        }
    ),
    "cut off": '{\n    "reasoning": "First, 2 + 3 = 5.\\n\\nThen, 5 / 2 =',
    "line ends in strings": '{\n "reasoning": "1. Add.\n2. Halve \\"it\\".\n\nSo 5.",\n'
    ' "answer": "5"\n}',
    "python": "import math\n\n\ndef area(r):\n    # Of a circle.\n    return math.pi*r*r\n\n\n"
    "print(area(2))",
    "javascript": "function area(r) {\n  // Of a circle.\n  return Math.PI * r * r;\n}\n\n"
    "console.log(area(2));",
    "prose": "Here's a *plan*:\n\n1. Go\n2. **Stop**\n\nThat's all, isn't it?",
}


def without_fences(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.strip().startswith("```"))


HOSTS = {
    "fenced": lambda text, label: f"```{label}\n{text}\n```",
    "fenced, no label": lambda text, _: f"```\n{text}\n```",
    "fenced twice": lambda text, label: f"```\n```{label}\n{text}\n```\n```",
    "not closed": lambda text, label: f"```{label}\n{text}",
    "marks deleted": lambda text, label: f"```{label}\n{text}\n```".replace("`", ""),
    "marks deleted, lower case": lambda text, label: f"{label.upper()}\n{text}\n".lower(),
    "fence removed": lambda text, label: without_fences(f"```{label}\n{text}\n```"),
    "lower case": lambda text, _: text.lower(),
    "bold stripped": lambda text, _: text.replace("**", ""),
    "spaces": lambda text, _: f"\n\n{text} \n",
}


def of(text):
    return VIEW.document(Document.of(text))


def rows(document):
    found = {}
    for signature in DEFAULT:
        row = signature.read(document)
        found[signature.name] = (
            (row.columns.tolist(), row.counts.tolist()) if isinstance(row, Counts) else row.tolist()
        )
    return found


@pytest.mark.parametrize("host", HOSTS.values(), ids=list(HOSTS))
@pytest.mark.parametrize("name", ANSWERS)
def test_all_signatures_are_the_same_after_a_host(name, host):
    text = ANSWERS[name]
    label = name if name in ("python", "javascript") else "json" if text[0] == "{" else ""
    seen, own = of(host(text, label)), of(text)
    if host is HOSTS["fenced twice"] and name in ("python", "javascript"):
        # Which of two fences is the model's cannot be told; the words are the same.
        assert (seen.text, seen.reasoning) == (own.text, own.reasoning)
        return
    if host in (HOSTS["lower case"], HOSTS["marks deleted, lower case"]):
        # Code has no case that could be restored: its text alone is the same.
        seen, own = (Document(d.text, "", (), d.canonical_reasoning) for d in (seen, own))
    assert rows(seen) == rows(own)


@pytest.mark.parametrize("name", ["arithmetic", "steps", "code in it"])
def test_the_layout_of_json_is_undone(name):
    value = json.loads(ANSWERS[name])
    own = rows(of(ANSWERS[name]))
    for indent, separators in ((None, (",", ":")), (None, None), (1, None), (8, None)):
        for ascii_only in (True, False):
            shown = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
            assert rows(of(f"```json\n{shown}\n```")) == own


def test_json_is_data_and_no_code():
    for text in (ANSWERS["arithmetic"], f"```json\n{ANSWERS['steps']}\n```", ANSWERS["cut off"]):
        assert of(text).code == ()
    mixed = 'Send this:\n\n```json\n{"a": 1, "b": 2}\n```\n\nwith\n\n```python\nx = 1\n```'
    assert [code.text for code in of(mixed).code] == ["x = 1"]


def test_reasoning_in_json_is_read_before_its_marks_go():
    found = of(f"Here is the solution:\n\n{ANSWERS['arithmetic']}")
    assert found.reasoning.split("\n")[:2] == [
        "let's see:",
        "- monday: 2 3 = 6",
    ]
    assert found.reasoning.endswith("wait, let me check: 12 / 2 = 6. therefore 12.")
    assert found.text.startswith("here is the solution:\nreasoning: let's see:\n- monday")
    assert found.text.endswith("therefore 12.\nanswer: 12")


def test_labels_go_where_something_follows():
    view = CanonicalView()
    assert view.text("python\nx") == view.text("``` Python\nx\n```") == "x"
    assert view.text("Use:\n\njson\n\n{}") == "use:\n{}"
    for answer in ("Python", "I like\nPython", "- python\n- go", "C\nor D", "python code\nx"):
        assert view.text(answer) == answer.lower()


def test_code_is_told_from_its_words_and_not_from_its_fence():
    texts = ("```js\nlet x = 1;\n```", "```python\nlet x = 1;\n```", "let x = 1;")
    assert {of(text).code for text in texts} == {of(texts[0]).code}
    assert [c.is_python for c in of(texts[0]).code] == [False]
    assert [c.is_python for c in of("```\nx = [1,2]\n```").code] == [True]


def test_thinking_that_the_server_gave_comes_before_json():
    from provenance.transcript import Completion

    completion = Completion(text=ANSWERS["arithmetic"], reasoning="Hmm, **two**.")
    assert VIEW.document(Document.of(completion)).reasoning == "hmm, two."


@pytest.mark.parametrize("view", [CanonicalView(), CanonicalView(join_lines=True), VIEW], ids=str)
def test_a_canonical_text_is_its_own(view, hostile):
    texts = [hostile[:20_000]]
    nested = '"x"'
    for _ in range(9):
        nested = '{"a": ' + json.dumps(nested) + "}"
    texts += [nested, *ANSWERS.values(), *(f"```json\n{a}\n```" for a in ANSWERS.values())]
    for text in texts:
        once = view.text(text)
        assert view.text(once) == once


@pytest.mark.parametrize("name", ANSWERS)
def test_a_canonical_document_is_its_own(name):
    once = of(f"```\n{ANSWERS[name]}\n```")
    again = VIEW.document(once)
    assert again == once
    assert all(np.array_equal(rows(again)[n], r) for n, r in rows(once).items())


def test_stars_and_dashes_are_one_bullet_in_json_too():
    star, dash = (json.dumps({"answer": f"So:\n{m} one\n{m} two"}) for m in "*-")
    assert of(star) == of(dash)
    assert re.findall("^- ", of(star).text, re.MULTILINE) == ["- ", "- "]
