"""Batches made ahead in a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator

from smle.dataset import Batch, MixtureDataset

_POLL_S = 0.1


def prefetch(
    dataset: MixtureDataset,
    steps: Iterable[int],
    size: int,
    *,
    first_item: int = 0,
    ahead: int = 4,
) -> Iterator[Batch]:
    """Yield ``dataset.batch(step, size, first_item)`` for every step, at most ``ahead`` early.

    The thread ends when the steps do, when the iterator is closed or dropped, or on an error,
    which is raised here.
    """
    made: queue.Queue[Batch | BaseException | None] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(entry: Batch | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return made.put(entry, timeout=_POLL_S)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for step in steps:
                if stopped.is_set():
                    return
                put(dataset.batch(step, size, first_item))
            put(None)
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer
            put(error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (entry := made.get()) is not None:
            if isinstance(entry, BaseException):
                raise entry
            yield entry
    finally:
        stopped.set()
        thread.join()
