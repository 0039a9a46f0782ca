"""How far a training is: a bar for each stage on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from smle_cli.progress import LINE_EVERY_S, ProgressBar, duration

if TYPE_CHECKING:
    from rich.console import Console

    from smle.training.stage import Progress

_FORGETTING = 0.98


class TrainingProgress:
    """Shows losses, rate and time left; a context manager, called after every update.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: ProgressBar | None = None
        self._stage = ""
        self._loss = 0.0
        self._score: float | None = None
        self._began_s, self._first_step, self._said_s = 0.0, 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_bar()

    def __call__(self, progress: Progress) -> None:
        """Take note of an update."""
        now_s = time.monotonic()
        if progress.stage != self._stage:
            self._begin(progress, now_s)
        self._loss = _FORGETTING * self._loss + (1 - _FORGETTING) * progress.loss
        if progress.score is not None:
            self._score = progress.score
        words = self._words(progress, now_s)
        if self._bar:
            self._bar.show(progress.step, words)
        elif progress.score is not None or now_s - self._said_s >= LINE_EVERY_S:
            self._said_s = now_s
            self._console.print(words, soft_wrap=True, markup=False)

    def _begin(self, progress: Progress, now_s: float) -> None:
        self._end_bar()
        self._stage, self._loss, self._score = progress.stage, progress.loss, None
        self._began_s, self._first_step = now_s, progress.step
        if self._console.is_terminal:
            self._bar = ProgressBar(self._console, progress.steps)
            self._bar.__enter__()

    def _words(self, progress: Progress, now_s: float) -> str:
        words = f"{progress.stage}: step {progress.step} of {progress.steps}, "
        words += f"loss {self._loss:.3f}"
        if self._score is not None:
            words += f", validation {self._score:.3f}"
        made, passed_s = progress.step - self._first_step, now_s - self._began_s
        if made and passed_s:
            left_s = (progress.steps - progress.step) * passed_s / made
            words += f", {made / passed_s:.1f} steps/s, {duration(left_s)} left"
        return words

    def _end_bar(self) -> None:
        if self._bar:
            self._bar.__exit__()
            self._bar = None
