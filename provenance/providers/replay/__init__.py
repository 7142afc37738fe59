"""``replay:PATH[,model=NAME]``: recorded completions, one file a format.

PATH is a file (``.parquet``, ``.jsonl``, ``.csv``), a folder of such files, a glob, several of
them with commas between, or a store of ours. Columns: ``model, prompt_id, sample, output``;
``prompt`` and ``started_utc`` may be there. ``sample`` names a draw, not a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from provenance.endpoint import Endpoint
from provenance.errors import UsageError
from provenance.evidence.store import is_store
from provenance.providers.replay import files, store
from provenance.providers.replay.files import FileRecording
from provenance.providers.replay.rows import RecordedCell, Recording
from provenance.providers.replay.store import StoreRecording
from provenance.transcript import Exchange, Failure, Request

__all__ = ["RecordedCell", "ReplayProvider", "recorded_model"]


def recorded_model(endpoint: Endpoint) -> str | None:
    """The model whose answers a ``replay:`` endpoint gives, by the recording itself.

    None where the recording names none. Only names are read, not the answers of files.

    Raises
    ------
    UsageError
        As `ReplayProvider`.
    """
    path, model = endpoint.model, endpoint.option("model")
    if is_store(Path(path)):
        return store.model_of(Path(path), model)
    return files.model_of(path, model)


class ReplayProvider:
    """See the module. The recording is read when it is first needed.

    Raises
    ------
    UsageError
        If there is no recording, or it is not clear which model of it is meant.
    """

    host: str | None = None
    concurrency = 256

    def __init__(self, endpoint: Endpoint, *, environment: Mapping[str, str]) -> None:
        refused = [name for name, _ in endpoint.options if name != "model"]
        if endpoint.base_url is not None or refused:
            raise UsageError(
                f"{endpoint}: a recording takes no option but model= "
                f"(found {', '.join(refused) or 'a base URL'}); what was recorded stays as it is"
            )
        self.endpoint = endpoint
        self._read: Recording | None = None
        self._digests: frozenset[str] | None = None

    @property
    def ordered(self) -> bool:
        """Whether every answer carries the time of its request."""
        return bool(self._recording().times)

    async def open(self) -> None:
        """Read the recording."""
        self.load()

    async def aclose(self) -> None:
        """Nothing to close."""

    def load(self) -> None:
        """Read the recording; the second time does nothing."""
        self._recording()

    def recorded_cells(self) -> dict[str, RecordedCell]:
        """Prompt ids with their prompt and number of draws, in the order of the recording."""
        return dict(self._recording().cells)

    def draws(self, cell: str) -> int:
        """How many draws of a cell were recorded."""
        found = self._recording().cells.get(cell)
        return 0 if found is None else found.draws

    @property
    def source_battery_digest(self) -> str | None:
        """Digest of the battery behind a store; None for files."""
        return self._recording().battery_digest

    @property
    def root(self) -> str | None:
        """Of the evidence that is replayed; None for files."""
        return self._recording().root

    def digests(self) -> frozenset[str]:
        """Which draws are replayed (`evidence.draws`)."""
        if self._digests is None:
            self._digests = self._recording().digests()
        return self._digests

    @property
    def recorded_utc_range(self) -> tuple[str, str] | None:
        """First and last time of the recording, if every answer has one."""
        times = self._recording().times
        return (min(times), max(times)) if times else None

    async def draw(self, request: Request) -> Exchange:
        """The recorded draw, as it was."""
        recorded = self.draws(request.cell)
        if 0 <= request.draw < recorded:
            return self._recording().exchange(request.cell, request.draw)
        asked = {"replay": self.endpoint.model, "prompt_id": request.cell, "draw": request.draw}
        missing = Failure(kind="missing", message=f"{recorded} draws were recorded")
        return Exchange(json.dumps(asked).encode(), b"", missing, None, None)

    def _recording(self) -> Recording:
        if self._read is None:
            path, model = self.endpoint.model, self.endpoint.option("model")
            if is_store(Path(path)):
                self._read = StoreRecording(Path(path), model)
            else:
                self._read = FileRecording(path, model)
        return self._read
