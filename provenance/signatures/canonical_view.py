"""The canonical view: a text without what a suspect can change by re-formatting it.

A view erases, and parses nothing but JSON. Whoever strips Markdown strips more or less of it than a
parser would, so the characters that mark it up go wherever they stand: two strippers that differ in
what they call Markdown then give one canonical text. What else goes: code fences and the labels
that they leave, marks and layout of JSON (its strings are read as a program would show them, a
value a line), table rules, link targets, HTML tags, bullets (one dash), numbering (one form), curly
quotes, kinds of dashes, ellipses, emoji's variation signs, white space but the ends of lines; by
default case, because a re-formatted suspect may be lower case and no view can restore what that one
lost.

What survives is words, their order, and punctuation, so it is also what a suspect removes only by
rewriting. Ratios from the canonical view hold between canonical views alone.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from provenance.signatures.document import Document
from provenance.signatures.fences import bare
from provenance.signatures.json_answers import laid_open, reasoning_of
from provenance.signatures.plain_code import plain_code

VERSION = 2  # 2: JSON is laid open, labels of fences go

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

    def opened(self, text: str) -> str:
        """Without fences, and JSON without its marks and layout."""
        return laid_open(bare(text))

    def _pass(self, text: str) -> str:
        text = self.opened(text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text).translate(_FOLDED)
        text = _RULE.sub("", text)
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
        """The document in canonical view; its code in the layout of a formatter.

        The reasoning of JSON is taken from the text as it stands: here its marks are gone.
        """
        reasoning = document.canonical_reasoning
        if reasoning is None and not document.thinking:
            reasoning = reasoning_of(document.text)
        return Document(
            self.text(document.text),
            self.text(document.thinking) if document.thinking else "",
            plain_code(document),
            None if reasoning is None else self.text(reasoning),
        )
