"""The dense soft mixture, which the papers' code measured: all specialists run on everything.

It is here to be compared with the routed mixture, which pays for one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.arrays.layers import softmax
from smle.arrays.mixture import ArrayMixture
from smle.enhancement.beginning import beginning
from smle.enhancement.streaming import Stream

Signal = NDArray[np.float32]


class _SoftMasker:
    """Adds the masks of all specialists, with fixed weights for each row."""

    def __init__(self, mixture: ArrayMixture, weights: Signal) -> None:
        self._specialists = mixture.specialists
        self._states = [specialist.start(len(weights)) for specialist in self._specialists]
        self._weights = weights

    def begin(self) -> None:
        """There is nothing to count here."""

    def __call__(self, features: Signal) -> Signal:
        mixed = np.zeros_like(features)
        for k, specialist in enumerate(self._specialists):
            mask, self._states[k] = specialist(features, self._states[k])
            mixed += self._weights[:, k, None, None] * mask
        return mixed


class _SoftStream(Stream):
    """The usual signal path with the soft masker in it."""

    def __init__(self, mixture: ArrayMixture, sample_rate: int, weights: Signal) -> None:
        super().__init__(mixture, sample_rate, len(weights))
        self._masker = _SoftMasker(mixture, weights)  # type: ignore[assignment]


def enhance_densely(
    mixture: ArrayMixture,
    audio: Signal,
    sample_rate: int,
    logits: NDArray[np.float64],
    alpha: float,
    *,
    hear_first: bool = False,
) -> Signal:
    """Enhance with the sum of all specialists' masks, weighted by softmax(alpha * logits).

    Args:
        mixture: Gate and experts.
        audio: Shape (channels, time).
        sample_rate: In Hz.
        logits: Of the whole signal, shape (channels, specialists).
        alpha: Sharpness.
        hear_first: Hear the first four seconds before enhancing begins.

    Returns:
        The estimate, shape (channels, time).
    """
    stream = _SoftStream(mixture, sample_rate, softmax(alpha * logits).astype(np.float32))
    if hear_first:
        stream.hear(beginning(audio, sample_rate))
    fed = np.concatenate([stream.feed(audio), stream.flush()], 1)
    return fed[:, stream.latency : stream.latency + audio.shape[1]]
