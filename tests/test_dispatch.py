"""The loop over tasks: every one once, also where processes die."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from smle.dispatch import DispatchError, dispatch
from smle.errors import SmleError
from smle.interrupts import SIGNALS

Numbers = tuple[int, ...]


def double(task: Numbers) -> list[int]:
    return [2 * number for number in task]


def slowly_double(task: Numbers) -> list[int]:
    time.sleep(0.02)
    return double(task)


def die_at_thirteen(task: Numbers) -> list[int]:
    if 13 in task:
        os._exit(1)
    return double(task)


def die_once(mark: Path, task: Numbers) -> list[int]:
    if 13 in task and not mark.exists():
        mark.touch()
        os._exit(1)
    return double(task)


def double_while_interrupted(task: Numbers) -> list[int]:
    for number in SIGNALS:
        os.kill(os.getpid(), number)
    return double(task)


def refuse(task: Numbers) -> list[int]:
    raise DispatchError(f"no {task}")


def tasks() -> Iterator[Numbers]:
    return ((n, n + 1) for n in range(0, 40, 2))


def split(task: Numbers) -> list[Numbers]:
    return [(number,) for number in task]


def lost(task: Numbers, error: Exception) -> list[int]:
    return [-number for number in task]


def flat(results: Iterator[list[int]]) -> list[int]:
    return sorted(number for result in results for number in result)


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_task_is_done_once(jobs: int) -> None:
    results = dispatch(tasks(), double, split=split, lost=lost, jobs=jobs)
    assert flat(results) == [2 * n for n in range(40)]


def test_a_deadly_piece_is_lost_alone() -> None:
    results = dispatch(tasks(), die_at_thirteen, split=split, lost=lost, jobs=2)
    assert flat(results) == sorted([2 * n for n in range(40) if n != 13] + [-13])


def test_a_process_that_died_by_chance_costs_nothing(tmp_path: Path) -> None:
    work = partial(die_once, tmp_path / "mark")
    results = dispatch(tasks(), work, split=split, lost=lost, jobs=2)
    assert flat(results) == [2 * n for n in range(40)]


def test_an_interrupt_that_reaches_a_worker_breaks_no_answer() -> None:
    results = dispatch(tasks(), double_while_interrupted, split=split, lost=lost, jobs=2)
    assert flat(results) == [2 * n for n in range(40)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_the_work_itself_ends_it(jobs: int) -> None:
    with pytest.raises(DispatchError, match="no "):
        list(dispatch(tasks(), refuse, split=split, lost=lost, jobs=jobs))


@pytest.mark.filterwarnings("ignore:.*tasks have been successfully executed")
def test_tasks_are_taken_up_only_a_few_ahead() -> None:
    taken = []

    def watched() -> Iterator[Numbers]:
        for task in ((n,) for n in range(1000)):
            taken.append(task)
            yield task

    results = dispatch(watched(), slowly_double, split=split, lost=lost, jobs=2)
    for _ in range(10):
        next(results)
    assert len(taken) < 500
    results.close()  # type: ignore[attr-defined]


def test_work_needs_a_process() -> None:
    with pytest.raises(DispatchError, match="jobs is 0; give 1 or more"):
        list(dispatch(tasks(), double, split=split, lost=lost, jobs=0))


def test_a_scheduler_that_does_not_answer_is_said() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(SmleError, match=r"no scheduler answers at 'tcp://127.0.0.1:9'"):
        list(dispatch(tasks(), double, split=split, lost=lost, scheduler="tcp://127.0.0.1:9"))


def test_a_deadly_piece_is_lost_alone_on_a_cluster() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as cluster:
        cluster.scheduler.allowed_failures = 0
        address = cluster.scheduler_address
        results = dispatch(tasks(), die_at_thirteen, split=split, lost=lost, scheduler=address)
        assert flat(results) == sorted([2 * n for n in range(40) if n != 13] + [-13])
