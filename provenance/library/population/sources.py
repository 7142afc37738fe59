"""From recordings to sessions: stores, and files of several models, one model at a time."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from provenance.endpoint import PROVIDERS, Endpoint
from provenance.errors import EndpointError, EvidenceError, UsageError
from provenance.evidence.integrity import check_integrity
from provenance.evidence.store import Store, is_store
from provenance.library.parts import prompt_digest
from provenance.library.population.records import RECORDED, Output, Recorded, prompts_digest
from provenance.providers.replay.files import FORMATS, FileRecording, _files
from provenance.transcript import ROLES, Completion, Role, Transcript


@dataclass(frozen=True, slots=True)
class Source:
    """One model of a recording, not yet read.

    Attributes
    ----------
    path
        A store, or the PATH of a `replay:` endpoint.
    model
        Which of its models, or which side of a store; None if there is only one.
    """

    path: str
    model: str | None = None

    @property
    def name(self) -> str:
        """Of the model, if the recording says; else the file's."""
        return self.model or Path(self.path).stem


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user says of a recording; None where the recording shall say it."""

    session: str | None = None
    host: str | None = None
    date_utc: str | None = None
    licence: str | None = None
    source: str | None = None
    genre: str | None = None


def find(text: str) -> Source:
    """What a SOURCE of the command line names.

    Raises
    ------
    UsageError
        If it is no recording; an endpoint that can be asked is to be recorded first.
    """
    if text.partition(":")[0] in PROVIDERS and not Path(text).exists():
        try:
            endpoint = Endpoint.parse(text)
        except EndpointError as error:
            raise UsageError(str(error)) from None
        if endpoint.provider != "replay":
            raise UsageError(
                f"{endpoint.label} is not recorded yet: ask it with `provenance sample ENDPOINT "
                "--battery style --store DIR`, then add DIR"
            )
        return Source(endpoint.model, endpoint.option("model"))
    return Source(text)


def models(source: Source) -> list[Source]:
    """Each model of a recording, by name.

    Raises
    ------
    UsageError
        If there is no recording, or a file cannot be read.
    """
    if source.model is not None or is_store(Path(source.path)):
        return [source]
    names: set[str] = set()
    for file in _files(source.path):
        names |= {n for n in FORMATS[file.suffix.lower()].models(file) if n is not None}
    return [Source(source.path, name) for name in sorted(names)] or [source]


def recordings(path: Path) -> tuple[list[Path], list[Path]]:
    """Files of recordings that a corpus holds, and files of those formats that hold none.

    Raises
    ------
    UsageError
        If there is no recording.
    """
    found: list[Path] = []
    others: list[Path] = []
    for file in _files(str(path)):
        try:
            FORMATS[file.suffix.lower()].models(file)
            (found if _has_outputs(file) else others).append(file)
        except UsageError:
            others.append(file)
    if not found:
        raise UsageError(
            f"{path} holds no recordings: expected columns model, prompt_id, sample, output"
        )
    return found, others


def _has_outputs(file: Path) -> bool:
    """Whether its first row is a recorded answer."""
    return next(FORMATS[file.suffix.lower()].read(file, None), None) is not None


def load_prompts(path: Path, corpus: str | None = None) -> dict[str, str]:
    """Prompt ids to words, from a Parquet or CSV file with columns prompt_id and prompt.

    Parameters
    ----------
    corpus
        Of a file that has a column ``corpus``: only these rows.

    Raises
    ------
    UsageError
        If it cannot be read or has no such columns.
    """
    rows: list[dict[str, Any]]
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            rows = pq.read_table(path).to_pylist()
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"cannot read the prompts {path}: {error}") from None
    if rows and not {"prompt_id", "prompt"} <= set(rows[0]):
        raise UsageError(f"{path}: expected columns prompt_id and prompt, found {list(rows[0])}")
    return {
        str(r["prompt_id"]): str(r["prompt"])
        for r in rows
        if corpus is None or "corpus" not in r or r["corpus"] == corpus
    }


def read(
    source: Source, stated: Stated = Stated(), *, prompts: Mapping[str, str] | None = None
) -> Recorded:
    """One model's session.

    Parameters
    ----------
    prompts
        Words of the prompts by id, where a file does not hold them itself.

    Raises
    ------
    UsageError
        If it is not clear which model is meant, or a row cannot be read.
    EvidenceError
        If a store was changed.
    """
    if is_store(Path(source.path)):
        return _of_store(Path(source.path), source.model, stated)
    return _of_files(source, stated, prompts or {})


def _of_store(path: Path, model: str | None, stated: Stated) -> Recorded:
    problems = [p.text for p in check_integrity(path).details if p.kind != "seal_missing"]
    if problems:
        raise EvidenceError(f"{path} was changed: {problems[0]}")
    with Store.open(path) as store:
        cells = {c["id"]: c for c in store.battery["cells"]}
        transcript = Transcript(store.records())
        role = _role(path, transcript, model)
        endpoint = Endpoint.parse(store.plan["endpoints"][role])
        records = [r for r in transcript.completed(role) if not _blocked(r.completion)]
        outputs, served, fingerprints = [], set(), set()
        for record in sorted(records, key=lambda r: (r.cell, r.draw)):
            found = record.completion
            assert found is not None
            cell = cells[record.cell]
            served |= {found.served_model} - {None}
            fingerprints |= {found.system_fingerprint} - {None}
            words = "\n".join(m["content"] for m in cell["messages"])
            outputs.append(
                Output(
                    cell["probe"],
                    found.text,
                    record.cell,
                    record.draw,
                    found.usage.completion_tokens,
                    prompt_digest(words) if words else "",
                    found.reasoning,
                )
            )
        times = [r.started_utc for r in records if r.started_utc]
        recorded = store.battery.get("name") in (None, RECORDED)
        battery = prompts_digest(_keys(outputs, path.name)) if recorded else store.battery["digest"]
        return Recorded(
            outputs=outputs,
            session=stated.session or store.plan_digest[:16],
            host=stated.host or _host(endpoint),
            date_utc=stated.date_utc or min(times, default=store.plan["created_utc"]),
            battery=battery,
            battery_name=RECORDED if recorded else store.battery["name"],
            served=tuple(s for s in served if s),
            fingerprints=tuple(f for f in fingerprints if f),
            source=stated.source or f"recorded from {endpoint.label}",
            licence=stated.licence or "not stated",
            genre=stated.genre or "",
        )


def _of_files(source: Source, stated: Stated, prompts: Mapping[str, str]) -> Recorded:
    recording = FileRecording(source.path, source.model)
    stem = Path(source.path).stem
    outputs, served, fingerprints = [], set(), set()
    for cell, about in recording.cells.items():
        words = about.prompt or prompts.get(cell)
        for draw in range(about.draws):
            found = recording.exchange(cell, draw).outcome
            if not isinstance(found, Completion):
                continue
            served |= {found.served_model} - {None}
            fingerprints |= {found.system_fingerprint} - {None}
            outputs.append(
                Output(
                    cell,
                    found.text,
                    cell,
                    draw,
                    None,
                    prompt_digest(words) if words else "",
                    found.reasoning,
                )
            )
    times = recording.times
    return Recorded(
        outputs=outputs,
        # The same rows are the same session, whatever the file is called.
        session=stated.session or _content(outputs),
        host=stated.host or "unknown",
        date_utc=stated.date_utc or (min(times) if times else ""),
        battery=prompts_digest(_keys(outputs, stem)),
        battery_name=RECORDED,
        served=tuple(s for s in served if s),
        fingerprints=tuple(f for f in fingerprints if f),
        source=stated.source or f"recording {Path(source.path).name}",
        licence=stated.licence or "not stated",
        genre=stated.genre or "",
    )


def _keys(outputs: Sequence[Output], stem: str) -> Iterator[str]:
    """What names the prompts: their words; where those are not known an id means one file's."""
    for output in outputs:
        yield output.prompt_digest or f"{stem}:{output.prompt_id}"


def _content(outputs: Sequence[Output]) -> str:
    made = hashlib.sha256()
    for output in outputs:
        for part in (output.cell, str(output.sample), output.output):
            made.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return made.hexdigest()[:16]


def _role(path: Path, transcript: Transcript, model: str | None) -> Role:
    there = [role for role in ROLES if transcript.completed(role)]
    if model is not None:
        if model not in ROLES:
            raise UsageError(f"{path} is a store: model= is reference or suspect, not {model!r}")
        there = [role for role in there if role == model]
    if not there:
        raise EvidenceError(f"{path} holds no answer of a {model or 'model'}")
    if len(there) > 1:
        raise UsageError(f"{path} holds two sides: say which, --side reference or --side suspect")
    return there[0]


def _blocked(found: Completion | None) -> bool:
    return found is None or found.blocked


def _host(endpoint: Endpoint) -> str:
    return urlsplit(endpoint.url).netloc if endpoint.url else endpoint.provider
