"""Locks on open files: they end with the process that holds them, however it ends."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Literal

_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def lock(descriptor: int, *, wait: bool = False) -> Literal["ours", "held", "impossible"]:
    """Lock an open file against everybody else who would lock it, until it is closed.

    Args:
        descriptor: Of the file; some network file systems want it open for writing.
        wait: Until others have closed it.

    Returns:
        Whether it is locked now, or held by another; or that files cannot be locked here.
    """
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return "impossible"
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return "held" if error.errno in _HELD else "impossible"
    return "ours"


def open_held(path: str, flags: int) -> int:
    """Make a file and lock it; an `opener` for files that a sweep may not take for leftovers."""
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            lock(descriptor, wait=True)
            if Path(path).exists():
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # a sweep was faster than the lock
