"""Dask's workers behind joblib (the `dask` extra)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from distributed import Client
from distributed.comm.addressing import get_address_host_port
from distributed.scheduler import KilledWorker as KilledWorker
from joblib._dask import DaskDistributedBackend

from smle.errors import SmleError

ANSWER_WITHIN_S = 5
WORKERS_BACK_WITHIN_S = 60


class DaskError(SmleError):
    """The workers cannot be reached."""


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]
    """joblib's own, which would wait for ever for a task that no worker survives."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Cores of the cluster; never one, for which joblib would work in this process instead."""
        try:
            return max(2, int(super().effective_n_jobs(n_jobs)))
        except TimeoutError as error:
            raise DaskError(
                f"the scheduler has had no worker for {WORKERS_BACK_WITHIN_S} s; start some, resume"
            ) from error

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Future[Any]:
        """Hand out a task, and let its failure be known as well as its result."""
        future: Future[Any] = super().submit(func, callback)
        future.add_done_callback(lambda done: callback(done) if done.exception() else None)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a task, or the reason why there is none."""
        error = out.exception() if isinstance(out, Future) else None
        if error is not None:
            raise error
        return super().retrieve_result_callback(out)


def connect(address: str) -> Any:
    """A client of the scheduler at an address.

    Raises:
        DaskError: It does not answer, or has no workers.
    """
    try:
        get_address_host_port(address)  # a client that finds this out first never closes in peace
        client: Any = Client(address, timeout=ANSWER_WITHIN_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise DaskError(
            f"no scheduler answers at {address!r}; start one with: dask scheduler"
        ) from error
    if not client.scheduler_info()["workers"]:
        client.close()
        raise DaskError(
            f"the scheduler at {address} has no workers; start some with: dask worker {address}"
        )
    return client
