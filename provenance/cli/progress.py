"""How far a study is, on stderr: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from provenance.sampling.runner import Progress

_EVERY_S = 10.0
_EVERY_SHARE = 0.1


class ProgressPrinter:
    """A callback for ``progress=``; use it as a context manager.

    Parameters
    ----------
    stream
        Where to write; stderr unless given.
    clock
        Seconds, for tests.
    """

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._said_at = clock()
        self._said_done = 0
        self._phase = ""
        self._problem = ""
        self._said: list[list[str]] = []

    def __enter__(self) -> Self:
        if self._stream.isatty():
            self._bar = _bar(self._stream)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show it; may be called from any thread."""
        if progress.message:
            self._problem = _safe(progress.message)
        if self._bar is not None:
            self._draw(self._bar, progress)
        elif self._due(progress):
            self._say(progress)

    def _draw(self, bar: Bar, progress: Progress) -> None:
        if progress.phase != "sampling":
            # Counts stay as they were: this phase has none of its own.
            if self._task is None:
                self._task = bar.add_task("", total=None, phase="", detail="", problem="")
            bar.update(self._task, phase=progress.phase, problem="")
            return
        if self._task is None:
            self._task = bar.add_task("", total=progress.total, phase="", detail="", problem="")
        if progress.message and (kind := progress.message.split(": ")[:2]) not in self._said:
            # Once in full, above the bar, which has little room for it.
            self._said.append(kind)
            bar.console.print(self._problem, markup=False, highlight=False, soft_wrap=True)
        bar.update(
            self._task,
            total=progress.total,
            completed=progress.done,
            phase=progress.phase,
            detail=_detail(progress),
            problem=self._problem,
        )

    def _due(self, progress: Progress) -> bool:
        if progress.phase != "sampling":
            return progress.phase != self._phase
        if progress.done == self._said_done:
            return False
        return (
            self._clock() - self._said_at >= _EVERY_S
            or progress.done - self._said_done >= _EVERY_SHARE * progress.total
            or progress.done == progress.total
        )

    def _say(self, progress: Progress) -> None:
        self._phase, self._said_at = progress.phase, self._clock()
        if progress.phase != "sampling":
            print(f"{progress.phase} …", file=self._stream, flush=True)
            return
        self._said_done = progress.done
        share = progress.done / progress.total if progress.total else 1.0
        parts = [f"{progress.done:,}/{progress.total:,} ({int(100 * share)}%)", _detail(progress)]
        if self._problem:
            parts.append(self._problem)
            self._problem = ""
        print(" · ".join(part for part in parts if part), file=self._stream, flush=True)


def _detail(progress: Progress) -> str:
    from provenance.cli.words import duration
    from provenance.dossier.numbers import count, usd

    parts = [f"{progress.rate_per_s:.1f}/s"]
    if progress.eta_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.eta_s)} left")
    if progress.tokens is not None:
        parts.append(f"{count(progress.tokens)} tokens")
    if progress.usd:
        parts.append(usd(progress.usd))
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return " · ".join(parts)


def _safe(message: str) -> str:
    from provenance.dossier.text import for_terminal

    return for_terminal(message, 200)


def _bar(stream: TextIO) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.table import Column

    def text(field: str, style: str = "", *, flexible: bool = False) -> TextColumn:
        # Never markup: a message may hold what an endpoint sent.
        column = Column(no_wrap=True, ratio=1 if flexible else None, overflow="ellipsis")
        return TextColumn(
            f"{{task.fields[{field}]}}", style=style, markup=False, table_column=column
        )

    return Progress(
        text("phase"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        text("detail"),
        text("problem", "yellow", flexible=True),
        console=Console(file=stream),
        expand=True,
        transient=True,
    )
