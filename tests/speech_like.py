"""Signals that sound enough like speech for every metric, made from numbers alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000


def speech_like(seconds: float = 4.6, seed: int = 0) -> NDArray[np.float64]:
    """Return syllables: gliding harmonics under formants, with pauses between words."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = 120 + 25 * np.sin(2 * np.pi * 0.7 * time_s + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    formant_hz = 1500 + 900 * np.sin(2 * np.pi * 1.3 * time_s + rng.uniform(0, 6))
    voice = np.zeros(time_s.size)
    for harmonic in range(1, 40):
        level = np.exp(-(((harmonic * pitch_hz - 500) / 500) ** 2))
        level += 0.5 * np.exp(-(((harmonic * pitch_hz - formant_hz) / 400) ** 2))
        voice += level * np.sin(harmonic * phase)
    hiss = np.diff(rng.standard_normal(time_s.size + 1))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time_s), 0, None) ** 0.5
    words = np.sin(2 * np.pi * 0.45 * time_s) > -0.6
    return 0.05 * words * (syllables * voice + 0.3 * (syllables < 0.2) * hiss)


def noise_like(seconds: float = 4.6, seed: int = 1) -> NDArray[np.float64]:
    """Return coloured noise of slowly changing level."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(round(seconds * RATE_HZ) + 1)
    time_s = np.arange(white.size - 1) / RATE_HZ
    return 0.02 * (white[1:] + 0.9 * white[:-1]) * (1 + 0.5 * np.sin(2 * np.pi * 0.4 * time_s))


def cases() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return estimates and clean references by name; the golden files hold their scores."""
    clean, noise = speech_like(), noise_like()
    return {
        "noisy": (clean + noise, clean),
        "loud noise": (clean + 4 * noise, clean),
        "faint noise": (clean + 0.01 * noise, clean),
        "half level": (0.5 * (clean + noise), clean),
        "clipped": (np.clip(clean, -0.05, 0.05), clean),
        "offset": (clean + noise + 0.01, clean),
        "delayed": (np.concatenate([np.zeros(32), clean[:-32]]) + 0.1 * noise, clean),
        "inverted": (-clean - noise, clean),
    }
