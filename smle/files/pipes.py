"""Sound through pipes: WAV or raw samples in and out, as they come, of any length."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import RawIOBase

import numpy as np
from numpy.typing import NDArray

from smle.errors import AudioError
from smle.files.audio import MAX_ABSOLUTE_SAMPLE, MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from smle.files.encodings import steps
from smle.files.formats import frame_bytes, tells_length

UNKNOWN_BYTES = 0xFFFF_FFFF
"""What a WAV header says where nobody knows the length yet."""

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("0000000010008000 00aa00389b71".replace(" ", ""))
_MAX_CHUNK_BYTES = 1 << 24
_SUBTYPES = {
    (_PCM, 8): "PCM_U8",
    (_PCM, 16): "PCM_16",
    (_PCM, 24): "PCM_24",
    (_PCM, 32): "PCM_32",
    (_FLOAT, 32): "FLOAT",
    (_FLOAT, 64): "DOUBLE",
}
_CODES = {subtype: code for code, subtype in _SUBTYPES.items()}


@dataclass(frozen=True)
class PipeFormat:
    """How samples are laid out in a pipe: interleaved, little-endian.

    Args:
        sample_rate: In Hz.
        channels: How many.
        subtype: One of `PCM_U8`, `PCM_16`, `PCM_24`, `PCM_32`, `FLOAT`, `DOUBLE`.
        frames: How many follow, None if nobody knows.
    """

    sample_rate: int
    channels: int
    subtype: str
    frames: int | None = None

    def __post_init__(self) -> None:
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise AudioError(
                f"sample rate {self.sample_rate} Hz is outside "
                f"{MIN_SAMPLE_RATE}-{MAX_SAMPLE_RATE} Hz; resample the input"
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(
                f"{self.channels} channels are not in 1-{MAX_CHANNELS}; split the input"
            )
        if self.subtype not in _CODES:
            raise AudioError(f"unknown subtype {self.subtype!r}: choose one of {', '.join(_CODES)}")

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return frame_bytes(self.subtype, self.channels)


def read_wav_header(pipe: RawIOBase) -> PipeFormat:
    """Read a WAV header, up to where its samples begin.

    Args:
        pipe: Positioned at the start; need not be seekable.

    Raises:
        AudioError: It is no WAV, or one of an encoding that cannot be read as it comes.
    """
    remedy = "pipe WAV of integers or floats (ffmpeg ... -f wav -), or say what the raw samples are"
    start = _exactly(pipe, 12)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        raise AudioError(f"standard input is no WAV (it begins with {start[:4]!r}); {remedy}")
    layout: tuple[int, int, int, int] | None = None
    long_size = 0
    while True:
        name, size = struct.unpack("<4sI", _exactly(pipe, 8))
        if name == b"data":
            break
        if size > _MAX_CHUNK_BYTES:
            raise AudioError(f"the WAV header holds a chunk of {size} bytes; {remedy}")
        body = _exactly(pipe, size + size % 2)
        if name == b"ds64" and size >= 16:
            long_size = struct.unpack("<Q", body[8:16])[0]
        if name == b"fmt " and size >= 16:
            code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if code == _EXTENSIBLE and size >= 26:
                code = struct.unpack("<H", body[24:26])[0]
            layout = code, channels, rate, bits
    if layout is None or (layout[0], layout[3]) not in _SUBTYPES:
        raise AudioError(f"the WAV header names no encoding that can be streamed; {remedy}")
    code, channels, rate, bits = layout
    known = tells_length(size)
    if start[:4] == b"RF64" and size == UNKNOWN_BYTES:
        size, known = long_size, 0 < long_size < 1 << 63
    form = PipeFormat(rate, channels, _SUBTYPES[code, bits])
    frames = size // form.frame_bytes if known else None
    return replace(form, frames=frames)


def wav_header(form: PipeFormat) -> bytes:
    """The header that goes before samples of a format; lengths nobody knows are left open."""
    code, bits = _CODES[form.subtype]
    width = form.frame_bytes
    data = UNKNOWN_BYTES if form.frames is None else min(form.frames * width, UNKNOWN_BYTES)
    plain = struct.pack(
        "<HHIIHH",
        code if form.channels <= 2 else _EXTENSIBLE,
        form.channels,
        form.sample_rate,
        form.sample_rate * width,
        width,
        bits,
    )
    if form.channels > 2:
        plain += struct.pack("<HHIH", 22, bits, 0, code) + _GUID_TAIL
    total = min(UNKNOWN_BYTES, 4 + 8 + len(plain) + 8 + data)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", total, b"WAVE", b"fmt ", len(plain))
        + plain
        + struct.pack("<4sI", b"data", data)
    )


def read_blocks(
    read_some: Callable[[int], bytes | None], form: PipeFormat, frames: int
) -> Iterator[NDArray[np.float32]]:
    """Yield samples as they come, without waiting for a block to fill.

    Args:
        read_some: Returns at most so many bytes, as soon as there are any; nothing at the end.
        form: The layout of the bytes.
        frames: The longest block.

    Yields:
        Blocks of shape (channels, time).

    Raises:
        AudioError: Samples are no numbers, or fewer came than the header says.
    """
    width = form.frame_bytes
    rest, done = b"", 0
    while form.frames is None or done < form.frames:
        wanted = frames if form.frames is None else min(frames, form.frames - done)
        data = read_some(wanted * width - len(rest))
        if not data:
            break
        data = rest + data
        whole = len(data) // width * width
        rest = data[whole:]
        if whole == 0:
            continue
        block = _decoded(data[:whole], form.subtype).reshape(-1, form.channels)
        if not np.abs(block).max() <= MAX_ABSOLUTE_SAMPLE:
            second = done / form.sample_rate
            raise AudioError(
                f"standard input holds no audio at {second:.2f} s (NaN, infinite or huge)"
            )
        done += len(block)
        yield np.ascontiguousarray(block.T)
    if done == 0:
        raise AudioError("standard input holds no samples; check the command before the pipe")
    if form.frames is not None and done < form.frames:
        raise AudioError(f"standard input ended early: {done} of {form.frames} frames came")


def encoded(block: NDArray[np.float32], subtype: str) -> bytes:
    """Samples of shape (channels, time) as interleaved bytes; only floats pass full scale."""
    code, bits = _CODES[subtype]
    samples = np.ascontiguousarray(block.T)
    if code == _FLOAT:
        return samples.astype("<f4" if bits == 32 else "<f8").tobytes()
    numbers = steps(samples, bits)
    if bits == 8:
        return (numbers + 128).astype(np.uint8).tobytes()
    if bits == 24:
        wide = numbers.astype("<i4").reshape(-1, 1).view(np.uint8)
        return wide[:, :3].tobytes()
    return numbers.astype(f"<i{bits // 8}").tobytes()


def _decoded(data: bytes, subtype: str) -> NDArray[np.float32]:
    code, bits = _CODES[subtype]
    if code == _FLOAT:
        return np.frombuffer(data, "<f4" if bits == 32 else "<f8").astype(np.float32)
    if bits == 8:
        numbers = np.frombuffer(data, np.uint8).astype(np.float32) - 128
    elif bits == 24:
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        numbers = (wide.view("<i4").reshape(-1) >> 8).astype(np.float32)
    else:
        numbers = np.frombuffer(data, f"<i{bits // 8}").astype(np.float32)
    return numbers * np.float32(2.0 ** (1 - bits))


def _exactly(pipe: RawIOBase, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = pipe.read(count - len(data))
        if not more:
            raise AudioError("standard input ended inside its WAV header; pipe a whole WAV")
        data += more
    return data
