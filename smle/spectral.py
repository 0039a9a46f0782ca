"""Waveforms to spectra and back, and spectra to level-invariant features, all causal.

Window and hop are fixed in seconds, so the bins of all sample rates coincide: a 48 kHz transform
of 1536 points has below 8 kHz exactly the bins of a 16 kHz transform of 512 points. Where the hop
would not be a whole number of samples (44.1 kHz), it is rounded to one that transforms fast; bins
then lie less than 0.5 % beside the model's, and nothing needs to be resampled.

Shapes: ``rows`` counts independent signals (channels, files of a batch).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from smle.config import SpectralConfig
from smle.errors import AudioError

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 768_000
_HOP_TOLERANCE = 0.005
# Powers below this are digital silence for the level; full scale lies near 1e3.
_SILENCE_POWER = 1e-20
# Logarithms of powers relative to the level: what lies 50 dB below it is not told apart, and the
# scale brings them near -3 to 1.
_LOG_FLOOR = 1e-5
_LOG_SCALE = 0.25


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
        self.sample_rate = sample_rate
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


def hop_length_at(sample_rate: int, hop_s: float) -> int:
    """Samples of a hop at a rate: exact where that is a whole number, else near and fast.

    Args:
        sample_rate: In Hz.
        hop_s: Seconds.

    Returns:
        A whole number of samples, at most 0.5 % (or half a sample) beside the exact value.

    Raises:
        AudioError: If the rate is outside 4 kHz to 768 kHz.

    >>> hop_length_at(48_000, 0.016), hop_length_at(44_100, 0.016)
    (768, 704)
    """
    if not LOWEST_RATE_HZ <= sample_rate <= HIGHEST_RATE_HZ:
        raise AudioError(
            f"a sample rate of {sample_rate} Hz cannot be enhanced; "
            f"convert to a rate from {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        )
    exact = sample_rate * hop_s
    if abs(exact - round(exact)) < 1e-6:
        return round(exact)
    reach = math.floor(exact * _HOP_TOLERANCE)
    candidates = range(round(exact) - reach, round(exact) + reach + 1)
    return min(candidates, key=lambda hop: (_largest_factor(hop), abs(hop - exact)))


def _largest_factor(number: int) -> int:
    factor, largest = 2, 1
    while number > 1:
        while number % factor == 0:
            number, largest = number // factor, factor
        factor += 1
    return largest


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
        if count == 1:  # as below, without the cost of it
            latest = self.decay * state.mean + (1 - self.decay) * values[:, 0]
            unbiased = latest / (1 - self.decay ** (state.frames + 1))
            return unbiased[:, None], MeanState(latest, state.frames + 1)
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
        return (torch.exp(features / _LOG_SCALE) - _LOG_FLOOR).clamp(min=0.0)
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
        level = level.clamp(min=_SILENCE_POWER)
        relative = power / level
        if self.compression == 0:
            return _LOG_SCALE * torch.log(relative + _LOG_FLOOR), state
        return relative ** (self.compression / 2), state
