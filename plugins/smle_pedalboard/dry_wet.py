"""Dry and wet audio, aligned and mixed, with a mix that glides."""

from __future__ import annotations

import numpy as np

from smle_pedalboard.protocol import Audio

GLIDE_S = 0.02


class DryWet:
    """Delays the dry audio by the effect's latency and crossfades to the wet audio.

    A new mix is reached along a straight line (the whole way from 0 to 1 in 20 ms), so moving it
    while audio runs makes no click.
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
        self._mix = mix

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
        if self._mix == mix == 1.0:
            return wet
        way = self._step * np.arange(1, length + 1)
        if self._mix < mix:
            line = np.minimum(self._mix + way, mix)
        else:
            line = np.maximum(self._mix - way, mix)
        self._mix = float(line[-1])
        gains = line.astype(np.float32)
        return np.asarray(gains * wet + (1.0 - gains) * history[:, :length], np.float32)
