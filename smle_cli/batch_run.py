"""A batch with its progress, its report and its closing table."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smle_cli.main import FilesFailedError

if TYPE_CHECKING:
    from smle.batch.file_enhancement import Progress
    from smle.batch.file_report import FileReport
    from smle.batch.jobs import Job, Plan
    from smle.batch.sessions import BatchOptions


def run_and_show(
    plan: Plan,
    options: BatchOptions,
    folder: Path,
    digest: str,
    *,
    one_file: bool,
    report: Path | None,
    quiet: bool,
) -> None:
    """Enhance a plan's files, show how far it is, and tell at the end what was done.

    Args:
        plan: What to do.
        options: How.
        folder: The output folder.
        digest: Of the model.
        one_file: NOISY was a file, not a folder: no ledger is needed.
        report: Where facts about every file go.
        quiet: Say nothing but errors.

    Raises:
        FilesFailedError: Some files failed, or the report could not be written.
    """
    from smle.batch.file_report import ReportFile, is_report
    from smle.batch.run import run_batch
    from smle.errors import AudioError
    from smle.files.paths import shown
    from smle_cli.closing_table import Closing
    from smle_cli.consoles import message_console
    from smle_cli.progress import BatchProgress

    console = message_console()
    names = {os.fspath(job.output): shown(job.name) for job in plan.jobs}
    table = Closing()
    seconds = _seconds(plan.jobs[0]) if len(plan.jobs) == 1 else None
    bar = BatchProgress(None if quiet else console, len(plan.jobs), seconds)
    overwrite = options.files.overwrite or bool(options.resume and report and is_report(report))
    told = ReportFile(report, _facts(options), overwrite=overwrite) if report else None
    if one_file and not options.resume and not options.scheduler:
        work = _alone(plan.jobs[0], options, bar.heard)
    else:
        work = run_batch(plan, options, out=folder, model_digest=digest, progress=bar.heard)
    ended, unwritten = False, None
    try:
        with told or nullcontext(), bar, closing(work) as reports:
            for one in reports:
                bar.finish(one)
                table.add(names[one.output], one)
                if told:
                    told.add(one)
            ended = True
    except AudioError as error:
        if not ended:
            raise
        unwritten = error  # the report, and nothing else
    table.show(console, bar.elapsed_s, quiet=quiet)
    if unwritten:
        click.echo(f"smle: {unwritten}", err=True)
    if table.counts["failed"] or unwritten:
        raise FilesFailedError(table.counts["done"] + table.counts["kept"])


def _alone(job: Job, options: BatchOptions, progress: Progress) -> Generator[FileReport]:
    from smle.batch.run import run_file

    yield run_file(job, options, progress)


def _seconds(job: Job) -> float | None:
    from smle.errors import AudioError
    from smle.files.audio import probe

    try:
        return probe(job.input).seconds
    except AudioError:
        return None  # it is said where the file is enhanced


def _facts(options: BatchOptions) -> dict[str, Any]:
    files = options.files
    try:
        installed = version("smle")
    except PackageNotFoundError:  # run from a source tree
        installed = "unknown"
    return {
        "smle": installed,
        "model": options.model,
        "route": files.route,
        "atten_lim_db": files.atten_lim_db,
        "hear_first": files.hear_first,
        "residual": files.residual,
        "format": files.format,
        "subtype": files.subtype,
    }
