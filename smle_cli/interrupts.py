"""Ctrl-C, or a polite request to end, that is never lost, wherever it falls."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from smle.interrupts import SIGNALS

# Who asks again so soon is in a hurry, which tidying up is as well.
_HURRY_S = 1.0

_heard: list[tuple[int, float]] = []


def hear_interrupts() -> None:
    """From now on remember Ctrl-C and its like, besides raising them where Python happens to be.

    Libraries swallow an exception that falls into their callbacks or finalisers; whoever shows
    progress asks with `stop_if_asked`, so that such a run ends at its next file.
    """
    _heard.clear()
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, _interrupt)


def hear_no_more() -> None:
    """From now on ignore interrupts: one was heard, and the process is about to end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def exit_code_of_interrupt() -> int:
    """What a shell makes of it: 130 for Ctrl-C, 143 for SIGTERM, 129 for a closed terminal."""
    return 128 + (_heard[0][0] if _heard else signal.SIGINT)


def stop_if_asked() -> None:
    """Raise the interrupt again, if one was heard.

    Raises:
        KeyboardInterrupt: The user asked for it.
    """
    if _heard:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    if _heard and now - _heard[-1][1] < _HURRY_S:
        return
    _heard.append((number, now))
    # Threads that tend worker processes stumble when these are gone; nobody needs their traces.
    threading.excepthook = lambda _: None
    raise KeyboardInterrupt
