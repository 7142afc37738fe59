"""The way of a study, on one page: prepare → record → analyse → write.

It runs forward only. `analyse` is a function of the store alone, which is what lets a stranger
recompute the verdict.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from provenance import dossier
from provenance import settings as settings_module
from provenance.attribution.assemble import analyse_transcript
from provenance.attribution.betting import Betting
from provenance.battery import Cell
from provenance.dossier import wording
from provenance.endpoint import Endpoint
from provenance.errors import EvidenceError, UsageError
from provenance.evidence.store import Store, is_store
from provenance.findings import Finding, StudyDocument, Verdict
from provenance.library.panel import Panel
from provenance.providers.base import Provider
from provenance.sampling.budget import Budget
from provenance.sampling.pilot import Pilot, pilot_sides
from provenance.sampling.plan import Plan
from provenance.sampling.prepare import Prepared, with_pilots
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import Gate, Progress, ProgressCallback, Runner
from provenance.sampling.runs import open_run
from provenance.settings import Settings
from provenance.transcript import Role, Transcript

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Side = str | Endpoint | Provider | Path | Store
FrameName = Literal["cells", "findings", "completions"]


@dataclass(frozen=True, slots=True)
class Study:
    """A finished study.

    Attributes
    ----------
    document
        Everything that a reader may see; the same as ``study.json``.
    store
        The folder with the evidence.
    written
        The dossiers, by format.
    """

    document: StudyDocument
    store: Path
    written: Mapping[str, Path] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The label, its null hypothesis, and the reasons."""
        return self.document.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All tests and measures."""
        return self.document.findings

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Sides that gave no answer at all."""
        coverage = self.document.coverage
        return tuple(r for r in ("reference", "suspect") if getattr(coverage, r) == 0)

    def frame(self, name: FrameName = "cells") -> pd.DataFrame:
        """A pandas frame: ``cells`` (a row a category), ``findings``, or ``completions``."""
        import pandas as pd

        if name == "findings":
            return pd.DataFrame([f.model_dump() for f in self.findings])
        if name == "cells":
            rows = [
                {"cell": cell.id, "family": cell.family, "side": side, "category": c, "count": n}
                for cell in self.document.cells
                for side, counts in (("reference", cell.reference), ("suspect", cell.suspect))
                for c, n in counts.items()
            ]
            columns = ["cell", "family", "side", "category", "count"]
            return pd.DataFrame(rows, columns=columns)
        if name == "completions":
            return pd.DataFrame(_completion_rows(self.store))
        raise UsageError(f"no frame {name!r}: cells, findings or completions")

    def write(self, path: str | Path) -> Path:
        """Write the dossier; the ending decides the format (.md .pdf .html .json)."""
        path = Path(path)
        return dossier.write(self.document, path, path.suffix.lstrip("."))


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
    return _wait(
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
    settings, config = _settings(settings, options)
    dossier.require(settings.formats)
    sides: dict[Role, Endpoint | Provider] = {
        "reference": _side(reference, config),
        "suspect": _side(suspect, config),
    }
    prepared = prepare_sides(sides, settings, environment=os.environ)
    path = await record(prepared, progress)
    return await asyncio.to_thread(_conclude, path, settings, progress)


def sample(
    endpoint: Side,
    *,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Path:
    """Record one endpoint's answers to a battery; the store can be a reference later."""
    settings, config = _settings(settings, options)
    prepared = prepare_sides(
        {"reference": _side(endpoint, config)},
        settings,
        environment=os.environ,
        question="sample",
    )
    path = _wait(lambda: record(prepared, progress))
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
    sides: dict[Role, Endpoint | Provider] = {"reference": _side(reference, config)}
    if suspect is not None:
        sides["suspect"] = _side(suspect, config)
    return prepare_sides(
        sides,
        settings,
        environment=os.environ if environment is None else environment,
        question="sample" if suspect is None else "compare",
    )


async def record(prepared: Prepared, progress: ProgressCallback | None = None) -> Path:
    """Ask everything that the plan has left to ask; returns the store's folder.

    Raises
    ------
    BudgetExhausted
        With everything recorded so far kept; the same call with a larger budget resumes.
    """
    store, plan = open_run(prepared)
    settings = prepared.settings
    with store:
        budget = Budget(
            prepared.prices,
            max_requests=settings.max_requests,
            usd=settings.budget_usd,
            recorded=[r for r, e in prepared.endpoints.items() if e.provider == "replay"],
        )
        opened: list[Provider] = []
        try:
            for provider in _distinct(prepared.providers.values()):
                opened.append(provider)
                await provider.open()
            gates = _gates(prepared)
            pilots = await pilot_sides(
                prepared.providers,
                store,
                budget,
                gates,
                with_ladder=prepared.ladder,
                tell=lambda phase: _tell(progress, phase),
            )
            bet = _betting(prepared, plan)
            runner = Runner(
                plan,
                prepared.providers,
                store,
                budget,
                gates,
                progress=progress,
                thinking={role: found.thinking_tokens for role, found in pilots.items()},
                watch=lambda record: bet is not None and bet.watch(record),
            )
            outcome = await runner.run()
        finally:
            for provider in opened:
                await provider.aclose()
        for role, provider in prepared.providers.items():
            found = getattr(provider, "capabilities", None)
            if found:
                store.note("capabilities", {"role": role, "found": dict(found)})
        if outcome.exhausted is not None:
            raise outcome.exhausted
        for role in outcome.stopped:
            store.note("stopped", {"role": role})
        if outcome.early is not None and not outcome.stopped:
            store.note("stopped_early", {"slots": outcome.early})
    return store.path


def _betting(prepared: Prepared, plan: Plan) -> Betting | None:
    """What watches a study that may stop early."""
    if not prepared.settings.sequential or len(prepared.endpoints) < 2:
        return None
    return Betting(plan.to_json(), plan.cells, prepared.panel)


async def pilot(
    prepared: Prepared, progress: ProgressCallback | None = None
) -> tuple[Prepared, dict[Role, Pilot]]:
    """Ask two pilot questions a side and nothing else; nothing is kept.

    Returns
    -------
    prepared, pilots
        The study with thinking in its estimate, and what was found of each side.
    """
    budget = Budget(prepared.prices, max_requests=prepared.settings.max_requests)
    opened: list[Provider] = []
    try:
        for provider in _distinct(prepared.providers.values()):
            opened.append(provider)
            await provider.open()
        pilots = await pilot_sides(
            prepared.providers,
            None,
            budget,
            _gates(prepared),
            with_ladder=False,
            tell=lambda phase: _tell(progress, phase),
        )
    finally:
        for provider in opened:
            await provider.aclose()
    return with_pilots(prepared, pilots), pilots


def analyse(store: str | Path) -> StudyDocument:
    """The study document, recomputed from a store; the same every time."""
    with Store.open(Path(store)) as opened:
        panel = opened.copies.get("panel")
        document = analyse_transcript(
            opened.plan,
            [Cell.model_validate(cell) for cell in opened.battery["cells"]],
            Transcript(opened.records()),
            opened.notes(),
            plan_digest=opened.plan_digest,
            root=opened.root,
            panel=None if panel is None else Panel.model_validate(panel),
        )
    return wording.spell(document)


def report(
    store: str | Path, *, formats: Iterable[str], out: Path | None = None
) -> dict[str, Path]:
    """Render the dossiers of a finished study again.

    Raises
    ------
    EvidenceError
        If the store holds no finished study.
    """
    path = Path(store)
    dossier.require(tuple(formats))
    with Store.open(path) as opened:
        content = opened.read_study()
    if content is None:
        raise EvidenceError(f"{path} holds no finished study: run the comparison to its end first")
    document = StudyDocument.model_validate(content)
    return _write(document, out or path, formats)


def _conclude(path: Path, settings: Settings, progress: ProgressCallback | None) -> Study:
    _tell(progress, "analysing")
    document = analyse(path)
    with Store.open(path, write=True) as store:
        store.write_study(dossier.render(document, "json"))
        store.seal()
    _tell(progress, "rendering")
    written = _write(document, settings.out or path, settings.formats)
    return Study(document=document, store=path, written=written)


def _write(document: StudyDocument, folder: Path, formats: Iterable[str]) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return {
        format: dossier.write(document, folder / dossier.FORMATS[format], format)
        for format in formats
    }


def _settings(
    settings: Settings | None, options: Mapping[str, Any]
) -> tuple[Settings, Path | None]:
    options = dict(options)
    config = Path(options.pop("config")) if options.get("config") else None
    if settings is None:
        settings = settings_module.load(options, environment=os.environ, config=config)
    elif options:
        raise UsageError(f"give settings or options, not both: {', '.join(sorted(options))}")
    return settings, config


def _side(side: Side, config: Path | None) -> Endpoint | Provider:
    if isinstance(side, Store):
        return Endpoint("replay", str(side.path))
    if isinstance(side, Path) or (isinstance(side, str) and is_store(Path(side))):
        return Endpoint("replay", str(side))
    if isinstance(side, str):
        return settings_module.find_endpoint(side, config)
    return side


def _gates(prepared: Prepared) -> dict[Role, Gate]:
    """One gate a host, so that two sides at one host share its places and the lower pace."""
    hosts: dict[str, dict[Role, Provider]] = {}
    for role, provider in prepared.providers.items():
        # Whatever the port and the spelling, it is one machine that has to answer.
        name = (urlsplit(f"//{provider.host}").hostname if provider.host else None) or role
        hosts.setdefault(name, {})[role] = provider
    settings, chosen = prepared.settings, {}
    for sides in hosts.values():
        places = settings.concurrency or min(p.concurrency for p in sides.values())
        rpms = [settings.rpm or p.endpoint.option("rpm") for p in sides.values()]
        gate = Gate(places, min((rpm for rpm in rpms if rpm), default=None))
        chosen.update(dict.fromkeys(sides, gate))
    return chosen


def _distinct(providers: Iterable[Provider]) -> list[Provider]:
    return list({id(p): p for p in providers}.values())


def _completion_rows(path: Path) -> list[dict[str, Any]]:
    with Store.open(path) as store:
        return [
            {
                "role": r.role,
                "cell": r.cell,
                "draw": r.draw,
                "block": r.block,
                "started_utc": r.started_utc,
                "text": r.completion.text if r.completion else None,
                "finish_reason": r.completion.finish_reason if r.completion else None,
                "failure": r.failure.kind if r.failure else None,
            }
            for r in Transcript(store.records())
        ]


def _tell(progress: ProgressCallback | None, phase: str) -> None:
    if progress is not None:
        progress(Progress(0, 0, 0, 0, None, None, 0.0, None, phase))


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _wait(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, in a thread of its own where a loop already runs."""
    if not _loop_runs():
        return asyncio.run(make())
    box: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            box.append(asyncio.run(make()))
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return box[0]


__all__ = [
    "Prepared",
    "Progress",
    "Study",
    "acompare",
    "analyse",
    "compare",
    "pilot",
    "prepare",
    "record",
    "report",
    "sample",
]
