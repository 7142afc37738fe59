"""Code style: layout, comments and names as written; the syntax tree without them."""

from __future__ import annotations

import re
from functools import lru_cache
from math import log1p
from typing import TYPE_CHECKING

import numpy as np

from provenance.errors import MissingExtra
from provenance.signatures.base import Counts, Hashed, Named
from provenance.signatures.document import Code, Document
from provenance.signatures.hashing import counted, hashes, ngram_hashes

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_PER_LINE = {
    "comment_line": r"^[ \t]*(?:#|//)",
    "comment_after_code": r"\S[^\n\"']{0,150}[ \t](?:#|//) ",
    "comment_capital": r"(?:#|//) [A-Z]",
    "comment_full_stop": r"(?:#|//) [^\n]{1,200}\.[ \t]*$",
    "comment_no_space": r"^[ \t]*(?:#|//)\w",
    "docstring": r'"""|\'\'\'|/\*\*',
    "docstring_sections": r"\b(?:Args|Parameters|Returns|Raises|Yields|Examples?):|:param |@param",
    "quote_double": r'"',
    "quote_single": r"'",
    "f_string": r"\bf[\"']",
    "format_call": r"\.format\(",
    "percent_format": r"[\"'] % ",
    "hint_argument": r"\w: ?(?:str|int|float|bool|list|dict|List|Dict|Optional|Any|np\.)",
    "hint_return": r"\) ?-> ",
    "equals_spaced": r"\w = ",
    "equals_tight": r"\w=[\w\"'(\[]",
    "operator_spaced": r"\w [-+*/] \w",
    "operator_tight": r"\w[-+*/]\w",
    "comma_tight": r",\S",
    "line_long": r"^[^\n]{89}",
    "line_79": r"^[^\n]{80,88}$",
    "blank": r"^[ \t]*$",
    "space_at_end": r"[ \t]+$",
    "trailing_comma": r",\s{0,40}[)\]}]",
    "backslash": r"\\$",
    "semicolon": r";[ \t]*$",
    "print": r"\bprint\(|console\.log",
    "log": r"\blog(?:ger|ging)?\.",
    "assert": r"\bassert\b",
    "raise": r"\braise\b|\bthrow\b",
    "try": r"\btry\b",
    "except_broad": r"except(?: Exception(?: as \w+)?)?:",
    "return": r"\breturn\b",
    "return_none": r"\breturn(?: None)?[ \t]*$",
    "is_none": r"\bis (?:not )?None\b",
    "if": r"\bif\b",
    "else": r"\belse\b|\belif\b",
    "for": r"\bfor\b",
    "while": r"\bwhile\b",
    "with": r"\bwith\b",
    "comprehension": r"[\[{(][^\[\]\n]{1,80} for \w+",
    "lambda": r"\blambda\b|=>",
    "enumerate": r"\benumerate\(",
    "range_len": r"range\(len\(",
    "import": r"^[ \t]*(?:import|from) ",
    "main_guard": r"__name__",
    "self": r"\bself\.",
    "walrus": r":=",
}
_COMPILED = {name: re.compile(p, re.MULTILINE) for name, p in _PER_LINE.items()}
_NAME = re.compile(r"\b[A-Za-z_]\w{0,60}")
_INDENT = re.compile(r"^([ \t]+)\S", re.MULTILINE)
COMMENTS = tuple(n for n in _PER_LINE if n.startswith(("comment", "docstring")))
NAMES = (
    *_PER_LINE,
    "fenced",
    "fence_labelled",
    "log_code_lines",
    "indent_4",
    "indent_2",
    "indent_tab",
    "name_length",
    "name_single_letter",
    "name_snake",
    "name_camel",
    "name_capitalised",
    "name_constant",
    "name_private",
)


def _measure(document: Document) -> list[float]:
    if not document.code:
        return [0.0] * len(NAMES)
    text = "\n".join(code.text for code in document.code)
    lines = text.count("\n") + 1
    scale = 10.0 / (lines + 2.0)
    values = [log1p(scale * len(p.findall(text))) for p in _COMPILED.values()]
    indents = _INDENT.findall(text)
    spaces = [len(i) for i in indents if "\t" not in i]
    fenced = sum(code.fenced for code in document.code) / len(document.code)
    labelled = sum(bool(code.language) for code in document.code) / len(document.code)
    values += [
        fenced,
        labelled,
        log1p(lines),
        sum(n % 4 == 0 for n in spaces) / max(1, len(indents)),
        sum(n % 4 == 2 for n in spaces) / max(1, len(indents)),
        (len(indents) - len(spaces)) / max(1, len(indents)),
    ]
    return values + _names(text)


def _names(text: str) -> list[float]:
    names = set(_NAME.findall(text))
    count = max(1, len(names))
    return [
        log1p(sum(map(len, names)) / count),
        sum(len(n) == 1 for n in names) / count,
        sum("_" in n.strip("_") and n.islower() for n in names) / count,
        sum(n[0].islower() and n != n.lower() for n in names) / count,
        sum(n[0].isupper() and n != n.upper() for n in names) / count,
        sum(n.isupper() and len(n) > 1 for n in names) / count,
        sum(n.startswith("_") for n in names) / count,
    ]


CODE_STYLE = Named("code_style", 1, NAMES, _measure)
"""Per ten lines of code, as log(1 + rate): comments and their form, docstrings, quotation marks,
hints, spacing, line lengths, statements; fences; indentation; how names are formed.

Reads fenced code, or the whole text where most lines look like code; values are 0 without any.
The columns of `COMMENTS` are those that a stripper of comments removes.

Sees: layout habits, in any language with # or // comments; constructs of Python.

Removed by: a formatter takes layout, `ast.unparse` takes comments and quotation marks as well (the
canonical view does that), renaming takes the names; what is left is in code_tree.

Source: layout and lexical features of Caliskan-Islam et al. (2015), "De-anonymizing programmers
via code stylometry", USENIX Security.
"""

# Nodes of a syntax tree that are walked, so that a tree of megabytes costs no more than this.
_NODES = 20_000


@lru_cache(maxsize=1)
def _parser() -> Parser:
    try:
        import tree_sitter_python
        from tree_sitter import Language, Parser
    except ImportError as error:
        raise MissingExtra("the signature 'code_tree'", "style") from error
    return Parser(Language(tree_sitter_python.language()))


def _count(document: Document) -> Counts:
    parser = _parser()
    found: list[np.ndarray[tuple[int], np.dtype[np.uint64]]] = [np.zeros(0, dtype=np.uint64)]
    for code in document.code:
        if code.is_python:
            found += _tree(code, parser)
    return counted(np.concatenate(found))


def _tree(code: Code, parser: Parser) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    tree = parser.parse(code.text.encode("utf-8", "replace"))
    edges: list[str] = []
    order: list[str] = []
    waiting: list[tuple[Node, str]] = [(tree.root_node, "")]
    while waiting and len(order) < _NODES:
        node, parent = waiting.pop()
        if node.type == "comment" or _is_docstring(node):
            continue
        order.append(node.type)
        edges.append(f"{parent}>{node.type}")
        waiting += [(child, node.type) for child in reversed(node.named_children)]
    return [
        ngram_hashes(hashes(edges), (1,)),
        ngram_hashes(hashes([f"o{kind}" for kind in order]), (2, 3)),
    ]


def _is_docstring(node: Node) -> bool:
    # A string that is a statement by itself.
    return (
        node.type == "expression_statement"
        and node.named_child_count == 1
        and node.named_children[0].type == "string"
    )


CODE_TREE = Hashed("code_tree", 1, _count)
"""Parent–child pairs of the Python syntax tree, and runs of 2–3 nodes in the order of the text;
comments, docstrings, names and values left out.

Sees: which constructs a model builds from, whatever the layout. Broken and truncated code is read
as far as it goes.

Removed by: nothing short of rewriting; but the task decides much of a tree, so compare answers to
like tasks. Python only; other languages are counted as none.

Needs the extra ``style`` (tree-sitter). Source: syntax-tree bigrams of Caliskan-Islam et al.
(2015), USENIX Security.
"""
