"""One completion as the signatures see it: its text, and what several of them need of it.

A signature never reads a raw string, so that what is expensive (the Markdown parse, the words) is
done once for all signatures, and so that hostile text is made harmless in one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from provenance.canonical import clean_text
from provenance.signatures.json_answers import reasoning_of
from provenance.transcript import Completion

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# What is read of a text, in characters: beyond this nothing enters any signature.
MAX_CHARACTERS = 32_000

# A word is cut at 40 letters, so that a text without spaces is many words and not one.
_WORD = re.compile(r"[^\W\d_]{1,40}(?:['’][^\W\d_]{1,10})?")
_THINK = re.compile(r"\A\s*<(think|thinking|reasoning|thought)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_PYTHON = ("", "python", "py", "python3")
# A line of code outside a fence: it ends or begins as prose does not.
_CODE_LINE = re.compile(
    r"[:;{}(),\[\]]\s*$|^\s*(?:return|import|from|def|class|if|for|while|with|try|else|raise|@"
    r"|const|let|var|function|#include|public|private)\b|^\s*[\w.\[\]'\"]+\s*[-+*/|]?=\s|\w\(.*\)\s*$"
)

Source = str | Completion


@dataclass(frozen=True, slots=True)
class Code:
    """Code in a document: its text, the language its fence names ("" if none), whether fenced."""

    text: str
    language: str
    fenced: bool

    @property
    def is_python(self) -> bool:
        """Whether it may be Python: so labelled, or not labelled at all."""
        return self.language in _PYTHON


@dataclass(frozen=True)
class Document:
    """A text of at most `MAX_CHARACTERS`, without lone surrogates and carriage returns.

    Make one with `Document.of`. What is derived is computed when it is first asked for.

    Attributes
    ----------
    text
        The visible answer.
    thinking
        What a reasoning model thought, if the server gave it apart from the answer.
    canonical_code
        Code of the document in a formatter's layout, if ``text`` has been through a canonical
        view that removed the fences.
    canonical_reasoning
        The reasoning of an answer in JSON, if ``text`` has been through one that laid it open.
    """

    text: str
    thinking: str = ""
    canonical_code: tuple[Code, ...] | None = None
    canonical_reasoning: str | None = None

    @classmethod
    def of(cls, source: Source) -> Document:
        """The document of a completion or of a bare text."""
        if isinstance(source, str):
            return cls(_harmless(source))
        return cls(_harmless(source.text), _harmless(source.reasoning or ""))

    @cached_property
    def words(self) -> list[str]:
        """Words in lower case, with a straight apostrophe."""
        return _WORD.findall(self.text.lower().replace("’", "'"))

    @cached_property
    def lines(self) -> list[str]:
        """Lines, empty ones included; ends of lines are ``\\n`` only."""
        return self.text.split("\n")

    @cached_property
    def markdown(self) -> list[Token]:
        """The text parsed as CommonMark with tables and strike-through."""
        return _parser().parse(self.text)

    @cached_property
    def code(self) -> tuple[Code, ...]:
        """Fenced code; without any, the whole text if most of its lines look like code."""
        if self.canonical_code is not None:
            return self.canonical_code
        fenced = tuple(
            Code(token.content, token.info.strip().split(" ")[0].lower()[:20], True)
            for token in self.markdown
            if token.type == "fence"
        )
        if fenced:
            return fenced
        return (Code(self.text, "", False),) if like_code(self.text) else ()

    @cached_property
    def reasoning(self) -> str:
        """Where the steps are: the thinking, a ``<think>`` part, a JSON field, else the answer."""
        if self.thinking:
            return self.thinking
        if self.canonical_reasoning is not None:
            return self.canonical_reasoning
        think = _THINK.match(self.text)
        if think:
            return think.group(2)
        return reasoning_of(self.text) or self.text


def like_code(text: str) -> bool:
    """Whether most lines of a text look like code."""
    filled = [line for line in text.split("\n") if line.strip()]
    found = sum(_CODE_LINE.search(line[:200]) is not None for line in filled)
    return found > 0.5 * len(filled)


def _harmless(text: str) -> str:
    cut = clean_text(text[:MAX_CHARACTERS])
    return cut.replace("\r\n", "\n").replace("\r", "\n") if "\r" in cut else cut


_PARSERS: list[MarkdownIt] = []


def _parser() -> MarkdownIt:
    """CommonMark with tables; its own nesting limit (20) bounds hostile nesting."""
    if not _PARSERS:
        from markdown_it import MarkdownIt

        _PARSERS.append(MarkdownIt("commonmark").enable(["table", "strikethrough"]))
    return _PARSERS[0]
