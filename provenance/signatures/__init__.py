"""Signatures: from completions to numbers, one family of habits a file.

    from provenance.signatures import DEFAULT, CanonicalView, bundles
    bundles(DEFAULT, completions, view=CanonicalView())["skeleton"].mean

To add one: write ``provenance/signatures/<name>.py`` with a function from a `Document` to `Counts`
(n-grams, things that nobody listed) or to a float a name (things that you list), wrap it in
`Hashed` or `Named`, say in its docstring what it sees, how a suspect removes it and where it comes
from, and list it in `SIGNATURES`. The contract suite in ``tests/signatures/test_contract.py`` and
``benchmarks/signatures.py`` then run it.

A signature is a pure function of one document: it is fitted on nothing. What has to be fitted (idf,
standardisation, a population's words) is data that the caller fits and passes in, see
`provenance.signatures.weighting` and `provenance.signatures.lexical`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from provenance.errors import UsageError
from provenance.signatures.base import Counts, Hashed, Named, Signature
from provenance.signatures.canonical_view import CanonicalView
from provenance.signatures.char_ngrams import CHAR_NGRAMS
from provenance.signatures.code_style import CODE_STYLE, CODE_TREE
from provenance.signatures.document import MAX_CHARACTERS, Document
from provenance.signatures.extract import Bundle, blocks, bundle, bundles, matrix
from provenance.signatures.format_habits import FORMAT_HABITS
from provenance.signatures.function_words import FUNCTION_WORD_RATES
from provenance.signatures.length import LENGTH
from provenance.signatures.lexical import WordTable, lexical, log_odds
from provenance.signatures.line_types import LINE_TYPES
from provenance.signatures.openings_closings import OPENINGS_CLOSINGS
from provenance.signatures.reasoning import REASONING
from provenance.signatures.script import SCRIPT
from provenance.signatures.skeleton import SKELETON
from provenance.signatures.stance import STANCE
from provenance.signatures.weighting import LogTfIdf, Standardised, Weighting
from provenance.signatures.word_ngrams import WORD_NGRAMS

__all__ = [
    "DEFAULT",
    "MAX_CHARACTERS",
    "SIGNATURES",
    "Bundle",
    "CanonicalView",
    "Counts",
    "Document",
    "Hashed",
    "LogTfIdf",
    "Named",
    "Signature",
    "Standardised",
    "Weighting",
    "WordTable",
    "blocks",
    "bundle",
    "bundles",
    "identity",
    "lexical",
    "log_odds",
    "matrix",
    "named",
]

# `lexical` is not here: it is made from a population's table.
SIGNATURES: Mapping[str, Signature] = MappingProxyType(
    {
        signature.name: signature
        for signature in (
            SKELETON,
            CHAR_NGRAMS,
            WORD_NGRAMS,
            FUNCTION_WORD_RATES,
            FORMAT_HABITS,
            LINE_TYPES,
            OPENINGS_CLOSINGS,
            STANCE,
            REASONING,
            CODE_STYLE,
            CODE_TREE,
            SCRIPT,
            LENGTH,
        )
    }
)

DEFAULT: tuple[Signature, ...] = tuple(SIGNATURES.values())


def named(*names: str) -> tuple[Signature, ...]:
    """The signatures of these names.

    Raises
    ------
    UsageError
        For an unknown one; lists the known.
    """
    unknown = [name for name in names if name not in SIGNATURES]
    if unknown:
        raise UsageError(f"no signature {unknown[0]!r}; known are {', '.join(SIGNATURES)}")
    return tuple(SIGNATURES[name] for name in names)


def identity(signatures: Sequence[Signature], view: CanonicalView | None = None) -> str:
    """What a profile or a calibration must agree on: names, versions, columns and view.

    Rows of two identities are not comparable, whatever their shapes.
    """
    parts = [f"{s.name}/{s.version}:{s.width}" for s in sorted(signatures, key=lambda s: s.name)]
    return " ".join([*parts, f"view={view or 'raw'}", f"characters={MAX_CHARACTERS}"])
