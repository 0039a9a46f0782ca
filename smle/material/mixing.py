"""Speech plus noise at an exact signal-to-noise ratio.

The power of speech is its mean over the *active* frames: those of 20 ms whose power lies
within 40 dB of the loudest frame's. The power of noise is its mean over all samples. So
pauses in the speech do not change the ratio.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from smle.errors import AudioError

FRAME_S = 0.02
ACTIVE_RANGE_DB = 40.0


def active_power(speech: NDArray[np.float32], *, sample_rate: int = 16000) -> float:
    """Return the mean power of the active frames of speech.

    Args:
        speech: Samples of shape (..., time).
        sample_rate: Samples per second.

    >>> speech = np.concatenate([np.full(320, 0.5), np.zeros(320)]).astype(np.float32)
    >>> active_power(speech)
    0.25
    """
    frame = min(round(FRAME_S * sample_rate), speech.shape[-1])
    if frame == 0:
        return 0.0
    whole = speech.shape[-1] // frame * frame
    frames = speech[..., :whole].reshape(-1, frame)
    powers = np.einsum("ft,ft->f", frames, frames) / frame
    active = powers > powers.max() * 10 ** (-ACTIVE_RANGE_DB / 10)
    return float(powers[active].mean(dtype=np.float64)) if active.any() else 0.0


def mean_power(signal: NDArray[np.float32]) -> float:
    """Return the mean square of a signal of any shape."""
    flat = signal.reshape(-1)
    return float(np.dot(flat, flat)) / flat.size if flat.size else 0.0


def snr_db_of(
    clean: NDArray[np.float32], noise: NDArray[np.float32], *, sample_rate: int = 16000
) -> float:
    """Return the SNR in dB: infinite without noise, minus infinite without speech.

    Args:
        clean: Speech of shape (..., time).
        noise: Noise of the same shape.
        sample_rate: Samples per second.

    >>> tone = np.sin(np.arange(16000, dtype=np.float32))
    >>> round(snr_db_of(tone, tone / 10), 3)
    20.0
    """
    speech_power = active_power(clean, sample_rate=sample_rate)
    noise_power = mean_power(noise)
    if speech_power == 0:
        return -math.inf
    if noise_power == 0:
        return math.inf
    return 10 * math.log10(speech_power / noise_power)


def mixture_snr_db(
    noisy: NDArray[np.float32], clean: NDArray[np.float32], *, sample_rate: int = 16000
) -> float:
    """Return the SNR of a mixture in dB, at whatever level its clean signal is given.

    Args:
        noisy: Speech and noise, shape (..., time).
        clean: The speech, same shape, perhaps louder or softer than it is in the mixture.
        sample_rate: Samples per second.

    >>> clean = np.sin(np.arange(16000, dtype=np.float32))
    >>> noise = np.cos(np.arange(16000, dtype=np.float32))
    >>> round(mixture_snr_db(clean + 0.1 * noise, 8 * clean), 1)
    20.0
    """
    reference = clean.astype(np.float64)
    energy = float(np.vdot(reference, reference))
    gain = float(np.vdot(noisy, reference)) / energy if energy else 0.0
    speech = (gain * reference).astype(np.float32)
    return snr_db_of(speech, noisy - speech, sample_rate=sample_rate)


def mix_at_snr(
    clean: NDArray[np.float32],
    noise: NDArray[np.float32],
    snr_db: float,
    *,
    sample_rate: int = 16000,
) -> NDArray[np.float32]:
    """Return the noise scaled so that ``clean + noise`` has the given signal-to-noise ratio.

    Args:
        clean: Speech of shape (..., time).
        noise: Noise of the same shape.
        snr_db: Ratio wanted.
        sample_rate: Samples per second.

    Returns:
        Noise of the same shape; ``snr_db_of(clean, it)`` is ``snr_db``.

    Raises:
        AudioError: Speech or noise is silent.
    """
    speech_power = active_power(clean, sample_rate=sample_rate)
    noise_power = mean_power(noise)
    if speech_power == 0 or noise_power == 0:
        silent = "speech" if speech_power == 0 else "noise"
        raise AudioError(f"the {silent} is silent: no SNR of {snr_db:g} dB can be set; use another")
    gain = math.sqrt(speech_power / noise_power) * 10 ** (-snr_db / 20)
    return (noise * np.float32(gain)).astype(np.float32, copy=False)
