"""Code as the canonical view sees it: in one layout, and whether or not it is fenced.

What a host can change without a word is not kept: the fence, its label, comments, layout. A text
that is code from end to end gives the same with its fence and without; of code among prose the
fences are needed, and without them nothing can be told.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings

from provenance.signatures.document import Code, Document, like_code
from provenance.signatures.fences import bare, unwrapped
from provenance.signatures.json_answers import apart

__all__ = ["plain_code"]

# `ast` is given so many characters; its own limits then keep it from exhausting the stack.
_AST_CHARACTERS = 20_000
# Of a text or a fence; then it is data.
_MOSTLY = 0.5
_OTHER_LANGUAGE = re.compile(r"[;{}][ \t]*$|^[ \t]*(?:</?\w|\$ )", re.MULTILINE)


def plain_code(document: Document) -> tuple[Code, ...]:
    """Code of a document in a formatter's layout; JSON is data and no code."""
    if document.canonical_code is not None:
        return document.canonical_code
    text = unwrapped(document.text)
    found: list[str] = []
    if "```" in text or "~~~" in text:
        inner = document if text is document.text else Document(text)
        found = [token.content for token in inner.markdown if token.type == "fence"]
        found = [content for content in found if not _is_data(content)]
    if not found:
        rest, data = apart(bare(text))
        found = [rest] if data < _MOSTLY and like_code(rest) else []
    return tuple(_formatted(content) for content in found)


def _is_data(fenced: str) -> bool:
    rest, data = apart(fenced)
    # What follows JSON in a fence that nobody closed is not much of code either.
    return data >= _MOSTLY or (data > 0 and not like_code(rest))


def _formatted(text: str) -> Code:
    """As `ast.unparse` writes it, without comments, if it is Python.

    What does not parse (another language, a truncated or indented body that cannot be made whole)
    keeps its text, with indentation, blank lines and spaces at the ends of lines made one. The
    language is told from the code and not from a label: "" if it may be Python.
    """
    tree = _parsed(text)
    written = None if tree is None else _written(tree)
    if written is not None:
        return Code(written, "", False)
    marked = len(_OTHER_LANGUAGE.findall(text))
    other = marked > 0.2 * sum(1 for line in text.split("\n") if line.strip())
    return Code(_laid_out(text), "other" if other else "", False)


def _written(tree: ast.Module) -> str | None:
    try:
        return ast.unparse(tree)
    except RecursionError:
        return None  # nested deeper than the formatter can write: laid out by hand


def _laid_out(text: str) -> str:
    rows = [row.rstrip().expandtabs(4) for row in textwrap.dedent(text).split("\n")]
    return "\n".join(row for row in rows if row.strip())


def _parsed(code: str) -> ast.Module | None:
    """The syntax tree of Python code, of a function's bare body too; None if it is none."""
    body = code[:_AST_CHARACTERS]
    for attempt in (textwrap.dedent(body), f"def body():\n{body}", _without_last_line(body)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the code's own escapes, not ours
                return ast.parse(attempt)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # MemoryError is how the parser says "nested too deeply"
    return None


def _without_last_line(body: str) -> str:
    return "def body():\n" + body.rstrip().rpartition("\n")[0]
