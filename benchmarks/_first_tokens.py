"""The first token of a local model's answer: its exact distribution, prompt by prompt.

A recording of first tokens needs no more than this: after one pass over a prompt, thousands of
draws cost nothing. The prompt is rendered, and temperature and top_p are applied, by the provider
that a study would use. llama.cpp reports its own log probabilities (of every token), which is what
it samples from.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.providers import create
from provenance.providers._local_sampler import probabilities
from provenance.providers.gguf import GgufProvider
from provenance.providers.transformers import TransformersProvider
from provenance.transcript import Request

_ROWS = 16  # prompts in one pass
_VOCABULARY = 200_000  # more than any
_TRIES = 100


@dataclass(frozen=True, slots=True)
class FirstTokens:
    """Distributions of first tokens.

    Attributes
    ----------
    shares
        Shape (prompts, vocabulary), each row sums to 1, or to what llama.cpp listed.
    texts
        What each token prints as.
    """

    shares: NDArray[np.float32]
    texts: NDArray[np.str_]

    def draw(self, prompt: int, n: int, rng: np.random.Generator) -> NDArray[np.str_]:
        """Answers of one token."""
        cumulative = self.shares[prompt].cumsum(dtype=np.float64)
        places = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        return self.texts[np.minimum(places, len(self.texts) - 1)]


def first_tokens(endpoint: str, cells: Sequence[Cell], *, listed: int = _VOCABULARY) -> FirstTokens:
    """Ask a ``transformers:`` or ``gguf:`` endpoint.

    Parameters
    ----------
    listed
        Tokens that llama.cpp lists, the likeliest; the others are left at 0.
    """
    return asyncio.run(_ask(endpoint, cells, listed))


async def _ask(endpoint: str, cells: Sequence[Cell], listed: int) -> FirstTokens:
    provider = create(Endpoint.parse(endpoint), environment=os.environ)
    await provider.open()
    try:
        if isinstance(provider, TransformersProvider):
            return await provider._in_thread(_from_torch, provider, cells)
        if isinstance(provider, GgufProvider):
            return await provider._in_thread(_from_llama, provider, cells, listed)
        raise SystemExit(f"{endpoint}: expected a transformers: or gguf: endpoint")
    finally:
        await provider.aclose()


def _request(cell: Cell) -> Request:
    return Request(
        slot=0,
        role="reference",
        cell=cell.id,
        draw=0,
        draws_planned=1,
        messages=cell.messages,
        max_visible_tokens=1,
        seed=0,
    )


def _from_torch(provider: TransformersProvider, cells: Sequence[Cell]) -> FirstTokens:
    import torch

    weights = provider._weights
    assert weights is not None
    jobs = [provider._job(_request(cell)) for cell in cells]
    prompts = [provider._rendered(weights, job.messages)[1] for job in jobs]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    shares: list[Any] = [None] * len(prompts)
    with torch.inference_mode():
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            logits = _last_logits(weights.model, [prompts[i] for i in rows])
            for i, row in zip(rows, logits, strict=True):
                found = probabilities(row[None], jobs[i].decoding)[0].double()
                shares[i] = (found / found.sum()).float().numpy()
    texts = [
        weights.tokenizer.decode([t], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        for t in range(len(shares[0]))
    ]
    return FirstTokens(np.array(shares), np.array(texts))


def _last_logits(model: Any, prompts: Sequence[Sequence[int]]) -> Any:
    """Logits after each prompt; their common beginning is read once."""
    import torch

    longest = min(len(p) for p in prompts) - 1
    shared = next(
        (i for i in range(longest) if len({p[i] for p in prompts}) > 1),
        longest,
    )
    rests = [p[shared:] for p in prompts]
    ids = torch.zeros((len(rests), max(len(r) for r in rests)), dtype=torch.long)
    for row, rest in enumerate(rests):
        ids[row, : len(rest)] = torch.tensor(rest)
    state = None
    if shared:
        state = model(
            input_ids=torch.tensor([prompts[0][:shared]]), use_cache=True, logits_to_keep=1
        ).past_key_values
        state.batch_repeat_interleave(len(rests))
    # Padding stands on the right, where no earlier position sees it.
    hidden = model.model(input_ids=ids, past_key_values=state, use_cache=True).last_hidden_state
    last = torch.tensor([len(r) - 1 for r in rests])
    return model.lm_head(hidden[torch.arange(len(rests)), last]).float()


def greedy_texts(
    endpoint: str, cells: Sequence[Cell], tokens: int, *, together: int = _ROWS
) -> list[tuple[str, int]]:
    """Texts of a ``transformers:`` endpoint at temperature 0, and their tokens.

    Prompts are asked ``together`` at a time. Batches pad on the left, as servers do: rounding
    differs a little from prompts asked alone, or in other company.
    """
    return asyncio.run(_continue(endpoint, cells, tokens, together))


async def _continue(
    endpoint: str, cells: Sequence[Cell], tokens: int, together: int
) -> list[tuple[str, int]]:
    provider = create(Endpoint.parse(endpoint), environment=os.environ)
    if not isinstance(provider, TransformersProvider):
        raise SystemExit(f"{endpoint}: expected a transformers: endpoint")
    await provider.open()
    try:
        return await provider._in_thread(_greedy, provider, cells, tokens, together)
    finally:
        await provider.aclose()


def _greedy(
    provider: TransformersProvider, cells: Sequence[Cell], tokens: int, together: int
) -> list[tuple[str, int]]:
    import torch

    weights = provider._weights
    assert weights is not None
    prompts = [
        provider._rendered(weights, provider._job(_request(cell)).messages)[1] for cell in cells
    ]
    stops = sorted(weights.stop_tokens)
    found: list[tuple[str, int]] = []
    for start in range(0, len(prompts), together):
        rows = prompts[start : start + together]
        width = max(map(len, rows))
        ids = torch.full((len(rows), width), stops[0])
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for row, prompt in enumerate(rows):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        with torch.inference_mode():
            made = weights.model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=tokens,
                eos_token_id=stops,
                pad_token_id=stops[0],
            )
        for row in made[:, width:].tolist():
            end = next((i + 1 for i, t in enumerate(row) if t in weights.stop_tokens), len(row))
            text = weights.tokenizer.decode(
                row[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            found.append((text, end))
    return found


def _from_llama(provider: GgufProvider, cells: Sequence[Cell], top: int) -> FirstTokens:
    found, texts = [], {}
    for cell in cells:
        listed = _listed(provider, cell, top)
        texts.update({entry["id"]: bytes(entry["bytes"]) for entry in listed})
        found.append({entry["id"]: entry["logprob"] for entry in listed})
    size = max(texts) + 1
    shares = np.zeros((len(found), size), dtype=np.float32)
    for row, entries in zip(shares, found, strict=True):
        row[list(entries)] = np.exp(np.array(list(entries.values())))
    names = [texts.get(t, b"").decode("utf-8", "replace") for t in range(size)]
    return FirstTokens(shares, np.array(names))


def _listed(provider: GgufProvider, cell: Cell, top: int) -> list[dict[str, Any]]:
    """Log probabilities of the likeliest tokens.

    llama.cpp leaves them out where the token that it happened to draw prints as nothing (an end,
    half a character): then another one is drawn.
    """
    body = {**provider._body(provider._job(_request(cell))), "logprobs": True}
    for seed in range(_TRIES):
        chunks: list[dict[str, Any]] = []
        provider._served = True
        provider._server.handle_chat_completions(
            {**body, "top_logprobs": top, "seed": seed}, chunks.append
        )
        content = (chunks[-1]["choices"][0].get("logprobs") or {}).get("content")
        if content:
            found: list[dict[str, Any]] = content[0]["top_logprobs"]
            return found
    raise SystemExit(f"{cell.id}: llama.cpp gave no log probabilities in {_TRIES} answers")
