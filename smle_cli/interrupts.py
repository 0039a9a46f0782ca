"""Ctrl-C that is never lost, wherever it falls."""

from __future__ import annotations

import signal
import threading
from types import FrameType

_asked = threading.Event()


def hear_interrupts() -> None:
    """From now on remember an interrupt, besides raising it where Python happens to be.

    Libraries swallow an exception that falls into their callbacks or finalisers; whoever shows
    progress asks with `stop_if_asked`, so that such a run ends at its next file.
    """
    _asked.clear()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def stop_if_asked() -> None:
    """Raise the interrupt again, if one was heard.

    Raises:
        KeyboardInterrupt: The user asked for it.
    """
    if _asked.is_set():
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.set()
    # Threads that tend worker processes stumble when these are gone; nobody needs their traces.
    threading.excepthook = lambda _: None
    signal.default_int_handler(number, frame)
