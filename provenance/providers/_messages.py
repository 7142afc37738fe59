"""The Messages dialect: its body, its answers and its events.

An answer is translated into a chat completion, which `_answer.read` reads, so that both dialects
are judged by one set of rules. The translation keeps what has the wrong type for that reader to
note, and refuses what holds no text.
"""

from __future__ import annotations

from typing import Any

from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers import _stream
from provenance.providers._answer import NotTheDialect
from provenance.providers._body import BodyPlan, merge
from provenance.providers._faults import error_code, error_of
from provenance.transcript import Request

_LEAST_THINKING = 1024  # what the API takes as a budget
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": "tool_calls",
}
# The statuses that these errors come with when they do not come inside an answer.
_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_PROMPT_COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class MessagesPlan(BodyPlan):
    """Bodies of ``/v1/messages``; parameters and errors as `BodyPlan`."""

    def __init__(self, endpoint: Endpoint, *, capabilities: dict[str, str]) -> None:
        super().__init__(endpoint, chat=True, capabilities=capabilities)
        if "system" in self._extra:
            raise UsageError("option body.system: set by the provider itself: use system_file")
        self._effort = None  # a word is a budget here
        if self._thinking:
            self._thinking = max(self._thinking, _LEAST_THINKING)

    def make(self, request: Request) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """As `BodyPlan.make`; ``max_tokens`` is required here, so it is never dropped."""
        notes: list[str] = []
        optional = self._optional(request, notes)
        prompt = self._prompt(request, notes)["messages"]
        system = "\n\n".join(m["content"] for m in prompt if m["role"] == "system")
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": self.budget(request),
            "messages": [m for m in prompt if m["role"] != "system"],
        }
        if system:
            body["system"] = system
        if self._thinking:
            body["thinking"] = {"type": "enabled", "budget_tokens": self._thinking}
        body.update(self._chosen)
        body.update(optional)
        if self._stream:
            body["stream"] = True
        merge(body, self._extra)
        return body, {n: v for n, v in optional.items() if n not in self._extra}, notes

    def _wishes(self, decoding: dict[str, Any], notes: list[str]) -> dict[str, Any]:
        """As `BodyPlan`; this dialect has no log probabilities."""
        if decoding.pop("logprobs", None) is not None:
            decoding.pop("top_logprobs", None)
            notes.append("logprobs not sent: this API lists none")
        return decoding

    def _also_sent(self) -> list[str]:
        return ["max_tokens", *(["thinking"] if self._thinking else [])]


def as_chat(payload: Any, notes: list[str]) -> dict[str, Any]:
    """A message as the chat completion that says the same.

    ``end_turn`` becomes ``stop``, ``max_tokens`` ``length``, ``refusal`` ``content_filter``; an
    unknown reason stays as it is. Prompt tokens count those that a cache held.

    Raises
    ------
    NotTheDialect
        If the text cannot be found where the dialect has it.
    """
    if not isinstance(payload, dict):
        raise NotTheDialect("expected a JSON object")
    if payload.get("error") or payload.get("type") == "error":
        error = error_of(payload)
        code = error_code({"type": error.get("type")})
        return {"error": {**error, "code": _STATUS.get(code, error.get("code", code or "unknown"))}}
    content = payload.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise NotTheDialect("expected content to be a list of objects")
    texts = [block.get("text") for block in content if block.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise NotTheDialect("expected the text of a content block to be text")
    message: dict[str, Any] = {"content": "".join(str(t) for t in texts)}
    if content and not texts:
        message["content"] = None  # no text among the blocks: the reader asks why
    thoughts = [block.get("thinking") for block in content if block.get("type") == "thinking"]
    if thoughts:
        whole = all(isinstance(thought, str) for thought in thoughts)
        message["reasoning_content"] = "".join(str(t) for t in thoughts) if whole else thoughts
    if any(block.get("type") == "redacted_thinking" for block in content):
        notes.append("the server encrypted some of the thinking: left out")
        message["tool_calls"] = True  # a reason for an answer without text
    if any(block.get("type") == "tool_use" for block in content):
        message["tool_calls"] = True
    reason = payload.get("stop_reason")
    finish = _FINISH.get(reason, reason) if isinstance(reason, str) else reason
    return {
        **{name: payload.get(name) for name in ("id", "model", "system_fingerprint")},
        "choices": [{"finish_reason": finish, "message": message}],
        "usage": _usage(payload.get("usage")),
    }


def assemble(text: str) -> tuple[dict[str, Any], bool]:
    """The message that a stream is pieces of, and whether the stream was whole.

    It is whole with ``message_stop`` or a stop reason.

    Raises
    ------
    NotTheDialect
        If an event is not JSON or a piece has the wrong type.
    """
    message: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    blocks: dict[int, tuple[dict[str, Any], list[str]]] = {}
    whole = False
    for event in _stream.objects(text):
        kind = event.get("type")
        if kind == "error" or event.get("error"):
            return {"type": "error", "error": event.get("error") or {}}, True
        if kind == "message_start":
            message = dict(_object(event, "message"))
            _update(usage, message.get("usage"))
        elif kind == "content_block_start":
            block = _object(event, "content_block")
            first = block.get(str(block.get("type")))
            blocks[_index(event)] = block, [first] if isinstance(first, str) else []
        elif kind == "content_block_delta":
            _extend(blocks, _index(event), _object(event, "delta"))
        elif kind == "message_delta":
            _update(usage, event.get("usage"))
            reason = _object(event, "delta").get("stop_reason")
            if reason is not None:
                message["stop_reason"] = reason
                whole = True
        elif kind == "message_stop":
            whole = True
            break
    content = [
        {**block, str(block.get("type")): "".join(pieces)} if pieces else block
        for _, (block, pieces) in sorted(blocks.items())
    ]
    return {**message, "content": content, "usage": usage or message.get("usage")}, whole


def _extend(
    blocks: dict[int, tuple[dict[str, Any], list[str]]], index: int, delta: dict[str, Any]
) -> None:
    for name in ("text", "thinking"):
        if delta.get("type") == f"{name}_delta":
            piece = delta.get(name)
            if not isinstance(piece, str):
                raise NotTheDialect(f"expected delta.{name} to be text")
            blocks.setdefault(index, ({"type": name}, []))[1].append(piece)


def _object(event: dict[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise NotTheDialect(f"expected {name} to be an object")
    return value


def _index(event: dict[str, Any]) -> int:
    index = event.get("index", 0)
    if not isinstance(index, int):
        raise NotTheDialect("expected the index of a content block to be a number")
    return index


def _update(usage: dict[str, Any], said: Any) -> None:
    if isinstance(said, dict):
        usage.update({name: value for name, value in said.items() if value is not None})


def _usage(usage: Any) -> Any:
    """The counts by their names in a chat completion; what is no count goes on as it is."""
    if not isinstance(usage, dict):
        return usage
    prompt: Any = None
    for value in (usage.get(name) for name in _PROMPT_COUNTS):
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            prompt = value
            break
        prompt = (prompt or 0) + value
    details = usage.get("output_tokens_details")
    thinking = details.get("thinking_tokens") if isinstance(details, dict) else None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.get("output_tokens"),
        "reasoning_tokens": thinking,
    }
