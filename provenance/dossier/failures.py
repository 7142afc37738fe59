"""What failed, and what the reader can do about it. Failures are never evidence of a difference."""

from __future__ import annotations

from collections import Counter

from provenance.dossier.numbers import count, counted
from provenance.findings import StudyDocument
from provenance.transcript import FailureKind

TO_DO: dict[FailureKind, str] = {
    "auth": (
        "Check the key: key_env names the variable that holds it, and the account must be allowed "
        "this model."
    ),
    "payment": "The account has no credit left: top it up.",
    "not_found": (
        "The server knows no such model or path: check the model's name and the base URL, which "
        "often ends in /v1."
    ),
    "rate_limited": "Ask more slowly: --rpm or --concurrency 1. The account may allow little.",
    "server_error": "The fault is on the server's side: try again later, or tell its operator.",
    "refused_parameters": (
        "The server does not take the request as it is written. Its message says why; the "
        "endpoint's options (max_tokens, temperature, api, body.NAME) change what is sent."
    ),
    "timeout": "The server is slow: give the endpoint timeout=SECONDS, or lower --concurrency.",
    "unreachable": (
        "Nothing was sent. Check base URL, network, proxy and certificates; `provenance doctor` "
        "names them."
    ),
    "reset": (
        "The connection broke before the answer was whole: try again later, with --concurrency 1, "
        "or without the proxy."
    ),
    "malformed": (
        "This is not an answer in the API's dialect: check the base URL and the option api, and "
        "whether a proxy or a login page stands between."
    ),
    "too_large": (
        "The server sends more than an answer to these questions can hold. Its bytes, as far as "
        "they were read, are in the store."
    ),
    "starved": (
        "Thinking used up the token limit: give the endpoint reasoning=TOKENS, more than it has."
    ),
    "missing": "The recording holds no such answer: record it again, or ask for fewer --draws.",
    "local": "The model on this machine could not generate: its message says why.",
}
AGAIN = "Once that is mended, the same command with --new asks everything again."


def lines(document: StudyDocument, most: int = 3) -> list[str]:
    """One line for each kind of failure of a side, the most frequent first.

    A line quotes what a server said; only a renderer that escapes may print it.
    """
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for failure in document.failures:
        key = (failure.side, failure.kind)
        counts[key] += failure.count
        if failure.example:
            examples.setdefault(key, failure.example)
    shown = []
    for (side, kind), number in counts.most_common(most):
        example = examples.get((side, kind))
        quoted = f", such as: {_ended(example)}" if example else "."
        shown.append(
            f"The {side} failed on {counted(number, 'request')} ({words(kind)}){quoted} "
            f"{to_do(kind)}".rstrip()
        )
    rest = len(counts) - len(shown)
    if rest > 0:
        shown.append(f"{count(rest)} more kinds of failure stand in the dossier.")
    return shown


def kinds(document: StudyDocument) -> list[str]:
    """What to do about each kind of failure in the document, as sentences of our own."""
    found = dict.fromkeys(f.kind for f in document.failures)
    return [f"{words(kind).capitalize()}: {to_do(kind)}" for kind in found if to_do(kind)]


def to_do(kind: str) -> str:
    """What the reader can do; empty for an unknown kind."""
    return next((text for known, text in TO_DO.items() if known == kind), "")


def words(kind: str) -> str:
    """A kind as it is printed."""
    return kind.replace("_", " ")


def _ended(text: str) -> str:
    return text if text.endswith((".", "…", "!", "?")) else f"{text}."
