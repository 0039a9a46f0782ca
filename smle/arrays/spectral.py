"""`smle.tensors.spectral` in NumPy, for enhancing: the same transforms and features, without torch.

Shapes: ``rows`` counts independent signals (channels, files of a batch).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smle.model.config import SpectralConfig
from smle.model.rates import hop_length_at
from smle.model.spectral_scale import (
    LOG_FLOOR,
    LOG_SCALE,
    SILENCE_POWER,
)

Array = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


class ArrayStft:
    """Short-time Fourier transform with perfect reconstruction, sqrt-Hann on both sides.

    Args:
        config: Window and hop, in seconds.
        sample_rate: Rate of the signals in Hz.

    Raises:
        AudioError: If the rate is outside 4 kHz to 768 kHz.

    >>> stft = ArrayStft(SpectralConfig(), 16_000)
    >>> signal = np.random.default_rng(0).standard_normal((1, 4096)).astype(np.float32)
    >>> padded = np.pad(signal, ((0, 0), (stft.overlap, stft.overlap)))
    >>> estimate, _ = stft.synthesise(stft.analyse(padded), stft.empty_tail(1))
    >>> np.allclose(estimate[:, stft.overlap :], signal, atol=1e-5)
    True
    """

    def __init__(self, config: SpectralConfig, sample_rate: int) -> None:
        self.hop_length = hop_length_at(sample_rate, config.hop_s)
        self.n_fft = self.hop_length * round(config.window_s / config.hop_s)
        self.overlap = self.n_fft - self.hop_length
        # Squared, the windows of all frames add up to one.
        scale = math.sqrt(2 * self.hop_length / self.n_fft)
        phase = np.arange(self.n_fft) * (np.pi / self.n_fft)
        self._window = (np.sin(phase) * scale).astype(np.float32)

    def analyse(self, signal: Array) -> Spectrum:
        """Transform every whole window of a signal.

        Args:
            signal: (rows, samples); frame t covers samples t * hop_length to that + n_fft.

        Returns:
            Spectrum (rows, frames, n_fft // 2 + 1).
        """
        windows = np.lib.stride_tricks.sliding_window_view(signal, self.n_fft, axis=1)
        # NumPy 1 transforms in double precision.
        spectrum = np.fft.rfft(windows[:, :: self.hop_length] * self._window)
        return spectrum.astype(np.complex64, copy=False)

    def synthesise(self, spectrum: Spectrum, tail: Array) -> tuple[Array, Array]:
        """Overlap and add frames to the tail that earlier frames left.

        Args:
            spectrum: (rows, frames, n_fft // 2 + 1).
            tail: (rows, overlap), from the call before, or `empty_tail`.

        Returns:
            The finished samples (rows, frames * hop_length) and the new tail (rows, overlap).
        """
        frames = np.fft.irfft(spectrum, self.n_fft).astype(np.float32, copy=False)
        frames *= self._window  # (rows, frames, n_fft)
        rows, count, _ = frames.shape
        parts = self.n_fft // self.hop_length
        steps = frames.reshape(rows, count, parts, self.hop_length)
        total = np.zeros((rows, count + parts - 1, self.hop_length), np.float32)
        total[:, : parts - 1] = tail.reshape(rows, parts - 1, self.hop_length)
        for part in range(parts):
            total[:, part : part + count] += steps[:, :, part]
        return total[:, :count].reshape(rows, -1), total[:, count:].reshape(rows, -1)

    def empty_tail(self, rows: int) -> Array:
        """The tail (rows, overlap) before the first frame."""
        return np.zeros((rows, self.overlap), np.float32)


class ArrayMeanState(NamedTuple):
    """Where a running mean stands: the mean so far (rows, ...) and the frames that it has seen."""

    mean: Array
    frames: int


class ArrayRunningMean:
    """Exponentially forgetting mean over frames, unbiased from the first frame on.

    Args:
        time_constant_frames: Frames after which a value's weight has fallen to 1/e.

    >>> mean = ArrayRunningMean(10.0)
    >>> values = np.full((1, 5, 1), 3.0, np.float32)
    >>> bool((abs(mean(values, mean.start(1, 1))[0] - 3.0)).max() < 1e-6)
    True
    """

    def __init__(self, time_constant_frames: float) -> None:
        self._decay = math.exp(-1.0 / time_constant_frames)

    @staticmethod
    def start(rows: int, features: int) -> ArrayMeanState:
        """The state before the first frame."""
        return ArrayMeanState(np.zeros((rows, features), np.float32), 0)

    def __call__(self, values: Array, state: ArrayMeanState) -> tuple[Array, ArrayMeanState]:
        """Follow the mean over more frames.

        Args:
            values: (rows, frames, features).
            state: From the call before, or `start`.

        Returns:
            The mean after each frame (rows, frames, features), and the new state.
        """
        count = values.shape[1]
        biased, latest = self.biased(values, state.mean)
        seen = 1 - self._decay ** np.arange(state.frames + 1, state.frames + count + 1)
        unbiased = biased / seen.astype(np.float32)[:, None]
        return unbiased, ArrayMeanState(latest, state.frames + count)

    def as_if_of(self, frames: int, state: ArrayMeanState) -> ArrayMeanState:
        """A state of the same mean that has seen so many frames only: it is soon outweighed.

        Args:
            frames: At least one.
            state: Of more frames; one of fewer comes back as it is.
        """
        if state.frames <= frames:
            return state
        unbiased = state.mean / np.float32(1 - self._decay**state.frames)
        return ArrayMeanState(unbiased * np.float32(1 - self._decay**frames), frames)

    def biased(self, values: Array, mean: Array) -> tuple[Array, Array]:
        """Follow a mean that takes the frames before the first for zeros.

        Args:
            values: (rows, frames, features).
            mean: From the call before, or zeros (rows, features).

        Returns:
            The mean after each frame (rows, frames, features), and the last.
        """
        weights, carried = _mean_weights(self._decay, values.shape[1])
        biased: Array = weights @ values
        biased += carried[:, None] * mean[:, None]
        return biased, biased[:, -1]


@functools.lru_cache(maxsize=64)
def _mean_weights(decay: float, count: int) -> tuple[Array, Array]:
    """Weights of each frame's value in each later mean (frames, frames), and of the mean before."""
    step = np.arange(count)
    age = step[:, None] - step
    weights = np.where(age >= 0, (1 - decay) * decay ** np.maximum(age, 0), 0.0)
    return weights.astype(np.float32), (decay ** (step + 1)).astype(np.float32)


class ArrayFeatures:
    """Turns spectra into what gate and specialists hear, whatever the recording's level.

    Args:
        config: Compression, time constant of the level, and the model's bins.
    """

    def __init__(self, config: SpectralConfig) -> None:
        self._n_bins = config.n_bins
        self._compression = config.compression
        self._level = ArrayRunningMean(config.level_s * config.frames_per_s)

    @staticmethod
    def start(rows: int) -> ArrayMeanState:
        """The state before the first frame."""
        return ArrayRunningMean.start(rows, 1)

    def brief(self, state: ArrayMeanState, frames: int) -> ArrayMeanState:
        """The state, its level as if it were that of so many frames only."""
        return self._level.as_if_of(frames, state)

    def __call__(self, spectrum: Spectrum, state: ArrayMeanState) -> tuple[Array, ArrayMeanState]:
        """Make features of more frames.

        Args:
            spectrum: (rows, frames, bins); bins beyond the model's are not heard, bins that a low
                sample rate lacks are silent.
            state: From the call before, or `start`.

        Returns:
            Features (rows, frames, n_bins), and the new state.
        """
        heard = power_of(spectrum[..., : self._n_bins])
        missing = self._n_bins - heard.shape[2]
        if missing > 0:
            heard = np.pad(heard, ((0, 0), (0, 0), (0, missing)))
        level, state = self._level(heard.sum(-1, keepdims=True) / self._n_bins, state)
        heard /= np.maximum(level, SILENCE_POWER, dtype=np.float32)
        if self._compression == 0:
            heard += LOG_FLOOR
            np.log(heard, out=heard)
            heard *= LOG_SCALE
            return heard, state
        return heard ** (self._compression / 2), state


def power_of(spectrum: Spectrum) -> Array:
    """Squared magnitude, of the shape given.

    >>> power_of(np.array([3 + 4j], np.complex64))
    array([25.], dtype=float32)
    """
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def relative_power(features: Array, compression: float) -> Array:
    """Undo the compression of features: powers relative to the running level, shaped as given."""
    if compression == 0:
        power: Array = np.exp(features / LOG_SCALE)
        power -= LOG_FLOOR
        return np.maximum(power, 0, out=power)
    return features ** (2 / compression)
