"""Categorical models with known distributions: for tests, power and planning.

``simulated:FILE.toml,model=a`` reads a file of this shape::

    [models.a]
    cells."number-en-1" = {"7" = 0.6, "42" = 0.4}
    cells."*" = {"yes" = 1.0}          # every other probe; without it an unknown one is an error
    [models.b]
    base = "a"                         # what is not said here is as there
    dilute_with = "c"                  # a share epsilon of requests is answered by another model
    epsilon = 0.1
    cache = 0.3                        # share of draws that repeat the cell's previous answer
    drift = {to = "c", after = 200, over = 400}   # request number = the slot in the plan
    fail_rate = 0.02                   # per attempt
    latency_ms = 20

A draw is made in this order: the cache, else drift decides the model, else dilution does, else
the model's own table. Drift and dilution take the tables of the other model and nothing else of
it. Every choice is keyed by (seed, role, cell, draw), so concurrency and resuming change nothing.
A repeat is made anew from the keys of the draw that it repeats, at its own slot: where a model
also drifts, its repeats drift with it. Failures are keyed by the attempt too, which is counted
from the start of the process.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from provenance.battery import explain
from provenance.endpoint import Endpoint
from provenance.errors import ProviderError, UsageError
from provenance.transcript import Completion, Exchange, Failure, Frozen, Request, Usage

_SUM_TOLERANCE = 1e-3


class _Drift(Frozen):
    to: str
    after: int = Field(ge=0)
    over: int = Field(ge=0)


class _Model(Frozen):
    cells: dict[str, dict[str, float]] = Field(default_factory=dict)
    base: str | None = None
    dilute_with: str | None = None
    epsilon: float | None = Field(default=None, ge=0, le=1)
    cache: float | None = Field(default=None, ge=0, le=1)
    drift: _Drift | None = None
    fail_rate: float | None = Field(default=None, ge=0, le=1)
    latency_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class _File(Frozen):
    models: dict[str, _Model] = Field(min_length=1)


class SimulatedProvider:
    """See the module.

    Raises
    ------
    UsageError
        If the file or the model in it cannot be used.
    """

    host: str | None = None
    concurrency = 64
    ordered = True

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._models = _load(Path(endpoint.model))
        self._name = _choose(endpoint, self._models)
        self._attempts: Counter[tuple[str, str, int]] = Counter()
        # Per seed and cell: which draw a cached one repeats. Only saves the walk back to it.
        self._repeated: dict[tuple[int, str, str], dict[int, int]] = {}

    async def open(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def draw(self, request: Request) -> Exchange:
        """Draw one answer, or fail as often as the model says."""
        started, clock = datetime.now(UTC), time.monotonic()
        model = self._models[self._name]
        if model.latency_ms:
            await asyncio.sleep(model.latency_ms / 1000)
        key = (request.role, request.cell, request.draw)
        self._attempts[key] += 1
        outcome: Completion | Failure
        if self._uniform(request, request.draw, "fail", self._attempts[key]) < (
            model.fail_rate or 0
        ):
            outcome = Failure(
                kind="server_error", message="simulated failure", status=500, retryable=True
            )
        else:
            text = self._answer(request)
            outcome = Completion(
                text=text,
                finish_reason="stop",
                served_model=self._name,
                usage=Usage(
                    prompt_tokens=sum(len(m.content.split()) for m in request.messages),
                    completion_tokens=max(1, len(text.split())),
                ),
            )
        asked = {"model": self._name, "cell": request.cell, "draw": request.draw}
        return Exchange(
            request=json.dumps(asked).encode(),
            response=outcome.model_dump_json().encode(),
            outcome=outcome,
            started_utc=started.isoformat(timespec="microseconds"),
            elapsed_s=time.monotonic() - clock,
            status=200 if isinstance(outcome, Completion) else 500,
        )

    def _answer(self, request: Request) -> str:
        """The draw's answer; a cached one is the nearest earlier draw that was not."""
        draw = self._origin(request)
        name, model = self._name, self._models[self._name]
        if model.drift is not None:
            passed = request.slot - model.drift.after
            share = 1.0 if passed >= 0 else 0.0
            if model.drift.over and passed >= 0:
                share = min(1.0, passed / model.drift.over)
            if self._uniform(request, draw, "drift") < share:
                name = model.drift.to
        diluted = self._uniform(request, draw, "dilute") < (model.epsilon or 0)
        if name == self._name and model.dilute_with is not None and diluted:
            name = model.dilute_with
        return self._pick(name, request, self._uniform(request, draw, "answer"))

    def _origin(self, request: Request) -> int:
        """The draw whose answer this one repeats: itself where the cache has no part."""
        cache, draw = self._models[self._name].cache or 0, request.draw
        known = self._repeated.setdefault((request.seed, request.role, request.cell), {})
        walked = []
        while draw > 0 and draw not in known and self._uniform(request, draw, "cache") < cache:
            walked.append(draw)
            draw -= 1
        draw = known.get(draw, draw)
        known.update(dict.fromkeys(walked, draw))
        return draw

    def _pick(self, name: str, request: Request, uniform: float) -> str:
        cells = self._models[name].cells
        table = cells.get(request.cell, cells.get("*"))
        if table is None:
            raise ProviderError(
                f"{self.endpoint.model}: the simulated model {name!r} has no cell "
                f'{request.cell!r} and no fallback cells."*"'
            )
        total = math.fsum(table.values())
        for answer, reached in zip(table, accumulate(table.values()), strict=True):
            if uniform * total < reached:
                return answer
        return next(reversed(table))

    def _uniform(self, request: Request, draw: int, *purpose: object) -> float:
        seed = self.endpoint.option("seed", request.seed)
        text = json.dumps([seed, request.role, request.cell, draw, *purpose])
        bits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 11
        return bits / float(1 << 53)


def _load(path: Path) -> dict[str, _Model]:
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UsageError(f"cannot read the simulated models {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except ValidationError as error:
        raise UsageError(
            f"{path}: {explain(error)} (known keys of a model: {', '.join(_Model.model_fields)})"
        ) from None
    models = {name: _flat(name, file.models, path, ()) for name in file.models}
    for name, model in models.items():
        for other in (model.dilute_with, model.drift.to if model.drift else None):
            if other is not None and other not in models:
                raise UsageError(f"{path}: model {name!r} names {other!r}, which is not there")
        if (model.dilute_with is None) != (model.epsilon is None):
            raise UsageError(f"{path}: model {name!r}: dilute_with and epsilon go together")
        for cell, table in model.cells.items():
            _check(path, name, cell, table)
    return models


def _flat(name: str, models: Mapping[str, _Model], path: Path, seen: tuple[str, ...]) -> _Model:
    """A model with everything that it takes from its base."""
    model = models[name]
    if model.base is None:
        return model
    if model.base in (*seen, name):
        raise UsageError(f"{path}: model {name!r} is its own base")
    if model.base not in models:
        raise UsageError(f"{path}: model {name!r} has the base {model.base!r}, which is not there")
    base = _flat(model.base, models, path, (*seen, name))
    own: dict[str, Any] = {k: getattr(model, k) for k in model.model_fields_set if k != "base"}
    return base.model_copy(update={**own, "cells": {**base.cells, **model.cells}})


def _check(path: Path, name: str, cell: str, table: Mapping[str, float]) -> None:
    where = f"{path}: model {name!r}, cell {cell!r}"
    if not table or any(not math.isfinite(w) or w < 0 for w in table.values()):
        raise UsageError(f"{where}: expected answers with weights from 0 to 1")
    total = math.fsum(table.values())
    if abs(total - 1) > _SUM_TOLERANCE:
        raise UsageError(f"{where}: the weights sum to {total:g}, expected 1")


def _choose(endpoint: Endpoint, models: Mapping[str, _Model]) -> str:
    names = ", ".join(models)
    name = endpoint.option("model")
    if name is None:
        if len(models) == 1:
            return next(iter(models))
        raise UsageError(f"{endpoint.model} holds several models: add ,model=… ({names})")
    if name not in models:
        raise UsageError(f"{endpoint.model} has no model {name!r}; it has: {names}")
    return str(name)
