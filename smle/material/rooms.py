"""Rooms: what a room adds to speech, and how much of it an enhancer should keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from smle.errors import AudioError, CorpusError
from smle.files.audio import find_audio, read
from smle.files.paths import shown

Signal = NDArray[np.float32]

EARLY_S = 0.05
_FADE_S = 0.01
_BEFORE_DIRECT_S = 0.002


class Rooms:
    """Room responses, each split into an early part (50 ms) and the late rest.

    Args:
        responses: Impulse responses of shape (time,), each with the direct sound as its peak.
        sample_rate: Samples per second of the responses.
    """

    def __init__(self, responses: list[Signal], *, sample_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self._parts = [_split(response, sample_rate) for response in responses]
        self._spectra: dict[int, list[tuple[NDArray[np.complex64], NDArray[np.complex64]]]] = {}

    def __len__(self) -> int:
        """Count the rooms."""
        return len(self._parts)

    def apply(self, speech: Signal, index: int, *, late_gain: float = 1.0) -> tuple[Signal, Signal]:
        """Put speech into a room.

        Args:
            speech: Samples of shape (time,).
            index: Which room.
            late_gain: Gain of all that comes later than 50 ms after the direct sound; below 1 it
                stands for a talker nearer to the microphone.

        Returns:
            The reverberant speech, and its early part: the target of an enhancer. Both have
            the shape of ``speech`` and are aligned with it.
        """
        longest = max(len(whole) for whole, _, _ in self._parts)
        size = fft.next_fast_len(len(speech) + longest, real=True)
        if size not in self._spectra:
            self._spectra[size] = [
                (fft.rfft(early, size), fft.rfft(whole - early, size))
                for whole, early, _ in self._parts
            ]
        early, late = self._spectra[size][index]
        delay = self._parts[index][2]
        spectrum = fft.rfft(speech, size)
        target: Signal = fft.irfft(spectrum * early, size)[delay : delay + len(speech)]
        spectrum *= late
        rest: Signal = fft.irfft(spectrum, size)[delay : delay + len(speech)]
        return target + np.float32(late_gain) * rest, target


def read_responses(folder: str | Path, *, sample_rate: int = 16000) -> list[Signal]:
    """Read every response in a folder.

    Raises:
        CorpusError: No response is there, or one cannot be read.
    """
    paths = find_audio(Path(folder))
    if not paths:
        raise CorpusError(f"no room responses in {folder}: give a folder of audio files")
    try:
        responses = [read(p, sample_rate=sample_rate, mono=True)[0][0] for p in paths]
    except AudioError as error:
        raise CorpusError(str(error)) from None
    for path, response in zip(paths, responses, strict=True):
        if not response.any():
            raise CorpusError(f"{shown(path)}: is silent, and no room; remove it")
    return responses


def _split(response: Signal, sample_rate: int) -> tuple[Signal, Signal, int]:
    """Return the response with unit energy in its early part, that part, and its delay."""
    direct = int(np.abs(response).argmax())
    start = max(0, direct - round(_BEFORE_DIRECT_S * sample_rate))
    remaining = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    whole = response[start : max(int((remaining > 1e-4 * remaining[0]).sum()), direct + 1)]
    delay = direct - start
    fade = round(_FADE_S * sample_rate)
    steps = (np.arange(len(whole)) - delay - round(EARLY_S * sample_rate)) / fade
    early = whole * np.cos(np.clip(steps, 0, 1) * np.pi / 2) ** 2
    scale = 1 / np.sqrt(np.square(early).sum())
    return (whole * scale).astype(np.float32), (early * scale).astype(np.float32), delay
