"""Is a store what it was when it was sealed? Collects every problem, names the first record.

The hashes of the records as they stand are aligned with those in the seal, so a record that was
removed, inserted or moved is told from one that was edited, and a chain that was computed anew is
named from its first other record on. Bytes that no record names are no problem: a record that was
torn away leaves its own behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal

from provenance.errors import TamperedEvidence
from provenance.evidence import journal
from provenance.evidence.blobs import blob_path
from provenance.evidence.chain import Link, chain_start, misplaced, parse_line
from provenance.evidence.files import EVENTS, SEAL, TRANSCRIPT, digests
from provenance.evidence.seal import Seal, read_seal

ProblemKind = Literal[
    "record_edited",
    "record_replaced",  # whole in itself, and not the one that was sealed
    "record_removed",
    "record_inserted",
    "record_moved",
    "chain_broken",  # without a seal, removed, inserted and moved cannot be told apart
    "bytes_missing",
    "bytes_edited",
    "file_edited",
    "file_missing",
    "file_added",
    "seal_edited",
    "seal_missing",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was.

    Attributes
    ----------
    kind
        What was done.
    text
        A sentence.
    record
        Zero-based line of the transcript, if it concerns one; for a removed record the one that
        it had.
    slot
        Slot of the plan, if the record is there and readable.
    file
        Name of the file, if it concerns a whole one.
    """

    kind: ProblemKind
    text: str
    record: int | None = None
    slot: int | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was found.

    Attributes
    ----------
    details
        All problems; empty if everything holds.
    records
        Lines read.
    root
        The sealed root; None without a readable seal.
    """

    details: tuple[Problem, ...]
    records: int
    root: str | None

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems as sentences."""
        return tuple(problem.text for problem in self.details)

    @property
    def first(self) -> Problem | None:
        """The problem of the first record that was touched, if one can be named."""
        named = [problem for problem in self.details if problem.record is not None]
        return min(named, key=lambda p: p.record or 0, default=None)

    @property
    def first_record(self) -> int | None:
        """Zero-based line of the first record that was touched, if one can be named."""
        return None if self.first is None else self.first.record


def check_integrity(path: Path) -> Integrity:
    """Check chain, bytes, seal and files of a store; changes nothing."""
    problems: list[Problem] = []
    lines = _lines(path)
    links = [parse_line(line, number) for number, line in enumerate(lines)]
    seal = _seal(path, problems)
    problems += _edited(links)
    if lines and not lines[-1].endswith(b"\n"):
        problems += _unfinished(len(lines) - 1, links[-1])
    rearranged = [] if seal is None else _against_seal(links, seal)
    # A file that was edited after the seal is named as such; its records are still those sealed.
    start = chain_start(digests(path) if seal is None else seal.files)
    # What was done to the order breaks the chain too; it is said once.
    problems += rearranged or _breaks(links, start)
    if seal is not None:
        problems += _files(path, seal)
    checked: set[str] = set()
    problems += _bytes(path, links, checked)
    problems += _event_bytes(path, checked)
    return Integrity(tuple(problems), len(lines), None if seal is None else seal.root)


def _lines(path: Path) -> list[bytes]:
    file = path / TRANSCRIPT
    if not file.is_file():
        return []
    lines = [line + b"\n" for line in file.read_bytes().split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _seal(path: Path, problems: list[Problem]) -> Seal | None:
    try:
        seal = read_seal(path)
    except TamperedEvidence as error:
        problems.append(Problem("seal_edited", str(error), file=SEAL))
        return None
    if seal is None:
        problems.append(
            Problem(
                "seal_missing",
                f"{SEAL} is missing: the study is unfinished, or the seal was removed",
                file=SEAL,
            )
        )
    return seal


def _edited(links: Sequence[Link | None]) -> list[Problem]:
    problems = []
    for number, link in enumerate(links):
        if link is None:
            text = f"record {number} is not a line that this tool writes"
            problems.append(Problem("record_edited", text, number))
        elif not link.intact:
            text = f"{link.name} was edited: its hash is not that of its content"
            problems.append(Problem("record_edited", text, number, _slot(link)))
    return problems


def _unfinished(number: int, link: Link | None) -> list[Problem]:
    if link is None:
        return []  # said already: it is no whole line
    text = f"{link.name}, the last one, has lost its line end"
    return [Problem("record_edited", text, number, _slot(link))]


def _against_seal(links: Sequence[Link | None], seal: Seal) -> list[Problem]:
    """Records removed, inserted, moved or replaced, by the sealed hashes."""
    # An edited line keeps its place: it stands for the record whose hash it states.
    found = [f"line {n}" if link is None else link.hash for n, link in enumerate(links)]
    if found == list(seal.hashes):
        return []
    here, sealed = set(found), set(seal.hashes)
    problems: list[Problem] = []
    matcher = SequenceMatcher(None, seal.hashes, found, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        for n in range(both):
            link = links[j1 + n]
            if link is not None and link.intact:
                text = f"{link.name} is not the one that was sealed"
                if n + 1 < both:
                    text += f", nor are the {both - n - 1} after it"
                problems.append(Problem("record_replaced", text, j1 + n, _slot(link)))
                break
        for i in range(i1 + both, i2):
            # A moved record is named where it stands now.
            if seal.hashes[i] not in here:
                text = f"record {i} was removed"
                problems.append(Problem("record_removed", text, i))
        for j in range(j1 + both, j2):
            link = links[j]
            if link is not None:
                moved = link.hash in sealed
                text = f"{link.name} was {'moved' if moved else 'inserted'} here"
                kind: ProblemKind = "record_moved" if moved else "record_inserted"
                problems.append(Problem(kind, text, j, _slot(link)))
    return _brief(problems, len(found), len(seal.hashes))


def _brief(problems: list[Problem], found: int, sealed: int) -> list[Problem]:
    """The number of records first; of a long run of the same kind only its beginning."""
    kept: list[Problem] = []
    for problem in problems:
        same = [p for p in kept if p.kind == problem.kind]
        if len(same) < 5:
            kept.append(problem)
    if found != sealed:
        kind: ProblemKind = "record_removed" if found < sealed else "record_inserted"
        what = "missing" if found < sealed else "added"
        first = min((p.record for p in problems if p.record is not None), default=found)
        text = f"records are {what}: {sealed} were sealed, {found} are here"
        kept.insert(0, Problem(kind, text, first))
    return kept


def _breaks(links: Sequence[Link | None], start: str) -> list[Problem]:
    problems: list[Problem] = []
    previous = start
    for number, link in enumerate(links):
        if link is None:
            return problems  # what follows an unreadable line cannot be checked against it
        if link.prev != previous and link.intact:
            problems.append(Problem("chain_broken", misplaced(link), number, _slot(link)))
        previous = link.hash
    return problems


def _files(path: Path, seal: Seal) -> list[Problem]:
    problems = []
    here = digests(path)
    for name in sorted(here.keys() | seal.files.keys()):
        if name not in here:
            problems.append(Problem("file_missing", f"{name} is missing", file=name))
        elif name not in seal.files:
            problems.append(Problem("file_added", f"{name} was added after the seal", file=name))
        elif here[name] != seal.files[name]:
            problems.append(Problem("file_edited", f"{name} was edited", file=name))
    return problems


def _bytes(path: Path, links: Sequence[Link | None], checked: set[str]) -> list[Problem]:
    problems = []
    for number, link in enumerate(links):
        if link is None or not link.intact:
            continue  # an edited line may name anything
        try:
            record = link.record()
        except TamperedEvidence as error:
            problems.append(Problem("record_edited", str(error), number))
            continue
        for key, what in (("request_sha256", "request"), ("response_sha256", "response")):
            sha256 = str(record.get(key))
            if sha256 in checked:
                continue
            checked.add(sha256)
            kind = _state(path, sha256)
            if kind is not None:
                done = "are missing" if kind == "bytes_missing" else "were changed"
                text = f"{link.name}: the bytes of its {what} ({sha256[:16]}…) {done}"
                problems.append(Problem(kind, text, number, _slot(link)))
    return problems


def _event_bytes(path: Path, checked: set[str]) -> list[Problem]:
    """The bytes of exchanges that are no draws."""
    try:
        events = journal.read(path / EVENTS)
    except TamperedEvidence as error:
        return [Problem("file_edited", str(error), file=EVENTS)]
    problems = []
    for number, event in enumerate(events):
        values = event["values"] if isinstance(event["values"], dict) else {}
        for key, what in (("request_sha256", "request"), ("response_sha256", "response")):
            if key not in values or values[key] in checked:
                continue
            sha256 = str(values[key])
            checked.add(sha256)
            kind = _state(path, sha256)
            if kind is not None:
                done = "are missing" if kind == "bytes_missing" else "were changed"
                text = f"line {number + 1} of {EVENTS}: the bytes of its {what} {done}"
                problems.append(Problem(kind, text, file=EVENTS))
    return problems


def _state(path: Path, sha256: str) -> Literal["bytes_missing", "bytes_edited"] | None:
    try:
        content = blob_path(path, sha256).read_bytes()
    except (OSError, TamperedEvidence):
        return "bytes_missing"
    return None if hashlib.sha256(content).hexdigest() == sha256 else "bytes_edited"


def _slot(link: Link) -> int | None:
    try:
        slot = link.record().get("slot")
    except TamperedEvidence:
        return None
    return slot if isinstance(slot, int) else None
