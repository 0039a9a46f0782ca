"""How far a batch is: a bar on a terminal, a line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smle_cli.interrupts import stop_if_asked

if TYPE_CHECKING:
    from rich.console import Console

    from smle.batch.file_report import FileReport

LINE_EVERY_S = 10.0


class BatchProgress:
    """Counts what is done and shows it; a context manager.

    Args:
        console: Where to show it; None shows nothing.
        files: How many files there are.
        seconds: Length of the audio, if known: then the bar follows it, not the files.
    """

    def __init__(self, console: Console | None, files: int, seconds: float | None = None) -> None:
        self.files = files
        self.seconds = seconds
        self.finished = 0
        self.failed = 0
        self.audio_s = 0.0
        self._streamed_s = 0.0
        self._start = self._last_line = time.monotonic()
        self._console = console
        self._bar = (
            ProgressBar(console, seconds or files) if console and console.is_terminal else None
        )

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._show()
            self._bar.__exit__(kind, error, trace)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def heard(self, seconds: float) -> None:
        """Count audio of a file that is still being worked on."""
        stop_if_asked()
        self._streamed_s += seconds
        self._show()

    def finish(self, report: FileReport) -> None:
        """Count a file."""
        stop_if_asked()
        self.finished += 1
        self.failed += report.status == "failed"
        if report.status == "done":
            self.audio_s += report.seconds
        self._streamed_s = max(self._streamed_s, self.audio_s)
        self._show()

    def _show(self) -> None:
        heard_s = max(self._streamed_s, self.audio_s)
        speed = f"{heard_s / max(self.elapsed_s, 1e-3):.0f}x real time"
        words = f"{duration(heard_s)} of audio, {speed}"
        if self.failed:
            words += f", {self.failed} failed"
        if self._bar:
            self._bar.show(heard_s if self.seconds else self.finished, words)
        elif self._console and time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._last_line = time.monotonic()
            self._console.print(
                f"{self.finished} of {self.files} files, {words}", soft_wrap=True, markup=False
            )


class ProgressBar:
    """A bar with words and the time left; a context manager.

    Args:
        console: A terminal.
        total: What counts as all of it.
    """

    def __init__(self, console: Console, total: float) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._progress = Progress(
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.description}", markup=False),
            Remaining(compact=True),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, completed: float, words: str) -> None:
        """Move the bar and change the words."""
        self._progress.update(self._task, completed=completed, description=words)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    Example:
        >>> duration(9.34), duration(754), duration(10_800)
        ('9.3 s', '12.6 min', '3.0 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
