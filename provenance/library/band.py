"""Benign bands: how far apart hosts are that are known to serve the same weights.

A band file is JSON: ``name``, ``measured_utc`` and ``pairs``. A pair was measured by a comparison
of two such hosts, and keeps counts of answers a cell and side, no answer itself: distances need no
more. ``weights`` names what both sides serve; pairs of one name are one unit. ``kind`` says in what
the two sides differ at most:

host          the same engine and precision elsewhere
engine        another inference engine
precision     another floating-point format
quantisation  fewer bits; benign only where the user says so (``--allow quantisation``)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from provenance.battery import Cell
from provenance.canonical import canonical_json, digest
from provenance.endpoint import Endpoint
from provenance.errors import EvidenceError, UsageError
from provenance.evidence.draws import sketch
from provenance.evidence.files import write_atomically
from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store
from provenance.library import shipped
from provenance.library.traced import Traced
from provenance.readings import read
from provenance.transcript import ROLES, Completion, Frozen, Role, Transcript

Kind = Literal["host", "engine", "precision", "quantisation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ALWAYS: tuple[Kind, ...] = ("host", "engine", "precision")
_BLOCKED = "⟨blocked⟩"

Counts = tuple[Annotated[int, Field(ge=0, le=1_000_000)], ...]


class BenignPair(Traced):
    """Two hosts known to serve the same weights, as they answered one battery.

    ``cells`` maps a cell to the counts of the reference and of the suspect, over the same answers
    in the same order. ``root`` is that of the store it was measured in, ``draws`` are digests of
    both sides' draws.
    """

    weights: str = Field(min_length=1, max_length=200)
    kind: Kind
    reference: str
    suspect: str
    recorded_utc: str
    battery_digest: str
    root: str
    note: str = ""
    cells: dict[str, tuple[Counts, Counts]] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_row_an_answer(self) -> BenignPair:
        for cell, (reference, suspect) in self.cells.items():
            if len(reference) != len(suspect):
                raise ValueError(f"cell {cell!r}: the sides count different answers")
        return self


class Band(Frozen):
    """Benign pairs."""

    name: str
    measured_utc: str
    pairs: tuple[BenignPair, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest(self.model_dump(mode="json"))

    def asked(self, battery_digest: str) -> tuple[BenignPair, ...]:
        """Pairs that were asked this battery."""
        return tuple(p for p in self.pairs if p.battery_digest == battery_digest)

    @classmethod
    def shipped(cls) -> list[str]:
        """Names of the bands in the package."""
        return shipped.names("bands")

    @classmethod
    def load(cls, name_or_file: str | Path) -> Band:
        """A shipped band by name, or a file.

        Raises
        ------
        SettingsError
            If there is none, or it cannot be read.
        """
        return shipped.load(cls, "bands", name_or_file, hint=" (`provenance library band --help`)")


def pair_of(store: Path, *, weights: str, kind: Kind, note: str = "") -> BenignPair:
    """A benign pair from the store of a comparison.

    Parameters
    ----------
    store
        As `provenance compare` makes it, finished.
    weights
        What both hosts are known to serve.
    kind
        In what they differ at most.

    Raises
    ------
    EvidenceError
        If the store was changed, or a side gave no answer.
    """
    problems = [p.text for p in check_integrity(store).details]
    if problems:
        raise EvidenceError(
            f"{store} cannot be used: {problems[0]}. A band takes finished comparisons, as sealed"
        )
    with Store.open(store) as opened:
        cells = {c["id"]: Cell.model_validate(c) for c in opened.battery["cells"]}
        endpoints = opened.plan["endpoints"]
        counts: dict[Role, dict[str, Counter[str]]] = {
            "reference": defaultdict(Counter),
            "suspect": defaultdict(Counter),
        }
        transcript = Transcript(opened.records())
        for record in transcript:
            if record.completion is not None:
                answer = _category(cells[record.cell], record.completion)
                counts[record.role][record.cell][answer] += 1
        both = {
            cell: (reference, counts["suspect"][cell])
            for cell, reference in counts["reference"].items()
            if cell in counts["suspect"]
        }
        battery, made, root = opened.battery["digest"], opened.plan["created_utc"], opened.root
    if not both:
        raise EvidenceError(
            f"{store} holds no cell that both sides answered: a band takes comparisons of two hosts"
        )
    labels = {role: Endpoint.parse(text) for role, text in endpoints.items()}
    return BenignPair(
        weights=weights,
        kind=kind,
        reference=labels["reference"].label_beside(labels["suspect"]),
        suspect=labels["suspect"].label_beside(labels["reference"]),
        recorded_utc=made,
        battery_digest=battery,
        root=root,
        note=note,
        # Each side keeps its own: the smallest of both together could leave the smaller one out.
        draws=tuple(d for role in ROLES for d in sketch(transcript.completed(role))),
        cells={cell: _rows(*sides) for cell, sides in sorted(both.items())},
    )


def add(pairs: list[BenignPair], band: Path) -> Band:
    """Write a band with more pairs; a new file if there is none.

    Raises
    ------
    UsageError
        If a pair is there already, or the file is no ``.json``.
    """
    if band.suffix != ".json":
        raise UsageError(f"a band is a .json file, not {band}")
    known = Band.load(band) if band.is_file() else None
    every = [*(known.pairs if known else ()), *pairs]
    twice = [root for root, n in Counter(p.root for p in every).items() if n > 1]
    if twice:
        raise UsageError(
            f"{band} would hold the recording with root {twice[0][:12]}… twice: each comparison "
            "counts once"
        )
    made = Band(
        name=known.name if known else band.stem,
        measured_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        pairs=tuple(every),
    )
    write_atomically(band, canonical_json(made.model_dump(mode="json")))
    return made


def _category(cell: Cell, completion: Completion) -> str:
    return _BLOCKED if completion.blocked else read(cell.reading, completion.text)


def _rows(reference: Counter[str], suspect: Counter[str]) -> tuple[Counts, Counts]:
    answers = sorted({*reference, *suspect})
    return tuple(reference[a] for a in answers), tuple(suspect[a] for a in answers)
