"""A batch: every file of a plan enhanced once, whatever happens in between."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from smle.batch.file_enhancement import Progress, Signal, enhance_files, failed, pieces
from smle.batch.file_report import FileReport
from smle.batch.jobs import Job, Plan
from smle.batch.ledger import Ledger
from smle.batch.sessions import (
    Action,
    BatchOptions,
    Session,
    Task,
    action_for,
    sessions_of,
    tasks_for,
)
from smle.dispatch import dispatch
from smle.errors import AudioError, SmleError
from smle.files.digest import digest_of
from smle.files.part_files import remove_parts
from smle.files.paths import shown

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhancer


@dataclass(frozen=True)
class _Made:
    """What a worker sends back of one file: the report, and what its input was."""

    job: Job
    key: str
    report: FileReport
    digest: str = ""
    mtime_ns: int = 0


@dataclass(frozen=True)
class _Worker:
    """The work of one task, sent to whichever process does it."""

    model: str
    progress: Progress | None = None

    def __call__(self, task: Task) -> list[_Made]:
        enhancer = cached_enhancer(self.model)
        before = {job: _identity(job.input) for job in task.open_jobs}
        progress = self.progress or (lambda seconds: None)
        reports = enhance_files(enhancer, task.jobs, task.options, progress, task.standing)
        return [_Made(job, task.key, report, *before[job]) for job, report in reports.items()]


@functools.lru_cache(maxsize=2)
def cached_enhancer(model: str) -> Enhancer:
    """Load a model once per process."""
    import smle

    return smle.load(model)


def run_file(job: Job, options: BatchOptions, progress: Progress | None = None) -> FileReport:
    """Enhance one file in this process, without a ledger (arguments as for `run_batch`)."""
    enhancer = cached_enhancer(options.model)
    _sweep({job.output.parent})
    wanted = options.files
    if wanted.route == "folder":
        wanted = replace(wanted, route=_pooled_route(enhancer, [job]))
    return enhance_files(enhancer, [job], wanted, progress or (lambda seconds: None))[job]


def run_batch(
    plan: Plan,
    options: BatchOptions,
    *,
    out: Path,
    model_digest: str,
    progress: Progress | None = None,
) -> Generator[FileReport]:
    """Enhance every file of a plan, and yield a report as each is done, kept or has failed.

    Args:
        plan: From `smle.batch.jobs.plan_folder`.
        options: How.
        out: The output folder; made if it is missing, and closed to other runs meanwhile.
        model_digest: Of the model, for `resume`.
        progress: Told about every piece that is done, if the work is done in this process.

    Raises:
        AudioError: The output folder cannot be used, or another run is at work in it.
        ModelError: The model cannot be loaded.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioError(f"{shown(out)}: cannot be made ({error.strerror})") from error
    local = options.scheduler is None
    worker = _Worker(options.model, progress if local and options.jobs == 1 else None)
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(out))
        folders = {job.output.parent for job in plan.jobs}
        _sweep(folders)
        stack.callback(_sweep, folders)
        sessions = sessions_of(plan, options, model_digest)
        if options.files.route == "folder":
            routes = _pooled_routes(sessions, options, worker, ledger)
            sessions = [replace(one, route=routes.get(one.jobs, one.route)) for one in sessions]
        settled: deque[FileReport] = deque()
        for made in dispatch(
            tasks_for(sessions, options, ledger, settled),
            worker,
            split=_split,
            lost=_lost,
            jobs=options.jobs,
            scheduler=options.scheduler,
        ):
            while settled:
                yield settled.popleft()
            for one in made:
                if one.report.status == "done":
                    ledger.done(one.job, one.key, one.report.as_dict(), one.digest, one.mtime_ns)
                else:
                    ledger.failed(one.job)
                yield one.report
        yield from settled


def dry_run(
    plan: Plan, options: BatchOptions, *, out: Path, model_digest: str
) -> Iterator[tuple[Job, Action]]:
    """Say what `run_batch` would do with every file, and touch nothing (arguments as there)."""
    with ExitStack() as stack:
        ledger = Ledger(out)
        if ledger.path.exists():
            stack.enter_context(ledger)
        for session in sessions_of(plan, options, model_digest):
            for job in session.jobs:
                yield job, action_for(job, session.key, options, ledger)


@dataclass(frozen=True)
class _Pool:
    """The work of choosing one expert for all files of a folder."""

    worker: _Worker

    def __call__(self, jobs: tuple[Job, ...]) -> tuple[tuple[Job, ...], str]:
        return jobs, _pooled_route(cached_enhancer(self.worker.model), jobs)


def _pooled_route(enhancer: Enhancer, jobs: Sequence[Job]) -> str:
    try:
        return enhancer.pool_route(_pieces(jobs))
    except AudioError:
        return "segment"  # no file of the folder can be read; each will say so


def _pieces(jobs: Sequence[Job]) -> Iterator[tuple[Signal, int]]:
    for job in jobs:
        # What cannot be read is reported when its turn to be enhanced comes.
        with contextlib.suppress(SmleError):
            yield from pieces(job.input)


def _pooled_routes(
    sessions: Sequence[Session], options: BatchOptions, worker: _Worker, ledger: Ledger
) -> dict[tuple[Job, ...], str]:
    routes = {}
    for jobs, expert in dispatch(
        (
            session.jobs
            for session in sessions
            if any(
                action_for(job, session.key, options, ledger) == "enhance" for job in session.jobs
            )
        ),
        _Pool(replace(worker, progress=None)),
        split=lambda jobs: [jobs],
        lost=lambda jobs, error: (jobs, "segment"),
        jobs=options.jobs,
        scheduler=options.scheduler,
    ):
        logging.getLogger(__name__).info("%s: expert %s", shown(jobs[0].input.parent), expert)
        routes[jobs] = expert
    return routes


def _split(task: Task) -> list[Task]:
    return [replace(task, jobs=(job,), standing=frozenset()) for job in task.open_jobs]


def _lost(task: Task, error: Exception) -> list[_Made]:
    words = "the process that enhanced it died (out of memory?); give fewer jobs"
    return [
        _Made(job, task.key, failed(job, AudioError(f"{shown(job.input)}: {words}")))
        for job in task.open_jobs
    ]


def _identity(path: Path) -> tuple[str, int]:
    try:
        return digest_of(path), path.stat().st_mtime_ns
    except OSError:
        return "", 0


def _sweep(folders: set[Path]) -> None:
    for folder in folders:
        remove_parts(folder)
