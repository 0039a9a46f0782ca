"""Audio files in and out: any rate, channels and depth, whole or in blocks, never half-written.

Arrays are float32 of shape (channels, time), full scale at +-1.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from smle.errors import AudioError
from smle.files.audio_writer import AudioWriter as AudioWriter
from smle.files.audio_writer import write as write
from smle.files.formats import CONTAINER_SUFFIXES, WAV_FORMATS, SequentialFile, tells_length
from smle.files.lengths import Length, length_of, truncated
from smle.files.loudspeakers import read_speakers
from smle.files.paths import find_audio as find_audio
from smle.files.paths import shown
from smle.files.wav_chunks import read_chunks

MIN_SAMPLE_RATE = 4_000
MAX_SAMPLE_RATE = 384_000
MAX_CHANNELS = 64
MAX_ABSOLUTE_SAMPLE = 1e6
"""Float files may pass full scale, by the 90 dB of unscaled 16-bit numbers, but not by 120 dB."""

BLOCK_FRAMES = 1 << 16
_MOST_HEADER_BYTES = 8192

# libsndfile's log tells when a header promises more bytes than the file holds.
_PROMISED_AND_HELD = re.compile(
    r"^ *(?:data|SSND|Data Size|riff|Riff size) *: *(\d+) \(should be (\d+)\)", re.MULTILINE
)
# Of a W64 file it says what the header promises, and not that less is there.
_W64_PROMISED_AND_HELD = re.compile(r"^Length : (?P<held>\d+)$\s^riff : (?P<promised>\d+)$", re.M)


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says; `frames` is an estimate where it says nothing certain."""

    path: Path
    sample_rate: int
    channels: int
    frames: int
    format: str
    subtype: str
    exact: bool = True

    @property
    def seconds(self) -> float:
        """The duration."""
        return self.frames / self.sample_rate


class AudioReader:
    """One file, decoded from start to end in blocks; a context manager.

    Attributes:
        info: What the header says.
        tags: Title, artist and the like, as far as the format keeps them.
        speakers: The loudspeaker of each channel, see `read_speakers`.

    Raises:
        AudioError: On entering, if the file cannot be opened; from `blocks`, if it is damaged,
            shorter than its header says, or holds samples that are no numbers.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.info: AudioInfo
        self.tags: dict[str, str] = {}
        self.speakers: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        self._file, length = _open(self.path)
        try:
            self.info = _check(self.path, self._file, length)
            self.tags = self._file.copy_metadata()
            if isinstance(self._file, sf.SoundFile):
                self.speakers = read_speakers(self._file)
        except AudioError:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def chunks(self) -> bytes:
        """Of a WAV file: time codes, cue points and the like, see `read_chunks`."""
        return read_chunks(self.path) if self.info.format in WAV_FORMATS else b""

    def blocks(self, frames: int = BLOCK_FRAMES) -> Iterator[NDArray[np.float32]]:
        """Decode the rest of the file.

        Args:
            frames: Length of every block but the last.

        Yields:
            Blocks of shape (channels, time), float32.
        """
        done = 0
        rate, promised = self.info.sample_rate, self.info.frames if self.info.exact else None
        while promised is None or done < promised:
            # Not beyond the end: tags that follow there would look like damage.
            wanted = frames if promised is None else min(frames, promised - done)
            try:
                block = self._file.read(wanted, dtype="float32", always_2d=True)
            except (sf.SoundFileError, OSError, ValueError) as error:
                raise AudioError(
                    f"{shown(self.path)}: damaged after {done / rate:.2f} s ({_reason(error)}); "
                    "repair or re-encode it"
                ) from error
            if len(block) == 0:
                break
            _check_samples(self.path, block, done, rate)
            done += len(block)
            yield np.ascontiguousarray(block.T)
        if done == 0:
            raise AudioError(f"{shown(self.path)}: holds no samples; remove it or record it again")
        if promised is not None and done < promised:
            raise truncated(self.path, done, promised, "frames")


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Read a file's header.

    Args:
        path: An audio file.

    Returns:
        Rate, channels, length and encoding.

    Raises:
        AudioError: The file is missing, no audio, empty, truncated or out of range.
    """
    with AudioReader(path) as reader:
        return reader.info


def read(
    path: str | os.PathLike[str], *, sample_rate: int | None = None, mono: bool = False
) -> tuple[NDArray[np.float32], int]:
    """Read a whole file.

    Args:
        path: An audio file.
        sample_rate: Resample to this rate, in Hz; None keeps the file's own.
        mono: Average the channels into one.

    Returns:
        Samples of shape (channels, time), and their rate in Hz.

    Raises:
        AudioError: The file cannot be decoded from start to end.
    """
    with AudioReader(path) as reader:
        audio = np.concatenate(list(reader.blocks()), axis=1)
        rate = reader.info.sample_rate
    if mono and len(audio) > 1:
        audio = audio.mean(axis=0, keepdims=True, dtype=np.float32)
    if sample_rate is not None and sample_rate != rate:
        audio = np.ascontiguousarray(soxr.resample(audio.T, rate, sample_rate).T)
        rate = sample_rate
    return audio, rate


def _open(path: Path) -> tuple[Any, Length]:
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise AudioError(f"{shown(path)}: is {kind}; give an audio file")
        if size == 0:
            raise AudioError(f"{shown(path)}: is empty; copy it again")
        if path.suffix.lower() in CONTAINER_SUFFIXES:
            return _through_pyav(path)
        with path.open("rb"):  # for the system's own words: libsndfile only says "System error"
            file = SequentialFile(os.fsencode(path))
        length = length_of(path, file)
        if length.all_found:
            return file, length
        file.close()
        return _through_pyav(path, format=file.format, subtype=file.subtype)
    except (OSError, ValueError) as error:
        raise AudioError(f"{shown(path)}: cannot be opened ({_reason(error)})") from error
    except sf.SoundFileError as error:
        raise AudioError(
            f"{shown(path)}: no audio that can be read ({_reason(error)}); "
            "convert it to wav, flac, mp3, ogg or aiff"
        ) from error


def _through_pyav(path: Path, **names: str) -> tuple[Any, Length]:
    from smle.files.containers import ContainerFile

    file = ContainerFile(path, **names)
    return file, Length(file.frames, exact=False)


def _check(path: Path, file: Any, length: Length) -> AudioInfo:
    info = AudioInfo(
        path,
        file.samplerate,
        file.channels,
        length.frames,
        file.format,
        file.subtype,
        length.exact,
    )
    if info.frames == 0:
        raise _empty(path, info.format)
    if not MIN_SAMPLE_RATE <= info.sample_rate <= MAX_SAMPLE_RATE:
        raise AudioError(
            f"{shown(path)}: sample rate {info.sample_rate} Hz is outside "
            f"{MIN_SAMPLE_RATE}-{MAX_SAMPLE_RATE} Hz; resample it or mend its header"
        )
    if info.channels > MAX_CHANNELS:
        raise AudioError(
            f"{shown(path)}: {info.channels} channels are more than {MAX_CHANNELS}; split the file"
        )
    found = _PROMISED_AND_HELD.findall(file.extra_info)
    if w64 := _W64_PROMISED_AND_HELD.search(file.extra_info):
        found.append((w64["promised"], w64["held"]))
    for promised, held in found:
        if int(held) < int(promised) and tells_length(int(promised)):
            raise truncated(path, int(held), int(promised), "bytes")
    return info


def _empty(path: Path, format: str) -> AudioError:
    """The error of a file without samples, or with none that its header knows of."""
    if path.stat().st_size < _MOST_HEADER_BYTES:
        return AudioError(f"{shown(path)}: holds no samples; remove it or record it again")
    piped = f", or pipe it: smle enhance - OUT.wav < {shown(path)}" if format == "WAV" else ""
    return AudioError(
        f"{shown(path)}: its header says that it holds no samples, as where a recorder was cut "
        f"off; repair it{piped}"
    )


def _check_samples(path: Path, block: NDArray[np.float32], start: int, rate: int) -> None:
    # One pass: a NaN survives max(), and every comparison with it is false.
    if max(block.max(), -block.min()) <= MAX_ABSOLUTE_SAMPLE:
        return
    bad = ~(np.abs(block) <= MAX_ABSOLUTE_SAMPLE)
    frame = int(bad.any(axis=1).argmax())
    value = block[frame][bad[frame]][0]
    raise AudioError(
        f"{shown(path)}: sample value {value:g} at {(start + frame) / rate:.3f} s is no audio; "
        "render the file again"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = getattr(error, "error_string", None) or str(error)
    if "is not a regular file" in text:  # which was looked at before; libsndfile has nothing better
        return "of no known format"
    return " ".join(str(text).split()).removeprefix("Error : ").rstrip(".") or type(error).__name__
