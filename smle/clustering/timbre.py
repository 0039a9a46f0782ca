"""A simple description of how a recording sounds: its long-term spectrum and its movement."""

from __future__ import annotations

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from smle.material.decoded import Decoded

_BANDS = 24
_WINDOW_S = 0.032
_LONGEST_S = 30.0
_RANGE_DB = 60.0


def timbre(signal: NDArray[np.float32], *, sample_rate: int) -> NDArray[np.float32]:
    """Describe a recording whatever its level.

    Args:
        signal: Samples of shape (time,).
        sample_rate: Samples per second.

    Returns:
        For each of 24 bands, equally wide in mel: mean level in dB relative to the mean of all
        bands, standard deviation of the level, and mean absolute change from one window (32 ms)
        to the next; shape (72,).
    """
    window = round(_WINDOW_S * sample_rate)
    padded = np.pad(signal, (0, max(0, 2 * window - len(signal))))
    _, _, powers = scipy_signal.spectrogram(padded, sample_rate, nperseg=window, noverlap=0)
    bands = _band_matrix(powers.shape[0], sample_rate) @ powers
    floor = max(float(bands.max()) * 10 ** (-_RANGE_DB / 10), 1e-12)
    levels_db = 10 * np.log10(np.maximum(bands, floor))
    means = levels_db.mean(axis=1)
    change = np.abs(np.diff(levels_db, axis=1)).mean(axis=1)
    return np.concatenate([means - means.mean(), levels_db.std(axis=1), change]).astype(np.float32)


def corpus_timbre(recordings: Decoded, *, jobs: int = -1) -> NDArray[np.float32]:
    """Describe every recording (of long ones the first 30 s), each dimension standardised.

    Args:
        recordings: What to describe.
        jobs: Files at a time, -1 for as many as there are processors.

    Returns:
        Shape (recordings, 72): mean 0 and standard deviation 1 over the recordings.
    """
    rate = recordings.sample_rate

    def describe(index: int) -> NDArray[np.float32]:
        return timbre(recordings.excerpt(index, 0, round(_LONGEST_S * rate)), sample_rate=rate)

    rows = Parallel(n_jobs=jobs, prefer="threads")(
        delayed(describe)(index) for index in range(len(recordings))
    )
    points = np.stack(rows)
    spread = points.std(axis=0)
    standard: NDArray[np.float32] = (points - points.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return standard


def _band_matrix(bins: int, sample_rate: int) -> NDArray[np.float64]:
    frequencies_hz = np.linspace(0, sample_rate / 2, bins)
    mels = np.log1p(frequencies_hz / 700)
    band = np.minimum((mels / mels[-1] * _BANDS).astype(int), _BANDS - 1)
    matrix = (band[None, :] == np.arange(_BANDS)[:, None]).astype(np.float64)
    return np.asarray(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
