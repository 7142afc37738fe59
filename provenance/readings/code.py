"""Answers that hold code, read for how it is written. The code is never run."""

from __future__ import annotations

import re

from provenance.readings._text import FENCE, UNREADABLE, lines, plain

_DEFINITION = re.compile(
    r"(?:\b(?:async\s+)?(?:def|function|func|fn)\s+\w{1,60}\s*\([^)\n]{0,120}\)[^\n{:=]{0,40})"
    r"|\b(?:const|let|var)\s+\w{1,60}\s*=\s*(?:async\s*)?\(?[^=\n]{0,80}=>"
    r"|\bclass\s+\w{1,60}(?:\([^)\n]{0,80}\))?"
)
_CODE = re.compile(
    r"\b(?:def|return|import|from|function|const|let|var|print|class|for|SELECT|fn|func)\b|[;{}=]|\("
)
_HINT = re.compile(r"->|\(\s*\w+\s*:\s*\w|:\s*(?:str|int|list|List|dict|string|number)\b")
# A line without backticks or fence is taken for code by its marks, or by its first word.
_LOOKS_LIKE_CODE = re.compile(
    r"[;{}=|\[\]\\^]|\w\(|^(?:git|cat|find|wc|grep|awk|sed|ls|SELECT|WITH|def|import|from|return)\b"
)
_TAGS = ("python", "py", "javascript", "js", "typescript", "sql", "bash", "sh", "shell", "regex")


def _body(text: str) -> tuple[str, str]:
    """(how it is fenced, the code): of the first fence, or the whole answer."""
    answer = plain(text)
    fence = FENCE.search(answer)
    if fence is None:
        return "bare", answer
    tag = fence.group(1).strip().casefold()
    if not tag:
        return "fence", fence.group(2)
    return f"fence {tag}" if tag in _TAGS else "fence other", fence.group(2)


def code_style(text: str) -> str:
    """Fence, how it is explained inside, type hints, quotation marks: four habits in one category.

    "fence python, docstring, hints, double": without code, the answer is unreadable.
    """
    fence, body = _body(text)
    if fence == "bare" and not _CODE.search(body):
        return UNREADABLE
    if '"""' in body or "'''" in body or "/**" in body:
        explained = "docstring"
    else:
        explained = "comment" if re.search(r"(?:^|\s)(?:#|//|--)\s", body) else "no comment"
    hints = "hints" if _HINT.search(body) else "no hints"
    bare = body.replace('"""', "").replace("'''", "")
    quotes = {
        (True, True): "both",
        (True, False): "double",
        (False, True): "single",
        (False, False): "no quotes",
    }[('"' in bare, "'" in bare)]
    return ", ".join((fence, explained, hints, quotes))


def definition(text: str) -> str:
    """The first definition with its parameters, spacing folded: "def add(a, b)"."""
    _, body = _body(text)
    found = _DEFINITION.search(body)
    return " ".join(found.group().split()) if found else UNREADABLE


def code_line(text: str) -> str:
    """The first line of code, spacing folded: of a fence, else in backticks, else of the answer.

    Prose without any is unreadable.
    """
    fence, body = _body(text)
    rows = lines(body)
    if fence == "bare":
        inline = re.search(r"`([^`\n]{1,200})`", body)
        rows = [inline.group(1)] if inline else [r for r in rows if _LOOKS_LIKE_CODE.search(r)]
    return " ".join(rows[0].split()) if rows else UNREADABLE
