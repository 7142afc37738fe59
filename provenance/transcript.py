"""What was asked and what came back: `Request`, `Completion`, `Failure`, `Exchange`, `Record`.

A *request* is one slot of the plan. One *attempt* at it gives an *exchange*, whose outcome is a
completion or a failure. The store keeps every attempt as a *record*; the last record of a slot
that is ``final`` is what the analysis reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["reference", "suspect"]
ROLES: tuple[Role, Role] = ("reference", "suspect")

FailureKind = Literal[
    "auth",  # 401, 403: our key
    "payment",  # 402
    "not_found",  # 404: model or path
    "rate_limited",  # 429
    "server_error",  # 408, 409, 5xx
    "refused_parameters",  # 400, 422: this request, as we wrote it
    "timeout",
    "unreachable",  # no connection: refused, DNS, TLS
    "reset",  # the connection broke while it was used
    "malformed",  # bytes that are not the dialect: broken JSON, wrong types, redirect
    "too_large",  # more bytes than any answer to this probe can need
    "starved",  # empty text, finish reason length: thinking ate the budget
    "missing",  # a recording that has no such draw
    "local",  # a model on this machine could not generate
]


# Failures that no answer can have caused: there was no connection, or the request itself was at
# fault. Any other may have hit the one answer and not the next, even a 429 of a relay.
BLIND_FAILURES: frozenset[FailureKind] = frozenset({"unreachable", "refused_parameters"})
# A note of a completion: a kept connection broke at once, and the request went out again.
RESENT = "sent on a new connection: the server had closed the idle one"


class Frozen(BaseModel):
    """Base of everything that crosses a file or process boundary."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Usage(Frozen):
    """Tokens as the server counted them; None where it did not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def billed_completion(self) -> int | None:
        """Tokens that were produced, thinking included.

        Most servers count thinking within the completion; one that reports more of it than the
        completion has counts it apart.
        """
        completion, thinking = self.completion_tokens, self.reasoning_tokens or 0
        if completion is None:
            return None
        return completion + thinking if thinking > completion else completion


class TokenLogprob(Frozen):
    """One generated token, its natural-log probability, and the alternatives that were offered."""

    token: str
    logprob: float | None
    top: tuple[tuple[str, float], ...] = ()


class Completion(Frozen):
    """An answer, refusals and content blocks included: those are outcomes, not failures."""

    text: str
    reasoning: str | None = None
    finish_reason: str | None = None
    blocked: bool = False
    served_model: str | None = None
    system_fingerprint: str | None = None
    response_id: str | None = None
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] | None = None
    notes: tuple[str, ...] = ()


class Failure(Frozen):
    """An attempt without an answer. Lowers coverage; never evidence of a difference."""

    kind: FailureKind
    message: str
    status: int | None = None
    retryable: bool = False
    retry_after_s: float | None = None


class Message(Frozen):
    """One chat message of a probe."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Request:
    """One slot of the plan, ready to be sent.

    Attributes
    ----------
    slot
        Position in the plan; the key of the record.
    role, cell, draw
        Whose answer, to which cell (probe or probe/condition), and which draw of it, from 0.
    draws_planned
        How many draws of this cell the plan asks from this side. A local model may draw them all
        from one prefill; each is still its own sample.
    messages
        The probe's messages, the condition's system prompt included.
    max_visible_tokens
        Tokens that the answer itself may have.
    thinking_tokens
        Tokens on top of them for thinking: 0 unless the pilot found that the endpoint thinks. An
        endpoint's own option ``reasoning`` comes first.
    decoding
        Sampling parameters that the probe or the user set. What is absent is not sent.
    seed
        The study's seed. Local and simulated models derive theirs from
        (seed, role, cell, draw); network adapters send none unless ``decoding`` has one.
    """

    slot: int
    role: Role
    cell: str
    draw: int
    draws_planned: int
    messages: tuple[Message, ...]
    max_visible_tokens: int
    decoding: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    thinking_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt: the exact bytes, an allow-list of headers, timings, and the outcome.

    ``request`` and ``response`` are the raw bodies (for local and simulated models the JSON of
    what was asked and drawn). ``started_utc`` is ISO 8601 with microseconds, or None for a
    recording that kept no time. No field ever holds a key.
    """

    request: bytes
    response: bytes
    outcome: Completion | Failure
    started_utc: str | None
    elapsed_s: float | None
    first_byte_s: float | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Record(Frozen):
    """One attempt as it stands in ``transcript.jsonl`` (without the chain's own fields)."""

    slot: int
    role: Role
    cell: str
    draw: int
    block: int | None
    attempt: int
    final: bool
    started_utc: str | None
    elapsed_s: float | None
    first_byte_s: float | None = None
    status: int | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    request_sha256: str
    response_sha256: str
    completion: Completion | None = None
    failure: Failure | None = None


class Transcript:
    """The records of a study, in the order of their slots; only the final ones.

    Parameters
    ----------
    records
        Records in any order, attempts included.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self.attempts: tuple[Record, ...] = tuple(records)
        final = {r.slot: r for r in self.attempts if r.final}
        self._final = tuple(final[s] for s in sorted(final))

    @property
    def asked_again(self) -> frozenset[int]:
        """Slots whose answer came only after an attempt that failed in a way that an answer can.

        Such an answer is a fresh draw given that no failure hit it: where failures depend on what
        is answered, asking again hides them and skews what is left.
        """
        broken = {
            r.slot
            for r in self.attempts
            if not r.final and r.failure is not None and r.failure.kind not in BLIND_FAILURES
        }
        return frozenset(
            r.slot
            for r in self._final
            if r.completion is not None and (r.slot in broken or RESENT in r.completion.notes)
        )

    def __iter__(self) -> Iterator[Record]:
        return iter(self._final)

    def __len__(self) -> int:
        return len(self._final)

    def completed(self, role: Role) -> list[Record]:
        """The final records of one side that hold a completion."""
        return [r for r in self._final if r.role == role and r.completion is not None]

    def failed(self, role: Role) -> list[Record]:
        """The final records of one side that hold a failure."""
        return [r for r in self._final if r.role == role and r.failure is not None]
