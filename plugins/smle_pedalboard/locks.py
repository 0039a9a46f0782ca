"""One lock per plugin, taken in one order, so that boards may share plugins between threads."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from weakref import WeakKeyDictionary

_registry_lock = threading.Lock()
_locks: WeakKeyDictionary[object, threading.RLock] = WeakKeyDictionary()


@contextmanager
def locked(plugins: Iterable[object]) -> Iterator[None]:
    """Hold the locks of all given plugins.

    Native plugins cannot carry a Python lock, so the locks live beside them. As in pedalboard's
    own `process.h`, taking them in order of address excludes deadlocks.

    Args:
        plugins: effects, boards and native plugins.
    """
    with _registry_lock:
        held = [_locks.setdefault(plugin, threading.RLock()) for plugin in sorted(plugins, key=id)]
    with ExitStack() as stack:
        for lock in held:
            stack.enter_context(lock)
        yield
