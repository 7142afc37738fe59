"""Comparing two endpoints, and recording one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provenance import dossier
from provenance.endpoint import Endpoint
from provenance.evidence.store import Store
from provenance.providers.base import Provider
from provenance.sampling.prepare import Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.analysis import conclude
from provenance.study.finished import Study
from provenance.study.recording import record
from provenance.study.sides import Side, settings_of, side_of
from provenance.study.waiting import wait
from provenance.transcript import Role


def compare(
    reference: Side,
    suspect: Side,
    *,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """Compare two endpoints: plan, sample, analyse, write.

    Works inside a running event loop too (then in a thread of its own); `acompare` is the
    coroutine.

    Parameters
    ----------
    reference, suspect
        An endpoint string, an `Endpoint`, a provider of your own, or the folder of a store.
    settings
        Instead of options.
    progress
        Called with a `Progress` after every attempt.
    **options
        The options of the command with underscores: battery, draws, reference_draws, alpha,
        seed, panel, max_requests, budget_usd, concurrency, rpm, store, new, formats, out, … and
        ``config``, a TOML file. ``formats=[]`` writes no dossier.

    Returns
    -------
    Study
        Its ``verdict.label`` is "different" or "inconclusive"; the null hypothesis is
        ``same_deployment``.

    Raises
    ------
    UsageError, ProviderError, BudgetExhausted, ReferenceStale, EvidenceError
        See `provenance.errors`. Failed requests raise nothing: they lower coverage.
    """
    return wait(
        lambda: acompare(reference, suspect, settings=settings, progress=progress, **options)
    )


async def acompare(
    reference: Side,
    suspect: Side,
    *,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """`compare` as a coroutine."""
    settings, config = settings_of(settings, options)
    dossier.require(settings.formats)
    sides: dict[Role, Endpoint | Provider] = {
        "reference": side_of(reference, config),
        "suspect": side_of(suspect, config),
    }
    prepared = prepare_sides(sides, settings, environment=os.environ)
    path = await record(prepared, progress)
    return await asyncio.to_thread(conclude, path, settings, progress)


def sample(
    endpoint: Side,
    *,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Path:
    """Record one endpoint's answers to a battery; the store can be a reference later."""
    settings, config = settings_of(settings, options)
    prepared = prepare_sides(
        {"reference": side_of(endpoint, config)},
        settings,
        environment=os.environ,
        question="sample",
    )
    path = wait(lambda: record(prepared, progress))
    with Store.open(path, write=True) as store:
        store.seal()
    return path


def prepare(
    reference: Side,
    suspect: Side | None,
    settings: Settings,
    *,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Prepared:
    """Plan a study and send nothing; ``suspect`` None plans a recording."""
    sides: dict[Role, Endpoint | Provider] = {"reference": side_of(reference, config)}
    if suspect is not None:
        sides["suspect"] = side_of(suspect, config)
    return prepare_sides(
        sides,
        settings,
        environment=os.environ if environment is None else environment,
        question="sample" if suspect is None else "compare",
    )
