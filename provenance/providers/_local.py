"""What the two local engines share: what may be asked, seeds, and one batch for a cell's draws.

A local model reads a prompt once and then draws all the planned answers of that cell side by side.
Each is its own sample, with its own random numbers: the seed of a draw is SHA-256 over (study seed,
endpoint's seed, role, cell, draw). A batch always holds the same draws, whichever of them is asked
for first, so the same seed gives the same answers at any concurrency and after a resume. Nothing is
kept once it was handed out: asked again, a draw is generated again.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from provenance.canonical import clean_text
from provenance.endpoint import Endpoint
from provenance.errors import ProviderError, UsageError
from provenance.providers._local_job import (
    KNOWN,
    Batch,
    CannotGenerate,
    Drawn,
    Interrupted,
    Job,
    read_decoding,
)
from provenance.transcript import Completion, Exchange, Failure, Message, Request, Usage

ROWS = 64  # draws in one batch, at most
_OPTIONS = frozenset(
    {"temperature", "top_p", "max_tokens", "seed", "api", "system_file", "dtype", "revision", "rpm"}
)
_INLINE_THINKING = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_T = TypeVar("_T")

# Two models that compute at the same time on the same cores are slower than one after the other.
ENGINE = threading.Lock()


@dataclass(slots=True)
class _Pending:
    future: asyncio.Future[tuple[Batch | Failure, str, float]]
    left: set[int]


class LocalProvider:
    """Base of the local engines; a subclass loads, generates a batch, and unloads.

    Parameters
    ----------
    endpoint
        A path, and options.
    environment
        Where the user's cache folder is named.

    Attributes
    ----------
    capabilities
        Sampling parameters that the engine obeys.
    """

    host: str | None = None
    concurrency = 64
    ordered = True
    engine = ""

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self.environment = environment
        self.capabilities: dict[str, str] = dict.fromkeys(KNOWN, "accepted")
        self.api = _check_options(endpoint)
        self.defaults: dict[str, Any] = {}
        self.served_model = re.split(r"[\\/]", endpoint.model.rstrip("\\/"))[-1]
        self.fingerprint: str | None = None
        self._system = _system_text(endpoint)
        self._stop = threading.Event()
        self._pending: dict[tuple[Any, ...], _Pending] = {}
        self._executor: ThreadPoolExecutor | None = None

    def _load(self) -> None:
        """Load the weights (in the engine's thread)."""
        raise NotImplementedError

    def _generate(self, job: Job) -> Batch:
        """Draw a batch (in the engine's thread), or raise `CannotGenerate`."""
        raise NotImplementedError

    def _unload(self) -> None:
        """Forget the weights (in the engine's thread)."""
        raise NotImplementedError

    async def open(self) -> None:
        """Load the weights."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix=self.engine)
            self._stop.clear()
            try:
                await self._in_thread(self._load)
            except BaseException:
                self._executor.shutdown(wait=False)
                self._executor = None
                raise

    async def aclose(self) -> None:
        """Stop what is being generated and forget the weights."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        self._stop.set()
        self._pending.clear()
        unloaded = executor.submit(self._unload)
        await asyncio.shield(asyncio.wrap_future(unloaded))
        executor.shutdown(wait=False)

    async def draw(self, request: Request) -> Exchange:
        """Make one attempt."""
        if self._executor is None:
            raise ProviderError(f"{self.endpoint.label} is not open")
        try:
            job = self._job(request)
        except CannotGenerate as error:
            now = datetime.now(UTC).isoformat(timespec="microseconds")
            return _failed(self._asked(request, {}), error.failure, now, 0.0)
        key = (job.identity, job.first, job.count, job.messages, job.decoding, job.max_tokens)
        pending = self._pending.get(key)
        if pending is None or request.draw not in pending.left:
            pending = _Pending(
                self._in_thread(self._timed, job), set(range(job.first, job.first + job.count))
            )
            self._pending[key] = pending
        try:
            outcome, started, elapsed = await asyncio.shield(pending.future)
        except Interrupted:
            raise ProviderError(f"{self.endpoint.label} was closed while it was drawing") from None
        pending.left.discard(request.draw)
        if not pending.left and self._pending.get(key) is pending:
            del self._pending[key]
        share = elapsed / job.count
        if isinstance(outcome, Failure):
            return _failed(self._asked(request, {}), outcome, started, share)
        asked = self._asked(
            request,
            {
                "decoding": job.decoding.to_json(),
                "max_tokens": job.max_tokens,
                **outcome.details,
                "batch": {"first": job.first, "draws": job.count},
            },
        )
        return self._answered(asked, outcome.drawn[request.draw - job.first], started, share)

    def _in_thread(self, function: Callable[..., _T], *arguments: Any) -> asyncio.Future[_T]:
        future = asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        # Whoever waited may be gone; an exception that nobody fetches is not worth a warning.
        future.add_done_callback(lambda f: f.cancelled() or f.exception())
        return future

    def _timed(self, job: Job) -> tuple[Batch | Failure, str, float]:
        with ENGINE:
            if self._stop.is_set():
                raise Interrupted
            started = datetime.now(UTC).isoformat(timespec="microseconds")
            begun = time.perf_counter()
            try:
                outcome: Batch | Failure = self._generate(job)
            except CannotGenerate as error:
                outcome = error.failure
            return outcome, started, time.perf_counter() - begun

    def _job(self, request: Request) -> Job:
        chosen = self._chosen(request)
        limit = self.endpoint.option("max_tokens", request.max_visible_tokens)
        first = request.draw - request.draw % ROWS
        # A draw beyond the plan (a pilot) is a batch of its own.
        planned = min(first + ROWS, request.draws_planned)
        first, planned = (
            (first, planned) if request.draw < planned else (request.draw, request.draw + 1)
        )
        return Job(
            messages=self._messages(request),
            decoding=read_decoding(chosen),
            max_tokens=int(limit),
            identity=(request.seed, chosen.get("seed"), request.role, clean_text(request.cell)),
            first=first,
            count=planned - first,
        )

    def _chosen(self, request: Request) -> dict[str, Any]:
        """Sampling parameters: the checkpoint's, under the probe's, under the endpoint's."""
        options = {name: self.endpoint.option(name) for name in ("temperature", "top_p", "seed")}
        unknown = sorted(set(request.decoding) - set(KNOWN))
        if unknown:
            raise CannotGenerate(
                Failure(
                    kind="refused_parameters",
                    message=f"the provider '{self.engine}' knows no parameter {unknown[0]!r}; "
                    f"it knows {', '.join(KNOWN)}",
                )
            )
        set_options = {name: value for name, value in options.items() if value is not None}
        return {**self.defaults, **request.decoding, **set_options}

    def _messages(self, request: Request) -> tuple[tuple[str, str], ...]:
        return self._shown(request.messages)

    def _shown(self, asked: Sequence[Message]) -> tuple[tuple[str, str], ...]:
        """The messages that the model sees."""
        messages = [(m.role, clean_text(m.content)) for m in asked]
        if self._system is not None and all(role != "system" for role, _ in messages):
            messages.insert(0, ("system", self._system))
        return tuple(messages)

    def _asked(self, request: Request, details: Mapping[str, Any]) -> bytes:
        asked = {
            "engine": self.engine,
            "model": self.served_model,
            "api": self.api,
            "messages": [{"role": r, "content": c} for r, c in self._messages(request)],
            "asked_decoding": request.decoding,
            "draw": {
                "seed": request.seed,
                "role": request.role,
                "cell": request.cell,
                "draw": request.draw,
            },
            **details,
        }
        return clean_text(json.dumps(asked, ensure_ascii=False, default=str)).encode()

    def _answered(self, asked: bytes, drawn: Drawn, started: str, elapsed: float) -> Exchange:
        text, reasoning = clean_text(drawn.text), drawn.reasoning
        response = {
            "text": text,
            "reasoning": reasoning,
            "token_ids": None if drawn.token_ids is None else list(drawn.token_ids),
            "finish_reason": drawn.finish_reason,
            "prompt_tokens": drawn.prompt_tokens,
            "completion_tokens": drawn.completion_tokens,
        }
        notes: tuple[str, ...] = ()
        inline = _INLINE_THINKING.match(text) if self.api == "chat" else None
        if inline is not None:
            reasoning, text = (reasoning or "") + inline[1], text[inline.end() :]
            notes = ("thinking moved from the text to reasoning",)
        outcome: Completion | Failure
        if not text and drawn.finish_reason == "length":
            outcome = Failure(kind="starved", message="empty text, stopped by the token limit")
        else:
            outcome = Completion(
                text=text,
                reasoning=clean_text(reasoning) if reasoning else None,
                finish_reason=drawn.finish_reason,
                served_model=clean_text(self.served_model),
                system_fingerprint=self.fingerprint,
                usage=Usage(
                    prompt_tokens=drawn.prompt_tokens, completion_tokens=drawn.completion_tokens
                ),
                logprobs=drawn.logprobs,
                notes=notes,
            )
        return Exchange(
            request=asked,
            response=json.dumps(response, ensure_ascii=False).encode("utf-8", "replace"),
            outcome=outcome,
            started_utc=started,
            elapsed_s=elapsed,
        )


def _failed(asked: bytes, failure: Failure, started: str, elapsed: float) -> Exchange:
    response = json.dumps({"failure": failure.kind, "message": failure.message}).encode()
    return Exchange(
        request=asked, response=response, outcome=failure, started_utc=started, elapsed_s=elapsed
    )


def _check_options(endpoint: Endpoint) -> str:
    """The dialect, once every option was found to mean something here."""
    name = endpoint.provider
    if endpoint.base_url is not None:
        raise UsageError(f"the provider '{name}' runs on this machine and takes no base URL")
    for option, _ in endpoint.options:
        if option not in _OPTIONS:
            raise UsageError(
                f"the provider '{name}' takes no option {option}; it takes "
                f"{', '.join(sorted(_OPTIONS))}"
            )
    api: str = endpoint.option("api", "chat")
    if api not in ("chat", "completions"):
        raise UsageError(f"api={api}: the provider '{name}' speaks api=chat and api=completions")
    if endpoint.option("max_tokens", 1) < 1:
        raise UsageError("option max_tokens: expected at least 1")
    try:
        read_decoding({k: endpoint.option(k) for k in ("temperature", "top_p")})
    except CannotGenerate as error:
        raise UsageError(f"option {error}") from None
    return api


def _system_text(endpoint: Endpoint) -> str | None:
    path = endpoint.option("system_file")
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"option system_file={path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"option system_file={path}: expected UTF-8 text") from None
