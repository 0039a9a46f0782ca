"""Enhancing what comes through a pipe, as it comes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smle.batch.file_enhancement import BLOCK_S, FileOptions
from smle.batch.levels import LevelMeter
from smle.enhancement.aligned import aligned
from smle.errors import AudioError
from smle.files.audio import AudioReader
from smle.files.audio_writer import AudioWriter
from smle.files.encodings import kept
from smle.files.formats import RAW_SUBTYPES, container_for, format_of, target_for
from smle.files.pipes import PipeFormat, encoded, read_blocks, read_wav_header, wav_header
from smle.interrupts import hold_interrupts

if TYPE_CHECKING:
    from smle.enhancement.enhancer import Enhancer
    from smle.enhancement.routing import Routing

Signal = NDArray[np.float32]


def enhance_pipe(
    enhancer: Enhancer,
    source: FileIO | Path,
    sink: FileIO | Path,
    options: FileOptions,
    raw: PipeFormat | None = None,
) -> tuple[float, LevelMeter, Routing]:
    """Enhance from a pipe or file into a pipe or file, late only by the stream's latency.

    An interrupt ends what comes through a pipe without a known length, as its end would: what
    came until then is enhanced and written. Whoever called asks whether there was one.

    Args:
        enhancer: The model.
        source: An unbuffered pipe of WAV or raw samples, or a file.
        sink: The same; a pipe gets what the source has: WAV, or raw samples.
        options: How.
        raw: The layout of raw samples; None for a WAV.

    Returns:
        Seconds of audio, the levels, and who ran when.

    Raises:
        AudioError: The input cannot be used, or a file cannot be written.
    """
    with ExitStack() as stack:
        blocks, form = _source(stack, source, raw)
        stream = enhancer.stream(
            form.sample_rate,
            form.channels,
            route=options.route,
            atten_lim_db=options.atten_lim_db,
        )
        write, subtype = _sink(stack, sink, form, options, header=raw is None)
        meter = LevelMeter(form.sample_rate, form.subtype)
        frames = 0
        if isinstance(source, FileIO) and form.frames is None:
            blocks = stack.enter_context(closing(_until_interrupted(blocks)))
        for noisy, estimate in aligned(stream, blocks, form.channels):
            meter.add(noisy, estimate)
            # Of the estimate as the sink holds it, so that both add up to the input.
            write(noisy - kept(estimate, subtype) if options.residual else estimate)
            frames += noisy.shape[1]
    return frames / form.sample_rate, meter, stream.routing


def _until_interrupted(blocks: Iterator[Signal]) -> Generator[Signal]:
    """Blocks until there are no more, or the user wants none; what was done by then is not lost."""
    anything = False
    try:
        for block in blocks:
            anything = True
            with hold_interrupts():  # while whoever asked for the block works on it
                yield block
    except KeyboardInterrupt:
        if not anything:
            raise


def _source(
    stack: ExitStack, source: FileIO | Path, raw: PipeFormat | None
) -> tuple[Iterator[Signal], PipeFormat]:
    if isinstance(source, Path):
        reader = stack.enter_context(AudioReader(source))
        info = reader.info
        subtype = target_for("WAV", info.subtype).subtype
        if subtype not in RAW_SUBTYPES:  # mu-law, A-law: 16 bits hold all that they can say
            subtype = "PCM_16"
        frames = info.frames if info.exact else None
        form = PipeFormat(info.sample_rate, info.channels, subtype, frames)
        return reader.blocks(round(BLOCK_S * info.sample_rate)), form
    form = raw or read_wav_header(source)
    return read_blocks(source.read, form, form.sample_rate), form


def _sink(
    stack: ExitStack,
    sink: FileIO | Path,
    form: PipeFormat,
    options: FileOptions,
    *,
    header: bool,
) -> tuple[Callable[[Signal], None], str]:
    """What writes a block, and how it encodes."""
    if isinstance(sink, Path):
        wanted = format_of(sink) if options.format == "same" else options.format
        target = target_for("WAV", form.subtype, wanted=wanted, wanted_subtype=options.subtype)
        writer = AudioWriter(
            sink,
            form.sample_rate,
            form.channels,
            format=container_for(target, form.frames, form.channels),
            subtype=target.subtype,
            overwrite=options.overwrite,
        )
        return stack.enter_context(writer).write, target.subtype
    if options.format not in ("same", "wav"):
        raise AudioError(f"standard output carries wav, not {options.format}; write a file")
    out = PipeFormat(
        form.sample_rate, form.channels, (options.subtype or form.subtype).upper(), form.frames
    )
    if header:
        _write_all(sink, wav_header(out))
    return lambda block: _write_all(sink, encoded(block, out.subtype)), out.subtype


def _write_all(sink: FileIO, data: bytes) -> None:
    while data:
        data = data[sink.write(data) :]
