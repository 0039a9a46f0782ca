"""The recording an example is given; or a made-up one, for it runs without any of yours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pedalboard.io import AudioFile

# First and second formant in Hz: ah, eh, ee, oh, oo.
VOWELS = [(730, 1090), (530, 1840), (270, 2290), (570, 840), (300, 870)]


def babble(seconds: float, sample_rate: int, seed: int = 1) -> NDArray[np.float32]:
    """Make vowels and hisses in the rhythm of speech.

    Args:
        seconds: length.
        sample_rate: in Hz.
        seed: of what is said.

    Returns:
        (time,), peaks near 0.5.
    """
    rng = np.random.default_rng(seed)
    voice = np.zeros(round(seconds * sample_rate), np.float32)
    start = round(0.4 * sample_rate)
    while start < voice.size:
        length = min(round(rng.uniform(0.12, 0.35) * sample_rate), voice.size - start)
        time_s = np.arange(length) / sample_rate
        if rng.random() < 0.25:
            sound = 0.1 * np.diff(rng.standard_normal(length + 1))
        else:
            pitch_hz = rng.uniform(95, 140) * (1 - 0.3 * time_s)
            phase = 2 * np.pi * np.cumsum(pitch_hz) / sample_rate
            formants = VOWELS[rng.integers(len(VOWELS))]
            sound = np.zeros(length)
            for harmonic in range(1, 40):
                hz = harmonic * 115
                strength = sum(1 / (1 + ((hz - formant) / 90) ** 2) for formant in formants)
                sound += (0.02 + strength) * np.sin(harmonic * phase) / harmonic**0.5
        sound *= np.hanning(length)
        voice[start : start + length] = 0.4 * sound / max(np.abs(sound).max(), 1e-9)
        start += length + round(rng.choice([0.02, 0.06, 0.3]) * sample_rate)
    return voice


def read_whole(path: Path) -> tuple[NDArray[np.float32], float]:
    """Read a recording; one without samples ends the example.

    Args:
        path: any format that pedalboard reads.

    Returns:
        (channels, time), and the rate in Hz.
    """
    with AudioFile(str(path)) as file:
        if not file.frames:  # which pedalboard would not read
            raise SystemExit(f"{path} holds no samples; give another recording")
        return file.read(file.frames), file.samplerate


def made_up(path: Path, seconds: float = 6.0, sample_rate: int = 48_000) -> Path:
    """Write a stereo recording: a voice in hiss, which grows in the second half.

    Args:
        path: where to write.
        seconds: length.
        sample_rate: in Hz.

    Returns:
        The path.
    """
    voice = babble(seconds, sample_rate)
    hiss = np.random.default_rng(2).standard_normal((2, voice.size))
    level = np.where(np.arange(voice.size) < voice.size // 2, 0.02, 0.08)
    path.parent.mkdir(parents=True, exist_ok=True)
    with AudioFile(str(path), "w", sample_rate, num_channels=2) as file:
        file.write((voice + level * hiss).astype(np.float32))
    return path
