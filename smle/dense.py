"""The dense soft mixture, which the papers' code measured: all specialists run on everything.

It is here to be compared with the routed mixture, which pays for one.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smle.mixture import Mixture
from smle.streaming import Stream

Signal = NDArray[np.float32]


class _Listener:
    """Hears the gate over a whole signal and lets the signal pass."""

    def __init__(self, mixture: Mixture, rows: int) -> None:
        self._mixture = mixture
        self._state = mixture.start_listening(rows)
        self.total = torch.zeros(rows, len(mixture.specialists), dtype=torch.float64)
        self.frames = 0

    def __call__(self, features: Tensor) -> Tensor:
        logits, self._state = self._mixture.listen(features, self._state)
        self.total += logits.double().sum(1)
        self.frames += features.shape[1]
        return torch.ones(features.shape[:3])


class _SoftMasker:
    """Adds the masks of all specialists, with fixed weights for each row."""

    def __init__(self, mixture: Mixture, weights: Tensor) -> None:
        self._specialists = mixture.experts[: len(mixture.specialists)]
        self._states = [specialist.start(len(weights)) for specialist in self._specialists]
        self._weights = weights

    def __call__(self, features: Tensor) -> Tensor:
        mixed: Tensor | None = None
        for k, specialist in enumerate(self._specialists):
            mask, self._states[k] = specialist(features, self._states[k])
            part = self._weights[:, k, None, None].to(mask.dtype) * mask
            mixed = part if mixed is None else mixed + part
        assert mixed is not None
        return mixed


class _MaskedStream(Stream):
    """The usual signal path with another masker in it."""

    def __init__(
        self, mixture: Mixture, sample_rate: int, rows: int, masker: _Listener | _SoftMasker
    ) -> None:
        super().__init__(mixture, sample_rate, rows)
        self._masker = masker  # type: ignore[assignment]

    def whole(self, audio: Signal) -> Signal:
        fed = np.concatenate([self.feed(audio), self.flush()], 1)
        return fed[:, self.latency : self.latency + audio.shape[1]]


def whole_file_logits(mixture: Mixture, audio: Signal, sample_rate: int) -> NDArray[np.float64]:
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
    return np.asarray(listener.total.numpy() / max(1, listener.frames))


def enhance_densely(
    mixture: Mixture,
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
    weights = torch.softmax(alpha * torch.from_numpy(logits), -1).float()
    masker = _SoftMasker(mixture, weights)
    return _MaskedStream(mixture, sample_rate, len(audio), masker).whole(audio)
