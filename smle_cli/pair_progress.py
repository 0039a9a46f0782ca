"""How many pairs are scored: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smle_cli.interrupts import stop_if_asked
from smle_cli.progress import LINE_EVERY_S, ProgressBar, duration

if TYPE_CHECKING:
    from rich.console import Console


class PairProgress:
    """Counts pairs and shows how long the rest will take; a context manager.

    Args:
        console: Where to show it; None shows nothing.
        total: How many pairs there are.
    """

    def __init__(self, console: Console | None, total: int) -> None:
        self._console = console
        self._total = total
        self._done = 0
        self._done_at_last_line = 0
        self._last_line = time.monotonic()
        self._bar = ProgressBar(console, total) if console and console.is_terminal else None

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
            self._bar.__exit__(kind, error, trace)

    def advance(self) -> None:
        """Count one pair."""
        stop_if_asked()
        self._done += 1
        words = f"{self._done} of {self._total} pairs"
        if self._bar:
            self._bar.show(self._done, words)
        elif self._console and time.monotonic() - self._last_line >= LINE_EVERY_S:
            now = time.monotonic()
            # By the pairs since the last line: those before may have waited for processes to
            # start, or have come from a log.
            each_s = (now - self._last_line) / (self._done - self._done_at_last_line)
            left = f", {duration(each_s * (self._total - self._done))} left"
            self._last_line, self._done_at_last_line = now, self._done
            self._console.print(f"{words}{left}", markup=False, soft_wrap=True)
