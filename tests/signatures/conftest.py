import pytest

M = 1_000_000

HOSTILE = {
    "empty": "",
    "space": " " * 1000,
    "newlines": "\n" * M,
    "no spaces": "x" * M,
    "mixed case, no spaces": "aB" * M,
    "spaces": " " * M + "x",
    "tabs and spaces": " \t" * 200_000,
    "control": "".join(map(chr, range(32))) * 1000,
    "lone surrogates": "\ud800a\udfff" * 10_000,
    "replacement": "\ufffd" * 10_000,
    "bom, joiners": "\ufeff\u200d\ufe0f" * 10_000,
    "combining": "e" + "\u0301" * 50_000,
    "right to left": "\u202e\u200f" * 10_000,
    "chinese": "汉字。" * 20_000,
    "korean": "한국어 " * 20_000,
    "hindi": "हिन्दी में " * 5_000,
    "emoji": "👩‍👩‍👧🏽" * 5_000,
    "brackets": "[" * 100_000,
    "bracket pairs": "[" * 50_000 + "]" * 50_000,
    "parentheses": "(" * 100_000,
    "links": "[a](" * 30_000,
    "images": "![" * 50_000,
    "quotes": ">" * 100_000,
    "spaced quotes": "> " * 50_000 + "x",
    "lists in lists": "- " * 50_000,
    "deep list": "\n".join(" " * 2 * i + "- a" for i in range(300)),
    "stars": "*a " * 30_000,
    "double stars": "**a" * 30_000,
    "underscores": "_a__" * 30_000,
    "ticks": "".join("`" * i + " " for i in range(250)),
    "open fence": "```python\n" + "x = (" * 20_000,
    "fences": "```\n" * 10_000,
    "tildes": "~~~\na\n" * 5_000,
    "table": "|a" * 200 + "|\n" + "|-" * 200 + "|\n" + "|\n" * 10_000,
    "rule": "-" * 100_000 + "x",
    "rule of kinds": "-=_* " * 20_000 + "x",
    "html": "<a " * 30_000,
    "comment": "<!--" * 30_000,
    "references": "[a]: b\n" * 10_000,
    "dollars": "$ _" * 30_000,
    "equals": "=" * 100_000,
    "backslashes": "\\" * 100_000,
    "dashes": "—" * 50_000 + " -- " * 10_000,
    "digits": "1" * 100_000,
    "numbered": "1. " * 30_000,
    "json": '{"reasoning": ' + "[" * 100_000,
    "json text": '{"reasoning": "' + "\\" * 50_001,
    "json number": '{"reasoning": ' + "9" * 30_000 + "}",
    "json surrogate": '{"reasoning": "\\ud800 wait"}',
    "think": "<think>" * 10_000,
    "code: unary": "```python\nx = " + "-" * 30_000 + "1\n```",
    "code: nested": "```python\n" + "f(" * 5_000 + ")" * 5_000 + "\n```",
    "code: attributes": "```python\nx" + ".a" * 15_000 + "\n```",
    "code: indented": "```\n" + "".join(" " * i + "if x:\n" for i in range(200)) + "\n```",
    "code: NUL": "```python\nx = '\0'\n```",
    "code: escapes": '```python\nx = "\\d"\n```',
    "sentences": "Is it? No! " * 10_000,
    "carriage returns": "a\r\nb\rc" * 10_000,
}


@pytest.fixture(params=list(HOSTILE), ids=list(HOSTILE))
def hostile(request):
    return HOSTILE[request.param]


ANSWER = """\
Certainly! Here's a short plan — it isn't hard:

## Steps

1. **Mix** the flour and 250 g of sugar.
2. **Bake** it for 40 minutes.

- *Note:* don't open the oven.

```python
def area(width, height):
    # Multiply both.
    return width * height
```

So 2 + 3 = 5, and therefore the answer is 5. I hope this helps! Would you like more?
"""


@pytest.fixture
def answer():
    return ANSWER
