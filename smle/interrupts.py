"""Ctrl-C at a time when Python can hear it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold an interrupt back until the end of the block.

    For C code that calls back into Python: an exception raised in there is printed and forgotten,
    so a Ctrl-C that fell into it would be lost.

    Raises:
        KeyboardInterrupt: At the end of the block, if the user asked for it within.

    >>> import os
    >>> try:
    ...     with hold_interrupts():
    ...         os.kill(os.getpid(), signal.SIGINT)
    ...         print("still here")
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    still here
    interrupted
    """
    before = signal.getsignal(signal.SIGINT)
    # Only the main thread hears signals; where they are ignored, nothing can be lost.
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if held:
            before(*held[0])
