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

Every line is handed to the operating system with one call, after the bytes that it names: a killed
process loses nothing that it had appended. Lines and bytes are forced to the disk every two seconds
or 64 records and at the end, so a power cut loses no more than that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import ValidationError

from provenance.canonical import canonical_json, digest, normalise
from provenance.errors import EvidenceError, TamperedEvidence
from provenance.evidence import journal
from provenance.evidence.appending import Appending
from provenance.evidence.blobs import Blobs, blob_path
from provenance.evidence.chain import Link, chain_start, read_line, write_line
from provenance.evidence.files import (
    BATTERY,
    COPIES,
    EVENTS,
    PLAN,
    SEAL,
    STUDY,
    TRANSCRIPT,
    digests,
    is_store,
    read_json,
    write_atomically,
    write_foundation,
)
from provenance.evidence.lock import StoreLock
from provenance.evidence.seal import Seal, head_of, merkle_root
from provenance.transcript import Completion, Exchange, Failure, Record, Role

__all__ = ["Store", "blob_path", "is_store"]


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
        self.plan: dict[str, Any] = read_json(path / PLAN)
        self.battery: dict[str, Any] = read_json(path / BATTERY)
        self.copies: dict[str, Any] = {
            file.stem: read_json(file) for file in sorted((path / COPIES).glob("*.json"))
        }
        self.repairs: tuple[str, ...] = ()
        self._blobs = Blobs(path)
        self._appending: Appending | None = None
        # What was read above is what the chain starts from, not what the files become later.
        self._start = self._head = chain_start(digests(path))

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
            If the folder holds a study already, or part of one, or cannot be written.
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
            write_foundation(path, plan, battery, copies or {})
            store = cls(path, lock)
            store._appending = Appending(path, store._blobs)
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
                store.repairs = journal.repair(path)
                store._blobs.sweep()
                for link in store._links():
                    store._head = link.hash
                store._appending = Appending(path, store._blobs)
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
    def sealed(self) -> bool:
        """Whether there is a seal."""
        return (self.path / SEAL).is_file()

    @property
    def finished(self) -> bool:
        """Whether the study came to its end: its last act is the seal."""
        return self.sealed

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
        """Write one attempt: its bytes first, then its line.

        Raises
        ------
        EvidenceError
            If the store is open for reading only, is sealed, or the disk does not take it. What was
            appended before is whole.
        """
        transcript = self._require_writing()
        if self.sealed:
            raise EvidenceError(f"{self.path} is sealed: no record is added to it")
        content = normalise(
            {
                "slot": slot,
                "role": role,
                "cell": cell,
                "draw": draw,
                "block": block,
                "attempt": attempt,
                "final": final,
                **self._exchanged(exchange),
            }
        )
        # Read before it is written: what this tool could not read back is never in the chain.
        record = Record.model_validate(content)
        line, head = write_line(self._head, content)
        transcript.write(line)
        self._head = head  # before the disk is waited for: the line stands, whatever comes of that
        transcript.sync_if_due()
        return record

    def records(self) -> Iterator[Record]:
        """All records in the order of writing, the chain checked.

        Raises
        ------
        TamperedEvidence
            At the first record that was touched.
        """
        for link in self._links():
            try:
                yield Record.model_validate(link.record())
            except ValidationError as error:
                raise TamperedEvidence(
                    f"record {link.number} has fields that this tool does not write "
                    f"({error.error_count()})",
                    link.number,
                ) from None

    def blob(self, sha256: str) -> bytes:
        """Raw bytes by digest, checked.

        Raises
        ------
        TamperedEvidence
            If they are missing or not what the digest says.
        """
        return self._blobs.get(sha256)

    def note(self, kind: str, values: Mapping[str, Any]) -> None:
        """Write an event beside the records.

        Raises
        ------
        EvidenceError
            If the store is open for reading only, or the disk does not take it.
        """
        self._require_writing()
        journal.add(self.path / EVENTS, {"kind": kind, "values": normalise(dict(values))})

    def witness(self, kind: str, exchange: Exchange, values: Mapping[str, Any]) -> None:
        """Write an exchange that is no draw (a pilot request) as an event, with its bytes.

        Raises
        ------
        EvidenceError
            If the store is open for reading only, or the disk does not take it.
        """
        self._require_writing()
        self.note(kind, {**values, **self._exchanged(exchange)})

    def notes(self) -> list[dict[str, Any]]:
        """All events; a last one that is torn is left out.

        Raises
        ------
        TamperedEvidence
            If one is not what this tool writes.
        """
        return journal.read(self.path / EVENTS)

    def write_study(self, document: bytes | Mapping[str, Any]) -> None:
        """Write the study document.

        Parameters
        ----------
        document
            The bytes that every copy of it shall have, or a mapping (then as canonical JSON).
        """
        content = document if isinstance(document, bytes) else canonical_json(document)
        write_atomically(self.path / STUDY, content)

    def read_study(self) -> dict[str, Any] | None:
        """The study document, None before there is one."""
        return read_json(self.path / STUDY) if (self.path / STUDY).is_file() else None

    def seal(self) -> Seal:
        """Fix everything: the root over the records and a digest of every other file."""
        if self._appending is not None:
            self._appending.sync()
        hashes = tuple(link.hash for link in self._links())
        seal = Seal(
            records=len(hashes),
            root=merkle_root(hashes),
            head=head_of(hashes),
            hashes=hashes,
            files=digests(self.path),
        )
        write_atomically(self.path / SEAL, canonical_json(seal.model_dump(mode="json")))
        return seal

    def close(self) -> None:
        """Force what was written to the disk and give the lock back."""
        lock, self._lock = self._lock, None
        try:
            if self._appending is not None:
                self._appending.close()
        finally:
            if lock is not None:
                lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _exchanged(self, exchange: Exchange) -> dict[str, Any]:
        """The fields of an exchange, its bytes kept."""
        failed = isinstance(exchange.outcome, Failure)
        return {
            "started_utc": exchange.started_utc,
            "elapsed_s": exchange.elapsed_s,
            "first_byte_s": exchange.first_byte_s,
            "status": exchange.status,
            "headers": exchange.headers,
            "request_sha256": self._blobs.keep(exchange.request),
            "response_sha256": self._blobs.keep(exchange.response),
            "completion": None if failed else _plain(exchange.outcome),
            "failure": _plain(exchange.outcome) if failed else None,
        }

    def _require_writing(self) -> Appending:
        if self._appending is None or not self._appending.open:
            raise EvidenceError(f"{self.path} is open for reading only")
        return self._appending

    def _links(self) -> Iterator[Link]:
        path, previous = self.path / TRANSCRIPT, self._start
        if not path.is_file():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n") and self._lock is None:
                    return  # a writer may be at it, or was killed: not yet a record
                link = read_line(line, previous, number)
                previous = link.hash
                yield link


def _plain(outcome: Completion | Failure) -> dict[str, Any]:
    """An outcome as plain values; alternatives without a finite log-probability are left out."""
    values = outcome.model_dump(warnings=False)
    for token in values.get("logprobs") or ():
        token["top"] = [pair for pair in token["top"] if math.isfinite(pair[1])]
    return values
