"""Format habits: Markdown as a parser reads it, and the typography between."""

from __future__ import annotations

from collections import Counter
from math import log1p, sqrt
from typing import TYPE_CHECKING

from provenance.signatures.base import Named
from provenance.signatures.document import Document
from provenance.signatures.line_types import line_types
from provenance.signatures.patterns import Patterns, Spec

if TYPE_CHECKING:
    from markdown_it.token import Token

# Tokens that are counted under a name of ours. Values are log(1 + count).
_COUNTED = {
    "heading_open": "headings",
    "bullet_list_open": "bullet_lists",
    "ordered_list_open": "ordered_lists",
    "list_item_open": "items",
    "blockquote_open": "quotes",
    "hr": "rules",
    "table_open": "tables",
    "tr_open": "table_rows",
    "th_open": "table_columns",
    "fence": "fences",
    "code_block": "indented_code",
    "html_block": "html_blocks",
    "strong_open": "strong",
    "em_open": "emphasis",
    "s_open": "struck",
    "code_inline": "inline_code",
    "link_open": "links",
    "image": "images",
    "html_inline": "html_inline",
    "hardbreak": "hard_breaks",
    "softbreak": "soft_breaks",
}
_TALLIES = (
    *_COUNTED.values(),
    *(f"heading_{level}" for level in range(1, 7)),
    "heading_colon", "heading_numbered", "heading_bold", "heading_title_case", "heading_setext",
    "bullet_dash", "bullet_star", "bullet_plus", "ordered_dot", "ordered_paren", "ordered_not_at_1",
    "loose_items", "nested_lists", "item_strong", "item_strong_colon_in", "item_strong_colon_out",
    "item_full_stop", "item_no_stop", "item_lower_case",
    "paragraphs", "paragraph_all_strong", "paragraph_strong_start", "paragraph_colon",
    "paragraph_one_line",
    "strong_underscore", "emphasis_underscore", "fence_labelled", "fence_python", "fence_tilde",
)  # fmt: skip
_TYPOGRAPHY: dict[str, Spec] = {
    "em_dash_tight": ("—", r"\w—\w"),
    "em_dash_spaced": " — ",
    "en_dash_tight": ("–", r"\w–\w"),
    "en_dash_spaced": " – ",
    "hyphen_spaced": (" - ", r"\w - \w"),
    "hyphen_double": ("--", r"\w ?-- ?\w"),
    "ellipsis_sign": "…",
    "ellipsis_dots": "...",
    "quote_curly": "“",
    "quote_straight": '"',
    "apostrophe_curly": "’",
    "apostrophe_straight": "'",
    "bullet_sign": ("", r"^\s{0,20}[•·▪●◦]"),
    "two_spaces_after_stop": ".  ",
    "spaces_at_line_end": " \n",
    "blank_lines_two": "\n\n\n",
    "tabs": "\t",
    "math_bracket": ("\\", r"\\[\[(]"),
    "math_dollar": ("$", r"\$\$|\$[^$\n]{1,60}[\\^_=][^$\n]{0,60}\$"),
    "arrow": ("", r"→|->|=>"),
    "emoji": ("", r"[\U0001f000-\U0001faff\u2600-\u27bf]"),
    "semicolon": ";",
    "colon": ": ",
    "parenthesis": "(",
    "slash": ("/", r"\w/\w"),
    "ampersand": " & ",
    "number_paren": ("", r"^[ \t]{0,20}\(\d{1,3}\)"),
    "letter_paren": ("", r"^[ \t]{0,20}\(?[a-hA-H][.)] "),
    "speaker": (":", r"^[A-Z][\w ]{0,20}:(?: |$)"),
    "oxford_comma": (", and ", r", \w{1,40}, and "),
    "no_oxford_comma": (" and ", r", \w{1,40} and "),
}
_PATTERNS = Patterns(_TYPOGRAPHY)
_SHAPE = (
    "words_per_paragraph_mean", "words_per_paragraph_sd", "words_per_item_mean", "items_per_list",
    "list_depth", "share_of_lines_in_lists", "share_of_lines_in_code", "share_of_lines_blank",
    "first_block_heading", "first_block_paragraph", "first_block_list",
    "last_block_paragraph", "last_block_list", "starts_with_space", "ends_with_newline",
    "no_markup",
)  # fmt: skip
NAMES = (*_TALLIES, *(f"typography_{name}" for name in _TYPOGRAPHY), *_SHAPE)

_LISTS = ("bullet_list_open", "ordered_list_open")


def _measure(document: Document) -> list[float]:
    tally: Counter[str] = Counter()
    paragraphs: list[int] = []
    items: list[int] = []
    depth = deepest = 0
    before = ""
    for token in document.markdown:
        kind = token.type
        if kind in _COUNTED:
            tally[_COUNTED[kind]] += 1
        if kind in _LISTS:
            depth += 1
            deepest = max(deepest, depth)
            _list(token, depth, tally)
        elif kind in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif kind == "heading_open":
            tally[f"heading_{token.tag[1]}"] += 1
            tally["heading_setext"] += token.markup in ("=", "-")
        elif kind == "fence":
            language = token.info.strip().lower()
            tally["fence_labelled"] += bool(language)
            tally["fence_python"] += language in ("python", "py")
            tally["fence_tilde"] += token.markup.startswith("~")
        elif kind == "paragraph_open" and depth:
            tally["loose_items"] += not token.hidden
        elif kind == "inline":
            size = len(token.content.split())
            if before == "heading_open":
                _heading(token, tally)
            elif depth:
                items.append(size)
                _item(token, tally)
            elif before == "paragraph_open":
                paragraphs.append(size)
                _paragraph(token, tally)
            _inline(token, tally)
        before = kind
    values = [log1p(tally[name]) for name in _TALLIES]
    text = document.text
    scale = 1000.0 / (len(text) + 200.0)
    values += [log1p(scale * n) for n in _PATTERNS.counts(text)]
    return values + _shape(document, tally, paragraphs, items, deepest)


def _list(token: Token, depth: int, tally: Counter[str]) -> None:
    mark = {"-": "bullet_dash", "*": "bullet_star", "+": "bullet_plus"}
    mark |= {".": "ordered_dot", ")": "ordered_paren"}
    tally[mark.get(token.markup, "bullet_dash")] += 1
    tally["nested_lists"] += depth > 1
    tally["ordered_not_at_1"] += token.attrGet("start") not in (None, 1)


def _heading(token: Token, tally: Counter[str]) -> None:
    content = token.content.strip()
    tally["heading_colon"] += content.rstrip("*_").endswith(":")
    tally["heading_numbered"] += content.lstrip("*_")[:1].isdigit()
    tally["heading_bold"] += content.startswith(("**", "__"))
    words = [w for w in content.split()[1:] if w[0].isalpha() and len(w) > 3]
    tally["heading_title_case"] += bool(words) and all(w[0].isupper() for w in words)


def _item(token: Token, tally: Counter[str]) -> None:
    children = token.children or []
    content = token.content.strip()
    shown = [child for child in children if child.content or child.type != "text"]
    if shown and shown[0].type == "strong_open":
        tally["item_strong"] += 1
        close = next((i for i, c in enumerate(shown) if c.type == "strong_close"), 0)
        inside = "".join(c.content for c in shown[:close])
        after = shown[close + 1].content if close + 1 < len(shown) else ""
        tally["item_strong_colon_in"] += inside.rstrip().endswith(":")
        tally["item_strong_colon_out"] += after.lstrip().startswith(":")
    tally["item_full_stop" if content.endswith((".", "。")) else "item_no_stop"] += 1
    tally["item_lower_case"] += content[:1].islower()


def _paragraph(token: Token, tally: Counter[str]) -> None:
    children = [c for c in token.children or [] if c.content.strip() or c.type != "text"]
    content = token.content.rstrip()
    tally["paragraphs"] += 1
    strong = bool(children) and children[0].type == "strong_open"
    closes = [i for i, child in enumerate(children) if child.type == "strong_close"]
    tally["paragraph_strong_start"] += strong
    tally["paragraph_all_strong"] += strong and closes == [len(children) - 1]
    tally["paragraph_colon"] += content.rstrip("*_").endswith(":")
    tally["paragraph_one_line"] += "\n" not in content


def _inline(token: Token, tally: Counter[str]) -> None:
    for child in token.children or []:
        name = _COUNTED.get(child.type)
        if name:
            tally[name] += 1
            tally["strong_underscore"] += child.markup == "__"
            tally["emphasis_underscore"] += child.markup == "_"


def _shape(
    document: Document, tally: Counter[str], paragraphs: list[int], items: list[int], deepest: int
) -> list[float]:
    mean, spread = _moments(paragraphs)
    lists = tally["bullet_lists"] + tally["ordered_lists"]
    kinds = line_types(document)
    lines = max(1, len(kinds))
    blocks = [token.type for token in document.markdown if token.level == 0 and token.nesting >= 0]
    first, last = (blocks[0], blocks[-1]) if blocks else ("", "")
    return [
        log1p(mean),
        log1p(spread),
        log1p(_moments(items)[0]),
        log1p(tally["items"] / max(1, lists)),
        float(deepest),
        sum(kind[:1] in "-*+1" and kind != "" for kind in kinds) / lines,
        sum(kind.startswith("code") for kind in kinds) / lines,
        sum(kind == "" for kind in kinds) / lines,
        float(first == "heading_open"),
        float(first == "paragraph_open"),
        float(first in _LISTS),
        # The last opening token of level 0; the inline of a paragraph is at level 1.
        float(last == "paragraph_open"),
        float(last in _LISTS),
        float(document.text[:1].isspace()),
        float(document.text[-1:] == "\n"),
        float(not any(tally[name] for name in ("headings", "items", "strong", "fences", "tables"))),
    ]


def _moments(sizes: list[int]) -> tuple[float, float]:
    mean = sum(sizes) / max(1, len(sizes))
    return mean, sqrt(sum((n - mean) ** 2 for n in sizes) / max(1, len(sizes)))


FORMAT_HABITS = Named("format_habits", 1, NAMES, _measure)
"""About 110 numbers: logarithms of how many headings, lists, items, tables, fences, bold and inline
marks a CommonMark parser finds, of what marks they are written with, of what stands where; rates
of typographic habits (dashes, quotation marks, ellipses, mathematics); lengths of paragraphs and
items; what comes first and last.

Sees: the strongest habits of chat models and the easiest to remove.

Removed by: one regular expression, or a client that shows plain text; many gateways normalise
quotation marks. Never compare a formatted side with a stripped one: on the canonical view next to
nothing is left.

Source: CommonMark 0.31; the choice of habits is this project's.
"""
