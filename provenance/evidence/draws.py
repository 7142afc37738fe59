"""Which draw a record is, so that it is recognised wherever it was copied to.

A root names a store as it stood; one record more, or a replay into another store, and it is another
root. What a replay keeps of a draw are the bytes of the answer and the time of its request: a
digest of these and of the cell is the same in every store that holds the draw.

It is not the same where the answer itself was written anew: a recording that was exported to a file
and read back has other bytes. Recordings without times are told apart by the bytes of their request
(the path as it was typed, cell, sample and draw), so one file under two paths is not recognised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from provenance.canonical import canonical_json
from provenance.transcript import Record

# So many of a recording's digests are kept, the smallest. A recording that shares a twentieth of
# its draws with them goes unseen with probability .95^256, about 2 in a million.
KEPT = 256


def draw_digest(
    cell: str, started_utc: str | None, request_sha256: str, response_sha256: str
) -> str:
    """Sixteen hexadecimal digits that name a draw."""
    key = [cell, started_utc or request_sha256, response_sha256]
    return hashlib.sha256(canonical_json(key)).hexdigest()[:16]


def digest_of(record: Record) -> str:
    """`draw_digest` of a record."""
    return draw_digest(
        record.cell, record.started_utc, record.request_sha256, record.response_sha256
    )


def sketch(records: Iterable[Record]) -> tuple[str, ...]:
    """The `KEPT` smallest digests of some records, in order."""
    return tuple(sorted({digest_of(record) for record in records})[:KEPT])
