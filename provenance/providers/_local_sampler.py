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

from provenance.providers._local import CannotGenerate, Decoding
from provenance.transcript import Failure

_CACHE_BYTES = 2**30  # for the keys and values of one batch


@dataclass(frozen=True, slots=True)
class Row:
    """One continuation: its tokens, the stop token included, and why it ended."""

    tokens: tuple[int, ...]
    finish_reason: str


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
                # Rows that ended are dropped when they are a quarter: copying the cache costs too.
                if len(going) <= 0.75 * len(active) or _any_ended(active, going, rows, reasons):
                    if len(going) < len(active):
                        state.batch_select_indices(torch.tensor(going, device=logits.device))
                    active = [active[place] for place in going]
                    tokens = [tokens[place] for place in going]
                check()
                ids = torch.tensor(tokens, device=logits.device).unsqueeze(1)
                output = model(input_ids=ids, past_key_values=state, use_cache=True)
                state, current = output.past_key_values, output.logits[:, -1]
    return [Row(tuple(t), r) for t, r in zip(rows, reasons, strict=True)]
