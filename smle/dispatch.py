"""One loop over tasks: in this process, over this machine's cores, or over a cluster's.

Processes and clusters are joblib's. A task whose process dies is tried once more, alone; then its
pieces are, so that one deadly file takes nothing with it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from smle.errors import SmleError
from smle.interrupts import SIGNALS

Task = TypeVar("Task")
Result = TypeVar("Result")

_SECONDS_BETWEEN_LOOKS = 0.2
_UNORDERED: dict[str, Any] = {"return_as": "generator_unordered", "batch_size": 1}


class DispatchError(SmleError):
    """The work cannot be handed out."""


def cpu_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def dispatch(
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    *,
    split: Callable[[Task], Sequence[Task]],
    lost: Callable[[Task, Exception], Result],
    jobs: int = 1,
    scheduler: str | None = None,
) -> Iterator[Result]:
    """Do tasks, each once, and yield their results as they come.

    Args:
        tasks: Taken up lazily, a few ahead of the workers.
        work: Does one task; sent to the workers.
        split: Cuts a task whose process died into smaller ones; the smallest, into itself.
        lost: The result of a smallest task whose process died again.
        jobs: Processes on this machine; 1 works in this one.
        scheduler: Address of a Dask scheduler, whose workers are used instead.

    Raises:
        DispatchError: There is no process to work, or a scheduler is given, but Dask is not
            installed.
        DaskError: The scheduler or its workers cannot be reached.
    """
    if jobs < 1:
        raise DispatchError(f"jobs is {jobs}; give 1 or more processes")
    if scheduler is None and jobs == 1:
        yield from map(work, tasks)
        return
    open_tasks: dict[int, Task] = {}

    def numbered() -> Iterator[tuple[int, Task]]:
        for number, task in enumerate(tasks):
            open_tasks[number] = task
            yield number, task

    source = numbered()
    with _backend(jobs, scheduler) as parallel:
        while True:
            try:
                for number, result in _run(parallel, source, work):
                    del open_tasks[number]
                    yield result
                return
            except _died() as error:
                logging.getLogger(__name__).warning(
                    "a worker process died (%s); its files are tried again", type(error).__name__
                )
            suspects = list(open_tasks.values())
            open_tasks.clear()
            for task in suspects:
                yield from _alone(parallel, task, work, split, lost)


def _alone(
    parallel: Callable[[], Any],
    task: Task,
    work: Callable[[Task], Result],
    split: Callable[[Task], Sequence[Task]],
    lost: Callable[[Task, Exception], Result],
) -> Iterator[Result]:
    try:
        results = [result for _, result in _run(parallel, iter([(0, task)]), work)]
    except _died() as error:
        parts = split(task)
        if len(parts) == 1:
            yield lost(task, error)
            return
        for part in parts:
            yield from _alone(parallel, part, work, split, lost)
    else:
        yield from results


def _run(
    parallel: Callable[[], Any], source: Iterator[tuple[int, Task]], work: Callable[[Task], Result]
) -> Iterator[tuple[int, Result]]:
    from joblib import delayed

    call = delayed(_numbered)
    return parallel()(call(work, number, task) for number, task in source)  # type: ignore[no-any-return]


def _numbered(work: Callable[[Task], Result], number: int, task: Task) -> tuple[int, Result]:
    return number, work(task)


@contextmanager
def _backend(jobs: int, scheduler: str | None) -> Iterator[Callable[[], Any]]:
    from joblib import Parallel, parallel_config

    if scheduler is None:
        # One worker would be joblib's sequential backend, in this process.
        try:
            yield lambda: Parallel(
                max(2, jobs),
                "loky",
                pre_dispatch="2*n_jobs",
                initializer=_serve,
                initargs=(os.getpid(),),
                **_UNORDERED,
            )
        except BaseException:
            from joblib.externals.loky import get_reusable_executor

            # Gone before anybody tidies up behind them.
            get_reusable_executor().shutdown(wait=True, kill_workers=True)
            raise
        return
    try:
        from smle.dask_workers import WORKERS_BACK_WITHIN_S, DaskBackend, connect
    except ImportError as error:
        raise DispatchError(
            "a scheduler needs Dask; install it with: pip install 'smle[dask]'"
        ) from error
    client = connect(scheduler)
    try:
        backend = DaskBackend(client=client, wait_for_workers_timeout=WORKERS_BACK_WITHIN_S)
        with parallel_config(backend):
            yield lambda: Parallel(-1, pre_dispatch="3*n_jobs", **_UNORDERED)
    finally:
        client.close()


def _serve(parent: int) -> None:
    """Leave it to the parent when this worker ends; end it when the parent is gone, killed."""
    # A terminal's Ctrl-C reaches the workers, too. A second one that fell into a worker's answer
    # would leave half of it in the pipe, and the parent waiting for the rest.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _died() -> tuple[type[Exception], ...]:
    if "smle.dask_workers" not in sys.modules:
        return (BrokenExecutor,)
    from smle.dask_workers import KilledWorker

    return (BrokenExecutor, KilledWorker)
