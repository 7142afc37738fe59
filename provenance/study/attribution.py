"""Attributing: was the suspect made from the reference, or trained on its outputs?"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance import dossier
from provenance.attribution.attributing import analyse_attribution
from provenance.attribution.itself import one_endpoint
from provenance.attribution.strands import OtherRole, OtherTexts, name_of
from provenance.battery import Cell
from provenance.endpoint import Endpoint
from provenance.errors import EvidenceError, UsageError
from provenance.evidence.others import noted_others
from provenance.evidence.store import Store, is_store
from provenance.findings import StudyDocument
from provenance.providers.base import Provider
from provenance.providers.replay import ReplayProvider, recorded_model
from provenance.sampling.prepare import Prepared
from provenance.sampling.prepare import prepare as prepare_sides
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study.asking import choose, default_battery, require_genre
from provenance.study.finished import Study
from provenance.study.libraries import opened, read_copies
from provenance.study.recording import record
from provenance.study.sides import Side, settings_of, side_of
from provenance.study.waiting import tell, wait
from provenance.transcript import Transcript

_BESIDE = ("control", "sibling")
_SHOULD_BE = {
    "control": "a control is a third model, known to be unrelated to the reference",
    "sibling": "a sibling is another model with the suspect's base, made without the reference",
}
FOLDER = "others"  # in the study's store: one store an endpoint beside the suspect


@dataclass(frozen=True, slots=True)
class Attribution:
    """A prepared attribution: the suspect's plan, and what the endpoints beside it are asked."""

    prepared: Prepared
    others: tuple[tuple[OtherRole, Endpoint | Provider], ...]
    battery: str  # for live endpoints, where none is named

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before anything is asked."""
        reference = next(_endpoint(side) for role, side in self.others if role == "reference")
        if not one_endpoint(self.prepared.endpoints["suspect"], reference):
            return ()
        return (
            f"suspect and reference are the same endpoint ({reference.label}): it will be compared "
            "with itself, which says nothing about any other model",
        )

    def plans(self) -> list[Prepared]:
        """What every endpoint will be asked, the suspect first."""
        settings = self.prepared.settings
        asked = (_prepare(s, settings, self.battery, "record", {}) for _, s in self.others)
        return [self.prepared, *asked]


def attribute(
    suspect: Side,
    *,
    reference: Side,
    library: str | Path | None = None,
    controls: Sequence[Side] = (),
    siblings: Sequence[Side] = (),
    before: Side | None = None,
    after: Side | None = None,
    space: str | None = None,
    genre: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """Weigh where a suspect comes from, against a reference.

    Parameters
    ----------
    suspect, reference
        As in `compare`; `identify` says what live endpoints are asked.
    library
        Folder of a library with a space, profiles and calibrations
        (``provenance library calibrate``): the population that gives every number its meaning.
        None: the one that ships.
    controls
        Models known to be unrelated to the reference; they join the population, and are needed for
        ``before`` and ``after``.
    siblings
        Other models with the suspect's base, made without the reference.
    before, after
        The suspect before and after the date in question.
    space, genre, settings, progress, **options
        As in `identify`.

    Returns
    -------
    Study
        Its ``verdict.label`` is "supported", "not_supported" or "inconclusive";
        ``document.propositions`` holds each pair of hypotheses with its log10 likelihood ratio,
        bounds and interval, or why it was not assessed.

    Raises
    ------
    UsageError, ProviderError, BudgetExhausted, EvidenceError
        See `provenance.errors`.
    """
    return wait(
        lambda: aattribute(
            suspect,
            reference=reference,
            library=library,
            controls=controls,
            siblings=siblings,
            before=before,
            after=after,
            space=space,
            genre=genre,
            settings=settings,
            progress=progress,
            **options,
        )
    )


async def aattribute(
    suspect: Side,
    *,
    reference: Side,
    library: str | Path | None = None,
    controls: Sequence[Side] = (),
    siblings: Sequence[Side] = (),
    before: Side | None = None,
    after: Side | None = None,
    space: str | None = None,
    genre: str | None = None,
    settings: Settings | None = None,
    progress: ProgressCallback | None = None,
    **options: Any,
) -> Study:
    """`attribute` as a coroutine."""
    settings, config = settings_of(settings, options)
    dossier.require(settings.formats)
    named: list[tuple[OtherRole, Side]] = [("reference", reference)]
    named += [("control", c) for c in controls]
    named += [("sibling", s) for s in siblings]
    named += [("before", before)] if before is not None else []
    named += [("after", after)] if after is not None else []
    others = [(role, side_of(side, config)) for role, side in named]
    made = await asyncio.to_thread(
        prepare_attribution, side_of(suspect, config), others, library, settings, space, genre
    )
    return await _run(made, progress)


def prepare_attribution(
    suspect: Endpoint | Provider,
    others: Sequence[tuple[OtherRole, Endpoint | Provider]],
    library: str | Path | None,
    settings: Settings,
    space: str | None = None,
    genre: str | None = None,
) -> Attribution:
    """Plan an attribution and send nothing.

    Raises
    ------
    UsageError
        If only one of before and after is named, there is no control for them, a control or a
        sibling is one of the sides, or a recording would be compared with itself.
    """
    roles = [role for role, _ in others]
    if ("before" in roles) != ("after" in roles):
        raise UsageError("before and after belong together: name both, or none")
    if "before" in roles and "control" not in roles:
        raise UsageError("before and after need a control: a model that cannot be the source")
    _require_apart(suspect, others)
    battery = settings.battery or default_battery(library)
    if settings.battery is None and any(_live(side) for _, side in others):
        require_genre(battery, genre)
    settings, copies = choose(suspect, library, settings, space, genre)
    content = copies.content | {
        "relations": opened(library).relations().model_dump(mode="json"),
        "others": {
            "endpoints": [[role, str(_endpoint(side))] for role, side in others],
            **_recorded(suspect, next(side for role, side in others if role == "reference")),
        },
    }
    prepared = _prepare(suspect, settings, battery, "attribute", content)
    return Attribution(prepared, tuple(others), battery)


def _recorded(suspect: Endpoint | Provider, reference: Endpoint | Provider) -> dict[str, Any]:
    """Names of the models in the recordings, where the endpoints do not say."""
    found = {}
    for role, side in (("suspect", suspect), ("reference", reference)):
        if isinstance(side, Endpoint | ReplayProvider) and not _live(side):
            name = recorded_model(_endpoint(side))
            if name is not None and name != name_of(_endpoint(side)):
                found[role] = name
    return {"recorded": found} if found else {}


def _require_apart(
    suspect: Endpoint | Provider, others: Sequence[tuple[OtherRole, Endpoint | Provider]]
) -> None:
    """A recording against itself shows nothing, and a step away from itself leads everywhere."""
    # The suspect first: often it stands for "after", too.
    sides: dict[str, Endpoint] = {"suspect": _endpoint(suspect)}
    sides |= {role: _endpoint(side) for role, side in others if role not in _BESIDE}
    if _one_recording(sides["suspect"], sides["reference"]):
        raise UsageError(
            f"suspect and reference are the same recording, {sides['suspect']}: a recording that "
            "is compared with itself shows nothing. Record the suspect anew (`provenance sample`), "
            "or name a recording of another model with --reference"
        )
    if "before" in sides and _one(sides["before"], sides["after"]):
        raise UsageError(
            f"before and after are the same, {sides['before']}: name a recording from before the "
            "date in question, and one from after it"
        )
    for role, side in others:
        if role not in _BESIDE:
            continue
        own = _endpoint(side)
        # A sibling may be what the suspect was before.
        known = sides if role == "control" else {k: sides[k] for k in ("suspect", "reference")}
        there = next((name for name, other in known.items() if _one(own, other)), None)
        if there is not None:
            raise UsageError(f"{own} is named as a {role} and as {there}: {_SHOULD_BE[role]}")


def _one(one: Endpoint, other: Endpoint) -> bool:
    return one == other or _one_recording(one, other)


def _one_recording(one: Endpoint, other: Endpoint) -> bool:
    """Whether both replay the same answers: one file, or stores with one root."""
    if not one.provider == other.provider == "replay":
        return False
    if one.option("model") != other.option("model"):
        return False
    paths = [Path(endpoint.model) for endpoint in (one, other)]
    if all(map(is_store, paths)):
        return Store.open(paths[0]).root == Store.open(paths[1]).root
    return os.path.realpath(paths[0]) == os.path.realpath(paths[1])


def conclude_attribution(made: Attribution, progress: ProgressCallback | None = None) -> Study:
    """Ask what a prepared attribution has left to ask, analyse it and write the dossiers."""
    return wait(lambda: _run(made, progress))


async def _run(made: Attribution, progress: ProgressCallback | None) -> Study:
    from provenance.study.analysis import conclude

    path = await record(made.prepared, progress)
    settings = made.prepared.settings
    for number, (role, side) in enumerate(made.others):
        tell(progress, f"asking the {role}")
        folder = f"{number}-{role}"
        await _record_other(path / FOLDER / folder, side, settings, made.battery, progress)
    with Store.open(path, write=True) as store:
        noted = {event["values"]["folder"] for event in store.notes() if event["kind"] == "other"}
        for number, (role, _) in enumerate(made.others):
            folder = f"{number}-{role}"
            if folder not in noted:
                root = Store.open(path / FOLDER / folder).root
                store.note("other", {"folder": folder, "role": role, "root": root})
    return await asyncio.to_thread(conclude, path, settings, progress)


async def _record_other(
    path: Path,
    side: Endpoint | Provider,
    settings: Settings,
    battery: str,
    progress: ProgressCallback | None,
) -> None:
    """Record an endpoint into a store of its own, and seal it; what is sealed stays."""
    if is_store(path) and Store.open(path).finished:
        return
    own = settings.model_copy(update={"store": path, "new": None})
    prepared = _prepare(side, own, battery, "record", {})
    await record(prepared, progress)
    with Store.open(path, write=True) as store:
        store.seal()


def _prepare(
    side: Endpoint | Provider,
    settings: Settings,
    battery: str,
    question: str,
    copies: dict[str, Any],
) -> Prepared:
    if settings.battery is None and _live(side):
        settings = settings.model_copy(update={"battery": battery})
    return prepare_sides(
        {"suspect": side}, settings, environment=os.environ, question=question, copies=copies
    )


def _live(side: Endpoint | Provider) -> bool:
    return _endpoint(side).provider != "replay"


def _endpoint(side: Endpoint | Provider) -> Endpoint:
    return side if isinstance(side, Endpoint) else side.endpoint


def analysed(store: Store) -> StudyDocument:
    """The study document of an attribution, recomputed from its stores; codes not spelt out.

    Raises
    ------
    EvidenceError
        If the store of one of the other endpoints is missing.
    """
    others = []
    for noted in noted_others(store):
        if not is_store(noted.path):
            raise EvidenceError(f"{noted.path} is missing: the store of the {noted.role}")
        with Store.open(noted.path) as other:
            others.append(
                OtherTexts(
                    role=noted.role,
                    endpoint=Endpoint.parse(other.plan["endpoints"]["suspect"]),
                    records=tuple(Transcript(other.records())),
                    cells=tuple(Cell.model_validate(c) for c in other.battery["cells"]),
                    root=other.root,
                )
            )
    return analyse_attribution(
        store.plan,
        [Cell.model_validate(cell) for cell in store.battery["cells"]],
        Transcript(store.records()),
        store.notes(),
        plan_digest=store.plan_digest,
        root=store.root,
        known=read_copies(store),
        others=others,
        recorded=store.copies.get("others", {}).get("recorded"),
    )
