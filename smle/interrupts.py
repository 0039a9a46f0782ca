"""Ctrl-C, or another polite request to end, at a time when Python can hear it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)
if hasattr(signal, "SIGHUP"):  # the terminal is closed, or the connection to it is lost
    SIGNALS += (signal.SIGHUP,)


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
    # Only the main thread hears signals; where none is raised as an exception, nothing can be lost.
    before = {
        number: handler for number in SIGNALS if callable(handler := signal.getsignal(number))
    }
    if not before or threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    for number in before:
        signal.signal(number, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if held:
            before[held[0][0]](*held[0])
