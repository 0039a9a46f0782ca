"""Waveforms to spectra and back, and spectra to level-invariant features, all causal.

In torch, for training; `smle.arrays.spectral` does the same for enhancing.

Shapes: ``rows`` counts independent signals (channels, files of a batch).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from smle.model.config import SpectralConfig
from smle.model.rates import hop_length_at
from smle.model.spectral_scale import LOG_FLOOR, LOG_SCALE, SILENCE_POWER


class Stft:
    """Short-time Fourier transform with perfect reconstruction, sqrt-Hann on both sides.

    Args:
        config: Window and hop, in seconds.
        sample_rate: Rate of the signals in Hz.
        device: Where the window lives.

    Raises:
        AudioError: If the rate is outside 4 kHz to 768 kHz.

    >>> stft = Stft(SpectralConfig(), 16_000)
    >>> signal = torch.randn(1, 4096)
    >>> spectrum = stft.analyse(functional.pad(signal, (stft.overlap, stft.overlap)))
    >>> estimate, _ = stft.synthesise(spectrum, stft.empty_tail(1))
    >>> torch.allclose(estimate[:, stft.overlap :], signal, atol=1e-6)
    True
    """

    def __init__(
        self, config: SpectralConfig, sample_rate: int, device: torch.device | str = "cpu"
    ) -> None:
        self.hop_length = hop_length_at(sample_rate, config.hop_s)
        self.n_fft = self.hop_length * round(config.window_s / config.hop_s)
        self.overlap = self.n_fft - self.hop_length
        # Squared, the windows of all frames add up to one.
        scale = math.sqrt(2 * self.hop_length / self.n_fft)
        self.window = torch.hann_window(self.n_fft, device=device).sqrt() * scale

    def analyse(self, signal: Tensor) -> Tensor:
        """Transform every whole window of a signal.

        Args:
            signal: (rows, samples); frame t covers samples t * hop_length to that + n_fft.

        Returns:
            Spectrum (rows, frames, n_fft // 2 + 1), complex.
        """
        frames = signal.unfold(-1, self.n_fft, self.hop_length)  # (rows, frames, n_fft)
        spectrum: Tensor = torch.fft.rfft(frames * self.window)
        return spectrum

    def synthesise(self, spectrum: Tensor, tail: Tensor) -> tuple[Tensor, Tensor]:
        """Overlap and add frames to the tail that earlier frames left.

        Args:
            spectrum: (rows, frames, n_fft // 2 + 1), complex.
            tail: (rows, overlap), from the call before, or `empty_tail`.

        Returns:
            The finished samples (rows, frames * hop_length) and the new tail (rows, overlap).
        """
        frames = torch.fft.irfft(spectrum, n=self.n_fft) * self.window  # (rows, frames, n_fft)
        rows, count, _ = frames.shape
        parts = self.n_fft // self.hop_length
        steps = frames.reshape(rows, count, parts, self.hop_length)
        total = functional.pad(tail.reshape(rows, parts - 1, self.hop_length), (0, 0, 0, count))
        for part in range(parts):
            total[:, part : part + count] += steps[:, :, part]
        finished, rest = total[:, :count], total[:, count:]
        return finished.reshape(rows, -1), rest.reshape(rows, -1)

    def empty_tail(self, rows: int) -> Tensor:
        """The tail (rows, overlap) before the first frame."""
        return self.window.new_zeros(rows, self.overlap)


class MeanState(NamedTuple):
    """Where a running mean stands: the mean so far (rows, ...) and the frames that it has seen."""

    mean: Tensor
    frames: int


class RunningMean:
    """Exponentially forgetting mean over frames, unbiased from the first frame on.

    Args:
        time_constant_frames: Frames after which a value's weight has fallen to 1/e.

    >>> mean = RunningMean(10.0)
    >>> values = torch.full((1, 5, 1), 3.0)
    >>> bool((mean(values, mean.start(torch.zeros(1, 1)))[0] - 3.0).abs().max() < 1e-6)
    True
    """

    def __init__(self, time_constant_frames: float) -> None:
        self.decay = math.exp(-1.0 / time_constant_frames)

    @staticmethod
    def start(like: Tensor) -> MeanState:
        """The state before the first frame, for values shaped like one frame (rows, ...)."""
        return MeanState(torch.zeros_like(like), 0)

    def __call__(self, values: Tensor, state: MeanState) -> tuple[Tensor, MeanState]:
        """Follow the mean over more frames.

        Args:
            values: (rows, frames, features).
            state: From the call before, or `start`.

        Returns:
            The mean after each frame (rows, frames, features), and the new state.
        """
        count = values.shape[1]
        biased, latest = self.biased(values, state.mean)
        step = torch.arange(count, device=values.device)
        seen = 1 - self.decay ** (step.double() + 1 + state.frames)
        return biased / seen.to(values.dtype)[:, None], MeanState(latest, state.frames + count)

    def biased(self, values: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        """Follow a mean that takes the frames before the first for zeros.

        Args:
            values: (rows, frames, features).
            mean: From the call before, or zeros (rows, features).

        Returns:
            The mean after each frame (rows, frames, features), and the last.
        """
        count = values.shape[1]
        step = torch.arange(count, device=values.device)
        age = step[:, None] - step[None, :]  # (frames, frames)
        decay = torch.tensor(self.decay, dtype=torch.float64, device=values.device)
        weights = torch.where(age >= 0, (1 - decay) * decay ** age.clamp(min=0), 0.0)
        carried = decay ** (step + 1)
        biased = torch.einsum("ts,rsf->rtf", weights.to(values.dtype), values)
        biased = biased + carried.to(values.dtype)[:, None] * mean[:, None]
        return biased, biased[:, -1]


def relative_power(features: Tensor, compression: float) -> Tensor:
    """Undo the compression of features: powers relative to the running level, shaped as given.

    >>> config = SpectralConfig(compression=0.3)
    >>> features, _ = Features(config)(torch.ones(1, 1, 257) + 0j, Features.start(1))
    >>> round(relative_power(features, 0.3).sum().item())
    257
    """
    if compression == 0:
        return (torch.exp(features / LOG_SCALE) - LOG_FLOOR).clamp(min=0.0)
    return features ** (2 / compression)


class Features:
    """Turns spectra into what gate and specialists hear, whatever the recording's level.

    The magnitude is divided by its running level and compressed. Phases are not heard: they
    taught small networks nothing and slowed them down.

    Args:
        config: Compression, time constant of the level, and the model's bins.
    """

    def __init__(self, config: SpectralConfig) -> None:
        self.n_bins = config.n_bins
        self.compression = config.compression
        self._level = RunningMean(config.level_s * config.frames_per_s)

    @staticmethod
    def start(rows: int, device: torch.device | str = "cpu") -> MeanState:
        """The state before the first frame."""
        return RunningMean.start(torch.zeros(rows, 1, device=device))

    def __call__(self, spectrum: Tensor, state: MeanState) -> tuple[Tensor, MeanState]:
        """Make features of more frames.

        Args:
            spectrum: (rows, frames, bins), complex; bins beyond the model's are not heard, bins
                that a low sample rate lacks are silent.
            state: From the call before, or `start`.

        Returns:
            Features (rows, frames, n_bins), and the new state.
        """
        heard = torch.view_as_real(spectrum[..., : self.n_bins])  # (rows, frames, bins, 2)
        missing = self.n_bins - heard.shape[2]
        if missing > 0:
            heard = functional.pad(heard, (0, 0, 0, missing))
        power = heard.square().sum(-1)  # (rows, frames, bins)
        level, state = self._level(power.sum(-1, keepdim=True) / self.n_bins, state)
        level = level.clamp(min=SILENCE_POWER)
        relative = power / level
        if self.compression == 0:
            return LOG_SCALE * torch.log(relative + LOG_FLOOR), state
        return relative ** (self.compression / 2), state
