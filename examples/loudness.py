"""Integrated loudness of a programme after ITU-R BS.1770-4."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

BLOCK_S, HOP_S = 0.4, 0.1
SILENCE_LUFS = -70.0


def integrated_loudness(audio: NDArray[np.float32], sample_rate: int) -> float:
    """Measure how loud a programme is on the whole.

    Args:
        audio: (channels, time), one or two channels.
        sample_rate: in Hz.

    Returns:
        LUFS; minus infinity if no block is louder than -70 LUFS.
    """
    heard = _k_weighted(audio, sample_rate)
    block, hop = round(BLOCK_S * sample_rate), round(HOP_S * sample_rate)
    starts = range(0, heard.shape[1] - block + 1, hop)
    power = np.array([(heard[:, n : n + block] ** 2).mean(axis=1).sum() for n in starts])
    power = power[power > 10 ** ((SILENCE_LUFS + 0.691) / 10)]
    if not power.size:
        return -math.inf
    power = power[power > power.mean() / 10]  # 10 LU below the mean of all blocks
    return -0.691 + 10 * math.log10(power.mean())


def _k_weighted(audio: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """Filter as the ear in a head hears: a high shelf, then a highpass."""
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    rest = [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]
    shelf = [high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k]
    shelved = lfilter(shelf, rest, audio)
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    rest = [1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k]
    return np.asarray(lfilter(np.multiply([1, -2, 1], rest[0]), rest, shelved))
