"""Profiles: what is kept of a bundle in a space, without its texts.

A profile has the number of outputs, their mean and their variance in each dimension, over all and
over each of the parts of the prompts (`provenance.library.parts`). Parts let two bundles be
compared on disjoint prompts when no text is at hand. Beside them stands how the outputs are laid
out (`provenance.library.space.formats`), so that a re-formatted bundle is told from another model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from provenance.errors import EvidenceError, UsageError
from provenance.library.parts import ENROLLED, HELD_OUT, PARTS
from provenance.library.population.records import Bundle, Output
from provenance.signatures.document import Source

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class SummaryLike(Protocol):
    """The number of outputs, and mean and unbiased variance of each dimension, shape (d,)."""

    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def mean(self) -> Floats: ...  # noqa: D102
    @property
    def variance(self) -> Floats: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Moments:
    """A `SummaryLike`; the variance is zero where n < 2."""

    n: int
    mean: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class Profile:
    """One bundle in one space.

    Attributes
    ----------
    n, mean, variance
        Over all outputs; shapes (), (d,), (d,).
    part_n, part_mean, part_variance
        The same over each part of the prompts; shapes (parts,), (parts, d), (parts, d). Zero where
        a part has no output.
    formats
        Shape (parts, classes + 1): outputs that have each class of format, then characters; None
        where it was not kept.
    """

    space: str
    bundle: str
    n: int
    mean: Floats
    variance: Floats
    part_n: Ints
    part_mean: Floats
    part_variance: Floats
    formats: Ints | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, independent of how it is stored."""
        head = [self.space, self.bundle, int(self.n), *self.part_mean.shape]
        made = hashlib.sha256(json.dumps(head).encode("ascii"))
        for values in (self.mean, self.variance, self.part_mean, self.part_variance):
            made.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        made.update(np.ascontiguousarray(self.part_n, dtype="<i8").tobytes())
        if self.formats is not None:
            made.update(np.ascontiguousarray(self.formats, dtype="<i8").tobytes())
        return made.hexdigest()


@dataclass(frozen=True, slots=True)
class Profiles:
    """Bundles in one space, as arrays.

    Attributes
    ----------
    space
        Digest of the space.
    bundles
        The bundles, in the order of the rows.
    n, mean, variance
        Shapes (bundles,), (bundles, d), (bundles, d); variance of one output, unbiased.
    digests
        Of the profiles.
    part_n, part_mean, part_variance
        Shapes (bundles, parts), (bundles, parts, d) twice; None unless they were asked for.
    formats
        Of each bundle as in `Profile`, loaded with the parts.
    """

    space: str
    bundles: tuple[Bundle, ...]
    n: Ints
    mean: Floats
    variance: Floats
    digests: tuple[str, ...]
    part_n: Ints | None = None
    part_mean: Floats | None = None
    part_variance: Floats | None = None
    formats: tuple[Ints | None, ...] = ()

    def __len__(self) -> int:
        return len(self.bundles)

    def summary(self, row: int, parts: Iterable[int] | None = None) -> Moments:
        """One bundle, over all prompts or over some parts of them.

        Raises
        ------
        UsageError
            If parts are wanted that were not loaded, or they hold no output.
        """
        if parts is None:
            return Moments(int(self.n[row]), self.mean[row], self.variance[row])
        if self.part_n is None or self.part_mean is None or self.part_variance is None:
            raise UsageError("these profiles were loaded without parts: load them with parts=True")
        wanted = list(parts)
        return combined(
            self.part_n[row, wanted],
            self.part_mean[row, wanted],
            self.part_variance[row, wanted],
        )

    def halves(self, row: int) -> tuple[Moments, Moments] | None:
        """Summaries over the held-out and the enrolled parts; None where one has no output."""
        if self.part_n is None:
            raise UsageError("these profiles were loaded without parts: load them with parts=True")
        if not all(self.part_n[row, list(half)].any() for half in (HELD_OUT, ENROLLED)):
            return None
        return self.summary(row, HELD_OUT), self.summary(row, ENROLLED)

    def of_models(self) -> dict[tuple[str, str], list[int]]:
        """Rows of each (model, version)."""
        found: dict[tuple[str, str], list[int]] = {}
        for row, bundle in enumerate(self.bundles):
            found.setdefault((bundle.model, bundle.version), []).append(row)
        return found

    def pooled(self, rows: Sequence[int]) -> Moments:
        """Several bundles as one. Their sessions count as equal: a session's effect is lost."""
        return combined(self.n[list(rows)], self.mean[list(rows)], self.variance[list(rows)])


def combined(n: Ints, mean: Floats, variance: Floats) -> Moments:
    """Mean and unbiased variance of several sets of outputs as one (Chan et al. 1983).

    Parameters
    ----------
    n, mean, variance
        Shapes (k,), (k, d), (k, d); sets with n = 0 count nothing.

    Raises
    ------
    UsageError
        If there is no output at all.
    """
    total = int(n.sum())
    if total == 0:
        raise UsageError("these parts of the prompts hold no output")
    centre = (n[:, None] * mean).sum(axis=0) / total
    within = (np.maximum(n - 1, 0)[:, None] * variance).sum(axis=0)
    between = (n[:, None] * (mean - centre) ** 2).sum(axis=0)
    spread = (within + between) / (total - 1) if total > 1 else np.zeros_like(centre)
    return Moments(total, centre, spread)


def made_of(
    space: str,
    bundle: Bundle,
    outputs: Iterable[Output],
    summarise: Callable[[Sequence[Source]], SummaryLike],
    without: Collection[int] = (),
) -> Profile | None:
    """The profile of a bundle; None where every output is empty.

    Parameters
    ----------
    space
        Digest of the space.
    outputs
        Of the bundle; those of one bundle are in memory together.
    summarise
        Texts, or completions where there is thinking beside them, to their summary in the space.
    without
        Parts of the prompts that are left empty, because the space was fitted on these outputs.
    """
    texts: list[list[Source]] = [[] for _ in range(PARTS)]
    # All are read, and so checked, before one is used. An empty answer has no style.
    for output in list(outputs):
        part = int(output.prompt_digest, 16) % PARTS
        if output.output.strip() and part not in without:
            texts[part].append(output.seen())
    summaries = [summarise(part) if part else None for part in texts]
    d = next((len(s.mean) for s in summaries if s is not None), None)
    if d is None:
        return None
    n = np.array([0 if s is None else s.n for s in summaries], dtype=np.int64)
    mean = np.array([np.zeros(d) if s is None else s.mean for s in summaries])
    # One output has no variance; it adds none when parts are put together.
    variance = np.array(
        [np.zeros(d) if s is None or s.n < 2 else s.variance for s in summaries], dtype=np.float64
    )
    whole = combined(n, mean, variance)
    return Profile(
        space,
        bundle.id,
        whole.n,
        whole.mean,
        whole.variance,
        n,
        mean,
        variance,
        np.array([_laid_out(part) for part in texts], dtype=np.int64),
    )


def _laid_out(texts: Sequence[Source]) -> list[int]:
    from provenance.library.space.formats import Formats

    found = Formats.of(texts)
    return [*found.having, found.characters]


def schema() -> pa.Schema:
    """Columns of a table of profiles, one row a bundle."""
    import pyarrow as pa

    vector = pa.list_(pa.float64())
    return pa.schema(
        [
            ("space", pa.string()),
            ("bundle", pa.string()),
            ("model", pa.string()),
            ("version", pa.string()),
            ("n", pa.int64()),
            ("mean", vector),
            ("variance", vector),
            ("part_n", pa.list_(pa.int64())),
            ("part_mean", vector),  # parts one after another
            ("part_variance", vector),
            ("formats", pa.list_(pa.int64())),
            ("digest", pa.string()),
        ]
    )


def row_of(profile: Profile, bundle: Bundle) -> dict[str, Any]:
    """A profile as a row of the table."""
    return {
        "space": profile.space,
        "bundle": profile.bundle,
        "model": bundle.model,
        "version": bundle.version,
        "n": profile.n,
        "mean": profile.mean,
        "variance": profile.variance,
        "part_n": profile.part_n,
        "part_mean": profile.part_mean.ravel(),
        "part_variance": profile.part_variance.ravel(),
        "formats": None if profile.formats is None else profile.formats.ravel(),
        "digest": profile.digest,
    }


def from_table(
    space: str, table: pa.Table, known: Mapping[str, Bundle], *, parts: bool
) -> Profiles:
    """The arrays of a table's rows, in the order of ``known``; one row a bundle.

    Raises
    ------
    EvidenceError
        If vectors are not of one length.
    """
    # Sorted here: a database that sorts rows as wide as these holds them all twice.
    place = {name: i for i, name in enumerate(table.column("bundle").to_pylist())}
    names = [name for name in known if name in place]
    rows = [place[name] for name in names]
    if rows != list(range(table.num_rows)):
        table = table.take(rows)
    b = len(rows)
    mean = _matrix(table, "mean", b)
    d = mean.shape[1]
    part_n = _matrix(table, "part_n", b).astype(np.int64) if parts else None
    width = PARTS if part_n is None else part_n.shape[1]
    return Profiles(
        space=space,
        bundles=tuple(known[name] for name in names),
        n=table.column("n").to_numpy().astype(np.int64),
        mean=mean,
        variance=_matrix(table, "variance", b, d),
        digests=tuple(table.column("digest").to_pylist()),
        part_n=part_n,
        part_mean=_matrix(table, "part_mean", b, width * d).reshape(b, width, d) if parts else None,
        part_variance=(
            _matrix(table, "part_variance", b, width * d).reshape(b, width, d) if parts else None
        ),
        formats=_formats(table) if parts else (),
    )


def _formats(table: pa.Table) -> tuple[Ints | None, ...]:
    """Of each row; None where a profile was made before they were kept, or with other classes."""
    from provenance.library.space.formats import CLASSES

    if "formats" not in table.column_names:
        return (None,) * int(table.num_rows)
    columns = len(CLASSES) + 1
    rows: list[list[int] | None] = table.column("formats").to_pylist()
    found: list[Ints | None] = [
        np.array(row, dtype=np.int64).reshape(PARTS, columns)
        if row is not None and len(row) == PARTS * columns
        else None
        for row in rows
    ]
    return tuple(found)


def profile_at(profiles: Profiles, row: int) -> Profile:
    """One row, with its parts, as when it was made."""
    if profiles.part_n is None or profiles.part_mean is None or profiles.part_variance is None:
        raise UsageError("these profiles were loaded without parts: load them with parts=True")
    return Profile(
        profiles.space,
        profiles.bundles[row].id,
        int(profiles.n[row]),
        profiles.mean[row],
        profiles.variance[row],
        profiles.part_n[row],
        profiles.part_mean[row],
        profiles.part_variance[row],
        profiles.formats[row] if profiles.formats else None,
    )


def _matrix(table: pa.Table, name: str, rows: int, width: int | None = None) -> Floats:
    column = table.column(name).combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    width = width if width is not None else (len(flat) // rows if rows else 0)
    lengths = np.diff(column.offsets.to_numpy()) if rows else np.zeros(0)
    if rows and ((lengths != width).any() or not np.isfinite(flat).all()):
        raise EvidenceError(
            f"profiles whose {name} is not {width} numbers: remove the folder of this space and "
            "make them again"
        )
    return np.asarray(flat).reshape(rows, width)


def read_file(path: Path) -> pa.Table:
    """A file of profiles.

    Raises
    ------
    EvidenceError
        If it is no Parquet file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        first = (str(error).splitlines() or ["unreadable"])[0][:200]
        raise EvidenceError(f"cannot read {path} as Parquet: {first}") from None
