"""Noises that need no recording: coloured, hum, clicks and chords."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Signal = NDArray[np.float32]


def synthetic_noise(rng: np.random.Generator, length: int, *, sample_rate: int) -> Signal:
    """Return a noise of a random synthetic kind."""
    kind = rng.choice(["coloured", "clicks", "hum", "chords"], p=[0.5, 0.25, 0.1, 0.15])
    match kind:
        case "coloured":
            return coloured_noise(rng, length)
        case "clicks":
            return clicks(rng, length, sample_rate=sample_rate)
        case "hum":
            return hum(rng, length, sample_rate=sample_rate)
        case _:
            return chords(rng, length, sample_rate=sample_rate)


def coloured_noise(rng: np.random.Generator, length: int) -> Signal:
    """Return stationary noise whose power falls by 0 (white) to 6 dB per octave (brown)."""
    size = fft.next_fast_len(length, real=True)
    spectrum = fft.rfft(rng.standard_normal(size, dtype=np.float32))
    exponent = rng.uniform(0, 2) / 2
    bins = np.arange(len(spectrum), dtype=np.float32)
    spectrum *= np.maximum(bins, size / 512) ** np.float32(-exponent)
    noise: Signal = fft.irfft(spectrum, size)[:length]
    return noise


def hum(rng: np.random.Generator, length: int, *, sample_rate: int) -> Signal:
    """Return mains hum: harmonics of 50 or 60 Hz."""
    base_hz = rng.choice([50.0, 60.0]) * rng.uniform(0.998, 1.002)
    return _harmonics(rng, length, base_hz, count=12, sample_rate=sample_rate)


def clicks(rng: np.random.Generator, length: int, *, sample_rate: int) -> Signal:
    """Return short bursts at random times, as of keys, knocks and a touched microphone."""
    signal = np.zeros(length, np.float32)
    for _ in range(max(1, rng.poisson(rng.uniform(0.5, 6) * length / sample_rate))):
        decay_s = 10 ** rng.uniform(-3.3, -1.5)
        size = min(length, round(8 * decay_s * sample_rate) + 8)
        burst = rng.standard_normal(size, dtype=np.float32)
        if rng.random() < 0.5:
            window = np.hanning(rng.integers(4, 24)).astype(np.float32)
            burst = np.convolve(burst, window, mode="same")
        burst *= np.exp(-np.arange(size) / (decay_s * sample_rate))
        start = int(rng.integers(length))
        stop = min(length, start + size)
        signal[start:stop] += (burst[: stop - start] * 10 ** rng.uniform(-1, 0)).astype(np.float32)
    return signal


def chords(rng: np.random.Generator, length: int, *, sample_rate: int) -> Signal:
    """Return music-like sound: decaying chords of harmonic notes."""
    signal = np.zeros(length, np.float32)
    start = 0
    while start < length:
        size = min(length - start, round(rng.uniform(0.25, 1.0) * sample_rate))
        envelope = np.exp(-np.arange(size, dtype=np.float32) / (rng.uniform(0.2, 2) * sample_rate))
        envelope *= np.minimum(1, np.arange(size, dtype=np.float32) / (0.005 * sample_rate))
        for semitone in rng.choice(36, size=rng.integers(1, 4), replace=False):
            note = _harmonics(
                rng, size, 110 * 2 ** (semitone / 12), count=5, sample_rate=sample_rate
            )
            signal[start : start + size] += note * envelope
        start += size
    return signal


def _harmonics(
    rng: np.random.Generator, length: int, base_hz: float, *, count: int, sample_rate: int
) -> Signal:
    phase = (2 * np.pi * base_hz / sample_rate * np.arange(length)).astype(np.float32)
    signal = np.zeros(length, np.float32)
    for harmonic in range(1, count + 1):
        if harmonic * base_hz < sample_rate / 2:
            offset = np.float32(rng.uniform(0, 2 * np.pi))
            amplitude = np.float32(rng.uniform(0.2, 1) / harmonic)
            signal += amplitude * np.sin(np.float32(harmonic) * phase + offset)
    return signal
