"""How many pairs are scored: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smle_cli.interrupts import stop_if_asked
from smle_cli.progress import LINE_EVERY_S, duration

if TYPE_CHECKING:
    from rich.console import Console


class PairProgress:
    """Counts pairs and shows how long the rest will take; a context manager.

    Args:
        console: Where to show it; None shows nothing.
        total: How many pairs there are.
    """

    def __init__(self, console: Console | None, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        self._console = console
        self._total = total
        self._done = 0
        self._done_at_last_line = 0
        self._last_line = time.monotonic()
        self._bar = None
        if console is not None and console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TimeRemainingColumn(compact=True),
                console=console,
                expand=True,
            )
            self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
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

    def advance(self) -> None:
        """Count one pair."""
        stop_if_asked()
        self._done += 1
        if self._bar is not None:
            self._bar.advance(self._task)
        elif self._console is not None and time.monotonic() - self._last_line >= LINE_EVERY_S:
            now = time.monotonic()
            # By the pairs since the last line: those before may have waited for processes to
            # start, or have come from a log.
            each_s = (now - self._last_line) / (self._done - self._done_at_last_line)
            left = f", {duration(each_s * (self._total - self._done))} left"
            self._last_line, self._done_at_last_line = now, self._done
            self._console.print(
                f"{self._done} of {self._total} pairs{left}",
                markup=False,
                soft_wrap=True,
            )
