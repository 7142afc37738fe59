"""JSON in answers: found wherever it stands, read however broken, in linear time.

No statistics here: nothing is sampled, no null is tested. The unit is one text, what is asserted is
what it reads as; the authority is `json.loads` where a text is valid, the sentence of the case
elsewhere. A reading that hangs on where JSON stands, or on its layout, breaks them.
"""

from __future__ import annotations

import json
import time

import pytest

from provenance.signatures import Document
from provenance.signatures.json_answers import apart, laid_open, reasoning_of

THOUGHT = (
    'First, 2 + 3 = 5.\n\nThen "half" of it: 5 / 2 = 2.5, or \\(\\frac{5}{2}\\). So é = 2.5 🎈.'
)
VALID = json.dumps({"reasoning": THOUGHT, "answer": "2.5"}, indent=4)
PLACES = {
    "as it is": "{}",
    "fenced": "```json\n{}\n```",
    "fenced without a label": "```\n{}\n```",
    "label after a space": "``` json\n{}\n```",
    "on the line of the fence": "```json {}\n```",
    "tildes": "~~~json\n{}\n~~~",
    "not closed": "```json\n{}",
    "label alone": "json\n{}",
    "preface on its line": "Sure, here's the answer (in JSON): {}",
    "preface before a fence": "Here is the **solution**:\n\n```json\n{}\n```",
    "closing words": "{}\n\nI hope this helps!",
    "closing words after a fence": "```json\n{}\n```\n\nThe answer is 2.5.",
    "fences of a host around a fence": "```json\n```json\n{}\n```\n```",
    "one layout": "{}",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=list(PLACES))
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_valid_json_reads_as_a_parser_reads_it_wherever_it_stands(place, ascii_only, indent):
    value = {"reasoning": THOUGHT, "answer": "2.5"}
    text = place.replace("{}", json.dumps(value, indent=indent, ensure_ascii=ascii_only))
    assert reasoning_of(text) == THOUGHT
    assert Document.of(text).reasoning == THOUGHT


@pytest.mark.parametrize(
    ("text", "reasoning"),
    [
        (VALID[: VALID.index("Then")], "First, 2 + 3 = 5.\n\n"),
        ('{"reasoning": "He said "yes", then left.", "answer": 1}', 'He said "yes", then left.'),
        ('{"reasoning": "one\n\ntwo", "answer": "3"}', "one\n\ntwo"),
        ('{"reasoning": "one"\n "answer": "3"}', "one"),
        ('{"reasoning": "one", "answer": 3,}', "one"),
        ('{"reasoning": "one", "answer": [1, 2}', "one"),
        ('{"reasoning": "\\(3 \\times 4\\)"}', "\\(3 \\times 4\\)"),
        ('{"reasoning": "\\ud83c\\udf88 \\ud800"}', "🎈 \ufffd"),
        ('{"reasoning": "ends in \\', "ends in \\"),
        ('{"Chain of Thought": "one"}', "one"),
        ('{"answer": 3, "steps": ["one", {"text": "two"}, ["three"]]}', "one\ntwo\nthree"),
        ('{"steps": [{"reasoning": "one", "sum": "2"}, {"reasoning": "two"}]}', "one\ntwo"),
        ('{"solution": {"rationale": "one"}}', "one"),
        ('{"reasoning": "", "steps": ["one"]}', "one"),
        ('[{"reasoning": "one"}, {"reasoning": "two"}]', "one\ntwo"),
        ('{"reasoning": "one"}\n{"reasoning": "two"}', "one\ntwo"),
        ('{"answer": "3"}', None),
        ("No JSON {here} at [all].", None),
    ],
)
def test_reasoning_of_json_that_is_nested_cut_off_or_not_quite_json(text, reasoning):
    assert reasoning_of(text) == reasoning
    assert Document.of(text).reasoning == (reasoning or text)


def test_it_is_laid_open_a_line_a_value_whatever_its_layout():
    value = {"plan": "Add.", "steps": [{"n": 1, "ok": True}, "x\ny"], "answer": None}
    by_hand = "\nplan: Add.\nsteps:\nn: 1\nok: true\nx\ny\nanswer: null"
    for indent, separators in ((None, (",", ":")), (None, None), (1, None), (4, None)):
        shown = json.dumps(value, indent=indent, separators=separators)
        assert laid_open(shown) == f"\n{by_hand}\n"
        assert laid_open(f"So: {shown} Done.") == f"So: \n{by_hand}\n Done."


@pytest.mark.parametrize(
    "text",
    [
        'counts = {"a": 1, "b": 2}',
        'return {"a": 1}',
        "table = {'x': {\"a\": 1}}",
        'foo({"a": 1})',
        'Use {"a": 1} as it stands.',
        'type(\n  "New",\n  {"module": new.name, "names": ["a"]},\n)',
        'run(\n  ["ls", "-l", path],\n)',
        '{"not a key"}',
        '{"cut',
        "[1, 2, 3]",
        "{{ template }}",
    ],
)
def test_code_and_what_is_mentioned_stay_as_they_are(text):
    assert laid_open(text) == text
    assert apart(text) == (text, 0.0)


def test_what_stands_beside_it():
    rest, share = apart('Here:\n{"a": "12345678"}\nBye.')
    assert rest.split() == ["Here:", "Bye."]
    assert share == pytest.approx(1 - len("Here:Bye.") / len('Here:{"a":"12345678"}Bye.'))


HOSTILE = {
    "braces": "{" * 100_000,
    "objects": '{"a":' * 50_000,
    "arrays of objects": '[{"a":[' * 50_000,
    "closed": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "long keys": ('{"' + "a" * 199 + "\n") * 2_000,
    "escapes": '{"a": "' + '\\"' * 200_000,
    "quotes and spaces": '{"a": "' + ('"' + " " * 300) * 2_000,
    "quotes and lines": '{"a": "' + '"\n x' * 100_000,
    "many": '{"a": 1}\n' * 50_000,
    "one line of many": ("x" * 50 + '{"a": 1}') * 20_000,
    "braces and spaces": ("{" + " " * 300) * 2_000,
    "far colon": '{"a"' + " " * 500_000 + "{",
    "labels": "python\n" * 100_000,
    "labels and spaces": ("json\n" + " " * 300) * 2_000,
    "fences": "```json\n" * 100_000,
    "fences and objects": '```json\n{"reasoning": "a"}\n```\n' * 20_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_json_is_read_in_linear_time(text):
    began = time.process_time()
    assert isinstance(laid_open(text), str)
    reasoning_of(text)
    apart(text)
    # Half a million characters: quadratic time would be minutes.
    assert time.process_time() - began < 2
