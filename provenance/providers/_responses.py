"""The Responses dialect: its body, its answers and its events.

An answer is translated into a chat completion, which `_answer.read` reads, so that both dialects
are judged by one set of rules. The translation keeps what has the wrong type for that reader to
note, and refuses what holds no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers import _stream
from provenance.providers._answer import NotTheDialect
from provenance.providers._body import BodyPlan, merge
from provenance.providers._faults import error_code, error_of
from provenance.transcript import Completion, Request

_INCOMPLETE = {"max_output_tokens": "length", "max_tokens": "length"}
_FINAL = ("response.completed", "response.incomplete", "response.failed")
# OpenAI's own servers take no max_output_tokens below 16, others do.
_TOO_FEW = re.compile(r"max_output_tokens.{1,80}minimum.{1,80}>= ?(\d{1,3})\b", re.DOTALL)
_STATUS = {"rate_limit_exceeded": 429, "server_error": 500}


class ResponsesPlan(BodyPlan):
    """Bodies of ``/responses``; parameters and errors as `BodyPlan`."""

    def __init__(self, endpoint: Endpoint, *, capabilities: dict[str, str]) -> None:
        super().__init__(endpoint, chat=True, capabilities=capabilities)
        for name in ("input", "instructions"):
            if name in self._extra:
                raise UsageError(f"option body.{name}: {name} is set by the provider itself")
        self._least = 1

    def make(self, request: Request) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """As `BodyPlan.make`; ``max_output_tokens`` has no other spelling: it is never dropped."""
        notes: list[str] = []
        optional = self._optional(request, notes)
        tokens = self.budget(request)
        if tokens < self._least:
            notes.append(f"max_output_tokens {self._least}: the least that the server takes")
        body: dict[str, Any] = {
            "model": self._model,
            "input": self._prompt(request, notes)["messages"],
            "max_output_tokens": max(tokens, self._least),
        }
        if self._effort is not None:
            body["reasoning"] = {"effort": self._effort}
        body.update(self._chosen)
        body.update(optional)
        if self._stream:
            body["stream"] = True
        merge(body, self._extra)
        return body, {n: v for n, v in optional.items() if n not in self._extra}, notes

    def too_few(self, message: str) -> bool:
        """Learn from a refusal how many tokens a server wants to be allowed at least."""
        found = _TOO_FEW.search(message)
        if found is not None:
            self._least = max(self._least, int(found[1]))
        return found is not None

    def answered(self, completion: Completion) -> None:
        """See in an answer what the server made of a wish for log-probabilities."""
        if self._extra.get("top_logprobs") or self._extra.get("include"):
            given = completion.logprobs is not None
            self._capabilities["logprobs"] = "accepted" if given else "ignored"

    def _wishes(self, decoding: dict[str, Any], notes: list[str]) -> dict[str, Any]:
        """As `BodyPlan`; here log probabilities are a part of the answer to be included."""
        if decoding.pop("logprobs", None) is True:
            decoding["include"] = ["message.output_text.logprobs"]
        return decoding

    def _also_sent(self) -> list[str]:
        return ["max_output_tokens", *(["reasoning"] if self._effort is not None else [])]


def as_chat(payload: Any) -> dict[str, Any]:
    """A response as the chat completion that says the same.

    ``completed`` becomes ``stop``, ``incomplete`` for ``max_output_tokens`` ``length``; any other
    reason stays as it is. Reasoning is the text of the reasoning items, else their summaries.

    Raises
    ------
    NotTheDialect
        If the text cannot be found where the dialect has it, or the response is not finished.
    """
    if not isinstance(payload, dict):
        raise NotTheDialect("expected a JSON object")
    status = payload.get("status")
    if payload.get("error") or status == "failed":
        error = error_of(payload) or {"message": "status failed"}
        code = error_code(error)
        return {"error": {**error, "code": _STATUS.get(code, code or "unknown")}}
    if status in ("queued", "in_progress", "cancelled"):
        raise NotTheDialect(f"the answer is not finished: status {status}")
    message: dict[str, Any] = {}
    texts: list[str] = []
    refusals: list[str] = []
    tokens: list[Any] = []
    for part in _parts(payload, "message"):
        if part.get("type") == "output_text":
            texts.append(_text(part, "text"))
            logprobs = part.get("logprobs")
            tokens.extend(logprobs if isinstance(logprobs, list) else [])
        elif part.get("type") == "refusal":
            refusals.append(_text(part, "refusal"))
    message["content"] = "".join(texts) if texts else None
    if refusals:
        message["refusal"] = "".join(refusals)
    thoughts = _thoughts(payload)
    if thoughts:
        message["reasoning"] = thoughts
    if any(str(item.get("type")).endswith("_call") for item in _items(payload)):
        message["tool_calls"] = True
    choice = {"finish_reason": _finish(payload, status), "message": message}
    if tokens:
        choice["logprobs"] = {"content": tokens}
    named = {name: payload.get(name) for name in ("id", "model", "system_fingerprint")}
    return {**named, "choices": [choice], "usage": _usage(payload.get("usage"))}


def assemble(text: str) -> tuple[dict[str, Any], bool]:
    """The response that a stream ends with, and whether the stream was whole.

    The last event repeats the whole response. Where it leaves the output out, the items that were
    finished before it stand in, and where there are none, the pieces of text.

    Raises
    ------
    NotTheDialect
        If an event is not JSON or a piece has the wrong type.
    """
    response: dict[str, Any] = {}
    items: list[Any] = []
    pieces: list[str] = []
    whole = False
    for event in _stream.objects(text):
        kind = event.get("type")
        if kind == "error" or (kind is None and event.get("error")):
            return {"error": error_of(event) or {"message": "error event"}}, True
        if kind in _FINAL:
            if not isinstance(event.get("response"), dict):
                raise NotTheDialect("expected response to be an object")
            response, whole = dict(event["response"]), True
            break
        if kind == "response.output_item.done":
            items.append(event.get("item"))
        elif kind == "response.output_text.delta":
            pieces.append(_text(event, "delta"))
    if not response.get("output") and items:
        response["output"] = items
    elif not response.get("output") and pieces:
        part = {"type": "output_text", "text": "".join(pieces)}
        response["output"] = [{"type": "message", "content": [part]}]
    return response, whole


def _items(payload: dict[str, Any]) -> list[dict[str, Any]]:
    output = payload.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise NotTheDialect("expected output to be a list of objects")
    return output


def _parts(payload: dict[str, Any], kind: str, holder: str = "content") -> Iterator[dict[str, Any]]:
    for item in _items(payload):
        if item.get("type") != kind:
            continue
        parts = item.get(holder) or []
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise NotTheDialect(f"expected the {holder} of a {kind} to be a list of objects")
        yield from parts


def _thoughts(payload: dict[str, Any]) -> Any:
    """Reasoning as text; as it is where that has the wrong type, for the reader to note."""
    for holder in ("content", "summary"):
        said = [part.get("text") for part in _parts(payload, "reasoning", holder)]
        if said:
            texts = [text for text in said if isinstance(text, str)]
            return "".join(texts) if len(texts) == len(said) else said
    return None


def _text(holder: dict[str, Any], name: str) -> str:
    value = holder.get(name)
    if not isinstance(value, str):
        raise NotTheDialect(f"expected {name} to be text")
    return value


def _finish(payload: dict[str, Any], status: Any) -> Any:
    if status in ("completed", None):
        return "stop"
    if status != "incomplete":
        return status
    details = payload.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return _INCOMPLETE.get(reason, reason) if isinstance(reason, str) else "incomplete"


def _usage(usage: Any) -> Any:
    """The counts by their names in a chat completion."""
    if not isinstance(usage, dict):
        return usage
    return {
        "prompt_tokens": usage.get("input_tokens"),
        "completion_tokens": usage.get("output_tokens"),
        "completion_tokens_details": usage.get("output_tokens_details"),
    }
