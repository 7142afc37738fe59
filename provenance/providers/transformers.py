"""``transformers:``: a local checkpoint through torch, or a GGUF file dequantised.

The model is a folder in the format of transformers, a ``.gguf`` file, or the name of a model that
the hub's cache on this machine already holds (``revision`` chooses among its snapshots); nothing
is ever fetched.

What is unset is what the checkpoint's own ``generation_config.json`` states (temperature, top_p,
top_k, min_p), and where that is silent, or the file is a GGUF, pure sampling: temperature 1 and no
filter. Options of the endpoint override the probe's decoding. The record of every request holds
the values that were used.

``api=chat`` (the default) renders the checkpoint's chat template. Control tokens that a prompt
spells out are read as such, as vLLM and llama.cpp do. ``api=completions`` continues the contents of
the messages, joined by a blank line. ``logprobs`` lists the likeliest first tokens, at
temperature 1 and unfiltered.

``dtype=auto`` is bfloat16 on a GPU or a processor with AMX, else float32.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import MissingExtra, ProviderError, UsageError
from provenance.providers._local import ENGINE, LocalProvider
from provenance.providers._local_job import (
    Batch,
    CannotGenerate,
    Drawn,
    Interrupted,
    Job,
    joined,
)
from provenance.providers._local_sampler import Row, sample
from provenance.providers._local_scorer import MOST_TOKENS, score
from provenance.providers._local_weights import DTYPES, Weights, load
from provenance.transcript import Failure, Message, TokenLogprob

_NEEDED = ("torch", "transformers", "accelerate", "gguf", "jinja2")


class TransformersProvider(LocalProvider):
    """A checkpoint on this machine.

    Parameters
    ----------
    endpoint
        ``transformers:PATH``.
    environment
        Names the user's cache folder (``XDG_CACHE_HOME``, ``LOCALAPPDATA``).

    Raises
    ------
    MissingExtra
        If torch or transformers is not installed.
    UsageError
        If an option cannot be used.
    """

    engine = "transformers"

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        super().__init__(endpoint, environment=environment)
        self._dtype = endpoint.option("dtype", "auto")
        if self._dtype not in DTYPES:
            raise UsageError(f"option dtype={self._dtype}: expected one of {', '.join(DTYPES)}")
        if any(importlib.util.find_spec(module) is None for module in _NEEDED):
            raise MissingExtra("the provider 'transformers'", "local")
        self._weights: Weights | None = None

    def _load(self) -> None:
        weights = load(
            self.endpoint.model,
            dtype=self._dtype,
            revision=self.endpoint.option("revision"),
            environment=self.environment,
        )
        if self.api == "chat" and not weights.tokenizer.chat_template:
            raise ProviderError(
                f"{self.endpoint.model} has no chat template (a base model?): ask it with "
                "api=completions, the other side too"
            )
        self._weights = weights
        self.fingerprint = weights.short
        self.defaults = weights.defaults

    def _unload(self) -> None:
        self._weights = None

    def _generate(self, job: Job) -> Batch:
        weights = self._weights
        assert weights is not None  # `draw` asks only between open and aclose
        prompt, ids = self._rendered(weights, job.messages)
        if not ids:
            raise CannotGenerate(_local("the prompt is empty: there is nothing to continue"))
        if weights.context is not None and len(ids) + job.max_tokens > weights.context:
            raise CannotGenerate(
                _local(
                    f"{len(ids)} prompt tokens and {job.max_tokens} to draw do not fit into the "
                    f"model's context of {weights.context}"
                )
            )
        detokenise = _Detokeniser(weights.tokenizer, ids)
        stops = job.decoding.stop

        def ended(tokens: Any) -> bool:
            text = detokenise(tokens)
            return any(stop in text for stop in stops)

        try:
            rows = sample(
                weights.model,
                ids,
                [job.seed(job.first + i) for i in range(job.count)],
                job.decoding,
                stop_tokens=weights.stop_tokens,
                max_tokens=job.max_tokens,
                ended=ended if stops else None,
                check=self._check,
            )
        except (RuntimeError, MemoryError) as error:  # torch: out of memory, unsupported dtype
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise CannotGenerate(_local(f"torch: {reason}")) from error
        drawn = []
        for row in rows:
            text = _before(detokenise(row.tokens), stops)
            drawn.append(
                Drawn(
                    text,
                    row.finish_reason,
                    len(ids),
                    len(row.tokens),
                    row.tokens,
                    logprobs=_listed(row, detokenise),
                )
            )
        return Batch(tuple(drawn), self._details(weights, prompt))

    async def score(
        self, messages: Sequence[Message], texts: Sequence[str]
    ) -> list[tuple[float | None, int]]:
        """What these weights make of texts that answer these messages, whoever wrote them.

        Returns
        -------
        list
            One a text: the sum over its tokens of log p + H (`_local_scorer.score`), None where
            it cannot be computed, and the tokens read.

        Raises
        ------
        ProviderError
            If the provider is not open, or was closed meanwhile.
        """
        if self._weights is None:
            raise ProviderError(f"{self.endpoint.label} is not open")
        asked = self._shown(messages)
        try:
            return await self._in_thread(self._scored, asked, [clean_text(t) for t in texts])
        except Interrupted:
            raise ProviderError(f"{self.endpoint.label} was closed while it was scoring") from None

    def _scored(
        self, messages: tuple[tuple[str, str], ...], texts: list[str]
    ) -> list[tuple[float | None, int]]:
        weights = self._weights
        assert weights is not None
        nothing: list[tuple[float | None, int]] = [(None, 0)] * len(texts)
        try:
            _, prompt = self._rendered(weights, messages)
        except CannotGenerate:
            return nothing
        ids = [list(weights.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
        longest = max((min(len(i), MOST_TOKENS) for i in ids), default=0)
        if not prompt or (weights.context is not None and len(prompt) + longest > weights.context):
            return nothing
        try:
            with ENGINE:
                sums = score(weights.model, prompt, ids, check=self._check)
        except (RuntimeError, MemoryError):  # torch: out of memory
            return nothing
        return [(s, min(len(i), MOST_TOKENS)) for s, i in zip(sums, ids, strict=True)]

    def _check(self) -> None:
        if self._stop.is_set():
            raise Interrupted

    def _rendered(
        self, weights: Weights, messages: tuple[tuple[str, str], ...]
    ) -> tuple[str, list[int]]:
        """The prompt as text and as tokens.

        Raises
        ------
        CannotGenerate
            If the template refuses the messages.
        """
        from jinja2 import TemplateError

        tokenizer = weights.tokenizer
        if self.api == "completions":
            prompt = joined(messages)
            return prompt, list(tokenizer(prompt)["input_ids"])
        turns = [{"role": role, "content": content} for role, content in messages]
        try:
            prompt = tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True
            )
        except TemplateError as error:
            raise CannotGenerate(
                Failure(
                    kind="refused_parameters",
                    message=clean_text(f"the chat template refuses these messages: {error}")[:300],
                )
            ) from error
        # The template has written the special tokens already.
        return prompt, list(tokenizer(prompt, add_special_tokens=False)["input_ids"])

    def _details(self, weights: Weights, prompt: str) -> dict[str, Any]:
        import torch
        import transformers

        return {
            "prompt": prompt,
            "checkpoint_defaults": weights.defaults,
            "checkpoint_defaults_not_applied": weights.unused_defaults,
            "stop_tokens": sorted(weights.stop_tokens),
            "weights_sha256": weights.sha256,
            "dtype": weights.dtype,
            "device": weights.device,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }


class _Detokeniser:
    """Text of generated tokens, a leading space included.

    Some tokenizers drop the space before the first token of whatever they decode. So the last
    tokens of the prompt are decoded in front, and their text is taken off again.
    """

    def __init__(self, tokenizer: Any, prompt: list[int]) -> None:
        self._tokenizer = tokenizer
        self._before = prompt[-6:]
        self._prefix = self._decode(self._before)

    def __call__(self, tokens: Any) -> str:
        text = self._decode([*self._before, *tokens])
        if text.startswith(self._prefix):
            return text[len(self._prefix) :]
        return self._decode(list(tokens))

    def _decode(self, tokens: list[int]) -> str:
        text: str = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def _listed(row: Row, detokenise: _Detokeniser) -> tuple[TokenLogprob, ...] | None:
    if row.first is None:
        return None
    names = {token: clean_text(detokenise([token])) for token, _ in row.top}
    return (
        TokenLogprob(
            token=clean_text(detokenise(row.tokens[:1])),
            logprob=row.first,
            top=tuple((names[token], value) for token, value in row.top),
        ),
    )


def _before(text: str, stops: tuple[str, ...]) -> str:
    return text[: min((i for s in stops if (i := text.find(s)) >= 0), default=len(text))]


def _local(message: str) -> Failure:
    return Failure(kind="local", message=message)
