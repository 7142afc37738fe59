"""Server-sent events (``stream=true``) put together into the answer that they are pieces of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from provenance.providers._answer import NotTheDialect, parse_json

_END = "[DONE]"


def looks_like_events(text: str, content_type: str) -> bool:
    """Whether a body is an event stream, whatever was asked for."""
    start = text.lstrip()[:6]
    if "text/event-stream" in content_type.lower():
        return not start.startswith("{")
    return start.startswith(("data:", "event:", ": "))


def events(text: str) -> list[str]:
    """The data of each event, comments and other fields left out (WHATWG, server-sent events)."""
    found: list[str] = []
    data: list[str] = []
    for line in [*text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""]:
        if line == "":
            if data:
                found.append("\n".join(data))
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    return found


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The events as objects; ``[DONE]``, which gateways of two dialects add, is left out.

    Raises
    ------
    NotTheDialect
        If an event is not JSON or no object.
    """
    for data in events(text):
        if data.strip() != _END:
            yield _object(data)


def _object(data: str) -> dict[str, Any]:
    event = parse_json(data)
    if not isinstance(event, dict):
        raise NotTheDialect("expected every event to be a JSON object")
    return event


def assemble(text: str, *, chat: bool) -> tuple[dict[str, Any], bool]:
    """The answer as one object of the dialect, and whether the stream was whole.

    It is whole with ``[DONE]`` or a finish reason: some servers send no ``[DONE]``.

    Raises
    ------
    NotTheDialect
        If an event is not JSON or a piece has the wrong type.
    """
    pieces: dict[str, list[str]] = {}
    answer: dict[str, Any] = {}
    choice: dict[str, Any] = {"finish_reason": None}
    tokens: list[Any] = []
    whole = begun = False
    for data in events(text):
        if data.strip() == _END:
            whole = True
            break
        chunk = _object(data)
        if chunk.get("error"):
            return {"error": chunk["error"]}, True
        for key in ("id", "model", "system_fingerprint", "usage"):
            if chunk.get(key) is not None:
                answer[key] = chunk[key]
        part = _first_choice(chunk)
        if part is None:
            continue
        begun = True
        if part.get("finish_reason") is not None:
            choice["finish_reason"] = part["finish_reason"]
            whole = True
        _collect(part.get("delta") if chat else part, pieces)
        _extend(tokens, part.get("logprobs"), choice)
    message = {name: "".join(parts) for name, parts in pieces.items()}
    if tokens:
        choice["logprobs"] = {"content": tokens}
    if chat:
        choice["message"] = message
    else:
        choice["text"] = message.get("text", "")
    return {**answer, "choices": [choice] if begun else []}, whole


def spelled(text: str) -> str:
    """The texts that the pieces of a stream spell, whatever else is wrong with it."""
    pieces: dict[str, list[str]] = {}
    for data in events(text):
        try:
            chunk = parse_json(data)
            part = _first_choice(chunk) if isinstance(chunk, dict) else None
            if part is not None:
                _collect(part.get("delta", part), pieces)
        except NotTheDialect:
            continue
    return "\n".join("".join(parts) for parts in pieces.values())


def _first_choice(chunk: dict[str, Any]) -> dict[str, Any] | None:
    choices = chunk.get("choices")
    if choices is None or choices == []:
        return None  # the last event of some servers holds the usage only
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise NotTheDialect("expected choices to be a list of objects")
    return choices[0] if choices[0].get("index", 0) == 0 else None


def _collect(delta: Any, pieces: dict[str, list[str]]) -> None:
    if delta is None:
        return
    if not isinstance(delta, dict):
        raise NotTheDialect("expected choices[0].delta to be an object")
    for name in ("content", "text", "reasoning_content", "reasoning", "refusal"):
        value = delta.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise NotTheDialect(f"expected delta.{name} to be text")
        pieces.setdefault(name, []).append(value)


def _extend(tokens: list[Any], logprobs: Any, choice: dict[str, Any]) -> None:
    """Collect the log-probabilities of one piece, in the shape of the dialect that sent them."""
    if not isinstance(logprobs, dict):
        return
    if isinstance(logprobs.get("content"), list):
        tokens.extend(logprobs["content"])
    elif isinstance(logprobs.get("tokens"), list):
        held = choice.setdefault("logprobs", {})
        for name in ("tokens", "token_logprobs", "top_logprobs"):
            if isinstance(logprobs.get(name), list):
                held.setdefault(name, []).extend(logprobs[name])
