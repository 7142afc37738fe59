"""Draw several continuations of one prompt: prefill once, widen the cache, sample row by row.

The next token is drawn by inverting the cumulative distribution of float32 probabilities, summed
in float64, with one uniform number a row and step from that row's own generator. Filters work in
the order of vLLM and transformers: temperature, top_k, top_p, min_p.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from provenance.providers._local_job import CannotGenerate, Decoding
from provenance.transcript import Failure

_CACHE_BYTES = 2**30  # for the keys and values of one batch


@dataclass(frozen=True, slots=True)
class Row:
    """One continuation: its tokens, the stop token included, and why it ended.

    ``first`` holds the log probability of the first token, and ``top`` the likeliest tokens in its
    place with theirs, at temperature 1 and unfiltered; empty unless they were asked for.
    """

    tokens: tuple[int, ...]
    finish_reason: str
    first: float | None = None
    top: tuple[tuple[int, float], ...] = ()


def sample(
    model: Any,
    prompt: Sequence[int],
    seeds: Sequence[int],
    decoding: Decoding,
    *,
    stop_tokens: frozenset[int],
    max_tokens: int,
    ended: Callable[[Sequence[int]], bool] | None = None,
    check: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Continue a prompt once per seed.

    Parameters
    ----------
    model
        A causal language model of transformers, in evaluation mode.
    prompt
        Token ids, at least one.
    seeds
        One a continuation; equal seeds give equal continuations.
    decoding
        Temperature and filters; its ``stop`` is left to ``ended``.
    stop_tokens
        Ids that end a row.
    max_tokens
        Tokens of a row, at most.
    ended
        Whether a row's tokens so far hold a stop text.
    check
        Called before every step; raises to give up.

    Raises
    ------
    CannotGenerate
        If the model's probabilities are not finite.
    """
    import torch

    generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
    rows: list[list[int]] = [[] for _ in seeds]
    reasons = ["length"] * len(seeds)
    with torch.inference_mode():
        check()
        cache, logits = _prefill(model, prompt)
        likely = _first_tokens(logits, decoding.top_logprobs)
        width = _width(cache, len(prompt) + max_tokens, len(prompt))
        starts = range(0, len(seeds), width)
        for start in starts:
            last = start == starts[-1]
            active = list(range(start, min(start + width, len(seeds))))
            state = cache if last else copy.deepcopy(cache)
            if len(active) > 1:
                state.batch_repeat_interleave(len(active))
            current = logits.expand(len(active), -1)
            for step in range(max_tokens):
                uniforms = [generators[row].random() for row in active]
                tokens = draw_tokens(current, uniforms, decoding)
                going = []
                for place, (row, token) in enumerate(zip(active, tokens, strict=True)):
                    rows[row].append(token)
                    if token in stop_tokens or (ended is not None and ended(rows[row])):
                        reasons[row] = "stop"
                    else:
                        going.append(place)
                if not going or step == max_tokens - 1:
                    break
                if len(going) < len(active):
                    state.batch_select_indices(torch.tensor(going, device=logits.device))
                    active = [active[place] for place in going]
                    tokens = [tokens[place] for place in going]
                check()
                ids = torch.tensor(tokens, device=logits.device).unsqueeze(1)
                output = model(input_ids=ids, use_cache=True, **{_cache_name(model): state})
                state, current = output[_cache_name(model)], output.logits[:, -1]
    if likely is None:
        return [Row(tuple(t), r) for t, r in zip(rows, reasons, strict=True)]
    every, top = likely
    return [Row(tuple(t), r, float(every[t[0]]), top) for t, r in zip(rows, reasons, strict=True)]


def draw_tokens(logits: Any, uniforms: Sequence[float], decoding: Decoding) -> list[int]:
    """One token a row.

    Parameters
    ----------
    logits
        Tensor (rows, vocabulary).
    uniforms
        One number in [0, 1) a row.
    decoding
        Temperature 0 takes the most probable token, the first of equals.

    Raises
    ------
    CannotGenerate
        If a row has no finite probabilities.
    """
    import torch

    if decoding.temperature == 0:
        if bool(torch.isnan(logits).any()):
            raise _not_finite()
        tokens: list[int] = logits.argmax(-1).tolist()
        return tokens
    cumulative = probabilities(logits, decoding).cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    if not bool(torch.isfinite(total).all()):
        raise _not_finite()
    point = torch.tensor(uniforms, dtype=torch.float64, device=logits.device).unsqueeze(1) * total
    # Rounding may put the point onto the very end, where no token is left of probability > 0.
    point = torch.minimum(point, torch.nextafter(total, torch.zeros_like(total)))
    drawn: list[int] = torch.searchsorted(cumulative, point, right=True).squeeze(1).tolist()
    return drawn


def probabilities(logits: Any, decoding: Decoding) -> Any:
    """The distribution that tokens are drawn from, (rows, vocabulary), not renormalised."""
    import torch

    scaled = logits.float() / decoding.temperature
    if 0 < decoding.top_k < scaled.shape[-1]:
        floor = scaled.topk(decoding.top_k, dim=-1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < floor, float("-inf"))
    chances = scaled.softmax(-1)
    if decoding.top_p < 1:
        ordered, order = chances.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1, dtype=torch.float64) - ordered
        # A token stays while those above it hold less than top_p: the first always does.
        ordered = ordered.masked_fill(before >= decoding.top_p, 0.0)
        chances = torch.zeros_like(chances).scatter(-1, order, ordered)
    if decoding.min_p > 0:
        floor = chances.amax(-1, keepdim=True) * decoding.min_p
        chances = chances.masked_fill(chances < floor, 0.0)
    return chances


def _prefill(model: Any, prompt: Sequence[int]) -> tuple[Any, Any]:
    import torch

    # Only the last position is needed; with a large vocabulary all of them are gigabytes.
    takes_keep = "logits_to_keep" in inspect.signature(model.forward).parameters
    output = model(
        input_ids=torch.tensor([list(prompt)], device=model.device),
        use_cache=True,
        **({"logits_to_keep": 1} if takes_keep else {}),
    )
    return output[_cache_name(model)], output.logits[:, -1]


def _cache_name(model: Any) -> str:
    """What this release of transformers calls the keys and values of earlier tokens."""
    renamed = "cache" in inspect.signature(model.forward).parameters
    return "cache" if renamed else "past_key_values"


def _first_tokens(logits: Any, wanted: int) -> tuple[Any, tuple[tuple[int, float], ...]] | None:
    """Log probabilities of every first token, and the likeliest with theirs."""
    if not wanted:
        return None
    every = logits[0].float().log_softmax(-1)
    values, places = every.topk(min(wanted, len(every)))
    return every, tuple(zip(places.tolist(), values.tolist(), strict=True))


def _width(cache: Any, length: int, prefilled: int) -> int:
    """How many rows fit into the memory that a batch may take."""
    held = 0
    for layer in getattr(cache, "layers", ()):
        for name in ("keys", "values"):
            tensor = getattr(layer, name, None)
            if tensor is not None:
                held += tensor.numel() * tensor.element_size()
    return max(1, int(_CACHE_BYTES * prefilled // max(1, held * length)))


def _not_finite() -> CannotGenerate:
    return CannotGenerate(
        Failure(kind="local", message="the model gave probabilities that are not finite")
    )
