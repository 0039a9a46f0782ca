"""Ctrl-C, or a polite request to end, that is never lost, wherever it falls."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from smle.interrupts import SIGNALS

_heard: list[int] = []


def hear_interrupts() -> None:
    """From now on remember Ctrl-C and SIGTERM, besides raising them where Python happens to be.

    Libraries swallow an exception that falls into their callbacks or finalisers; whoever shows
    progress asks with `stop_if_asked`, so that such a run ends at its next file.
    """
    _heard.clear()
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, _interrupt)


def exit_code_of_interrupt() -> int:
    """What a shell makes of it: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_heard[0] if _heard else signal.SIGINT)


def stop_if_asked() -> None:
    """Raise the interrupt again, if one was heard.

    Raises:
        KeyboardInterrupt: The user asked for it.
    """
    if _heard:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _heard.append(number)
    # Threads that tend worker processes stumble when these are gone; nobody needs their traces.
    threading.excepthook = lambda _: None
    raise KeyboardInterrupt
