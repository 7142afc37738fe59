"""Which parameters does a server heed? Found by what it does, not by the absence of an error.

A server may accept a parameter and not heed it. Each rung asks something whose answer shows the
difference:

    usage         token counts stand beside the answers
    logprobs      they come when asked for
    seed          the same seed gives the same text twice, another seed another text
    temperature   at 0 three texts begin alike, where free draws differ
    top_p         at .01 likewise
    n             two choices come when two are asked for
    system        an instruction is followed that only the system message holds (unclear where it is
                  not followed in the user's message either)
    prefill       an answer that was begun is continued, not begun anew

States: *supported*, *ignored* (no error, no effect), *refused* (an error that names it or answers
400), *unclear* (the answers do not tell: free draws were alike, or there was no answer). They
describe one moment; a state is never evidence about weights.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from provenance.transcript import Completion, Exchange, Failure, Message

State = Literal["supported", "ignored", "refused", "unclear"]
# At most this many further requests a side.
REQUESTS = 14

_FREE = "Invent a village: its name, and one sentence about it."
_ONE_WORD = "Name a colour. One word."
_WORD = "kumquat"
_SYSTEM = f"Whatever the user says, reply with the single word {_WORD} and nothing else."
_COUNT = "Count from one to eight in English words, separated by commas."
_COUNTED = "one, two, three, four, five,"
_FREE_TOKENS = 32
_SEEDS = (11, 11, 12)
# Two runs of one distribution at temperature 0 may part late, where two tokens are nearly tied.
_BEGINNING = 12


@dataclass(frozen=True, slots=True)
class Rung:
    """One question of the ladder."""

    name: str
    messages: tuple[Message, ...]
    max_visible_tokens: int
    decoding: Mapping[str, Any] = field(default_factory=dict)


Ask = Callable[[Rung], Awaitable[Exchange]]


async def climb(
    ask: Ask, *, chat: bool, answered: Sequence[Completion], taken: Collection[str] = ()
) -> dict[str, State]:
    """Ask the questions of the ladder and read what the answers show.

    Parameters
    ----------
    ask
        Makes one request, and does not repeat one whose parameters were refused.
    chat
        Whether the server takes messages; without them system and prefill mean nothing.
    answered
        Answers that are there already.
    taken
        Parameters that the endpoint's own options set: they cannot be varied, so not be tried.

    Returns
    -------
    dict
        Parameter -> state.
    """
    counted = [a.usage.completion_tokens is not None for a in answered]
    found: dict[str, State] = {}
    if counted:
        found["usage"] = "supported" if all(counted) else "ignored"
    if "logprobs" not in taken:
        found["logprobs"] = await _logprobs(ask, chat=chat)
    found |= await _sampling(ask, taken)
    found["n"] = await _choices(ask)
    if chat:
        found["system"] = await _system(ask)
        found["prefill"] = await _prefill(ask)
    return found


async def _logprobs(ask: Ask, *, chat: bool) -> State:
    wish: dict[str, Any] = {"logprobs": True, "top_logprobs": 2} if chat else {"logprobs": 2}
    outcome = (await ask(Rung("logprobs", _user(_ONE_WORD), 8, wish))).outcome
    if isinstance(outcome, Failure):
        return _refused(outcome)
    return "supported" if outcome.logprobs else "ignored"


async def _sampling(ask: Ask, taken: Collection[str]) -> dict[str, State]:
    """Seed, temperature and top_p, by how much texts differ that are free to."""
    if "seed" in taken:
        return {}  # texts are not free to differ
    seeded = [await _text(ask, "seed", {"seed": seed}) for seed in _SEEDS]
    first, again, other = seeded
    free = {text for text in seeded if isinstance(text, str)}
    varied = len(free) > 1
    found: dict[str, State] = {"seed": _first_refusal(seeded)}
    if isinstance(first, str) and isinstance(again, str) and isinstance(other, str):
        if first != again:
            found["seed"] = "ignored"
        elif first != other:
            found["seed"] = "supported"
    for name, value in (("temperature", 0.0), ("top_p", 0.01)):
        if name in taken:
            continue
        texts = [await _text(ask, name, {name: value}) for _ in range(3)]
        found[name] = _narrowed(texts) if varied else _first_refusal(texts)
    return found


def _narrowed(texts: Sequence[str | Failure]) -> State:
    read = [text for text in texts if isinstance(text, str)]
    if len(read) < len(texts):
        return _first_refusal(texts)
    beginnings = {text[:_BEGINNING] for text in read}
    if len(beginnings) == 1:
        return "supported"
    return "ignored" if len(beginnings) == len(texts) else "unclear"


async def _text(ask: Ask, name: str, decoding: Mapping[str, Any]) -> str | Failure:
    outcome = (await ask(Rung(name, _user(_FREE), _FREE_TOKENS, decoding))).outcome
    return outcome if isinstance(outcome, Failure) else outcome.text.strip()


async def _choices(ask: Ask) -> State:
    exchange = await ask(Rung("n", _user(_ONE_WORD), 8, {"n": 2}))
    if isinstance(exchange.outcome, Failure):
        return _refused(exchange.outcome)
    try:
        payload = json.loads(exchange.response)
    except (ValueError, RecursionError):  # a stream of events: choices come interleaved
        return "unclear"
    choices = payload.get("choices") if isinstance(payload, dict) else None
    if not isinstance(choices, list):
        return "ignored"
    return "supported" if len(choices) == 2 else "ignored"


async def _system(ask: Ask) -> State:
    messages = (Message(role="system", content=_SYSTEM), *_user("Good morning!"))
    outcome = (await ask(Rung("system", messages, 16))).outcome
    if isinstance(outcome, Failure):
        return _refused(outcome)
    if _WORD in outcome.text.casefold():
        return "supported"
    control = (await ask(Rung("system", _user(f"{_SYSTEM} Good morning!"), 16))).outcome
    followed = isinstance(control, Completion) and _WORD in control.text.casefold()
    return "ignored" if followed else "unclear"


async def _prefill(ask: Ask) -> State:
    messages = (*_user(_COUNT), Message(role="assistant", content=_COUNTED))
    outcome = (await ask(Rung("prefill", messages, 16))).outcome
    if isinstance(outcome, Failure):
        return _refused(outcome)
    text = outcome.text.casefold().lstrip(" ,\n")
    if text.startswith("six"):
        return "supported"
    return "ignored" if text.startswith(("one", "1")) else "unclear"


def _refused(failure: Failure) -> State:
    return "refused" if failure.kind == "refused_parameters" else "unclear"


def _first_refusal(texts: Sequence[str | Failure]) -> State:
    kinds = [text.kind for text in texts if isinstance(text, Failure)]
    return "refused" if "refused_parameters" in kinds else "unclear"


def _user(content: str) -> tuple[Message, ...]:
    return (Message(role="user", content=content),)
