"""A stream from standard input or to standard output."""

from __future__ import annotations

import os
import time
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from smle.batch.file_enhancement import FileOptions
    from smle.files.pipes import PipeFormat


def pipe_and_show(
    noisy: Path,
    out: Path,
    files: FileOptions,
    model: str,
    raw: PipeFormat | None,
    *,
    quiet: bool,
) -> None:
    """Enhance a stream, one line at the end telling about it.

    Args:
        noisy: A file, or - for standard input.
        out: A file, or - for standard output.
        files: How.
        model: Name or folder.
        raw: Layout of raw samples.
        quiet: Say nothing but errors.
    """
    from smle.batch.pipe_enhancement import enhance_pipe
    from smle.batch.run import cached_enhancer
    from smle_cli.interrupts import stop_if_asked
    from smle_cli.progress import duration

    if files.route in ("file", "folder"):
        raise click.UsageError(f"--route {files.route} needs whole files; a stream has segment")
    enhancer = cached_enhancer(model)
    source = _pipe(0, "rb") if str(noisy) == "-" else noisy
    sink = _pipe(1, "wb") if str(out) == "-" else out
    start = time.monotonic()
    seconds, meter, routing = enhance_pipe(enhancer, source, sink, files, raw)
    if not quiet:
        click.echo(
            f"{duration(seconds)} of audio, {routing.dominant} {routing.probability:.2f}, "
            f"{meter.noise_removed_db:.1f} dB of noise removed, "
            f"{seconds / (time.monotonic() - start):.1f}x real time",
            err=True,
        )
    stop_if_asked()


def _pipe(descriptor: int, mode: str) -> FileIO:
    """A standard stream without a buffer: samples go on as soon as they are there."""
    if os.name == "posix":
        # Some programs leave pipes that answer "nothing yet", which would look like the end.
        os.set_blocking(descriptor, True)
    return FileIO(descriptor, mode, closefd=False)
