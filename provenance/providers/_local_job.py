"""What is asked of a local engine, and what it gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from provenance.canonical import clean_text, digest
from provenance.transcript import Failure, TokenLogprob

KNOWN = ("temperature", "top_p", "top_k", "min_p", "stop", "seed", "logprobs", "top_logprobs")


class CannotGenerate(Exception):
    """This request cannot be answered by this model; carries the failure."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class Interrupted(Exception):
    """The provider is being closed."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the next token is drawn from the model's distribution; the defaults leave it alone.

    ``top_logprobs``: how many of the likeliest first tokens are listed with their log
    probabilities; later tokens are not listed.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()
    top_logprobs: int = 0

    def to_json(self) -> dict[str, Any]:
        """As written to the record of a request."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "min_p": self.min_p,
            "stop": list(self.stop),
            **({"top_logprobs": self.top_logprobs} if self.top_logprobs else {}),
        }


def joined(messages: tuple[tuple[str, str], ...]) -> str:
    """The plain text of ``api=completions``: contents joined by a blank line, nothing else."""
    return "\n\n".join(content for _, content in messages)


@dataclass(frozen=True, slots=True)
class Job:
    """One batch: the draws ``first`` … ``first + count - 1`` of a cell."""

    messages: tuple[tuple[str, str], ...]
    decoding: Decoding
    max_tokens: int
    identity: tuple[Any, ...]  # study seed, seed given by endpoint or probe, role, cell
    first: int
    count: int

    def seed(self, draw: int) -> int:
        """256 bits for one draw."""
        return int(digest([*self.identity, draw]), 16)

    def prompt(self) -> str:
        """The plain text of ``api=completions``."""
        return joined(self.messages)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer as the engine gave it."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    token_ids: tuple[int, ...] | None = None
    reasoning: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of a job; ``details`` goes into the record of every request of it."""

    drawn: tuple[Drawn, ...]
    details: dict[str, Any]


def read_decoding(chosen: Mapping[str, Any]) -> Decoding:
    """Sampling parameters, checked.

    Raises
    ------
    CannotGenerate
        If a value makes no sense.
    """
    stop = chosen.get("stop")
    stop = [stop] if isinstance(stop, str) else list(stop or ())
    if not all(isinstance(s, str) and s for s in stop):
        raise _refused("stop", chosen.get("stop"), "texts that are not empty")
    return Decoding(
        temperature=_number(chosen, "temperature", 1.0, 0.0, 100.0),
        top_p=_number(chosen, "top_p", 1.0, 1e-9, 1.0),
        top_k=int(_number(chosen, "top_k", 0, -1, 2**31 - 1)),
        min_p=_number(chosen, "min_p", 0.0, 0.0, 1.0),
        stop=tuple(clean_text(s) for s in stop),
        top_logprobs=int(_number(chosen, "top_logprobs", 1, 1, 100))
        if chosen.get("logprobs")
        else 0,
    )


def _number(chosen: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = chosen.get(name)
    if value is None:
        return default
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise _refused(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _refused(name: str, value: Any, expected: str) -> CannotGenerate:
    return CannotGenerate(
        Failure(kind="refused_parameters", message=f"{name}={value!r:.60}: expected {expected}")
    )
