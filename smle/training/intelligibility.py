"""Extended STOI that gradients flow through: how well speech can be understood, for training."""

from __future__ import annotations

import torch
from torch import Tensor

from smle.training.power import power_spectrum

_WINDOW, _N_FFT, _RATE_HZ = 410, 512, 16_000
_BANDS, _LOWEST_HZ = 15, 150.0
_SEGMENT_FRAMES, _SEGMENT_HOP = 30, 5
# A frame this far below the loudest one is a pause, a segment that is mostly pauses says nothing.
_PAUSE = 1e-4
_ACTIVE_SHARE = 0.5


def intelligibility(estimate: Tensor, clean: Tensor) -> Tensor:
    """Correlate the band envelopes of estimates and of clean speech over 0.38 s at a time.

    Beside the measure that is reported (`smle.evaluation.perceptual`), segments that are mostly
    pauses are left out, where that one cuts pauses out of the signals.
    Source: Jensen and Taal, 2016, "An Algorithm for Predicting the Intelligibility of Speech Masked
    by Modulated Noise Maskers".

    Args:
        estimate: (rows, samples) at 16 kHz.
        clean: (rows, samples).

    Returns:
        One value per row, 1 for the clean signal itself, about 0 for something unrelated; 0 where
        no segment has speech.

    >>> clean = torch.randn(1, 16000)
    >>> round(intelligibility(0.5 * clean, clean).item(), 3)
    1.0
    """
    reference, heard = _envelopes(clean), _envelopes(estimate)  # (rows, bands, frames)
    power = reference.square().sum(1)
    active = (power > _PAUSE * power.amax(1, keepdim=True)).float()
    speech = (_segments(active).mean(-1) > _ACTIVE_SHARE).float()  # (rows, segments)
    alike = (_normal(_segments(heard)) * _normal(_segments(reference))).sum(1).mean(-1)
    return (alike * speech).sum(1) / speech.sum(1).clamp(min=1)


def _segments(frames: Tensor) -> Tensor:
    return frames.unfold(-1, _SEGMENT_FRAMES, _SEGMENT_HOP)


def _normal(segments: Tensor) -> Tensor:
    """Segments (rows, bands, segments, frames) normalised in time, and then across bands."""
    for dimension in (-1, 1):
        segments = segments - segments.mean(dimension, keepdim=True)
        norm = (segments.square().sum(dimension, keepdim=True) + 1e-12).sqrt()
        segments = segments / norm
    return segments


def _envelopes(signal: Tensor) -> Tensor:
    """Magnitudes (rows, bands, frames) in third-octave bands."""
    window = torch.hann_window(_WINDOW, device=signal.device)
    power = power_spectrum(signal, window, _N_FFT)  # (rows, frames, bins)
    return (power @ _third_octaves(signal.device).T + 1e-10).sqrt().transpose(1, 2)


def _third_octaves(device: torch.device) -> Tensor:
    """Which bins (bands, bins) belong to which band."""
    bins_hz = torch.linspace(0, _RATE_HZ / 2, _N_FFT // 2 + 1, device=device)
    centres_hz = _LOWEST_HZ * 2 ** (torch.arange(_BANDS, device=device)[:, None] / 3)
    edge = 2 ** (1 / 6)
    return ((bins_hz >= centres_hz / edge) & (bins_hz < centres_hz * edge)).float()
