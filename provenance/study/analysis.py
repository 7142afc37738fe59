"""Concluding: from a store to the study document and its dossiers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from provenance import dossier
from provenance.attribution.assemble import analyse_transcript
from provenance.battery import Cell
from provenance.dossier import wording
from provenance.errors import EvidenceError
from provenance.evidence.store import Store
from provenance.findings import StudyDocument
from provenance.library.band import Band
from provenance.library.panel import Panel
from provenance.sampling.runner import ProgressCallback
from provenance.settings import Settings
from provenance.study import attribution, identification
from provenance.study.anchors import read_anchors
from provenance.study.finished import Study
from provenance.study.waiting import tell
from provenance.transcript import Transcript


def analyse(store: str | Path) -> StudyDocument:
    """The study document, recomputed from a store; the same every time."""
    with Store.open(Path(store)) as opened:
        if opened.plan["question"] == "identify":
            return wording.spell(identification.analysed(opened))
        if opened.plan["question"] == "attribute":
            return wording.spell(attribution.analysed(opened))
        panel, band = opened.copies.get("panel"), opened.copies.get("band")
        document = analyse_transcript(
            opened.plan,
            [Cell.model_validate(cell) for cell in opened.battery["cells"]],
            Transcript(opened.records()),
            opened.notes(),
            plan_digest=opened.plan_digest,
            root=opened.root,
            panel=None if panel is None else Panel.model_validate(panel),
            anchors=read_anchors(opened),
            band=None if band is None else Band.model_validate(band),
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
    return write_dossiers(document, out or path, formats)


def conclude(path: Path, settings: Settings, progress: ProgressCallback | None) -> Study:
    """Analyse a recorded store, write its document, seal it, and render the dossiers."""
    tell(progress, "analysing")
    document = analyse(path)
    with Store.open(path, write=True) as store:
        store.write_study(dossier.render(document, "json"))
        store.seal()
    tell(progress, "rendering")
    written = write_dossiers(document, settings.out or path, settings.formats)
    return Study(document=document, store=path, written=written)


def write_dossiers(
    document: StudyDocument, folder: Path, formats: Iterable[str]
) -> dict[str, Path]:
    """Render one document in several formats into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        format: dossier.write(document, folder / dossier.FORMATS[format], format)
        for format in formats
    }
