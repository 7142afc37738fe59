"""The texts of a bundle: one Parquet file, written as a stream and read in batches."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provenance.errors import EvidenceError, TamperedEvidence, UsageError
from provenance.library.population import duck
from provenance.library.population.names import safe
from provenance.library.population.records import (
    RECORDED,
    Bundle,
    Hash,
    Output,
    Recorded,
    clean,
    prompts_digest,
)

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 1024
_HEAD = ("model", "version", "session", "host", "date_utc", "battery")


def schema() -> pa.Schema:
    """Columns of a file of texts. The first six hold one value a file."""
    import pyarrow as pa

    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            *((name, text) for name in _HEAD),
            ("prompt_id", pa.string()),
            ("cell", pa.string()),
            ("sample", pa.int64()),
            ("output", pa.large_string()),
            ("n_tokens", pa.int64()),
            ("prompt_digest", pa.string()),
            ("reasoning", pa.large_string()),
        ]
    )


def file_of(library: Path, bundle: Bundle) -> Path:
    """Where a bundle's texts lie: by battery, model, version."""
    return (
        library
        / "bundles"
        / f"battery={bundle.battery[:16]}"
        / f"model={safe(bundle.model)}"
        / f"version={safe(bundle.version)}"
        / f"{bundle.id}.parquet"
    )


def write(
    library: Path, model: str, version: str, recorded: Recorded
) -> tuple[Bundle, frozenset[str]]:
    """Write the texts of one session; the same session again gives the same file.

    Returns
    -------
    Bundle
    frozenset
        Digests of its prompts.

    Raises
    ------
    UsageError
        If there is no output, or a battery is named without its digest.
    EvidenceError
        If the disk does not take it.
    """
    if not recorded.battery and recorded.battery_name != RECORDED:
        raise UsageError(f"the battery {recorded.battery_name!r} needs its digest")
    head = {"model": model, "version": version} | {k: getattr(recorded, k) for k in _HEAD[2:]}
    # The outputs may come as a stream, so the name, a digest, is known when all are written.
    temporary = library / "bundles" / f"{secrets.token_hex(8)}.{os.getpid()}.part"
    digest = _hash(model, version, recorded)
    try:
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            prompts, outputs, tokens = _stream(temporary, recorded, head, digest)
            if not outputs:
                raise UsageError(f"{model}: the recording holds no output")
            battery = recorded.battery or prompts_digest(prompts)
            bundle = Bundle(
                id=digest.hexdigest()[:16],
                model=model,
                version=version,
                session=recorded.session,
                host=recorded.host,
                date_utc=recorded.date_utc,
                battery=battery,
                battery_name=recorded.battery_name,
                prompts=len(prompts),
                outputs=outputs,
                tokens=tokens,
                served=recorded.served,
                fingerprints=recorded.fingerprints,
                source=recorded.source,
                licence=recorded.licence,
                genre=recorded.genre,
                digest=digest.hexdigest(),
            )
            path = file_of(library, bundle)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise EvidenceError(
            f"cannot write in {library}: {error.strerror or error}; nothing was added"
        ) from None
    return bundle, frozenset(prompts.values())


def _hash(model: str, version: str, about: Recorded | Bundle) -> Hash:
    recorded = about.battery_name == RECORDED
    return Hash(
        {
            "model": model,
            "version": version,
            "session": about.session,
            "host": about.host,
            "date_utc": about.date_utc,
            "source": about.source,
            "licence": about.licence,
            "served": list(about.served),
            "fingerprints": list(about.fingerprints),
            # What stands for a missing battery follows from the prompts below.
            "battery": "" if recorded else about.battery,
            "battery_name": about.battery_name,
            **({"genre": about.genre} if about.genre else {}),
        }
    )


def _stream(
    path: Path, recorded: Recorded, head: Mapping[str, Any], digest: Hash
) -> tuple[dict[str, str], int, int | None]:
    import pyarrow.parquet as pq

    prompts: dict[str, str] = {}
    outputs, tokens, counted = 0, 0, True
    columns = schema()
    with path.open("wb") as file:
        with pq.ParquetWriter(file, columns, compression="zstd") as writer:
            waiting: list[Output] = []
            for raw in recorded.outputs:
                output = clean(raw)
                digest.add(output)
                prompts[output.prompt_id] = output.prompt_digest
                outputs += 1
                counted = counted and output.n_tokens is not None
                tokens += output.n_tokens or 0
                waiting.append(output)
                if len(waiting) == _ROWS:
                    writer.write_batch(_batch(waiting, head, columns))
                    waiting = []
            if waiting:
                writer.write_batch(_batch(waiting, head, columns))
        file.flush()
        os.fsync(file.fileno())
    return prompts, outputs, tokens if counted and outputs else None


def _batch(outputs: list[Output], head: Mapping[str, Any], columns: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    n = len(outputs)
    fixed = [
        pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), [head[k]]) for k in _HEAD
    ]
    return pa.record_batch(
        [
            *fixed,
            pa.array([o.prompt_id for o in outputs], pa.string()),
            pa.array([o.cell for o in outputs], pa.string()),
            pa.array([o.sample for o in outputs], pa.int64()),
            pa.array([o.output for o in outputs], pa.large_string()),
            pa.array([o.n_tokens for o in outputs], pa.int64()),
            pa.array([o.prompt_digest for o in outputs], pa.string()),
            pa.array([o.reasoning for o in outputs], pa.large_string()),
        ],
        schema=columns,
    )


def read(library: Path, bundle: Bundle) -> Iterator[Output]:
    """The outputs of a bundle, a batch at a time, in the order of storage.

    Raises
    ------
    EvidenceError
        If its texts are not in this library, or the file cannot be read.
    TamperedEvidence
        After the last output, if they are not those that were stored.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = file_of(library, bundle)
    if not bundle.has_texts or not path.is_file():
        raise EvidenceError(
            f"the library {library} holds no texts of {bundle.model}, session {bundle.session}"
            + ("" if bundle.has_texts else ": only its profile was imported")
        )
    digest = _hash(bundle.model, bundle.version, bundle)
    names = Output.__slots__
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=list(names)):
                for values in zip(*(batch.column(n).to_pylist() for n in names), strict=True):
                    output = Output(**dict(zip(names, values, strict=True)))
                    digest.add(output)
                    yield output
    except (OSError, pa.ArrowException, KeyError) as error:
        raise EvidenceError(f"cannot read {path}: {str(error).splitlines()[0][:200]}") from None
    if digest.hexdigest() != bundle.digest:
        raise TamperedEvidence(
            f"{path} is not what was stored: its digest is {digest.hexdigest()[:16]}…, expected "
            f"{bundle.digest[:16]}…; add the recording again"
        )


@dataclass(frozen=True, slots=True)
class Statistics:
    """A few numbers about the texts of a bundle.

    Attributes
    ----------
    empty, distinct
        How many outputs are empty; how many differ from each other within their cells, added up.
    characters
        The 5th, 50th and 95th percentile of the length of an output.
    """

    empty: int
    distinct: int
    characters: tuple[float, float, float]


def statistics(library: Path, bundle: Bundle) -> Statistics | None:
    """Numbers about a bundle's texts; None where they are not here."""
    path = file_of(library, bundle)
    if not bundle.has_texts or not path.is_file():
        return None
    found = duck.select(
        [path],
        """
        SELECT count(*) FILTER (output = '') AS empty,
               count(DISTINCT (cell, md5(output))) AS distinct_,
               quantile_cont(length(output), [0.05, 0.5, 0.95]) AS characters
        FROM rows
        """,
    ).to_pylist()[0]
    low, middle, high = found["characters"]
    return Statistics(found["empty"], found["distinct_"], (low, middle, high))
