"""Is a store what it was when it was sealed? Collects every problem, names the first record."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from provenance.errors import TamperedEvidence
from provenance.evidence.chain import START, parse_line, read_line
from provenance.evidence.seal import Seal, merkle_root
from provenance.evidence.store import (
    SEAL,
    TRANSCRIPT,
    blob_path,
    file_digest,
    sealed_files,
)


@dataclass(frozen=True, slots=True)
class Integrity:
    """What was found.

    Attributes
    ----------
    problems
        Sentences; empty if everything holds.
    first_record
        Zero-based line of the first record that was touched, if one can be named.
    records
        Lines read.
    root
        The sealed root; None without a readable seal.
    """

    problems: tuple[str, ...]
    first_record: int | None
    records: int
    root: str | None


def check_integrity(path: Path) -> Integrity:
    """Check chain, bytes, seal and files of a store."""
    problems: list[str] = []
    touched: list[int] = []
    lines = _lines(path)
    seal = _seal(path, problems)
    hashes = _chain(lines, problems, touched)
    if seal is not None:
        _against_seal(hashes, seal, problems, touched)
        _files(path, seal, problems)
    _blobs(path, lines, problems, touched)
    return Integrity(
        problems=tuple(problems),
        first_record=min(touched, default=None),
        records=len(lines),
        root=None if seal is None else seal.root,
    )


def _lines(path: Path) -> list[bytes]:
    file = path / TRANSCRIPT
    return file.read_bytes().splitlines(keepends=True) if file.is_file() else []


def _seal(path: Path, problems: list[str]) -> Seal | None:
    if not (path / SEAL).is_file():
        problems.append("seal.json is missing: the study is unfinished, or the seal was removed")
        return None
    try:
        seal = Seal.model_validate(json.loads((path / SEAL).read_bytes()))
        consistent = seal.records == len(seal.hashes) and merkle_root(seal.hashes) == seal.root
    except (ValueError, ValidationError, RecursionError):
        problems.append("seal.json was edited: it is not a seal that this tool writes")
        return None
    if not consistent:
        problems.append("seal.json was edited: its root is not that of the hashes in it")
        return None
    return seal


def _chain(lines: list[bytes], problems: list[str], touched: list[int]) -> list[str | None]:
    """The stated hash of every line; reports the first break of the chain."""
    hashes: list[str | None] = []
    previous, broken = START, False
    for number, line in enumerate(lines):
        try:
            if not broken:
                previous = read_line(line, previous, number).hash
                hashes.append(previous)
            else:
                hashes.append(str(parse_line(line, number)["hash"]))
        except TamperedEvidence as error:
            if not broken:
                problems.append(str(error))
                touched.append(number)
            broken = True
            hashes.append(None)
    return hashes


def _against_seal(
    hashes: list[str | None], seal: Seal, problems: list[str], touched: list[int]
) -> None:
    for number, (found, sealed) in enumerate(zip(hashes, seal.hashes, strict=False)):
        if found != sealed:
            if number not in touched:
                problems.append(f"record {number} is not the one that was sealed")
                touched.append(number)
            break
    if len(hashes) < len(seal.hashes):
        problems.append(
            f"records are missing: {len(seal.hashes)} were sealed, {len(hashes)} are here"
        )
        touched.append(len(hashes))
    elif len(hashes) > len(seal.hashes):
        problems.append(
            f"records were added: {len(seal.hashes)} were sealed, {len(hashes)} are here"
        )
        touched.append(len(seal.hashes))


def _files(path: Path, seal: Seal, problems: list[str]) -> None:
    here = set(sealed_files(path))
    for name in sorted(here | set(seal.files)):
        if name not in here:
            problems.append(f"{name} is missing")
        elif name not in seal.files:
            problems.append(f"{name} was added after the seal")
        elif file_digest(path / name) != seal.files[name]:
            problems.append(f"{name} was edited")


def _blobs(path: Path, lines: list[bytes], problems: list[str], touched: list[int]) -> None:
    seen: dict[str, bool] = {}
    for number, line in enumerate(lines):
        try:
            record = parse_line(line, number)["record"]
        except TamperedEvidence:
            continue
        for key in ("request_sha256", "response_sha256"):
            sha256 = str(record.get(key))
            if sha256 not in seen:
                seen[sha256] = _holds(path, sha256)
                if not seen[sha256]:
                    problems.append(
                        f"record {number} (slot {record.get('slot')}): the bytes {sha256[:16]}… "
                        "are missing or were changed"
                    )
                    touched.append(number)


def _holds(path: Path, sha256: str) -> bool:
    try:
        return hashlib.sha256(blob_path(path, sha256).read_bytes()).hexdigest() == sha256
    except (OSError, TamperedEvidence):
        return False
