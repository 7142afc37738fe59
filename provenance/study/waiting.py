"""Running a coroutine to its end, wherever the caller stands, and telling how far it is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from provenance.sampling.runner import Progress, ProgressCallback

T = TypeVar("T")


def tell(progress: ProgressCallback | None, phase: str) -> None:
    """Say which phase begins, to who listens."""
    if progress is not None:
        progress(Progress(0, 0, 0, 0, None, None, 0.0, None, phase))


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def wait(make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine to its end, in a thread of its own where a loop already runs."""
    if not _loop_runs():
        return asyncio.run(make())
    box: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            box.append(asyncio.run(make()))
        except BaseException as error:  # noqa: BLE001  handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return box[0]
