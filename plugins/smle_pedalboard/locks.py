"""One lock per plugin, taken in one order, so that boards may share plugins between threads."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager


class _Locks:
    """The locks of all plugins that have been asked for, by identity: equal ones are not one."""

    def __init__(self) -> None:
        self.renew()
        if hasattr(os, "register_at_fork"):
            # Whoever held a lock stayed behind in the parent, and will not give it back here.
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self._own = threading.Lock()
        self._by_id: dict[int, tuple[object, threading.RLock]] = {}

    def of(self, plugins: Iterable[object]) -> list[threading.RLock]:
        with self._own:
            return [self._of_one(plugin) for plugin in sorted(plugins, key=id)]

    def _of_one(self, plugin: object) -> threading.RLock:
        key, by_id = id(plugin), self._by_id
        if key not in by_id:
            try:
                gone: object = weakref.ref(plugin, lambda _: by_id.pop(key, None))
            except TypeError:  # a class with slots; what comes to live there may share the lock
                gone = None
            by_id[key] = gone, threading.RLock()
        return by_id[key][1]


_locks = _Locks()


@contextmanager
def locked(plugins: Iterable[object]) -> Iterator[None]:
    """Hold the locks of all given plugins.

    Native plugins cannot carry a Python lock, so the locks live beside them. As in pedalboard's
    own `process.h`, taking them in order of address excludes deadlocks.

    Args:
        plugins: effects, boards and native plugins.
    """
    with ExitStack() as stack:
        for lock in _locks.of(plugins):
            stack.enter_context(lock)
        yield
