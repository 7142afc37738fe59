"""The canonical view: a text without what a suspect can change by re-formatting it.

A view erases and does not parse. Whoever strips Markdown strips more or less of it than a parser
would, so the characters that mark it up go wherever they stand: two strippers that differ in what
they call Markdown then give one canonical text. What else goes: code fences, table rules, link
targets, HTML tags, bullets (one dash), numbering (one form), curly quotes, kinds of dashes,
ellipses, emoji's variation signs, white space but the ends of lines; by default case, because a
re-formatted suspect may be lower case and no view can restore what that one lost.

What survives is words, their order, and punctuation, so it is also what a suspect removes only by
rewriting. Ratios from the canonical view hold between canonical views alone.
"""

from __future__ import annotations

import ast
import re
import textwrap
import unicodedata
import warnings
from dataclasses import dataclass

from provenance.signatures.document import Code, Document

VERSION = 1

_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
_RULE = re.compile(r"^(?=[^\n]*[-=_*]{2})[ \t|:*_=+-]+$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\s]{0,500}\)")
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]{0,15}(?:\s[^<>\n]{0,200})?/?>")
_QUOTED = re.compile(r"^[ \t]*>[> \t]*", re.MULTILINE)
_MARKUP = re.compile(r"[*_`#~\\]+")
_BULLET = re.compile(r"^[ \t]*(?:[-+•·▪◦‣●○–—−]+[ \t]+)+", re.MULTILINE)
_NUMBER = re.compile(r"^[ \t]*\(?(\d{1,3})[.)][ \t]+", re.MULTILINE)
_DASH = re.compile(r" ?[‐‑‒–—―−]+ ?")
_HYPHENS = re.compile(r" --{1,2} |(?<=\w)--+(?=\w)")
_MARKS_OF_LISTS = re.compile(r"^(?:- |\d{1,3}\. )+|(?<= )- ", re.MULTILINE)
_SPACES = re.compile(r" [^\S\n]+|[^\S\n ][^\S\n]*")
_BREAKS = re.compile(r"[^\S\n]*\n\s*")
_FOLDED = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'",
        "´": "'", "…": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\ufe0f": "",
        "\u200b": "", "\u200d": "", "\ufeff": "", "\u00ad": "", "×": "x",
    }
)  # fmt: skip
# `ast` is given so many characters; its own limits then keep it from exhausting the stack.
_AST_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class CanonicalView:
    """What is erased beyond Markdown, quotes and white space.

    Attributes
    ----------
    lower
        Case too. Kept, it separates models better and any lower-casing suspect escapes.
    join_lines
        The ends of lines too, and with them bullets and numbering at the beginning of a line: for
        a suspect whose answers come as one paragraph.
    """

    lower: bool = True
    join_lines: bool = False

    def __str__(self) -> str:
        case = "lower" if self.lower else "case"
        return f"canonical/{VERSION}+{case}+{'joined' if self.join_lines else 'lines'}"

    def text(self, text: str) -> str:
        """The canonical text. Idempotent; linear in the length."""
        # Erasing can join what was apart into a new mark ("*-* a" into "- a"): until nothing
        # changes, which the first or second pass reaches on any ordinary text.
        for _ in range(8):
            before, text = text, self._pass(text)
            if text == before:
                return text
        # Only text made for the purpose comes here: keep its words.
        return " ".join(re.findall(r"[^\W_]+", text))

    def _pass(self, text: str) -> str:
        if not text.isascii():
            text = unicodedata.normalize("NFC", text).translate(_FOLDED)
        text = _RULE.sub("", _FENCE.sub("", text))
        if "](" in text:
            text = _LINK.sub(r"\1", text)
        text = _QUOTED.sub("", _TAG.sub(" ", text))
        text = _MARKUP.sub("", text.replace("|", " "))
        text = _SPACES.sub(" ", text)
        text = _NUMBER.sub(r"\1. ", _BULLET.sub("- ", text))
        if not text.isascii():
            text = _DASH.sub(" - ", text)
        if "--" in text:
            text = _HYPHENS.sub(" - ", text)
        if self.join_lines:
            text = _MARKS_OF_LISTS.sub("", text)
        text = _BREAKS.sub(" " if self.join_lines else "\n", text).strip()
        return text.lower() if self.lower else text

    def document(self, document: Document) -> Document:
        """The document in canonical view; its code in the layout of a formatter."""
        return Document(
            self.text(document.text),
            self.text(document.thinking) if document.thinking else "",
            tuple(Code(formatted(c), c.language, c.fenced) for c in document.code),
        )


def formatted(code: Code) -> str:
    """Code in one layout, without comments: as `ast.unparse` writes it if it is Python.

    What does not parse (another language, a truncated or indented body that cannot be made whole)
    keeps its text, with indentation, blank lines and spaces at the ends of lines made one.
    """
    if code.is_python:
        tree = parsed(code.text)
        if tree is not None:
            try:
                return ast.unparse(tree)
            except RecursionError:
                pass  # nested deeper than the formatter can write: laid out by hand below
    rows = [row.rstrip().expandtabs(4) for row in textwrap.dedent(code.text).split("\n")]
    return "\n".join(row for row in rows if row.strip())


def parsed(code: str) -> ast.Module | None:
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
