"""A store: the folder that holds a study's evidence.

    plan.json          what will be asked and how it will be analysed; written first
    battery.json       the cells, as asked
    copies/NAME.json   whatever else the analysis reads (the panel), so that nothing else is needed
    transcript.jsonl   one line an attempt, chained (`chain`); only ever appended to
    blobs/ab/abcd…     the raw bytes of requests and responses, named by their SHA-256
    events.jsonl       resumed, repaired, capabilities: covered by the seal, not by the chain
    torn.bin           what a torn last line held, if one had to be cut off
    study.json         the study document
    seal.json          Merkle root and digests (`seal`)

Every line is written with one call and flushed to the operating system before the next request is
recorded: a killed process loses nothing that it had appended. It is forced to the disk every two
seconds and at the end, so a power cut loses two seconds at most.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from pydantic import ValidationError

from provenance.canonical import canonical_json, digest, normalise
from provenance.errors import EvidenceError, TamperedEvidence
from provenance.evidence.chain import START, read_line, write_line
from provenance.evidence.lock import StoreLock
from provenance.evidence.seal import Seal, merkle_root
from provenance.transcript import Exchange, Failure, Record, Role

PLAN = "plan.json"
BATTERY = "battery.json"
COPIES = "copies"
TRANSCRIPT = "transcript.jsonl"
EVENTS = "events.jsonl"
BLOBS = "blobs"
STUDY = "study.json"
SEAL = "seal.json"
TORN = "torn.bin"
_SYNC_EVERY_S = 2.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_store(path: Path) -> bool:
    """Whether a folder holds a study's evidence."""
    try:
        return (path / PLAN).is_file() and (path / BATTERY).is_file()
    except OSError:  # a string far too long to be a path, for one
        return False


class Store:
    """An open store. Make one with `create` or `open`; use it as a context manager.

    Attributes
    ----------
    path
        The folder.
    plan, battery, copies
        As written before the first request.
    repairs
        What `open` had to mend, as sentences.
    """

    def __init__(self, path: Path, lock: StoreLock | None) -> None:
        self.path = path
        self._lock = lock
        self.plan: dict[str, Any] = _read_json(path / PLAN)
        self.battery: dict[str, Any] = _read_json(path / BATTERY)
        self.copies: dict[str, Any] = {
            file.stem: _read_json(file) for file in sorted((path / COPIES).glob("*.json"))
        }
        self.repairs: tuple[str, ...] = ()
        self._file: BinaryIO | None = None
        self._head = START
        self._synced = time.monotonic()
        self._known: set[str] = set()

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        plan: Mapping[str, Any],
        battery: Mapping[str, Any],
        copies: Mapping[str, Any] | None = None,
    ) -> Store:
        """Make a store and write down what will be asked.

        Raises
        ------
        EvidenceError
            If the folder holds a study already, or cannot be written.
        StoreLocked
            If another process is at it.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EvidenceError(f"cannot make the folder {path}: {error.strerror}") from None
        lock = StoreLock(path)
        try:
            if is_store(path):
                raise EvidenceError(f"{path} holds a study already")
            for name, content in (copies or {}).items():
                write_atomically(path / COPIES / f"{name}.json", canonical_json(content))
            write_atomically(path / BATTERY, canonical_json(battery))
            write_atomically(path / PLAN, canonical_json(plan))
            store = cls(path, lock)
            store._file = (path / TRANSCRIPT).open("ab", buffering=0)
        except BaseException:
            lock.release()
            raise
        return store

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Store:
        """Open a store, to read or to go on writing.

        Opening it to write repairs a torn last line: what is cut off is kept in ``torn.bin``.

        Raises
        ------
        EvidenceError
            If there is no store.
        StoreLocked
            If it is opened to write while another process does.
        TamperedEvidence
            If it is opened to write and the chain does not hold.
        """
        if not is_store(path):
            raise EvidenceError(f"{path} is no store: {PLAN} or {BATTERY} is missing")
        lock = StoreLock(path) if write else None
        try:
            store = cls(path, lock)
            if write:
                store._repair()
                for link in store._links():
                    store._head = link.hash
                store._file = (path / TRANSCRIPT).open("ab", buffering=0)
                if store.repairs:
                    store.note("repaired", {"what": list(store.repairs)})
        except BaseException:
            if lock is not None:
                lock.release()
            raise
        return store

    @property
    def plan_digest(self) -> str:
        """SHA-256 of the plan's canonical JSON."""
        return digest(self.plan)

    @property
    def root(self) -> str:
        """Merkle root over the records as they stand."""
        return merkle_root([link.hash for link in self._links()])

    @property
    def finished(self) -> bool:
        """Whether the study came to its end and was sealed."""
        return (self.path / SEAL).is_file()

    def append(
        self,
        exchange: Exchange,
        *,
        slot: int,
        role: Role,
        cell: str,
        draw: int,
        block: int | None,
        attempt: int,
        final: bool,
    ) -> Record:
        """Write one attempt: its bytes first, then its line."""
        failed = isinstance(exchange.outcome, Failure)
        record = Record(
            slot=slot,
            role=role,
            cell=cell,
            draw=draw,
            block=block,
            attempt=attempt,
            final=final,
            started_utc=exchange.started_utc,
            elapsed_s=exchange.elapsed_s,
            first_byte_s=exchange.first_byte_s,
            status=exchange.status,
            headers=dict(exchange.headers),
            request_sha256=self._keep(exchange.request),
            response_sha256=self._keep(exchange.response),
            completion=None if isinstance(exchange.outcome, Failure) else exchange.outcome,
            failure=exchange.outcome if isinstance(exchange.outcome, Failure) else None,
        )
        assert failed == (record.completion is None)
        content = normalise(record.model_dump(mode="json"))
        line, self._head = write_line(self._head, content)
        if self._file is None:
            raise EvidenceError(f"{self.path} is open for reading only")
        self._file.write(line)
        if time.monotonic() - self._synced > _SYNC_EVERY_S:
            self._sync()
        return Record.model_validate(content)

    def records(self) -> Iterator[Record]:
        """All records in the order of writing, the chain checked.

        Raises
        ------
        TamperedEvidence
            At the first record that was touched.
        """
        for number, link in enumerate(self._links()):
            try:
                yield Record.model_validate(link.record)
            except ValidationError as error:
                raise TamperedEvidence(
                    f"record {number} has fields that this tool does not write "
                    f"({error.error_count()})",
                    number,
                ) from None

    def blob(self, sha256: str) -> bytes:
        """Raw bytes by digest, checked.

        Raises
        ------
        TamperedEvidence
            If they are missing or not what the digest says.
        """
        try:
            content = blob_path(self.path, sha256).read_bytes()
        except FileNotFoundError:
            raise TamperedEvidence(f"the bytes {sha256} are missing") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise TamperedEvidence(f"the bytes {sha256} were changed")
        return content

    def note(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write an event beside the records."""
        line = canonical_json({"kind": kind, "values": normalise(dict(values))}) + b"\n"
        with (self.path / EVENTS).open("ab") as file:
            file.write(line)

    def notes(self) -> list[dict[str, Any]]:
        """All events; a torn last one is left out."""
        if not (self.path / EVENTS).is_file():
            return []
        events = []
        for line in (self.path / EVENTS).read_bytes().splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                continue
        return [e for e in events if isinstance(e, dict) and {"kind", "values"} <= set(e)]

    def write_study(self, document: bytes) -> None:
        """Write the study document, as the bytes that every copy of it shall have."""
        write_atomically(self.path / STUDY, document)

    def read_study(self) -> dict[str, Any] | None:
        """The study document, None before there is one."""
        return _read_json(self.path / STUDY) if (self.path / STUDY).is_file() else None

    def seal(self) -> Seal:
        """Fix everything: the root over the records and a digest of every other file."""
        self._sync()
        hashes = tuple(link.hash for link in self._links())
        seal = Seal(
            records=len(hashes),
            root=merkle_root(hashes),
            hashes=hashes,
            files={name: file_digest(self.path / name) for name in sealed_files(self.path)},
        )
        write_atomically(self.path / SEAL, canonical_json(seal.model_dump(mode="json")))
        return seal

    def close(self) -> None:
        """Force what was written to the disk and give the lock back."""
        if self._file is not None:
            self._sync()
            self._file.close()
            self._file = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _links(self) -> Iterator[Any]:
        path, previous = self.path / TRANSCRIPT, START
        if not path.is_file():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n") and self._lock is None:
                    return  # a writer may be at it, or was killed: not yet a record
                link = read_line(line, previous, number)
                previous = link.hash
                yield link

    def _repair(self) -> None:
        """Cut off a torn last line, keeping its bytes."""
        path = self.path / TRANSCRIPT
        content = path.read_bytes() if path.is_file() else b""
        if not content or content.endswith(b"\n"):
            return
        whole = content.rfind(b"\n") + 1
        with (self.path / TORN).open("ab") as file:
            file.write(content[whole:] + b"\n")
        with path.open("r+b") as file:
            file.truncate(whole)
        self.repairs = (
            f"the last line was torn ({len(content) - whole} bytes): moved to {TORN}, its request "
            "is sent again",
        )

    def _keep(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 not in self._known:
            path = blob_path(self.path, sha256)
            if not path.is_file() or path.stat().st_size != len(content):
                write_atomically(path, content)
            self._known.add(sha256)
        return sha256

    def _sync(self) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def blob_path(store: Path, sha256: str) -> Path:
    """Where bytes lie.

    Raises
    ------
    TamperedEvidence
        If the name is no digest; nothing else is ever turned into a path.
    """
    if not _SHA256.fullmatch(sha256):
        raise TamperedEvidence(f"{sha256[:80]!r} is not a SHA-256 digest")
    return store / BLOBS / sha256[:2] / sha256


def sealed_files(store: Path) -> list[str]:
    """Names of the files that the seal covers by digest."""
    names = [PLAN, BATTERY, EVENTS, STUDY, TORN]
    names += [f"{COPIES}/{file.name}" for file in sorted((store / COPIES).glob("*.json"))]
    return [name for name in names if (store / name).is_file()]


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise TamperedEvidence(f"{path.name} is not the JSON that this tool writes") from None
    if not isinstance(content, dict):
        raise TamperedEvidence(f"{path.name} is not the JSON that this tool writes")
    return content
