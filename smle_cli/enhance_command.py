"""Clean a file, a folder or a stream."""

from __future__ import annotations

import filecmp
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from smle_cli.given_options import refuse_given
from smle_cli.given_path import GivenPath

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smle.batch.jobs import Plan
    from smle.batch.sessions import BatchOptions

WORTH_MORE_PROCESSES_BYTES = 8_000_000
_FOR_RAW = ("raw_rate", "raw_channels", "raw_subtype")
_FOR_FILES = ("hear_first", "suffix", "scheduler", "resume", "dry_run", "copy_others", "report")
FORMATS = ("same", "wav", "flac", "mp3", "ogg", "opus", "aiff")


@click.command()
@click.argument("noisy", type=GivenPath(path_type=Path, allow_dash=True))
@click.argument("out", type=GivenPath(path_type=Path, allow_dash=True))
@click.option("--model", default="default", metavar="NAME|DIR", help="Bundled model or folder.")
@click.option(
    "--route",
    default="segment",
    metavar="segment|file|folder|EXPERT",
    help="Who chooses: the gate about every second (segment), once per file, once per folder from "
    "all its files together; or name an expert.  [default: segment]",
)
@click.option(
    "--atten-lim", type=click.FloatRange(0), metavar="DB", help="Remove at most so much noise."
)
@click.option(
    "--hear-first",
    is_flag=True,
    help="Hear the first four seconds before a file begins: its first words come out cleaner.",
)
@click.option("--residual", is_flag=True, help="Write what was removed instead.")
@click.option("--format", type=click.Choice(FORMATS), default="same", help="Format to write.")
@click.option("--subtype", metavar="NAME", help="Encoding, such as PCM_24 or FLOAT.")
@click.option("--suffix", default="", help="Put behind the names of outputs in a folder.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Processes; 0 takes all cores for a large folder.  [default: 0]",
)
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Use a Dask cluster's workers.")
@click.option("--force", is_flag=True, help="Overwrite existing outputs.")
@click.option("--resume", is_flag=True, help="Keep what an earlier run has done, do the rest.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@click.option("--copy-others", is_flag=True, help="Copy the files that are no audio as well.")
@click.option(
    "--report",
    type=GivenPath(path_type=Path),
    metavar="FILE",
    help="Write facts about every file to FILE.json, .jsonl or .csv.",
)
@click.option(
    "--raw-rate",
    type=click.IntRange(1),
    metavar="HZ",
    help="Standard input is raw, of this rate.",
)
@click.option("--raw-channels", type=int, default=1, help="Channels of raw input.")
@click.option("--raw-subtype", default="PCM_16", help="Encoding of raw input.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@click.option("--verbose", "-v", is_flag=True, help="Say what is decided.")
def enhance(
    noisy: Path,
    out: Path,
    *,
    model: str,
    route: str,
    atten_lim: float | None,
    hear_first: bool,
    residual: bool,
    format: str,
    subtype: str | None,
    suffix: str,
    jobs: int,
    scheduler: str | None,
    force: bool,
    resume: bool,
    dry_run: bool,
    copy_others: bool,
    report: Path | None,
    raw_rate: int | None,
    raw_channels: int,
    raw_subtype: str,
    quiet: bool,
    verbose: bool,
) -> None:
    """Enhance NOISY, a file or folder, into OUT; - is standard input or output.

    Rate, channels, length, encoding and text tags stay, folders keep their tree. Nothing
    existing is overwritten without --force, and every output appears whole or not at all.
    """
    from smle.batch.file_enhancement import FileOptions
    from smle.batch.jobs import takes_names
    from smle.batch.sessions import BatchOptions
    from smle.files.formats import format_of, is_written
    from smle.model.digest import model_digest

    if atten_lim is not None and not math.isfinite(atten_lim):
        raise click.UsageError(
            f"--atten-lim {atten_lim} is no limit; give decibels, or leave it out"
        )
    if force and resume:
        raise click.UsageError("--force does everything anew, --resume keeps it; choose one")
    if {os.sep, os.altsep} & set(suffix):
        raise click.UsageError(f"--suffix {suffix!r} is no part of a name; leave out separators")
    if str(noisy) != "-":
        refuse_given(_FOR_RAW, "for raw standard input; let NOISY be -")
    elif raw_rate is None:
        refuse_given(_FOR_RAW, "for raw standard input; give its --raw-rate as well")
    named = (str(noisy) == "-" or noisy.is_file()) and str(out) != "-" and not takes_names(out)
    if named and not is_written(out):
        raise click.UsageError(f"{out}: {out.suffix} is read, not written; name it .wav, say")
    if named and suffix:
        raise click.UsageError(f"--suffix is for names in a folder; {out} is a whole name")
    if named and format != "same" and format_of(out) not in (format, _container(format)):
        raise click.UsageError(f"--format {format} contradicts {out}; leave out one of them")
    _check_encoding(format, subtype)
    from smle_cli.consoles import show_log

    show_log(quiet=quiet, verbose=verbose)
    files = FileOptions(
        route=_checked_route(route, model),
        atten_lim_db=atten_lim,
        hear_first=hear_first,
        residual=residual,
        format=format,
        subtype=subtype,
        overwrite=force,
    )
    if str(noisy) == "-" or str(out) == "-":
        from smle.files.pipes import PipeFormat

        refuse_given(_FOR_FILES, "for files and folders, not for a stream")
        if str(out) != "-" and not named:
            raise click.UsageError(
                f"{out} is no audio file's name; give one that ends in .wav, say"
            )
        raw = PipeFormat(raw_rate, raw_channels, raw_subtype.upper()) if raw_rate else None
        from smle_cli.pipe_run import pipe_and_show

        pipe_and_show(noisy, out, files, model, raw, quiet=quiet)
        return
    if named and format == "same" and format_of(out) != format_of(noisy):
        files = replace(files, format=format_of(out))
    if noisy.exists() and not noisy.is_file() and not noisy.is_dir():
        raise click.UsageError(f"{noisy} is a pipe or device; give - and let it be standard input")
    plan, folder = _plan(noisy, out, files.format, suffix)
    options = BatchOptions(
        model=model,
        files=files,
        resume=resume,
        jobs=jobs or _jobs_for(plan),
        scheduler=scheduler,
    )
    for reason in plan.unlisted:
        click.echo(f"smle: {reason}", err=True)
    digest = model_digest(model)
    if dry_run:
        _print_plan(plan, options, noisy, folder, digest, copy_others=copy_others)
        return
    lost = len(plan.unlisted)
    if copy_others:
        lost += _copy_others(plan, noisy, folder, options)
    elif plan.others and not quiet:
        click.echo(f"{len(plan.others)} files are no audio and are left (--copy-others)", err=True)
    from smle_cli.batch_run import run_and_show
    from smle_cli.main import FilesFailedError

    run_and_show(
        plan, options, folder, digest, one_file=noisy.is_file(), report=report, quiet=quiet
    )
    if lost:
        raise FilesFailedError(len(plan.jobs))


def _container(format: str) -> str:
    """The format whose files may hold this one, too."""
    return "ogg" if format == "opus" else format


def _checked_route(route: str, model: str) -> str:
    from smle.model.folders import recipe_of

    names = recipe_of(model).expert_names
    if route not in names and route.isdecimal() and int(route) < len(names):
        return names[int(route)]
    if route not in ("segment", "file", "folder", *names):
        known = ", ".join(("segment", "file", "folder", *names))
        raise click.UsageError(f"--route {route!r} is no expert of this model; choose from {known}")
    return route


def _plan(noisy: Path, out: Path, format: str, suffix: str) -> tuple[Plan, Path]:
    from smle.batch.jobs import Plan, plan_file, plan_folder

    if noisy.is_file():
        job = plan_file(noisy, out, format=format, suffix=suffix)
        return Plan((job,), ()), job.output.parent
    return plan_folder(noisy, out, format=format, suffix=suffix), out


def _jobs_for(plan: Plan) -> int:
    """All cores where there is work for them, else the one process that starts at once."""
    from smle.dispatch import cpu_count

    size = 0
    for job in plan.jobs if len(plan.jobs) > 1 else ():
        size += job.input.stat().st_size if job.input.exists() else 0
        if size > WORTH_MORE_PROCESSES_BYTES:
            return cpu_count()
    return 1


def _check_encoding(format: str, subtype: str | None) -> None:
    """Refuse, before anything is enhanced, what no file can be written in."""
    from smle.errors import AudioError
    from smle.files.formats import format_names, target_for

    if subtype is None:
        return
    # With "same" it depends on each file; that one format takes it is all that can be asked.
    reasons = []
    for wanted in format_names() if format == "same" else (format,):
        try:
            target_for("WAV", "PCM_16", wanted=wanted, wanted_subtype=subtype)
        except AudioError as error:
            reasons.append(str(error))
        else:
            return
    raise click.UsageError(f"--subtype {subtype}: {reasons[0]}")


def _print_plan(
    plan: Plan, options: BatchOptions, noisy: Path, folder: Path, digest: str, *, copy_others: bool
) -> None:
    from smle.batch.run import dry_run
    from smle.files.paths import shown

    for job, action in dry_run(plan, options, out=folder, model_digest=digest):
        click.echo(f"{action}\t{shown(job.input)}\t{shown(job.output)}")
    left = ((other, "leave") for other in plan.others)
    for other, copied in _copy_actions(plan, noisy, folder, options) if copy_others else left:
        output = shown(folder / other) if copied == "copy" else ""
        click.echo(f"{copied}\t{shown(other)}\t{output}")


def _copy_actions(
    plan: Plan, noisy: Path, folder: Path, options: BatchOptions
) -> Iterator[tuple[Path, str]]:
    """What becomes of each file that is no audio: leave, keep, refuse or copy."""
    in_place = noisy.resolve() == folder.resolve()
    for other in plan.others:
        if in_place:
            yield other, "leave"
        elif options.resume and _is_copy(noisy / other, folder / other):
            yield other, "keep"
        else:
            stands = (folder / other).exists() and not options.files.overwrite
            yield other, "refuse" if stands else "copy"


def _copy_others(plan: Plan, noisy: Path, folder: Path, options: BatchOptions) -> int:
    """Copy the files that are no audio; returns how many could not be."""
    from smle.errors import AudioError
    from smle.files.copying import copy_whole

    lost = 0
    for other, action in _copy_actions(plan, noisy, folder, options):
        if action in ("leave", "keep"):
            continue
        try:
            copy_whole(noisy / other, folder / other, overwrite=options.files.overwrite)
        except AudioError as error:
            click.echo(f"smle: {error}", err=True)
            lost += 1
    return lost


def _is_copy(source: Path, copy: Path) -> bool:
    try:
        return filecmp.cmp(source, copy, shallow=False)
    except OSError:  # whoever copies it will say so
        return False
