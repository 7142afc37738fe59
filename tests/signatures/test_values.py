"""One value test a family: numbers against counts by hand.

Hashed columns have no names, so what is checked is what can be counted without them: how many runs
a text has, how many are different, and how many two texts share.
"""

from __future__ import annotations

from math import log1p, sqrt

import numpy as np
import pytest

from provenance.signatures import DEFAULT, SIGNATURES, Document, WordTable, lexical, log_odds
from provenance.signatures.tokens import masked, pieces


def counts(name: str, text: str) -> dict[int, float]:
    found = SIGNATURES[name].read(Document.of(text))
    return dict(zip(found.columns.tolist(), found.counts.tolist(), strict=True))


def values(name: str, text: str) -> dict[str, float]:
    signature = SIGNATURES[name]
    return dict(zip(signature.names, signature.read(Document.of(text)).tolist(), strict=True))


def shared(name: str, one: str, two: str) -> float:
    a, b = counts(name, one), counts(name, two)
    return sum(min(n, b.get(column, 0)) for column, n in a.items())


def not_zero(found: dict[str, float], prefix: str = "") -> dict[str, float]:
    return {k: v for k, v in found.items() if v and k.startswith(prefix)}


def test_every_family_has_a_value_test() -> None:
    """Thirteen of the registry, and `lexical`, which is made from a table."""
    tested = {name.removeprefix("test_values_of_") for name in globals()}
    assert {s.name for s in DEFAULT} | {"lexical"} <= tested
    assert len(DEFAULT) == 13


def test_values_of_skeleton() -> None:
    """Masked by hand, then counted: tokens between two marks, runs of 1 to 4."""
    text = "The cats walked to Paris, and 1234 dogs!\n\nI'm 7."
    assert [masked(p) for p in pieces(text)] == [
        *("^the", "a-s", "a-ed", "to", "Aa-s", ", ", "and", "#4", "a-s", "!"),
        *("\n\n", "^i'm", "#1", "."),
    ]
    found = counts("skeleton", text)
    # 14 tokens and two marks: 16 + 15 + 14 + 13 runs. Only "a-s" comes twice.
    assert sum(found.values()) == 58
    assert sorted(found.values())[-2:] == [1.0, 2.0]
    # Other content, the same skeleton.
    assert counts("skeleton", "The dogs barked to Texas, and 9876 cows!\n\nI'm 3.") == found
    # "^the a-s": start, ^the, a-s, end against start, ^the, a-s, a-ed, end: five runs of one
    # (all four) and two, three: (start,^the), (^the,a-s), (start,^the,a-s).
    assert shared("skeleton", "The cats", "The dogs walked") == 4 + 2 + 1


def test_values_of_char_ngrams() -> None:
    """ "abab": ab, ba, ab; aba, bab; abab."""
    assert sorted(counts("char_ngrams", "abab").values()) == [1, 1, 1, 1, 2]
    # "abc" in both: ab, bc, abc. Case counts.
    assert shared("char_ngrams", "xabc", "abcy") == 3
    assert shared("char_ngrams", "ABC", "abc") == 0


def test_values_of_word_ngrams() -> None:
    """ "to be, or not to be": six words, five pairs, four triples; to, be and "to be" twice."""
    found = counts("word_ngrams", "To be, or not **to** be")
    assert sorted(found.values()) == [1] * 9 + [2] * 3
    # not, to, be; "not to", "to be"; "not to be".
    assert shared("word_ngrams", "or not to be", "is not to be!") == 6


def test_values_of_function_words() -> None:
    """Ten words and twenty of the prior: three of "the" are 100 per 1,000."""
    found = values("function_words", "The cat saw the dog. The dog saw nothing. And?")
    assert not_zero(found) == pytest.approx(
        {"the": log1p(100), "nothing": log1p(1000 / 30), "and": log1p(1000 / 30)}
    )


def test_values_of_format_habits() -> None:
    """A heading, a bold lead, a list, code, a quotation; typography per 1,000 characters."""
    text = (
        "## My Plan:\n\n**Lead** of five words here.\n\n- **One**: a\n- two things.\n\n"
        "```python\nx\n```\n\n“Yes” — it’s *so*…"
    )
    found = values("format_habits", text)
    one, two = log1p(1), log1p(2)
    by_hand = {
        "headings": one,
        "heading_2": one,
        "heading_colon": one,
        "heading_title_case": one,
        "bullet_lists": one,
        "bullet_dash": one,
        "items": two,
        "item_strong": one,
        "item_strong_colon_out": one,
        "item_full_stop": one,
        "item_no_stop": one,
        "item_lower_case": one,
        "strong": two,
        "emphasis": one,
        "paragraphs": two,
        "paragraph_strong_start": one,
        "paragraph_one_line": two,
        "fences": one,
        "fence_labelled": one,
        "fence_python": one,
    }
    tallies = {k: v for k, v in not_zero(found).items() if k in by_hand}
    assert tallies == pytest.approx(by_hand)
    assert found["heading_bold"] == found["loose_items"] == found["nested_lists"] == 0
    scale = 1000 / (len(text) + 200)
    assert not_zero(found, "typography_") == pytest.approx(
        {
            "typography_em_dash_spaced": log1p(scale),
            "typography_ellipsis_sign": log1p(scale),
            "typography_quote_curly": log1p(scale),
            "typography_apostrophe_curly": log1p(scale),
            "typography_colon": log1p(scale),
        }
    )
    # Twelve lines: 2 in the list, 3 of code, 4 blank. Paragraphs of 5 and 4 words, items 2 and 2.
    assert found["share_of_lines_in_lists"] == pytest.approx(2 / 12)
    assert found["share_of_lines_in_code"] == pytest.approx(3 / 12)
    assert found["share_of_lines_blank"] == pytest.approx(4 / 12)
    assert found["words_per_paragraph_mean"] == pytest.approx(log1p(4.5))
    assert found["words_per_paragraph_sd"] == pytest.approx(log1p(0.5))
    assert found["words_per_item_mean"] == pytest.approx(log1p(2))
    assert found["items_per_list"] == pytest.approx(log1p(2))
    assert (found["first_block_heading"], found["last_block_paragraph"]) == (1, 1)


def test_values_of_line_types() -> None:
    """Kinds: start, p, blank, -, -, end; with sizes and closing marks once more."""
    text = "Two ideas:\n\n- tea\n- coffee"
    found = counts("line_types", text)
    # Coarse runs of 2–5 of six tokens: 5 + 4 + 3 + 2. Fine runs of 1–3: 6 + 5 + 4.
    assert sum(found.values()) == 29
    # Fine: the two bullets are alike ("-, one or two words, no mark"), no longer run is.
    assert sorted(found.values())[-2:] == [1.0, 2.0]
    # Other words of the same lengths: the same lines.
    assert counts("line_types", "Six sorts:\n\n- oak\n- ash") == found
    # Stars for dashes: what is left are the runs without bullets. Coarse: (start, p), (p, blank),
    # (start, p, blank). Fine: four tokens, (start, p), (p, blank), (start, p, blank).
    assert shared("line_types", text, text.replace("- ", "* ")) == 3 + 4 + 2 + 1


def test_values_of_openings_closings() -> None:
    """ "Sure! Bye now." has five pieces; each family of beginnings has those that fit."""
    # open1, 2, 3, 5; close1, 2, 3, 5; last1, 2, 3 (Bye now .); line1, 2, 3.
    found = counts("openings_closings", "Sure! Bye now.")
    assert sum(found.values()) == 14
    # Another middle: open1–2, close1–2, line1–2 are left, and last1 of "then now ." is not.
    assert shared("openings_closings", "Sure! Bye now.", "Sure! Then, now.") == 6
    # Cutting the first sentence leaves the close (1, 2, 3), the last sentence, no opening.
    assert shared("openings_closings", "Sure! Bye now.", "Bye now.") == 3 + 3


def test_values_of_stance() -> None:
    """Twelve words and twenty of the prior: 1,000/32 a word."""
    found = values("stance", "Sure! I think you might, perhaps, need it. However, I hope not!")
    once, twice = log1p(1000 / 32), log1p(2000 / 32)
    assert not_zero(found) == pytest.approx(
        {
            "hedge_modal": once,
            "hedge_adverb": once,
            "obligation": once,
            "reader": once,
            "negation": once,
            "contrast": once,
            "self": twice,
            "opens_affirming": 1.0,
            "opinion": log1p(1),
            "hope": log1p(1),
            "exclamation": log1p(2),
            "closes_exclamation": 1.0,
        }
    )


def test_values_of_length() -> None:
    """Two lines of text in two paragraphs, three sentences of 2, 3 and 1 words."""
    found = values("length", "Go home. Eat the bread.\n\nSleep!")
    assert found == pytest.approx(
        {
            "log_characters": log1p(31),
            "log_words": log1p(6),
            "log_sentences": log1p(3),
            "log_lines": log1p(2),
            "log_paragraphs": log1p(2),
            "letters_per_word": (2 + 4 + 3 + 3 + 5 + 5) / 6,
            "words_per_sentence_mean": log1p(2),
            "words_per_sentence_sd": log1p(sqrt(2 / 3)),
            "one_sentence": 0.0,
            "type_token_ratio": 1.0,
        }
    )


def test_values_of_reasoning() -> None:
    """Moves and arithmetic of the thinking only; ten words of the prior."""
    text = (
        "<think>First, 2 + 3 = 5. Wait, check: 5 × 4 = 20. Therefore 20.</think>The answer is 20."
    )
    found = values("reasoning", text)
    words = 15
    once, twice = log1p(100 / (words + 10)), log1p(200 / (words + 10))
    assert not_zero(found, "move_") == pytest.approx(
        dict.fromkeys(("move_sequence", "move_backtrack", "move_check", "move_conclude"), once)
    )
    assert not_zero(found, "layout_") == pytest.approx(
        {
            "layout_equals": twice,
            "layout_spaced_equals": twice,
            "layout_plus_spaced": once,
            "layout_times_sign": once,
            "layout_chained_equals": once,  # two on one line, within sixty signs
        }
    )
    assert found["log_steps"] == pytest.approx(log1p(3))
    assert found["words_per_step_mean"] == pytest.approx(log1p(words / 3))
    assert found["numbers_per_100_words"] == pytest.approx(log1p(700 / (words + 10)))
    thought = "First, 2 + 3 = 5. Wait, check: 5 × 4 = 20. Therefore 20."
    assert found["first_backtrack_at"] == pytest.approx(18 / len(thought))
    assert found["first_equals_at"] == pytest.approx(13 / len(thought))
    assert found["apart_from_answer"] == 1.0


CODE = """\
```python
def area(w, height=1):
    # Multiply both.
    total = w*height
    return total
```"""


def test_values_of_code_style() -> None:
    """Five lines with the empty one after the last: 10/7 a line."""
    found = values("code_style", CODE)
    once = log1p(10 / 7)
    by_hand = {
        "comment_line": once,
        "comment_capital": once,
        "comment_full_stop": once,
        "equals_spaced": once,
        "equals_tight": once,
        "operator_tight": once,
        "return": once,
        "blank": once,
        "fenced": 1.0,
        "fence_labelled": 1.0,
        "log_code_lines": log1p(5),
        "indent_4": 1.0,
    }
    # def, area, w, height, Multiply, both, total, return: 36 letters, 1 single, 1 with a capital.
    letters = 3 + 4 + 1 + 6 + 8 + 4 + 5 + 6
    by_hand |= {"name_length": log1p(letters / 8), "name_single_letter": 1 / 8}
    by_hand |= {"name_capitalised": 1 / 8}
    assert not_zero(found) == pytest.approx(by_hand)
    assert not any(values("code_style", "No code here.").values())


def test_values_of_code_tree() -> None:
    """`x = 1`: module, expression_statement, assignment, identifier, integer: 5 edges, 4 + 3 runs.

    The nodes are those of tree-sitter's grammar of Python.
    """
    found = counts("code_tree", "```python\nx = 1\n```")
    assert sorted(found.values()) == [1.0] * 12
    # Names, values, layout and comments are left out; another construct is not.
    assert counts("code_tree", "```python\nlonger   =   22  # why\n```") == found
    assert counts("code_tree", "```python\nx += 1\n```") != found
    assert counts("code_tree", "```rust\nlet x = 1;\n```") == {}


def test_values_of_script() -> None:
    """Ten characters: eight ASCII, a curly quote on each side."""
    found = values("script", "“Hi there”")
    assert not_zero(found, "share_") == pytest.approx(
        {"share_ascii": sqrt(0.8), "share_typographic": sqrt(0.2)}
    )
    # Two changes between nine neighbours.
    assert found["switches_per_100_letters"] == pytest.approx(200 / 9)
    german = "Das ist ein ganz gewöhnlicher deutscher Satz, der nicht sehr lang ist."
    assert not_zero(values("script", german), "language_") == {"language_de": 1.0}


def test_values_of_lexical() -> None:
    """Counts by the table, other words last; z of one word by the formula with small numbers."""
    table = WordTable(("the", "delve"), (60.0, 3.0), 36.0)
    signature = lexical(table)
    found = signature.read(Document.of("The delve, the cat: DELVE delve."))
    assert found.columns.tolist() == [0, 1, 2]
    assert found.counts.tolist() == [2, 3, 1]
    # p = (.6, .03, .37) of 100 (one more for other words); α₀ = 100: α = (60, 3, 37), n + α₀ = 106.
    z = log_odds(np.array([2.0, 3.0, 1.0]), table, prior=100.0)
    delta = np.log(6 / 100) - np.log(0.03 / 0.97)
    assert z[1] == pytest.approx(delta / np.sqrt(1 / 6 + 1 / (3 + 3)))
    assert len(z) == 2
    assert WordTable.of(["a b a", "b a c"], words=2) == WordTable(("a", "b"), (3.0, 2.0), 1.0)
