"""The JSON body of a request: the probe's wishes, the endpoint's options, what a server refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.providers._keys import is_credential
from provenance.providers._network import read_text
from provenance.transcript import Completion, Request

_SAMPLING = ("temperature", "top_p", "seed")
_LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
_OURS = ("model", "messages", "prompt", "stream", "n")
_THINKING = {"minimal": 512, "low": 2048, "medium": 4096, "high": 16384}
_DEFAULT_THINKING = 4096


class BodyPlan:
    """Builds bodies, and learns which parameters the server takes.

    Parameters
    ----------
    endpoint
        Whose options apply.
    chat
        Whether the dialect is chat completions.
    capabilities
        Written to as the server accepts, ignores and refuses.

    Raises
    ------
    UsageError
        If an option cannot be part of a body.
    """

    def __init__(self, endpoint: Endpoint, *, chat: bool, capabilities: dict[str, str]) -> None:
        self._model = endpoint.model
        self._chat = chat
        self._capabilities = capabilities
        self._stream = bool(endpoint.option("stream", False))
        self._chosen = {
            name: endpoint.option(name) for name in _SAMPLING if endpoint.option(name) is not None
        }
        self._visible = endpoint.option("max_tokens")
        if self._visible is not None and self._visible < 1:
            raise UsageError("option max_tokens: expected at least 1")
        self._thinking, self._effort = reasoning_option(endpoint)
        system_file = endpoint.option("system_file")
        self._system = None if system_file is None else read_text(system_file, "system_file")
        self._extra = _extra(endpoint.family("body"))

    def budget(self, request: Request) -> int:
        """Tokens that an answer may have, thinking included."""
        visible = request.max_visible_tokens if self._visible is None else self._visible
        return int(visible) + (self._thinking or request.thinking_tokens)

    def make(self, request: Request) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        """The body; the parameters in it that may be dropped if the server refuses them; notes."""
        notes: list[str] = []
        optional = self._optional(request, notes)
        if not _LIMITS & self._extra.keys():
            refused = self._capabilities.get("max_tokens") == "refused"
            optional["max_completion_tokens" if refused else "max_tokens"] = self.budget(request)
        if self._stream and self._capabilities.get("stream_options") != "refused":
            optional["stream_options"] = {"include_usage": True}
        body = {"model": self._model, **self._prompt(request, notes), **self._chosen, **optional}
        if self._effort is not None:
            body["reasoning_effort"] = self._effort
        if self._stream:
            body["stream"] = True
        merge(body, self._extra)
        # Without a limit a server may generate for ever, so the second spelling is not droppable.
        learnable = {
            name: value
            for name, value in optional.items()
            if name not in self._extra and name != "max_completion_tokens"
        }
        return body, learnable, notes

    def refused(self, names: list[str]) -> None:
        """The server refused these by name."""
        self._capabilities.update(dict.fromkeys(names, "refused"))

    def accepted(self, names: Iterable[str]) -> None:
        """An answer came without an error."""
        sent = [*names, *self._chosen, *self._also_sent()]
        if self._stream:
            sent.append("stream")
        for name in sent:
            self._capabilities.setdefault(name, "accepted")

    def not_streamed(self) -> None:
        """The answer came in one piece."""
        if self._stream:
            self._capabilities["stream"] = "ignored"

    def answered(self, completion: Completion) -> None:
        """See in an answer what the server made of a wish for log-probabilities."""
        if self._extra.get("logprobs"):
            given = completion.logprobs is not None
            self._capabilities["logprobs"] = "accepted" if given else "ignored"

    def _optional(self, request: Request, notes: list[str]) -> dict[str, Any]:
        """The probe's own parameters, but those that the user set or the server refuses."""
        optional = {}
        for name, value in self._wishes(dict(request.decoding), notes).items():
            if name in self._chosen:
                continue
            if self._capabilities.get(name) == "refused":
                notes.append(f"{name} not sent: the server refuses it")
            else:
                optional[name] = value
        return optional

    def _wishes(self, decoding: dict[str, Any], notes: list[str]) -> dict[str, Any]:
        """The probe's parameters as this dialect spells them: for completions a number says both
        that log probabilities are wished for and how many."""
        if not self._chat and decoding.get("logprobs") is True:
            decoding["logprobs"] = decoding.pop("top_logprobs", 1)
        return decoding

    def _also_sent(self) -> list[str]:
        """What was sent besides the probe's and the user's parameters."""
        refused = self._capabilities.get("max_tokens") == "refused"
        sent = ["max_completion_tokens"] if refused else []
        return sent if self._effort is None else [*sent, "reasoning_effort"]

    def _prompt(self, request: Request, notes: list[str]) -> dict[str, Any]:
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        if self._system is not None:
            if any(m.role == "system" for m in request.messages):
                notes.append("system_file not sent: the probe has its own system message")
            else:
                messages.insert(0, {"role": "system", "content": self._system})
        if self._chat:
            return {"messages": messages}
        return {"prompt": "\n\n".join(m["content"] for m in messages)}


def encode(body: dict[str, Any]) -> bytes:
    """The body as it travels."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return clean_text(text).encode()


def reasoning_option(endpoint: Endpoint) -> tuple[int, str | None]:
    """Tokens for thinking, and the effort to ask for, as the option ``reasoning`` has them.

    Raises
    ------
    UsageError
        If the option has another value.
    """
    value = endpoint.option("reasoning", False)
    if value is False:
        return 0, None
    if value is True:
        return _DEFAULT_THINKING, None
    if isinstance(value, int) and 0 <= value <= 2**20:
        return value, None
    if isinstance(value, str) and value in _THINKING:
        return _THINKING[value], value
    raise UsageError(
        f"option reasoning={value}: expected true, false, a number of tokens, or one of "
        f"{', '.join(_THINKING)}"
    )


def _extra(paths: dict[str, Any]) -> dict[str, Any]:
    """``body.a.b=1`` as {"a": {"b": 1}}."""
    extra: dict[str, Any] = {}
    for path, value in paths.items():
        names = path.split(".")
        if names[0] in _OURS:
            raise UsageError(f"option body.{path}: {names[0]} is set by the provider itself")
        if is_credential(path):
            raise UsageError(
                f"option body.{path}: an endpoint string is written into every plan and dossier, "
                "so it holds no key: use key_env=NAME or header_env.HEADER=NAME"
            )
        holder = extra
        for name in names[:-1]:
            holder = holder.setdefault(name, {})
            if not isinstance(holder, dict):
                raise UsageError(f"option body.{path}: {name} already has a value")
        if not all(names) or names[-1] in holder:
            raise UsageError(f"option body.{path}: expected names apart by dots, each set once")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise UsageError(f"option body.{path}: JSON has no such value") from None
        holder[names[-1]] = value
    return extra


def merge(body: dict[str, Any], extra: dict[str, Any]) -> None:
    """Put ``extra`` into ``body``, objects into objects."""
    for name, value in extra.items():
        held = body.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            held = dict(held)
            merge(held, value)
            body[name] = held
        else:
            body[name] = value
