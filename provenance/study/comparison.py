"""Comparing two endpoints, and recording one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provenance import dossier
from provenance.endpoint import Endpoint
from provenance.errors import ReferenceStale
from provenance.evidence.store import Store
from provenance.library.band import Band
from provenance.providers.base import Provider
from provenance.sampling.prepare import Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.replayed import check_band
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.analysis import conclude
from provenance.study.anchors import (
    Comparison,
    Sides,
    check_anchors,
    copy_of,
    prepare_anchors,
)
from provenance.study.beside import record_comparison
from provenance.study.finished import Study
from provenance.study.recording import record
from provenance.study.sides import Side, settings_of, side_of
from provenance.study.waiting import wait
from provenance.transcript import Role


def compare(
    reference: Side,
    suspect: Side,
    *,
    anchors: Sequence[tuple[Side, Side]] | None = None,
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
    anchors
        Pairs: a model on the reference's host, and the same model on the suspect's. Both hosts are
        trusted to serve it alike, so what they change in it is the hosts' doing. Anchors are asked
        what the study asks and can only turn "different" into "inconclusive".
    settings
        Instead of options.
    progress
        Called with a `Progress` after every attempt.
    **options
        The options of the command with underscores: battery, draws, reference_draws, alpha,
        seed, panel, band, allow, max_requests, budget_usd, concurrency, rpm, store, new, formats,
        out, … and ``config``, a TOML file. ``formats=[]`` writes no dossier.

    Returns
    -------
    Study
        Its ``verdict.label`` is "different", "consistent" (within δ against a panel) or
        "inconclusive"; the null hypothesis is ``same_deployment``.

    Raises
    ------
    UsageError, ProviderError, BudgetExhausted, ReferenceStale, EvidenceError
        See `provenance.errors`. Failed requests raise nothing: they lower coverage.
    """
    return wait(
        lambda: acompare(
            reference, suspect, anchors=anchors, settings=settings, progress=progress, **options
        )
    )


async def acompare(
    reference: Side,
    suspect: Side,
    *,
    anchors: Sequence[tuple[Side, Side]] | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """`compare` as a coroutine."""
    settings, config = settings_of(settings, options)
    dossier.require(settings.formats)
    named = settings.anchors if anchors is None else anchors
    made = prepare_comparison(
        side_of(reference, config),
        side_of(suspect, config),
        [(side_of(first, config), side_of(second, config)) for first, second in named],
        settings,
    )
    return await _run(made, progress)


def prepare_comparison(
    reference: Endpoint | Provider,
    suspect: Endpoint | Provider,
    anchors: Sequence[Sides],
    settings: Settings,
    *,
    environment: Mapping[str, str] | None = None,
) -> Comparison:
    """Plan a comparison with its anchors and send nothing.

    Raises
    ------
    UsageError, ReferenceStale
        If an anchor is none, the band was measured on another battery, or one of them was learnt
        from draws that a side replays.
    """
    sides: dict[Role, Endpoint | Provider] = {"reference": reference, "suspect": suspect}
    ends = [s if isinstance(s, Endpoint) else s.endpoint for s in sides.values()]
    check_anchors(ends[0], ends[1], anchors)
    copies = copy_of(anchors)
    band = None if settings.band is None else Band.load(settings.band)
    if band is not None:
        copies["band"] = band.model_dump(mode="json")
    prepared = prepare_sides(
        sides,
        settings,
        environment=os.environ if environment is None else environment,
        copies=copies,
    )
    if band is not None and not band.asked(prepared.questions.digest):
        raise ReferenceStale(
            f"no pair of the band {band.name} was asked the battery {prepared.questions.name} "
            f"(digest {prepared.questions.digest[:12]}…): ask the battery of the band, or measure "
            "pairs on this one (`provenance library band --help`)"
        )
    if band is not None:
        check_band(band, prepared.providers)
    return Comparison(prepared, prepare_anchors(prepared, anchors, settings))


def conclude_comparison(made: Comparison, progress: ProgressCallback | None = None) -> Study:
    """Ask what a prepared comparison has left to ask, analyse it and write the dossiers."""
    return wait(lambda: _run(made, progress))


async def _run(made: Comparison, progress: ProgressCallback | None) -> Study:
    path = await record_comparison(made.prepared, made.anchors, progress)
    return await asyncio.to_thread(conclude, path, made.prepared.settings, progress)


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
