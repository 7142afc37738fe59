"""From the body of a successful answer to a `Completion`, or to the `Failure` that it is.

Both dialects (chat completions and the older completions) and both ways of sending them (one JSON
object, or a stream of events that `_stream` puts together into one). What has the wrong type where
the text stands makes the answer malformed; what has the wrong type elsewhere is left out, and the
completion's notes say so.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from provenance.canonical import clean_text
from provenance.providers._faults import error_of, in_answer, sentence
from provenance.transcript import Completion, Failure, TokenLogprob, Usage

_LONGEST_NAME = 200
_LARGEST_COUNT = 2**53 - 1
_BLOCKED = frozenset({"content_filter", "refusal", "safety"})
NOT_UTF8 = "bytes that are not UTF-8 replaced by U+FFFD"
_INLINE_THINKING = re.compile(r"\s*<think>(.*?)(?:</think>\s*|\Z)", re.DOTALL)


class NotTheDialect(Exception):
    """The body is not what the dialect prescribes; the message says where."""


def decode(body: bytes) -> tuple[str, list[str]]:
    """The body as text, and a note if it was not UTF-8."""
    try:
        return body.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return body.decode("utf-8-sig", "replace"), [NOT_UTF8]


def parse_json(text: str) -> Any:
    """JSON that a stranger wrote.

    Integers of 20 digits and more become infinite, so that they cost nothing and are no count.

    Raises
    ------
    NotTheDialect
        If it is not JSON, or nests too deeply.
    """
    try:
        return json.loads(text, parse_int=lambda d: int(d) if len(d) < 20 else math.inf)
    except RecursionError:
        raise NotTheDialect("JSON that nests too deeply") from None
    except ValueError:
        what = "a web page instead of JSON" if text.lstrip().startswith("<") else "not JSON"
        raise NotTheDialect(f"{what}: {sentence(text, 120) or 'an empty body'}") from None


def read(payload: Any, *, status: int, chat: bool, notes: list[str]) -> Completion | Failure:
    """The outcome of an answer.

    Parameters
    ----------
    payload
        Parsed JSON, or what `_stream.assemble` made of a stream.
    chat
        Whether the dialect is chat completions.
    notes
        What was already noted about this answer.

    Raises
    ------
    NotTheDialect
        If the text cannot be found where the dialect has it.
    """
    if not isinstance(payload, dict):
        raise NotTheDialect("expected a JSON object")
    if payload.get("error") and not payload.get("choices"):
        return in_answer(error_of(payload), status)
    choices = payload.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise NotTheDialect("expected choices to be a list of objects")
    choice = choices[0]
    if choice.get("error") or choice.get("finish_reason") == "error":
        return in_answer(error_of(choice), status)
    message = choice.get("message") if chat else choice
    if not isinstance(message, dict):
        raise NotTheDialect("expected choices[0].message to be an object")
    notes = list(notes)
    text, thinking = _content(message.get("content" if chat else "text"))
    reasoning = next(
        (r for r in (message.get(n) for n in ("reasoning_content", "reasoning")) if r), thinking
    )
    if reasoning is not None and not isinstance(reasoning, str):
        notes.append("reasoning of an unexpected type left out")
        reasoning = None
    inline = _INLINE_THINKING.match(text) if chat else None
    if inline is not None:
        reasoning = (reasoning or "") + inline[1]
        text = text[inline.end() :]
        notes.append("thinking moved from the text to reasoning")
    finish = _name(choice, "finish_reason", notes)
    refusal = message.get("refusal")
    refused = isinstance(refusal, str) and refusal != ""
    if refused and not text:
        text = str(refusal)
    blocked = refused or (finish or "").lower() in _BLOCKED
    if message.get("content" if chat else "text") is None and not (
        blocked or reasoning or finish == "length" or message.get("tool_calls")
    ):
        # An empty answer is an empty text. This one was lost on its way.
        raise NotTheDialect("expected a text, found null and no reason for it")
    if not text and finish == "length" and not blocked:
        message_text = "empty text, stopped by the token limit: thinking used all of it"
        return Failure(kind="starved", message=message_text, status=status)
    return Completion(
        text=_whole(text, notes),
        reasoning=_clean(reasoning, notes) if reasoning else None,
        finish_reason=finish,
        blocked=blocked,
        served_model=_name(payload, "model", notes),
        system_fingerprint=_name(payload, "system_fingerprint", notes),
        response_id=_name(payload, "id", notes),
        usage=_usage(payload.get("usage"), notes),
        logprobs=_logprobs(choice.get("logprobs"), notes),
        notes=tuple(dict.fromkeys(notes)),
    )


def _content(content: Any) -> tuple[str, str | None]:
    """Text and thinking of a message's content: a string, null, or a list of typed parts."""
    if content is None:
        return "", None
    if isinstance(content, str):
        return content, None
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise NotTheDialect("expected the content to be text")
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise NotTheDialect("expected the text of a content part to be text")
    thoughts = [
        inner["text"]
        for part in content
        if part.get("type") == "thinking" and isinstance(part.get("thinking"), list)
        for inner in part["thinking"]
        if isinstance(inner, dict) and isinstance(inner.get("text"), str)
    ]
    return "".join(str(t) for t in texts), "".join(thoughts) or None


def _whole(text: str, notes: list[str]) -> str:
    """The text, refused if it lost characters on its way: a gateway did that, not a model.

    Raises
    ------
    NotTheDialect
        If the text holds lone surrogates, or stands in a body that was not UTF-8 and has gaps.
    """
    # Halves of one character that a stream sent apart join without a loss.
    clean = clean_text(text)
    if clean.count("\ufffd") != text.count("\ufffd"):
        raise NotTheDialect(f"the text holds lone surrogates: {sentence(text, 120)}")
    if NOT_UTF8 in notes and "\ufffd" in text:
        raise NotTheDialect(f"the text is not UTF-8: {sentence(text, 120)}")
    return clean


def _clean(text: str, notes: list[str]) -> str:
    clean = clean_text(text)
    # Halves of one character that a stream sent apart join without a loss.
    if clean.count("\ufffd") != text.count("\ufffd"):
        notes.append("lone surrogates replaced by U+FFFD")
    return clean


def _name(holder: dict[str, Any], key: str, notes: list[str]) -> str | None:
    value = holder.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        notes.append(f"{key} of an unexpected type left out")
        return None
    if len(value) > _LONGEST_NAME:
        notes.append(f"{key} cut to {_LONGEST_NAME} characters")
    return clean_text(value[:_LONGEST_NAME])


def _usage(usage: Any, notes: list[str]) -> Usage:
    if usage is None:
        return Usage()
    if not isinstance(usage, dict):
        notes.append("usage of an unexpected type left out")
        return Usage()
    details = usage.get("completion_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    if reasoning is None:
        reasoning = usage.get("reasoning_tokens")
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens"), notes),
        completion_tokens=_count(usage.get("completion_tokens"), notes),
        reasoning_tokens=_count(reasoning, notes),
    )


def _count(value: Any, notes: list[str]) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT:
        return value
    notes.append("a token count that is no count left out")
    return None


def _logprobs(logprobs: Any, notes: list[str]) -> tuple[TokenLogprob, ...] | None:
    """Log-probabilities in either dialect; all or none."""
    if not isinstance(logprobs, dict):
        return None
    try:
        if isinstance(logprobs.get("content"), list):
            return tuple(token_of(entry) for entry in logprobs["content"]) or None
        if isinstance(logprobs.get("tokens"), list):
            return _parallel(logprobs) or None
    except (TypeError, KeyError, ValueError, AttributeError):
        notes.append("logprobs of an unexpected shape left out")
    return None


def token_of(entry: dict[str, Any]) -> TokenLogprob:
    """One token as the chat dialect lists it.

    Raises
    ------
    TypeError, KeyError, ValueError, AttributeError
        If it is of another shape.
    """
    alternatives = entry.get("top_logprobs") or ()
    top = ((_text(t["token"]), _finite(t["logprob"])) for t in alternatives)
    return TokenLogprob(
        token=_text(entry["token"]),
        logprob=_finite(entry["logprob"]),
        top=tuple((token, value) for token, value in top if value is not None),
    )


def _parallel(logprobs: dict[str, Any]) -> tuple[TokenLogprob, ...]:
    tokens, values = logprobs["tokens"], logprobs["token_logprobs"]
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    rows = zip(tokens, values, tops, strict=True)
    return tuple(
        TokenLogprob(
            token=_text(token),
            logprob=_finite(value),
            top=tuple(
                (_text(t), number)
                for t, v in (top or {}).items()
                if (number := _finite(v)) is not None
            ),
        )
        for token, value, top in rows
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a token is text")
    return clean_text(value)


def _finite(value: Any) -> float | None:
    """A log-probability; None for what JSON cannot carry (minus infinity, null)."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a log-probability is a number")
    return float(value) if math.isfinite(value) else None
