"""Batches made ahead in a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable

from smle.material.dataset import Batch, MixtureDataset

_POLL_S = 0.1


def prefetch(
    dataset: MixtureDataset,
    steps: Iterable[int],
    size: int,
    *,
    first_item: int = 0,
    ahead: int = 4,
) -> Generator[Batch]:
    """Yield ``dataset.batch(step, size, first_item)`` for every step, at most ``ahead`` early.

    The thread ends when the steps do, when the iterator is closed or dropped, or on an error,
    which is raised here.
    """
    made: queue.Queue[Batch | Exception | None] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(entry: Batch | Exception | None) -> None:
        while not stopped.is_set():
            try:
                made.put(entry, timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for step in steps:
                if stopped.is_set():
                    return
                put(dataset.batch(step, size, first_item))
            put(None)
        except Exception as error:
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (entry := made.get()) is not None:
            if isinstance(entry, Exception):
                raise entry
            yield entry
    finally:
        stopped.set()
        thread.join()
