"""The dense soft mixture, which the papers' code measured: all specialists run on everything.

It is here to be compared with the routed mixture, which pays for one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.array_layers import softmax
from smle.array_mixture import ArrayMixture
from smle.streaming import Stream

Signal = NDArray[np.float32]


class _Listener:
    """Hears the gate over a whole signal and lets the signal pass."""

    def __init__(self, mixture: ArrayMixture, rows: int) -> None:
        self._mixture = mixture
        self._state = mixture.start_listening(rows)
        self.total = np.zeros((rows, len(mixture.specialists)))
        self.frames = 0

    def __call__(self, features: Signal) -> Signal:
        logits, self._state = self._mixture.listen(features, self._state)
        self.total += logits.sum(1, dtype=np.float64)
        self.frames += features.shape[1]
        return np.ones_like(features)


class _SoftMasker:
    """Adds the masks of all specialists, with fixed weights for each row."""

    def __init__(self, mixture: ArrayMixture, weights: Signal) -> None:
        self._specialists = mixture.specialists
        self._states = [specialist.start(len(weights)) for specialist in self._specialists]
        self._weights = weights

    def __call__(self, features: Signal) -> Signal:
        mixed = np.zeros_like(features)
        for k, specialist in enumerate(self._specialists):
            mask, self._states[k] = specialist(features, self._states[k])
            mixed += self._weights[:, k, None, None] * mask
        return mixed


class _MaskedStream(Stream):
    """The usual signal path with another masker in it."""

    def __init__(
        self, mixture: ArrayMixture, sample_rate: int, rows: int, masker: _Listener | _SoftMasker
    ) -> None:
        super().__init__(mixture, sample_rate, rows)
        self._masker = masker  # type: ignore[assignment]

    def whole(self, audio: Signal) -> Signal:
        fed = np.concatenate([self.feed(audio), self.flush()], 1)
        return fed[:, self.latency : self.latency + audio.shape[1]]


def whole_file_logits(
    mixture: ArrayMixture, audio: Signal, sample_rate: int
) -> NDArray[np.float64]:
    """Return the gate's mean logits over a whole signal, the papers' evidence for one decision.

    Args:
        mixture: Gate and experts.
        audio: Shape (channels, time).
        sample_rate: In Hz.

    Returns:
        Shape (channels, specialists).
    """
    listener = _Listener(mixture, len(audio))
    _MaskedStream(mixture, sample_rate, len(audio), listener).whole(audio)
    return listener.total / max(1, listener.frames)


def enhance_densely(
    mixture: ArrayMixture,
    audio: Signal,
    sample_rate: int,
    logits: NDArray[np.float64],
    alpha: float,
) -> Signal:
    """Enhance with the sum of all specialists' masks, weighted by softmax(alpha * logits).

    Args:
        mixture: Gate and experts.
        audio: Shape (channels, time).
        sample_rate: In Hz.
        logits: Of the whole signal, shape (channels, specialists).
        alpha: Sharpness.

    Returns:
        The estimate, shape (channels, time).
    """
    masker = _SoftMasker(mixture, softmax(alpha * logits).astype(np.float32))
    return _MaskedStream(mixture, sample_rate, len(audio), masker).whole(audio)
