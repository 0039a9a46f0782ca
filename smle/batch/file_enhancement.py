"""Enhancing files: small ones together in one call, long ones as a stream of blocks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smle.batch.file_report import FileReport
from smle.batch.jobs import Job
from smle.batch.levels import LevelMeter
from smle.batch.padding import padded_together
from smle.enhancement.aligned import aligned
from smle.enhancement.beginning import HEARD_S, beginning
from smle.errors import AudioError, SmleError
from smle.files.audio import AudioInfo, AudioReader, AudioWriter
from smle.files.encodings import kept
from smle.files.formats import Target, check_holds, container_for, target_for
from smle.files.paths import shown

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhancer
    from smle.enhancement.routing import Routing

Signal = NDArray[np.float32]
Progress = Callable[[float], None]
"""Told how many further seconds of audio are done."""

STREAMED_ABOVE = 30.0 * 16_000
BLOCK_S = 4.0
PIECE_S = 30.0


@dataclass(frozen=True)
class FileOptions:
    """How files are enhanced and written.

    Args:
        route: `segment`, `file`, or an expert's name or number.
        atten_lim_db: Remove at most this much; None for all that the model removes.
        hear_first: Hear the first four seconds of a file before enhancing begins.
        residual: Write what was removed instead of what was kept.
        format: `same`, or the format to write.
        subtype: libsndfile's name of the encoding, None for the input's.
        overwrite: Replace existing outputs.
    """

    route: str = "segment"
    atten_lim_db: float | None = None
    hear_first: bool = False
    residual: bool = False
    format: str = "same"
    subtype: str | None = None
    overwrite: bool = False


def enhance_files(
    enhancer: Enhancer,
    jobs: Sequence[Job],
    options: FileOptions,
    progress: Progress = lambda seconds: None,
    standing: Set[Job] = frozenset(),
) -> dict[Job, FileReport]:
    """Enhance files, each for itself: one that fails is reported and stops no other.

    Args:
        enhancer: The model.
        jobs: What to enhance, and where to.
        options: How.
        progress: Told about every piece that is done.
        standing: Jobs whose outputs stand already. They are not written, but small ones take part
            in the call, so that the numbers of the others do not depend on what was done before.

    Returns:
        One report per job that is not standing.
    """
    reports: dict[Job, FileReport] = {}
    small: list[_Small] = []
    for job in jobs:
        start = time.perf_counter()
        try:
            with AudioReader(job.input) as reader:
                info = reader.info
                target = _target(job, info, options)  # before the work, which it may not be worth
                if info.frames * info.channels > STREAMED_ABOVE:
                    if job not in standing:
                        reports[job] = _stream(enhancer, reader, job, target, options, progress)
                else:
                    noisy = np.concatenate(list(reader.blocks()), axis=1)
                    elapsed_s = time.perf_counter() - start
                    beside = _Beside.of(reader)
                    small.append(_Small(job, info, target, beside, noisy, elapsed_s))
        except (SmleError, OSError, RuntimeError, MemoryError) as error:
            reports[job] = failed(job, error, time.perf_counter() - start)
    for together in padded_together([(one.info.sample_rate, one.noisy.shape) for one in small]):
        batch = [small[index] for index in together]
        reports |= _batch(enhancer, batch, options, progress, standing)
    return {job: reports[job] for job in jobs if job not in standing}


def pieces(path: Path) -> Iterator[tuple[Signal, int]]:
    """A file's signal piece by piece, each with its rate."""
    with AudioReader(path) as reader:
        rate = reader.info.sample_rate
        for block in reader.blocks(round(PIECE_S * rate)):
            yield block, rate


def failed(job: Job, error: Exception, elapsed_s: float = 0.0) -> FileReport:
    """The report of a file that could not be enhanced, with the reason in one line."""
    if isinstance(error, SmleError):
        reason = str(error)
    elif isinstance(error, MemoryError):
        reason = f"{shown(job.input)}: not enough memory; give fewer jobs"
    else:
        words = getattr(error, "strerror", None) or " ".join(str(error).split())
        reason = f"{shown(job.input)}: {words or type(error).__name__}"
    return FileReport(
        os.fspath(job.input), os.fspath(job.output), "failed", reason, elapsed_s=elapsed_s
    )


@dataclass(frozen=True)
class _Beside:
    """What a file holds beside its sound."""

    tags: dict[str, str]
    speakers: tuple[int, ...]
    chunks: bytes

    @classmethod
    def of(cls, reader: AudioReader) -> _Beside:
        return cls(reader.tags, reader.speakers, reader.chunks)


@dataclass(frozen=True)
class _Small:
    job: Job
    info: AudioInfo
    target: Target
    beside: _Beside
    noisy: Signal
    read_s: float


def _batch(
    enhancer: Enhancer,
    batch: Sequence[_Small],
    options: FileOptions,
    progress: Progress,
    standing: Set[Job],
) -> dict[Job, FileReport]:
    if all(small.job in standing for small in batch):
        return {}
    start = time.perf_counter()
    try:
        results = enhancer.enhance_batch(
            [small.noisy for small in batch],
            batch[0].info.sample_rate,
            route=options.route,
            atten_lim_db=options.atten_lim_db,
            hear_first=options.hear_first,
        )
    except (SmleError, RuntimeError, MemoryError) as error:
        if len(batch) == 1:
            return {batch[0].job: failed(batch[0].job, error, time.perf_counter() - start)}
        alone = [_batch(enhancer, [small], options, progress, standing) for small in batch]
        return {job: report for reports in alone for job, report in reports.items()}
    elapsed_s = time.perf_counter() - start
    total = sum(small.noisy.size for small in batch)
    reports = {}
    for small, result in zip(batch, results, strict=True):
        if small.job in standing:
            continue
        start = time.perf_counter()
        meter = LevelMeter(small.info.sample_rate, small.info.subtype)
        try:
            with _writer(small.job, small.info, small.target, small.beside, options) as writer:
                _take(small.noisy, result.audio, options, meter, writer)
        except (SmleError, OSError) as error:
            reports[small.job] = failed(small.job, error, time.perf_counter() - start)
            continue
        own_s = small.read_s + elapsed_s * small.noisy.size / total + time.perf_counter() - start
        frames = small.noisy.shape[1]
        reports[small.job] = _report(
            enhancer, small.job, small.info, frames, writer, meter, result.routing, own_s
        )
        progress(frames / small.info.sample_rate)
    return reports


def _stream(
    enhancer: Enhancer,
    reader: AudioReader,
    job: Job,
    target: Target,
    options: FileOptions,
    progress: Progress,
) -> FileReport:
    start = time.perf_counter()
    info = reader.info
    meter = LevelMeter(info.sample_rate, info.subtype)
    route: str | list[int] = options.route
    if route == "file":
        route = enhancer.channel_routes(pieces(job.input))
    stream = enhancer.stream(
        info.sample_rate, info.channels, route=route, atten_lim_db=options.atten_lim_db
    )
    blocks = reader.blocks(round(max(BLOCK_S, HEARD_S) * info.sample_rate))
    if options.hear_first:
        first = next(blocks)
        stream.hear(beginning(first, info.sample_rate))
        blocks = chain([first], blocks)
    frames = 0
    with _writer(job, info, target, _Beside.of(reader), options) as writer:
        for noisy, estimate in aligned(stream, blocks, info.channels):
            _take(noisy, estimate, options, meter, writer)
            frames += noisy.shape[1]
            progress(noisy.shape[1] / info.sample_rate)
    elapsed_s = time.perf_counter() - start
    return _report(enhancer, job, info, frames, writer, meter, stream.routing, elapsed_s)


def _writer(
    job: Job, info: AudioInfo, target: Target, beside: _Beside, options: FileOptions
) -> AudioWriter:
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AudioError(f"{shown(job.output)}: cannot be written ({error.strerror})") from error
    return AudioWriter(
        job.output,
        info.sample_rate,
        info.channels,
        format=container_for(target, info.frames, info.channels),
        subtype=target.subtype,
        tags=beside.tags,
        speakers=beside.speakers,
        chunks=beside.chunks,
        overwrite=options.overwrite,
    )


def _target(job: Job, info: AudioInfo, options: FileOptions) -> Target:
    try:
        target = target_for(
            info.format, info.subtype, wanted=options.format, wanted_subtype=options.subtype
        )
        check_holds(target.format, target.subtype, info.sample_rate, info.channels)
    except AudioError as error:
        raise AudioError(f"{shown(job.output)}: {error}") from None
    return target


def _take(
    noisy: Signal, estimate: Signal, options: FileOptions, meter: LevelMeter, writer: AudioWriter
) -> None:
    if not np.isfinite(estimate).all():
        raise AudioError(
            f"{shown(writer.path)}: the estimate is not finite; lower the input's level"
        )
    meter.add(noisy, estimate)
    # Of the estimate as a file holds it, so that both add up to the input.
    writer.write(noisy - kept(estimate, writer.subtype) if options.residual else estimate)


def _report(
    enhancer: Enhancer,
    job: Job,
    info: AudioInfo,
    frames: int,
    writer: AudioWriter,
    meter: LevelMeter,
    routing: Routing,
    elapsed_s: float,
) -> FileReport:
    # What ran before the gate's first decision had no lead.
    margins = [s.margin for channel in routing.segments for s in channel if s.margin]
    return FileReport(
        input=os.fspath(job.input),
        output=os.fspath(job.output),
        status="done",
        seconds=frames / info.sample_rate,
        sample_rate=info.sample_rate,
        channels=info.channels,
        format=writer.format,
        subtype=writer.subtype,
        expert=routing.dominant,
        probability=routing.probability,
        margin=min(margins, default=0.0),
        low_confidence=routing.probability < enhancer.recipe.routing.confidence,
        switches=routing.switches,
        noise_removed_db=meter.noise_removed_db,
        noisy_dbfs=meter.noisy_dbfs,
        estimate_dbfs=meter.estimate_dbfs,
        noisy_clipped=meter.clipped,
        output_clipped=writer.clipped,
        elapsed_s=elapsed_s,
        segments=[[dict(vars(segment)) for segment in channel] for channel in routing.segments],
    )
