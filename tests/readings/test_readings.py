import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance import Battery
from provenance.readings import EMPTY, READINGS, UNREADABLE, read

# Written here, in the shape of what models answer; real answers lie in real_answers.json.
SHOWN = {
    "integer": [
        ("**7**", "7"),
        ("The number is 42.", "42"),
        ("７３", "73"),
        ("٤٢", "42"),
        ("四十二", "42"),
        ("1,234", "1234"),
        ("007", "7"),
        ("-3", "-3"),
        ("3.7", "⟨3…⟩"),
        ("I'm sorry, but as an AI I cannot choose.", "⟨i'm…⟩"),
    ],
    "number": [("3,50", "3.5"), ("about 2.0 or so", "2"), ("百", "100")],
    "word": [
        ("Blue.", "blue"),
        ("**Otter**", "otter"),
        ("New York", "new york"),
        ("Straße!", "strasse"),
        ("北京。", "北京"),
        ("กรุงเทพ", "กรุงเทพ".casefold()),
        ("हिन्दी।", "हिन्दी"),
        ("Sure! My favourite is blue", "⟨sure…⟩"),
    ],
    "letter": [("k", "K"), ("The letter is **Q**", "Q"), ("Sure", "⟨sure…⟩")],
    "yes_no": [("Yes, of course.", "yes"), ("Нет", "no"), ("是的。", "yes"), ("不", "no")],
    "opening": [("Hello there!", "hello"), ("  «Привет»", "привет"), ("!!!", UNREADABLE)],
    "bullets": [
        ("- a\n- b", "dash"),
        ("1. **a**\n2. b", "number. bold"),
        ("eggs, milk, bread", "comma"),
        ("You could buy eggs.", "plain"),
        ("1. **Boil**:\n   - gently\n   - slowly", "number. bold"),
        ("- one line is no list", "plain"),
        ("Here are three things:\n\n1. **Eggs** are", "number. bold"),
    ],
    "json_style": [
        ('```json\n{"a": 1}\n```', "fenced dict line"),
        ("[1,\n2]", "bare list lines"),
        ('{"a": }', "broken"),
        ("Here is one.", "no JSON"),
        ("[" * 5000, "broken"),
        ('```json\n{"a": 1, "b', "broken, fenced"),
        ('```python\nperson = {"a": 1}\n```', "no JSON, other fence"),
    ],
    "text": [("  so  be\nit ", "so be it"), ("a " * 200, "a a a …"), ("Ja.", "Ja.")],
    "year": [
        ("The Treaty was signed in **1689**.", "1689"),
        ("On August 27, 1689", "1689"),
        ("١٦٨٩", "1689"),
        ("About 12345 people, in 2021.", "2021"),
        ("1,689 men", "⟨1…⟩"),
        ("I'm not sure.", "⟨i'm…⟩"),
    ],
    "items": [
        ("red, green, blue, yellow", "red · green · blue · yellow"),
        ("Here you go:\n1. Red\n2) Green\n- *Blue*", "red · green · blue"),
        ("5 4 3 2 1", "5 · 4 · 3 · 2 · 1"),
        ("四\n三\n二", "四 · 三 · 二"),
        ("Весна, лето и осень.", "весна · лето · осень"),
        ("الربيع والصيف، الخريف", "الربيع · الصيف · الخريف"),
        ("I like many colours, and red is the one that I like best", "⟨i…⟩"),
    ],
    "verbatim": [
        ("a   b", "a   b"),
        ("\tif x:\n\t\treturn", "<0009>if x:⏎<0009><0009>return"),
        ("\u200b!", "<200B>!"),
        ("ﬀ ½", "ﬀ ½"),
        ("a" * 100, f"{'a' * 24} … {'a' * 12} (100)"),
    ],
    "marks": [
        ("## Tea\n\n- **Leaf**: green\n- **Cup**: small", "heading+bold+list"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "table"),
        ("Use `ls -a` 🎉", "code+emoji"),
        ("So \\(x = 2\\).", "math"),
        ("Plain 2 * 3 * 4 and 5 < 6.", "none"),
    ],
    "first_line": [
        ("```bash\nls -a\n```", "fence bash"),
        ("### Pros", "heading"),
        ("**Pros:**\n- a", "bold"),
        ("Here is a table:\n| a |", "lead-in"),
        ("1. Boil water.", "number"),
        ("Sure! I can help. Here", "exclamation"),
        ("Subject line without an end", "fragment"),
        ("真的吗？是的。", "question"),
    ],
    "ending": [
        ("Yes, they can.\n\nWould you like to know more?", "offer"),
        ("Have fun! 🎉", "emoji"),
        ("Is it?", "question"),
        ("```\nx = 1\n```", "fence"),
        ("- a\n- b", "list"),
        ("They can see blue and", "open"),
        ("“So it ends.”", "full stop"),
    ],
    "wrapping": [
        ('"Patience is a virtue."', '""'),
        ("“Bread, as it should be.”", "“”"),
        ("**Rise and shine**", "**"),
        ("Here is one:\n\n«Терпение и труд»", "lead-in, «»"),
        ("Rise and shine", "nothing"),
    ],
    "letter_case": [
        ("ANTARCTICA.", "upper"),
        ("paris and rome", "lower"),
        ("They live in the south.", "capitalised"),
        ("Paris And Rome", "title"),
        ("Paris and Rome", "mixed"),
        ("北京", "no case"),
    ],
    "word_count": [
        ("Silent, pale, distant, silver, cold.", "5"),
        ("秋水静", "3"),
        ("one " * 20, "17–24"),
        ("one " * 390, "over 256"),
        ("?!", "0"),
    ],
    "script": [
        ("Good morning 早上好", "latin+han"),
        ("早上好 (zǎo shàng hǎo)", "han+latin"),
        ("Доброе утро", "cyrillic"),
        ("おはようございます", "kana"),
        ("42!", "no letters"),
    ],
    "stance": [
        ("I'm sorry, but I can't help with that.", "refuses"),
        ("As an AI, I don't get bored the way people do.", "as an AI"),
        ("Rest and drink water, and see a doctor if it lasts.", "sends on"),
        ("It depends on your goals.", "hedges"),
        ("Which city are you in?", "asks back"),
        ("I can't wait! Rain is coming.", "answers"),
        ("I'm sorry to hear that. Rinse with salt water.", "answers"),
        ("I'm sorry for any confusion, but as a chatbot, I don't have a clock.", "as an AI"),
        ("Lo siento, pero no puedo ayudarte.", "refuses"),
        ("Use kill -9 with its PID.", "answers"),
        ("作为一个AI，我没有感情。", "as an AI"),
        ("К сожалению, я не могу помочь.", "refuses"),
        ("عذرًا، لا أستطيع ذلك.", "refuses"),
    ],
    "self_name": [
        ("I'm Claude, made by Anthropic. Not ChatGPT.", "anthropic"),
        ("I am Halden, an assistant by Brightwater Labs.", "the given persona"),
        ("我是通义千问，由阿里云开发。", "alibaba"),
        ("Меня создала компания Яндекс.", "yandex"),
        ("I am a helpful assistant.", "nameless"),
        ("Bob.", "⟨bob…⟩"),
    ],
    "code_style": [
        (
            '```python\ndef f(s: str) -> bool:\n    """Check."""\n    return s == "a"\n```',
            "fence python, docstring, hints, double",
        ),
        ("def f(s):\n    return s[0] == 'a'  # first", "bare, comment, no hints, single"),
        ("```\nSELECT 1;\n", "fence, no comment, no hints, no quotes"),
        ("Sorry!", "⟨sorry…⟩"),
    ],
    "definition": [
        ("```python\ndef fib(n:  int) -> int:\n    return n\n```", "def fib(n: int) -> int"),
        ("const sum = (xs) => xs.reduce(add)", "const sum = (xs) =>"),
        ("function sumArray(arr) {\n return 0 }", "function sumArray(arr)"),
        ("class Account:\n  pass", "class Account"),
        ("You can use recursion.", "⟨you…⟩"),
    ],
    "code_line": [
        ("```sql\nSELECT  *\nFROM customers\n```", "SELECT *"),
        ("Use `git reset --soft HEAD~1`.", "git reset --soft HEAD~1"),
        ("xs[::-1]", "xs[::-1]"),
        ("reverse = list(reversed(map(lambda x:", "reverse = list(reversed(map(lambda x:"),
        ("To undo it, you can use the following command", "⟨to…⟩"),
        ("Here is one way:\n```\n", "⟨here…⟩"),
    ],
    "final_number": [
        ("3 * 12 = 36, 36 - 7 = 29\n\n**Answer: 29 pens**", "29"),
        ("\\[ \\boxed{215} \\] minutes, that is 3 hours and 35 minutes", "215"),
        ("The answer is 1,234. (I used 2 steps.)", "1234"),
        ("每人4块，还剩4块。答案：4", "4"),
        ("He has 17, then 8.", "8"),
        ("Nine.", "⟨nine…⟩"),
    ],
    "steps": [
        ("**Step 1:** 3 × 12 = 36\n**Step 2:** 36 − 7 = 29", "steps, equations"),
        ("1. Multiply: \\(3 \\times 12\\)\n2. Subtract", "numbered, latex"),
        ("## Solution\nx = 2", "headings, equations"),
        ("There are 29 pens left.", "one line, words"),
        ("It cost $80 before, and $64 after.", "one line, words"),
        ("First multiply.\nThen subtract.", "paragraphs, words"),
    ],
}
# Model answers as they came, with the question's id and who gave them.
REAL = json.loads((Path(__file__).parent / "real_answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("reading", "answer", "category"),
    [(r, a, c) for r, rows in SHOWN.items() for a, c in rows],
)
def test_real_looking_answers(reading, answer, category):
    assert read(reading, answer) == category


def test_every_reading_is_shown_on_three_answers():
    assert set(SHOWN) == set(REAL["answers"]) == set(READINGS)
    assert all(len(rows) >= 3 for rows in SHOWN.values())


@pytest.mark.parametrize(
    ("reading", "row"),
    [(reading, row) for reading, rows in REAL["answers"].items() for row in rows],
    ids=lambda value: value if isinstance(value, str) else value["cell"],
)
def test_answers_of_a_real_model(reading, row):
    assert read(reading, row["text"]) == row["category"]


@pytest.mark.parametrize("reading", READINGS)
def test_every_reading_is_shown_on_three_real_answers(reading):
    rows = REAL["answers"][reading]
    cells = {cell.id: cell for name in ("core", "style") for cell in Battery.load(name).cells}
    assert len({row["text"] for row in rows}) >= 3
    assert len({row["category"] for row in rows}) >= 2
    assert all(cells[row["cell"]].reading == reading for row in rows)
    assert any(not row["category"].startswith("⟨") for row in rows)


@pytest.mark.parametrize("reading", READINGS)
def test_silence_is_a_category_of_its_own(reading):
    assert read(reading, "") == read(reading, " \n\t") == EMPTY


@pytest.mark.parametrize("reading", READINGS)
@given(st.text(st.characters(), max_size=300))
def test_no_answer_breaks_a_reading(reading, answer):
    category = read(reading, answer)
    assert category
    assert len(category) <= 200


@pytest.mark.parametrize("reading", READINGS)
def test_every_category_can_be_written(reading):
    for answer in ("\ud800", "\ud800x", "7 \udfff", "blue\ud83d"):
        read(reading, answer).encode("utf-8")


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "1",
        "- ",
        "\x1b[31m",
        "{",
        "，",
        "1,",
        "a'",
        "\n",
        "**",
        "```\n",
        "|",
        "def a(",
        "答",
        "answer ",
        "$",
        "\\boxed{",
        "🎉",
        "as an ",
        "1 ",
    ],
)
def test_megabytes_are_read_by_their_beginning(reading, unit):
    began = time.process_time()
    assert len(read(reading, unit * 3_000_000)) <= 200
    assert time.process_time() - began < 0.5
