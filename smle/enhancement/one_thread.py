"""Matrix products on one thread: here they are so small that a second one costs more than it does.

On a busy machine a second thread, which waits by spinning, makes enhancing take six times as much
processor time. Further cores are for further files.
"""

from __future__ import annotations

import os
import threading
from functools import cached_property
from types import TracebackType
from typing import Any

from threadpoolctl import ThreadpoolController


class OneThread:
    """A context in which BLAS keeps to one thread; it may be entered by several threads at once.

    The setting belongs to the whole process: the first to enter makes it, the last to leave takes
    it back.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):
            # Threads that were inside stayed behind in the parent, and will not leave here.
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    @cached_property
    def _blas(self) -> ThreadpoolController:
        return ThreadpoolController().select(user_api="blas")

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limit = self._blas.limit(limits=1)
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limit.restore_original_limits()


one_thread = OneThread()
