"""The sound of m4a, aac and video files, decoded by PyAV (the `av` extra)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smle.errors import AudioError
from smle.files.paths import shown


class ContainerFile:
    """The first sound track of a container, with the part of soundfile's interface that is used.

    Args:
        path: An existing file.
        format: libsndfile's name of the format, if it knows it and PyAV only knows it better.
        subtype: libsndfile's name of the encoding, in that case.

    Raises:
        AudioError: PyAV is not installed, or the file holds no sound that it can decode.
    """

    extra_info = ""

    def __init__(self, path: Path, format: str = "CONTAINER", subtype: str | None = None) -> None:
        try:
            import av
        except ImportError as error:
            what = path.suffix if subtype is None else "what follows its first part"
            raise AudioError(
                f"{shown(path)}: {what} needs PyAV; install it with: pip install 'smle[av]'"
            ) from error
        self.format = format
        self._errors = av.FFmpegError
        try:
            self._container = av.open(str(path), metadata_errors="replace")
        except av.FFmpegError as error:
            raise AudioError(
                f"{shown(path)}: no audio that can be read ({error.strerror})"
            ) from error
        if not self._container.streams.audio:
            self._container.close()
            raise AudioError(f"{shown(path)}: has no sound track; nothing to enhance")
        stream = self._container.streams.audio[0]
        if stream.codec_context is None:
            self._container.close()
            raise AudioError(f"{shown(path)}: its sound is of an unknown codec; convert it to wav")
        self.samplerate = int(stream.codec_context.sample_rate)
        self.channels = int(stream.codec_context.channels)
        self.subtype = subtype or _subtype(stream.codec_context)
        seconds = (
            float(stream.duration * stream.time_base)
            if stream.duration is not None and stream.time_base is not None
            else (self._container.duration or 0) / av.time_base
        )
        self.frames = max(1, round(seconds * self.samplerate))
        self._resampler = av.AudioResampler(format="flt", rate=self.samplerate)
        self._frames = self._container.decode(stream)
        self._rest = np.zeros((0, self.channels), np.float32)

    def read(self, frames: int, dtype: str, always_2d: bool) -> NDArray[np.float32]:
        """Decode up to `frames` frames of shape (time, channels); fewer only at the end."""
        parts, count = [self._rest], len(self._rest)
        while count < frames:
            try:
                frame = next(self._frames, None)
            except self._errors as error:
                raise ValueError(error.strerror) from error
            if frame is None:
                break
            for packed in self._resampler.resample(frame):
                part = np.asarray(packed.to_ndarray(), np.float32).reshape(-1, self.channels)
                parts.append(part)
                count += len(part)
        audio = np.concatenate(parts)
        self._rest = audio[frames:]
        return audio[:frames]

    def copy_metadata(self) -> dict[str, str]:
        """The tags that audio formats share."""
        known = ("title", "artist", "album", "date", "genre", "comment", "copyright")
        found = {key.lower(): text for key, text in self._container.metadata.items()}
        return {name: found[name] for name in known if name in found}

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _subtype(codec: Any) -> str:
    """The codec's name; or an encoding that holds what it decodes to: long integers, or floats."""
    name = str(codec.name)
    if name.startswith("pcm_f"):
        return "FLOAT" if name.startswith("pcm_f32") else "DOUBLE"
    long = codec.format is not None and codec.format.name in ("s32", "s32p")
    return "PCM_24" if long else name.upper()
