"""``gguf:``: a local GGUF file through llama.cpp (the prebuilt package xllamacpp).

llama.cpp is called in this process. Its package also listens on a free port of 127.0.0.1, which
cannot be turned off; a random key that is kept nowhere closes it.

What is unset is neutral: temperature 1, ``top_k=0``, ``top_p=1``, ``min_p=0`` (llama.cpp's own
defaults, .8, 40, .95 and .05, truncate). Options of the endpoint override the probe's decoding.
Where several filters are set they work in llama.cpp's order, temperature last.

The draws of a cell are one request with ``n`` answers, so the prompt is read once. llama.cpp gives
answer i the seed of the request plus i; the request's seed comes from (study seed, role, cell).
Prompts are not cached between requests, and every answer has a part of the context to itself: so
an answer depends on its seed alone, bit for bit, and not on what ran before or beside it.
"""

from __future__ import annotations

import importlib.util
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import MissingExtra, ProviderError, UsageError
from provenance.providers._answer import token_of
from provenance.providers._local import LocalProvider
from provenance.providers._local_files import fingerprint, metadata
from provenance.providers._local_job import Batch, CannotGenerate, Drawn, Interrupted, Job
from provenance.transcript import Failure, TokenLogprob

_SLOTS = 16
_SLOT_CONTEXT = 2048  # tokens; longer requests get fewer and longer slots from the same memory
_TEMPLATE = "tokenizer.chat_template"
# Sent always, so that nothing depends on the defaults of a version of llama.cpp.
_NEUTRAL = {
    "cache_prompt": False,
    "typical_p": 1.0,
    "xtc_probability": 0.0,
    "dry_multiplier": 0.0,
    "mirostat": 0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}


class GgufProvider(LocalProvider):
    """A GGUF file on this machine.

    Parameters
    ----------
    endpoint
        ``gguf:FILE.gguf``.
    environment
        ``OMP_NUM_THREADS`` sets the threads, as it does for torch. Fewer are faster where other
        work keeps the cores busy: llama.cpp's threads wait for each other by spinning.

    Raises
    ------
    MissingExtra
        If xllamacpp is not installed.
    UsageError
        If an option cannot be used.
    """

    engine = "gguf"

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        super().__init__(endpoint, environment=environment)
        for option in ("dtype", "revision"):
            if endpoint.option(option) is not None:
                raise UsageError(f"the provider 'gguf' takes no option {option}: the file decides")
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra("the provider 'gguf'", "gguf")
        self._path = Path(endpoint.model).expanduser()
        threads = environment.get("OMP_NUM_THREADS", "")
        self._threads = int(threads) if threads.isdecimal() and int(threads) > 0 else None
        self._server: Any = None
        self._served = False
        self._slots, self._context = _SLOTS, _SLOT_CONTEXT
        self._longest: int | None = None
        self._sha256 = ""

    def _load(self) -> None:
        facts = metadata(self._path)
        if self.api == "chat" and not facts.get(_TEMPLATE):
            raise ProviderError(
                f"{self.endpoint.model} has no chat template (a base model?): ask it with "
                "api=completions, the other side too"
            )
        self._longest = facts.get(f"{facts.get('general.architecture')}.context_length")
        self._sha256, self.fingerprint = fingerprint([self._path])
        self._start(_SLOT_CONTEXT)

    def _start(self, context: int) -> None:
        """Start llama.cpp with slots of this many tokens."""
        import xllamacpp

        self._end()
        self._context = context
        self._slots = max(1, min(_SLOTS, _SLOTS * _SLOT_CONTEXT // context))
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(self._path)
        parameters.n_parallel = self._slots
        parameters.n_ctx = self._slots * context
        parameters.kv_unified = False
        parameters.cache_ram_mib = 0
        parameters.fit_params = False
        parameters.warmup = False
        parameters.verbosity = -1
        if self._threads is not None:
            parameters.cpuparams.n_threads = self._threads
            parameters.cpuparams_batch.n_threads = self._threads
        parameters.hostnames = ["127.0.0.1"]
        parameters.port = 0
        parameters.api_keys = [secrets.token_hex(32)]
        parameters.ui = parameters.endpoint_slots = parameters.endpoint_props = False
        try:
            self._server = xllamacpp.Server(parameters)
        except (RuntimeError, ValueError) as error:
            raise ProviderError(f"llama.cpp cannot load {self._path}: {error}") from None

    def _unload(self) -> None:
        self._end()

    def _end(self) -> None:
        """Let go of llama.cpp, if it runs.

        Its destructor waits for its loop to end. A loop that had not begun when it was told to
        would begin afterwards and run for ever, so a server that served nothing yet is asked for
        one token first.
        """
        if self._server is not None and not self._served:
            self._server.handle_completions({"prompt": "a", "max_tokens": 1}, lambda chunk: None)
        self._server, self._served = None, False

    def _generate(self, job: Job) -> Batch:
        if self.api == "completions" and not job.prompt():
            # llama.cpp never answers an empty prompt that asks for more than one answer.
            raise CannotGenerate(
                Failure(kind="local", message="the prompt is empty: there is nothing to continue")
            )
        drawn: list[Drawn] = []
        start = 0
        while start < job.count:
            if self._stop.is_set():
                raise Interrupted
            count = min(self._slots, job.count - start)
            answer = self._ask(job, start, count)
            if answer.needed is not None:
                self._lengthen(answer.needed + job.max_tokens, job)
                continue
            drawn += answer.drawn
            start += count
        return Batch(tuple(drawn), self._details(job))

    def _lengthen(self, needed: int, job: Job) -> None:
        context = self._context
        while context < needed:
            context *= 2
        if self._longest is not None and needed > self._longest:
            message = (
                f"{needed - job.max_tokens} prompt tokens and {job.max_tokens} to draw do not fit "
                f"into the model's context of {self._longest}"
            )
            raise CannotGenerate(Failure(kind="local", message=message))
        self._start(context)

    def _ask(self, job: Job, start: int, count: int) -> _Answer:
        """One request for ``count`` answers, the first being draw ``job.first + start``."""
        body = {
            **self._body(job),
            "n": count,
            # Below 2**31 with room for the offset; 2**32 - 1 would mean a random seed.
            "seed": job.seed(job.first) % 2**31 + start,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        answer = _Answer(count, job.max_tokens, self._context)
        chat = self.api == "chat"
        call = self._server.handle_chat_completions if chat else self._server.handle_completions
        self._served = True
        try:
            call(body, answer.take)
        except (RuntimeError, ValueError) as error:
            reason = clean_text(str(error))[:200]
            raise CannotGenerate(Failure(kind="local", message=f"llama.cpp: {reason}")) from None
        answer.close()
        return answer

    def _body(self, job: Job) -> dict[str, Any]:
        decoding = job.decoding
        body: dict[str, Any] = {
            "max_tokens": job.max_tokens,
            "temperature": decoding.temperature,
            "top_k": max(0, decoding.top_k),
            "top_p": decoding.top_p,
            "min_p": decoding.min_p,
            **_NEUTRAL,
        }
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        if decoding.top_logprobs:
            chat = self.api == "chat"
            body["logprobs"] = True if chat else decoding.top_logprobs
            if chat:
                body["top_logprobs"] = decoding.top_logprobs
        if self.api == "completions":
            return {"prompt": job.prompt(), **body}
        return {"messages": [{"role": r, "content": c} for r, c in job.messages], **body}

    def _details(self, job: Job) -> dict[str, Any]:
        import xllamacpp

        return {
            "body": self._body(job),
            "first_seed": job.seed(job.first) % 2**31,
            "weights_sha256": self._sha256,
            "slot_context": self._context,
            "versions": {"xllamacpp": xllamacpp.__version__},
        }


class _Answer:
    """Puts the streamed chunks of several answers together.

    Attributes
    ----------
    needed
        Prompt tokens, if the prompt was too long for a slot.
    drawn
        The answers, after `close`.
    """

    def __init__(self, count: int, max_tokens: int, context: int) -> None:
        self.needed: int | None = None
        self.drawn: list[Drawn] = []
        self._max_tokens = max_tokens
        self._context = context
        self._texts = [""] * count
        self._thoughts = [""] * count
        self._reasons: list[str | None] = [None] * count
        self._usage: list[dict[str, int] | None] = [None] * count
        self._listed: list[TokenLogprob | None] = [None] * count
        self._ended: int | None = None
        self._error: dict[str, Any] | None = None

    def take(self, chunk: dict[str, Any]) -> None:
        """One chunk, as llama.cpp's thread calls back with it."""
        if "error" in chunk:
            self._error = chunk["error"]
            return
        for choice in chunk.get("choices", ()):
            index = choice["index"]
            delta = choice.get("delta") or {}
            self._texts[index] += choice.get("text") or delta.get("content") or ""
            self._thoughts[index] += delta.get("reasoning_content") or ""
            entries = (choice.get("logprobs") or {}).get("content")
            if entries and self._listed[index] is None:
                self._listed[index] = token_of(entries[0])
            if choice.get("finish_reason"):
                self._reasons[index] = choice["finish_reason"]
                self._ended = index
        # In the chat dialect the counts come right after an answer's last chunk, without an index.
        if chunk.get("usage") and self._ended is not None:
            self._usage[self._ended] = chunk["usage"]

    def close(self) -> None:
        """Raise what went wrong, or fill `drawn`."""
        if self._error is not None:
            if self._error.get("type") == "exceed_context_size_error":
                self.needed = int(self._error["n_prompt_tokens"])
                return
            message = clean_text(str(self._error.get("message")))[:300]
            raise CannotGenerate(Failure(kind="refused_parameters", message=message))
        for text, thoughts, reason, usage, listed in zip(
            self._texts, self._thoughts, self._reasons, self._usage, self._listed, strict=True
        ):
            if reason is None or usage is None:
                message = "llama.cpp ended an answer without saying why"
                raise CannotGenerate(Failure(kind="local", message=message))
            prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
            if reason == "length" and completion < self._max_tokens:
                # The slot was full before the answer was done.
                self.needed = prompt
                return
            self.drawn.append(
                Drawn(
                    text,
                    reason,
                    prompt,
                    completion,
                    reasoning=thoughts or None,
                    logprobs=None if listed is None else (listed,),
                )
            )
