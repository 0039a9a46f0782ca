"""Dry and wet audio, aligned and mixed, with a mix that glides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle_pedalboard.protocol import Audio

GLIDE_S = 0.02


class DryWet:
    """Delays the dry audio by the effect's latency and crossfades to the wet audio.

    Each change of the mix arrives along half a cosine within 20 ms, so moving it while audio runs
    makes no click. Changes add up: one does not wait for another, so a mix that moves all the time
    is followed alike in blocks of any size.
    """

    def __init__(self, channels: int, latency: int, sample_rate: float) -> None:
        """Start with silence in the delay.

        Args:
            channels: number of channels.
            latency: samples by which the wet audio lags.
            sample_rate: in Hz.
        """
        self._delayed = np.zeros((channels, latency), np.float32)
        self._step = 1.0 / (GLIDE_S * sample_rate)
        self._target: float | None = None
        # Of each change that is under way: its size, and the samples since it was made.
        self._changes, self._ages = np.zeros(0), np.zeros(0)

    def __call__(self, dry: Audio, wet: Audio, mix: float) -> Audio:
        """Mix one block.

        Args:
            dry: (channels, time), not delayed.
            wet: (channels, time), delayed by the latency.
            mix: 0 (dry) to 1 (wet), where to glide; the first is taken at once.

        Returns:
            (channels, time), delayed by the latency.
        """
        length = dry.shape[1]
        history = np.concatenate([self._delayed, dry], axis=1)
        self._delayed = history[:, length:].copy()
        if not length:
            return wet
        if self._target is not None and mix != self._target:
            self._changes = np.append(self._changes, mix - self._target)
            self._ages = np.append(self._ages, 0.0)
        self._target = mix
        if not self._changes.size and mix == 1.0:
            return wet
        gains = (mix - self._still_to_come(length)).astype(np.float32)
        return np.asarray(gains * wet + (1.0 - gains) * history[:, :length], np.float32)

    def _still_to_come(self, length: int) -> NDArray[np.float64]:
        """How far the mix is behind its target at each of the next samples (length,)."""
        ages = self._ages[:, np.newaxis] + np.arange(1, length + 1)
        rest = 0.5 + 0.5 * np.cos(np.pi * np.minimum(ages * self._step, 1.0))
        behind: NDArray[np.float64] = self._changes @ rest
        under_way = rest[:, -1] > 0.0
        self._changes, self._ages = self._changes[under_way], ages[under_way, -1]
        return behind
