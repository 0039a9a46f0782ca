"""How loud a file is before and after, and how much quieter its noise became, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.files.encodings import largest_sample

FRAME_S = 0.02
QUIETEST = 0.1
SILENCE_DBFS = -120.0
MAX_NOISE_REMOVED_DB = 60.0
_BINS_PER_DB = 2
_N_BINS = 280 * _BINS_PER_DB


class LevelMeter:
    """Compares a noisy signal with its estimate while both pass by in blocks.

    Frames of 20 ms are sorted by the level of the noisy signal, so that the quietest tenth, where
    mostly noise is heard, can be compared at the end without keeping the frames.

    Args:
        sample_rate: In Hz.
        subtype: Encoding of the noisy signal: samples at its full scale count as clipped.

    Example:
        >>> meter = LevelMeter(16_000)
        >>> noise = np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
        >>> meter.add(0.1 * noise, 0.01 * noise)
        >>> round(meter.noise_removed_db, 3), round(meter.noisy_dbfs)
        (20.0, -20)
    """

    def __init__(self, sample_rate: int, subtype: str = "PCM_16") -> None:
        self._full_scale = largest_sample(subtype)
        self._frame = max(1, round(sample_rate * FRAME_S))
        self._rest: NDArray[np.float32] | None = None
        # By level of the noisy frame: how many, energy of the noisy, energy of the estimate.
        self._histogram = np.zeros((3, _N_BINS))
        self._energy = np.zeros(2)
        self._samples = 0
        self.clipped = 0
        """Samples of the noisy signal at full scale."""

    def add(self, noisy: NDArray[np.float32], estimate: NDArray[np.float32]) -> None:
        """Take in the next samples of both.

        Args:
            noisy: Shape (channels, time).
            estimate: The same shape, aligned with it.
        """
        self.clipped += int(np.count_nonzero(np.abs(noisy) >= self._full_scale))
        pair = np.stack([noisy, estimate])
        self._samples += noisy.size
        self._energy += np.square(pair, dtype=np.float64).sum(axis=(1, 2))
        if self._rest is not None:
            pair = np.concatenate([self._rest, pair], axis=2)
        frames = pair.shape[2] // self._frame
        whole = pair[:, :, : frames * self._frame].reshape(*pair.shape[:2], frames, self._frame)
        self._rest = pair[:, :, frames * self._frame :]
        energy = np.square(whole, dtype=np.float64).mean(axis=(1, 3))
        level_db = 10.0 * np.log10(np.maximum(energy[0], 1e-30))
        heard = level_db > SILENCE_DBFS
        bins = ((level_db[heard] - SILENCE_DBFS) * _BINS_PER_DB).astype(int).clip(0, _N_BINS - 1)
        for row, values in zip(self._histogram, (None, *energy[:, heard]), strict=True):
            row += np.bincount(bins, weights=values, minlength=_N_BINS)

    @property
    def noise_removed_db(self) -> float:
        """By how much the quietest tenth of the frames that are not silent became quieter."""
        frames, noisy, estimate = self._histogram
        if not frames.any():
            return 0.0
        wanted = QUIETEST * frames.sum()
        last = int(np.searchsorted(np.cumsum(frames), wanted))
        share = (wanted - frames[:last].sum()) / frames[last]
        before, after = (e[:last].sum() + share * e[last] for e in (noisy, estimate))
        removed_db = 10.0 * np.log10(before / max(after, before * 1e-30))
        return float(min(removed_db, MAX_NOISE_REMOVED_DB))

    @property
    def noisy_dbfs(self) -> float:
        """Level of the noisy signal: 0 dBFS is the energy of a constant at full scale."""
        return self._level(0)

    @property
    def estimate_dbfs(self) -> float:
        """Level of the estimate."""
        return self._level(1)

    def _level(self, which: int) -> float:
        mean = self._energy[which] / max(1, self._samples)
        return max(SILENCE_DBFS, float(10.0 * np.log10(max(mean, 1e-30))))
