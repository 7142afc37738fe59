"""Reasoning moves: plan, check, backtrack, restate, conclude; steps; layout of arithmetic."""

from __future__ import annotations

import re
from math import log1p, sqrt

from provenance.signatures.base import Named
from provenance.signatures.document import Document
from provenance.signatures.patterns import Patterns, Phrases, Spec

_MOVES = {
    "plan": r"let's\b|let us\b|let me\b|we (?:need|have) to\b|i (?:need|have) to\b|we can\b|i'll\b"
    r"|to (?:solve|find|determine|calculate|figure)\b",
    "sequence": r"first(?:ly)?\b|second(?:ly)?\b|third\b|next\b|then\b|after that\b|finally\b"
    r"|lastly\b",
    "step": r"step \d",
    "check": r"check\b|verify\b|double-check\b|confirm\b|make sure\b|sanity\b|test this\b",
    "backtrack": r"wait\b|hmm|actually\b|no,|but wait\b|hold on\b|scratch that\b|mistake\b"
    r"|alternatively\b|on second thought",
    "restate": r"the (?:question|problem|task) (?:asks|says|states|is)\b|given\b|is asking\b"
    r"|we (?:are|know|want|were)\b|we're (?:given|asked)\b",
    "conclude": r"therefore\b|thus\b|hence\b|so the\b|in total\b|in conclusion\b|this means\b"
    r"|the (?:final )?answer is\b|as a result\b",
    "cause": r"because\b|since\b|due to\b|which means\b|so that\b",
    "condition": r"if\b|assuming\b|suppose\b|assume\b|case\b",
    "uncertainty": r"maybe\b|perhaps\b|i think\b|might\b|not sure\b|unclear\b|ambiguous\b|trick\b",
    "define": r"let\b|denote\b|define\b|represent\b",
    "number_words": r"two\b|three\b|four\b|five\b|six\b|seven\b|eight\b|nine\b|ten\b|twelve\b"
    r"|half\b|twice\b",
    "answer_label": r"answer:",
}
_LAYOUT: dict[str, Spec] = {
    "equals": "=",
    "chained_equals": ("=", r"=[^=\n]{1,60}="),
    "spaced_equals": " = ",
    "times_sign": "×",
    "times_star": ("*", r"\d ?\\?\* ?[\d$(]"),
    "times_x": (" x ", r"\d x \$?\d"),
    "times_latex": (r"\times", r"\\times"),
    "dot_latex": r"\cdot",
    "divide_sign": "÷",
    "divide_slash": ("/", r"\d ?/ ?\d"),
    "fraction_latex": r"frac{",
    "plus_spaced": " + ",
    "plus_tight": ("+", r"\d\+\d"),
    "minus_spaced": (" - ", r"\d - \$?\d"),
    "minus_sign": "−",
    "math_dollar": ("$", r"\$\$|\$[^$\n]{1,80}[\\^_=][^$\n]{0,80}\$"),
    "math_bracket": (r"\[", r"\\\["),
    "math_parenthesis": r"\(",
    "boxed": r"\boxed",
    "hashes_answer": "####",
    "calculator": "<<",
    "money": ("$", r"\$\d"),
    "percent": "%",
    "thousands_comma": (",", r",\d{3}\b"),
    "cents": (".", r"\.\d\d\b"),
    "approximately": "≈",
    "arrow": ("", r"→|⇒|=>|->|\\rightarrow"),
    "logic_sign": ("", r"∴|∵|⟹|\\implies|\\therefore"),
    "equation_line": ("=", r"^[^\n=]{1,60}=[^\n=]{1,60}$"),
    "parenthesis": "(",
}
_PHRASES, _PATTERNS = Phrases(_MOVES), Patterns(_LAYOUT)
_NUMBERS = re.compile(r"\d+")
_BACKTRACK = re.compile(rf"\b(?:{_MOVES['backtrack']})")
_STEPS = re.compile(r"\n+|(?<=[.!?])\s+")
NAMES = (
    *(f"move_{name}" for name in _MOVES),
    *(f"layout_{name}" for name in _LAYOUT),
    "log_steps",
    "words_per_step_mean",
    "words_per_step_sd",
    "numbers_per_100_words",
    "first_backtrack_at",
    "first_equals_at",
    "apart_from_answer",
)


def _measure(document: Document) -> list[float]:
    text = document.reasoning.lower().replace("’", "'")
    scale = 100.0 / (len(text.split()) + 10.0)
    found = [*_PHRASES.counts(text), *_PATTERNS.counts(text)]
    steps = [n for step in _STEPS.split(text) if (n := len(step.split()))]
    mean = sum(steps) / max(1, len(steps))
    spread = sqrt(sum((n - mean) ** 2 for n in steps) / max(1, len(steps)))
    backtrack = _BACKTRACK.search(text)
    return [
        *(log1p(n * scale) for n in found),
        log1p(len(steps)),
        log1p(mean),
        log1p(spread),
        log1p(len(_NUMBERS.findall(text)) * scale),
        _place(backtrack.start() if backtrack else -1, text),
        _place(text.find("="), text),
        float(document.reasoning != document.text),
    ]


def _place(start: int, text: str) -> float:
    """Where in the text, in [0, 1); 1 if nowhere."""
    return start / len(text) if start >= 0 else 1.0


REASONING = Named("reasoning", 2, NAMES, _measure)
"""Log rates per 100 words of reasoning moves and of ways to write arithmetic; number and length of
steps; where the first backtrack and the first equation stand.

Reads the thinking if the server gave it, else a leading ``<think>`` part, else the reasoning field
of JSON wherever it stands in the answer, else the answer.

Sees: chains of thought, also harvested ones: how a model plans, checks itself and lays out a sum.

Removed by: hiding or summarising the thinking; prompts that do not ask for reasoning (values near
0 for everyone); arithmetic signs by re-formatting. English but for the layout.

Source: moves after Gandhi et al. (2025), "Cognitive behaviors that enable self-improving
reasoners"; layout is this project's.
"""
