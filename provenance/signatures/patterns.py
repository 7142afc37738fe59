"""Counting many patterns in one text without reading it many times."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

Spec = str | tuple[str, str]


class Patterns:
    """How often each pattern occurs.

    Parameters
    ----------
    specs
        Name to a literal to be counted, or to (guard, regular expression): the expression is
        run, in multi-line mode, only where the guard occurs. A guard that says nothing is "".
        Expressions have no capturing groups and are linear or bounded on any text.
    """

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        self.names = tuple(specs)
        self._specs = tuple(
            (spec, None) if isinstance(spec, str) else (spec[0], re.compile(spec[1], re.MULTILINE))
            for spec in specs.values()
        )

    def counts(self, text: str) -> list[int]:
        """Occurrences in the order of ``names``."""
        return [
            text.count(guard)
            if pattern is None
            else (len(pattern.findall(text)) if guard in text else 0)
            for guard, pattern in self._specs
        ]


class Phrases:
    """How often phrases of each group begin at a word; one pass for all groups.

    A place that fits two groups counts for the first.

    Parameters
    ----------
    groups
        Name of a group, a Python identifier, to the alternatives of a regular expression.
    """

    def __init__(self, groups: Mapping[str, str]) -> None:
        self.names = tuple(groups)
        body = "|".join(f"(?P<{name}>{body})" for name, body in groups.items())
        self._pattern = re.compile(rf"\b(?:{body})", re.MULTILINE)

    def counts(self, text: str) -> list[int]:
        """Occurrences in the order of ``names``."""
        found = Counter(match.lastgroup for match in self._pattern.finditer(text))
        return [found[name] for name in self.names]
