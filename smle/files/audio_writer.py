"""Audio files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from smle.errors import AudioError
from smle.files.encodings import INTEGER_BITS, UNLIMITED, steps
from smle.files.formats import (
    LIMITED_FORMATS,
    MOST_BYTES,
    WAV_FORMATS,
    SequentialFile,
    check_holds,
    format_of,
    frame_bytes,
    target_for,
)
from smle.files.loudspeakers import write_speakers
from smle.files.part_files import PartFile, part_path, sync_folder
from smle.files.paths import shown
from smle.files.tags import id3_tag, write_tags
from smle.interrupts import hold_interrupts

# SFC_RF64_AUTO_DOWNGRADE in sndfile.h; soundfile has no name for it.
_RF64_AUTO_DOWNGRADE = 0x1210


class AudioWriter:
    """Writes one file in blocks under a temporary name, then gives it its own; a context manager.

    Leaving it normally flushes the file to the disk and renames it; leaving it through an error
    removes it. What stands under `path` changes only at that rename.

    Args:
        path: The file to write; its folder must exist.
        sample_rate: In Hz.
        channels: How many rows the blocks have.
        format: As libsndfile names it.
        subtype: As libsndfile names it.
        tags: Title, artist and the like, as `AudioReader.tags`.
        speakers: The loudspeaker of each channel, as `AudioReader.speakers`.
        chunks: What else a WAV file is to hold, as `AudioReader.chunks`; other formats leave it.
        overwrite: Replace a file of that name; otherwise an existing one is an error.

    Attributes:
        clipped: Samples so far that passed full scale and were limited to it.

    Raises:
        AudioError: The file cannot be written, or stands already.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        channels: int,
        *,
        format: str,
        subtype: str,
        tags: Mapping[str, str] | None = None,
        speakers: Sequence[int] = (),
        chunks: bytes = b"",
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.sample_rate = sample_rate
        self.channels = channels
        self.format = format
        self.subtype = subtype
        self.tags = dict(tags or {})
        self.speakers = speakers
        self.chunks = chunks if format in WAV_FORMATS else b""
        self.overwrite = overwrite
        self.clipped = 0
        self._bytes = 0
        self._part = part_path(self.path)

    def __enter__(self) -> Self:
        if not self.overwrite and self.path.exists():
            raise self._exists()
        try:
            check_holds(self.format, self.subtype, self.sample_rate, self.channels)
        except AudioError as error:
            raise AudioError(f"{shown(self.path)}: {error}") from None
        try:
            before = id3_tag(self.tags) if self.format == "MP3" else b""
            self._stream = PartFile(self._part, before)
        except OSError as error:
            raise self._failed(error) from error
        try:
            with hold_interrupts():
                self._file = SequentialFile(
                    self._stream,
                    "w",
                    self.sample_rate,
                    self.channels,
                    format=self.format,
                    subtype=self.subtype,
                )
                if self.format == "RF64":
                    _become_wav_if_short(self._file)
            write_speakers(self._file, self.speakers)
            if self.format != "MP3":
                write_tags(self._file, self.tags)
        except (sf.SoundFileError, ValueError, TypeError) as error:
            self._discard()
            if self._stream.error is not None:
                raise self._failed(self._stream.error) from error
            raise AudioError(
                f"{shown(self.path)}: {self.format} {self.subtype} cannot hold {self.channels} "
                f"channels at {self.sample_rate} Hz; choose another format"
            ) from error
        except KeyboardInterrupt:
            self._discard()
            raise
        return self

    def write(self, block: NDArray[np.float32]) -> None:
        """Append samples.

        Args:
            block: Shape (channels, time).
        """
        samples = np.ascontiguousarray(block.T)
        self._bytes += len(samples) * frame_bytes(self.subtype, self.channels)
        if self._bytes > MOST_BYTES and self.format in LIMITED_FORMATS:
            raise AudioError(
                f"{shown(self.path)}: passes 4 GiB, which is more than {self.format} can hold; "
                "choose flac"
            )
        if self.subtype not in UNLIMITED:
            over = int(np.count_nonzero(np.abs(samples) > 1.0))
            if over:
                self.clipped += over
                samples = np.clip(samples, -1.0, 1.0)
        try:
            with hold_interrupts():
                self._file.write(_quantised(samples, INTEGER_BITS.get(self.subtype)))
        except (sf.SoundFileError, AssertionError) as error:
            raise self._failed(self._stream.error or error) from error
        if self._stream.error is not None:
            raise self._failed(self._stream.error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._discard()
            return
        try:
            with hold_interrupts():
                self._file.close()
            if self._stream.error is not None:
                raise self._stream.error
            if self.format == "AIFF":
                width = frame_bytes(self.subtype, self.channels)
                self._stream.mend_aiff_sizes(self._bytes, width)
            if self.chunks:
                self._stream.append_chunks(self.chunks)
            self._stream.sync()
            self._commit()
            sync_folder(self.path.parent)
        except FileExistsError as cause:
            raise self._exists() from cause
        except (sf.SoundFileError, OSError) as cause:
            raise self._failed(cause) from cause
        finally:
            self._discard()

    def _commit(self) -> None:
        if self.overwrite:
            self._part.replace(self.path)
            return
        try:
            self.path.hardlink_to(self._part)  # unlike a rename, refuses to replace
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if self.path.exists():
                raise FileExistsError from None
            self._part.rename(self.path)

    def _discard(self) -> None:
        with hold_interrupts():
            if hasattr(self, "_file"):
                with contextlib.suppress(sf.SoundFileError):
                    self._file.close()
            self._stream.close()
            self._part.unlink(missing_ok=True)

    def _exists(self) -> AudioError:
        return AudioError(f"{shown(self.path)}: exists already and is kept; allow overwriting it")

    def _failed(self, error: Exception) -> AudioError:
        reason = (isinstance(error, OSError) and error.strerror) or str(error) or "unknown reason"
        return AudioError(f"{shown(self.path)}: cannot be written ({reason})")


def write(
    path: str | os.PathLike[str],
    audio: NDArray[np.float32],
    sample_rate: int,
    *,
    format: str | None = None,
    subtype: str | None = None,
    tags: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> int:
    """Write a whole file, or nothing.

    Args:
        path: The file to write; its folder must exist.
        audio: Shape (channels, time).
        sample_rate: In Hz.
        format: `wav`, `flac`, `mp3`, `ogg`, `opus` or `aiff`; None takes it from the name.
        subtype: As libsndfile names it; None means 16 bits, or the format's own codec.
        tags: Title, artist and the like.
        overwrite: Replace a file of that name.

    Returns:
        How many samples were limited to full scale.

    Raises:
        AudioError: The file cannot be written, or stands already.
    """
    wanted = format or format_of(Path(path))
    target = target_for("WAV", "PCM_16", wanted=wanted, wanted_subtype=subtype)
    with AudioWriter(
        path,
        sample_rate,
        len(audio),
        format=target.format,
        subtype=target.subtype,
        tags=tags,
        overwrite=overwrite,
    ) as writer:
        writer.write(audio)
    return writer.clipped


def _become_wav_if_short(file: sf.SoundFile) -> None:
    """Let an RF64 file that ends below 4 GiB be a plain WAV, which every program reads."""
    sf._snd.sf_command(file._file, _RF64_AUTO_DOWNGRADE, sf._ffi.NULL, 1)


def _quantised(samples: NDArray[np.float32], bits: int | None) -> NDArray[np.generic]:
    """Round to integers by the scale files are read with: libsndfile's own would lose 1 LSB."""
    if bits is None:
        return samples
    numbers = steps(samples, bits)
    if bits <= 16:
        return numbers.astype(np.int16) << (16 - bits)
    return numbers.astype(np.int64).astype(np.int32) << (32 - bits)
