"""A batch cut into work: sessions (folders), and tasks of some seconds, with what to do in each."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from smle.batch.file_enhancement import FileOptions, failed
from smle.batch.file_report import FileReport, report_of
from smle.batch.jobs import Job, Plan, tasks_of
from smle.batch.ledger import Ledger
from smle.errors import AudioError
from smle.files.paths import shown

Action = Literal["enhance", "keep", "refuse"]
_SHAPING = ("route", "atten_lim_db", "hear_first", "residual", "format", "subtype")


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is done.

    Args:
        model: Name of a bundled model, or a model folder.
        files: How each file is enhanced; its route may also be `folder`: the expert that all
            files of one folder speak for together.
        resume: Keep what an earlier run has done, and do the rest.
        jobs: Processes on this machine.
        scheduler: Address of a Dask scheduler, whose workers are used instead.
    """

    model: str = "default"
    files: FileOptions = field(default_factory=FileOptions)
    resume: bool = False
    jobs: int = 1
    scheduler: str | None = None


@dataclass(frozen=True)
class Session:
    """The jobs of one folder, and what they have in common: route and fingerprint."""

    jobs: tuple[Job, ...]
    route: str
    key: str


@dataclass(frozen=True)
class Task:
    """Jobs that are done together; those that are standing are not written again."""

    jobs: tuple[Job, ...]
    standing: frozenset[Job]
    options: FileOptions
    key: str

    @property
    def open_jobs(self) -> list[Job]:
        """The jobs whose outputs are wanted."""
        return [job for job in self.jobs if job not in self.standing]


def sessions_of(plan: Plan, options: BatchOptions, model_digest: str) -> list[Session]:
    """The folders of a plan.

    Args:
        plan: All jobs.
        options: Of the batch.
        model_digest: Tells the model from every other.
    """
    by_folder: dict[Path, list[Job]] = {}
    for job in plan.jobs:
        by_folder.setdefault(job.input.parent, []).append(job)
    return [
        Session(tuple(jobs), options.files.route, _key(model_digest, options.files, jobs))
        for jobs in by_folder.values()
    ]


def action_for(job: Job, key: str, options: BatchOptions, ledger: Ledger) -> Action:
    """Whether a job is to be done, was done and is kept, or may not be done."""
    state = ledger.state(job, key)
    if state == "done" and options.resume:
        return "keep"
    free = state == "absent" or options.files.overwrite or (state == "ours" and options.resume)
    return "enhance" if free else "refuse"


def tasks_for(
    sessions: Sequence[Session], options: BatchOptions, ledger: Ledger, settled: deque[FileReport]
) -> Iterator[Task]:
    """Yield what is to be done, each task claimed in the ledger just before.

    Args:
        sessions: With their final routes.
        options: Of the batch.
        ledger: Of the output folder.
        settled: Gets a report of every job that needs no work or may not be done.
    """
    for session in sessions:
        for group in tasks_of(session.jobs):
            todo = []
            for job in group:
                action = action_for(job, session.key, options, ledger)
                if action == "enhance":
                    todo.append(job)
                elif action == "keep":
                    settled.append(_kept(job, ledger))
                else:
                    ours = ledger.state(job, session.key) != "foreign"
                    settled.append(failed(job, _taken(job, ours=ours)))
            if not todo:
                continue
            try:
                ledger.begin(todo, session.key)
            except AudioError as error:
                settled.extend(failed(job, error) for job in todo)
                continue
            # What is claimed now may be replaced: a process that died may have left it.
            wanted = replace(options.files, route=session.route, overwrite=True)
            yield Task(group, frozenset(group).difference(todo), wanted, session.key)


def _kept(job: Job, ledger: Ledger) -> FileReport:
    # Folders may have other names by now, or be named in another way.
    before = report_of(ledger.report(job))
    return replace(before, status="kept", input=os.fspath(job.input), output=os.fspath(job.output))


def _key(model_digest: str, options: FileOptions, jobs: Sequence[Job]) -> str:
    """A fingerprint of all that shapes an output besides its own input."""
    facts: list[object] = [model_digest, *(getattr(options, name) for name in _SHAPING)]
    if options.route == "folder":
        facts.append([[os.fspath(job.name), _size(job.input)] for job in jobs])
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=16).hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _taken(job: Job, *, ours: bool) -> AudioError:
    remedy = "overwrite it or resume" if ours else "no run on record left it so: overwrite it"
    return AudioError(f"{shown(job.output)}: exists already and is kept; {remedy}")
