"""Dry and wet audio, aligned and mixed, with a mix that glides."""

from __future__ import annotations

import numpy as np

from smle_pedalboard.protocol import Audio

GLIDE_S = 0.02


class DryWet:
    """Delays the dry audio by the effect's latency and crossfades to the wet audio.

    A new mix is reached along half a cosine within 20 ms, so moving it while audio runs makes no
    click.
    """

    def __init__(self, channels: int, latency: int, sample_rate: float, mix: float) -> None:
        """Start with silence in the delay.

        Args:
            channels: number of channels.
            latency: samples by which the wet audio lags.
            sample_rate: in Hz.
            mix: 0 (dry) to 1 (wet), taken at once.
        """
        self._delayed = np.zeros((channels, latency), np.float32)
        self._step = 1.0 / (GLIDE_S * sample_rate)
        self._before = self._mix = self._target = mix
        self._progress = 1.0

    def __call__(self, dry: Audio, wet: Audio, mix: float) -> Audio:
        """Mix one block.

        Args:
            dry: (channels, time), not delayed.
            wet: (channels, time), delayed by the latency.
            mix: where to glide.

        Returns:
            (channels, time), delayed by the latency.
        """
        length = dry.shape[1]
        history = np.concatenate([self._delayed, dry], axis=1)
        self._delayed = history[:, length:].copy()
        if mix != self._target:
            self._before, self._target, self._progress = self._mix, mix, 0.0
        if not length or (self._progress == 1.0 and mix == 1.0):
            return wet
        progress = np.minimum(self._progress + self._step * np.arange(1, length + 1), 1.0)
        way = 0.5 - 0.5 * np.cos(np.pi * progress)
        line = self._before + way * (self._target - self._before)
        self._progress, self._mix = float(progress[-1]), float(line[-1])
        gains = line.astype(np.float32)
        return np.asarray(gains * wet + (1.0 - gains) * history[:, :length], np.float32)
