"""From an HTTP status and an error body to a `Failure`, or to an outcome where it is one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from provenance.canonical import clean_text
from provenance.transcript import Completion, Failure, FailureKind

LONGEST_MESSAGE = 300
_LONG_WAIT_S = 60.0  # said in the message: a person would wonder why nothing moves

_KINDS: dict[int, FailureKind] = {
    401: "auth",
    402: "payment",
    403: "auth",
    404: "not_found",
    405: "not_found",
    407: "unreachable",  # the proxy's own: the server was not asked
    408: "server_error",
    409: "server_error",
    410: "not_found",
    425: "server_error",
    429: "rate_limited",
}
_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_POLICY_CODES = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
# An empty account is answered with 429 by some; asking again does not fill it.
_PAYMENT_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})

# What servers write when they do not take a parameter, as against a value of it.
_REFUSAL = re.compile(
    r"not support|unsupported|unknown|unrecogni[sz]ed|not allowed|not permitted|deprecated|"
    r"extra (?:inputs|fields)|cannot (?:both )?be (?:set|used|specified)|may only be set|"
    r"not (?:a )?valid (?:param|arg)|unexpected|no longer|instead",
    re.IGNORECASE,
)


def from_status(
    status: int, headers: Mapping[str, str], payload: Any, body: str, location: str | None
) -> Failure | Completion:
    """What an answer other than 2xx stands for.

    Parameters
    ----------
    payload
        The body as JSON, None if it is not.
    body
        The body as text, for the message.
    """
    error = error_of(payload)
    code = error_code(error)
    if status in (400, 403) and _is_policy(error, code):
        return Completion(text="", blocked=True, notes=(f"HTTP {status}: {sentence(code, 60)}",))
    if 300 <= status < 400:
        said = f"redirect refused: {_host(location)}"
        hint = "; if that host is meant, name it in the base URL"
        return Failure(kind="malformed", message=said + hint, status=status)
    kind = _KINDS.get(status, "refused_parameters" if 400 <= status < 500 else "server_error")
    retryable = status in _RETRYABLE
    if code in _PAYMENT_CODES:
        kind, retryable = "payment", False
    if status < 300:  # 2xx that is no answer
        kind = "malformed"
    said = error_message(error) or body
    who = f"HTTP {status} from the proxy" if status == 407 else f"HTTP {status}"
    wait = retry_after(headers) if retryable else None
    if wait is not None and wait >= _LONG_WAIT_S:
        who += f", asks to wait {wait:,.0f} s"
    return Failure(
        kind=kind,
        message=sentence(f"{who}: {said}" if said.strip() else who),
        status=status,
        retryable=retryable,
        retry_after_s=wait,
    )


def in_answer(error: Mapping[str, Any], status: int) -> Failure:
    """An error object inside an answer with status 200, as some gateways and streams send it."""
    code = error_code(error)
    kind: FailureKind = "server_error"
    retryable = True
    if code.isascii() and code.isdigit() and len(code) == 3:
        number = int(code)
        kind = _KINDS.get(number, "refused_parameters" if number < 500 else "server_error")
        retryable = number in _RETRYABLE
    if code in _PAYMENT_CODES:
        kind, retryable = "payment", False
    message = sentence(f"error in an answer: {error_message(error) or code or 'no message'}")
    return Failure(kind=kind, message=message, status=status, retryable=retryable)


def error_of(payload: Any) -> dict[str, Any]:
    """The error object of a body, under any of its usual names; empty if there is none."""
    if not isinstance(payload, dict):
        return {}
    error = payload.get("error", payload if "message" in payload or "detail" in payload else {})
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def error_code(error: Mapping[str, Any]) -> str:
    """The code of an error object, else its type, as text."""
    for name in ("code", "type"):
        value = error.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1000:
            return str(value)
    return ""


def error_message(error: Mapping[str, Any]) -> str:
    """What an error object says; FastAPI says it in a list."""
    value = error.get("message", error.get("detail", ""))
    if isinstance(value, list):
        said = [item.get("msg") for item in value[:8] if isinstance(item, dict)]
        value = "; ".join(item for item in said if isinstance(item, str))
    return value if isinstance(value, str) else ""


def refused_parameters(payload: Any, body: str, sent: Mapping[str, Any]) -> list[str]:
    """Which of the parameters that were sent an error of status 400 or 422 refuses by name."""
    error = error_of(payload)
    said = error_message(error) or body[:4096]
    if "max_tokens" in sent and "max_completion_tokens" in said:
        return ["max_tokens"]
    if isinstance(error.get("param"), str) and error["param"] in sent and _refuses(error, said):
        return [error["param"]]
    if not _REFUSAL.search(said):
        return []
    return [name for name in sent if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", said)]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait: a number, or a date against the server's own clock."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", milliseconds):
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value):
        return float(value)
    until = _date(value)
    if until is None:
        return None
    return max(0.0, (until - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def sentence(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """``text`` on one line, control and invisible characters escaped, cut to ``longest``."""
    text = " ".join(clean_text(text[: 4 * longest]).split())
    shown = "".join(_escape(c) if unicodedata.category(c)[0] == "C" else c for c in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{{{code:x}}}"


def _refuses(error: Mapping[str, Any], said: str) -> bool:
    return "unsupported" in error_code(error) or _REFUSAL.search(said) is not None


def _is_policy(error: Mapping[str, Any], code: str) -> bool:
    inner = error.get("innererror")
    inner_code = inner.get("code") if isinstance(inner, dict) else None
    metadata = error.get("metadata")
    return (
        code in _POLICY_CODES
        or inner_code == "ResponsibleAIPolicyViolation"
        or (isinstance(metadata, dict) and "flagged_input" in metadata)
    )


def _host(location: str | None) -> str:
    try:
        host = urlsplit(location or "").netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return sentence(host, 120) or "no host named"


def _date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
