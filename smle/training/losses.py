"""What training minimises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from smle.model.recipe import LossKind
from smle.training.perceptual_loss import perceptual_loss
from smle.training.power import power_of, power_spectrum, raised

# Estimates better than this teach nothing more; without it clean examples would rule the mean.
_CEILING_DB = 30.0
# Networks learn the waveform first and with ease; what is left to hear is in the spectra.
_SI_SDR_WEIGHT = 0.01
# What sounds better may be further from the waveform: this holds it.
_SI_SDR_WEIGHT_BESIDE_PERCEPTION = 0.05
_LOUDNESS_WEIGHT = 0.3
_INTELLIGIBILITY_WEIGHT = 0.7
_MAGNITUDE_WEIGHT = 3.0
_COMPLEX_WEIGHT = 1.0
_COMPRESSION = 0.3
_FLOOR = 1e-8
# The spectrum of a signal of unit power has about this magnitude for a window of 512.
_UNIT_MAGNITUDE = 8.0
# Windows beside the model's own, in samples: short ones hear onsets, long ones the harmonics.
_WINDOWS = (128, 1024)
_WINDOW_WEIGHT = 3.0


def si_sdr_loss(estimate: Tensor, clean: Tensor) -> Tensor:
    """Negative SI-SDR in dB, bounded at -30, for training.

    Args:
        estimate: (rows, samples).
        clean: (rows, samples).

    Returns:
        One value per row; 0 where the clean signal is silent. No mean is removed (recordings have
        none worth the name), see `smle.evaluation.metrics` for the measure that is reported.

    >>> clean = torch.randn(1, 800)
    >>> round(si_sdr_loss(2 * clean, clean).item(), 1)
    -30.0
    """
    energy = clean.square().sum(-1)
    present = energy > 1e-9 * clean.shape[-1]
    scale = (estimate * clean).sum(-1) / energy.clamp(min=1e-12)
    target = scale[:, None] * clean
    error = (estimate - target).square().sum(-1)
    power = target.square().sum(-1)
    floor = 10 ** (-_CEILING_DB / 10)
    ratio = (power + 1e-12) / (error + floor * power + 1e-12)
    return torch.where(present, -10 * torch.log10(ratio), 0.0)


@dataclass(frozen=True)
class EnhancementLoss:
    """Loss of an estimate, "si-sdr" as in the papers or with other terms beside it.

    The spectral terms compare magnitudes, and complex values at those magnitudes, compressed by
    the power 0.3 and at the noisy signal's level: they weigh quiet remnants of noise in pauses,
    which SI-SDR does not hear. Magnitudes are compared with a shorter and a longer window as well.
    The perceptual terms are those of `smle.training.perceptual_loss`.
    """

    kind: LossKind

    def __call__(
        self,
        estimate: Tensor,
        clean: Tensor,
        estimate_spectrum: Tensor,
        clean_spectrum: Tensor,
        level: Tensor,
    ) -> Tensor:
        """Compare estimates with clean signals.

        Args:
            estimate: (rows, samples).
            clean: (rows, samples).
            estimate_spectrum: (rows, frames, bins), complex.
            clean_spectrum: (rows, frames, bins), complex.
            level: Root mean square of the noisy signals (rows,).

        Returns:
            One value per row.
        """
        by_wave = si_sdr_loss(estimate, clean)
        if self.kind == "si-sdr":
            return by_wave
        scale = 1 / (_UNIT_MAGNITUDE * level.clamp(min=1e-7))
        magnitude, value = _compress(estimate_spectrum * scale[:, None, None])
        clean_magnitude, clean_value = _compress(clean_spectrum * scale[:, None, None])
        by_magnitude = (magnitude - clean_magnitude).square().mean((1, 2))
        by_value = power_of(value - clean_value).mean((1, 2))
        perceptual = self.kind == "si-sdr+spectral+perceptual"
        loss = (_SI_SDR_WEIGHT_BESIDE_PERCEPTION if perceptual else _SI_SDR_WEIGHT) * by_wave
        loss = loss + _MAGNITUDE_WEIGHT * by_magnitude + _COMPLEX_WEIGHT * by_value
        gain = 1 / level.clamp(min=1e-7)[:, None]
        for n_fft in _WINDOWS:
            difference = _magnitudes(gain * estimate, n_fft) - _magnitudes(gain * clean, n_fft)
            loss = loss + _WINDOW_WEIGHT * difference.square().mean((1, 2))
        if not perceptual:
            return loss
        return loss + perceptual_loss(
            estimate,
            clean,
            loudness_weight=_LOUDNESS_WEIGHT,
            intelligibility_weight=_INTELLIGIBILITY_WEIGHT,
        )


def balance_penalty(weights: Tensor) -> Tensor:
    """How unevenly a batch uses the specialists: 0 when even, K - 1 when one takes all.

    Args:
        weights: (rows, specialists), each row adding up to 1.

    Returns:
        A scalar.

    >>> balance_penalty(torch.eye(4)).item()
    0.0
    """
    use = weights.mean(0)
    return weights.shape[1] * use.square().sum() - 1


def _magnitudes(signal: Tensor, n_fft: int) -> Tensor:
    """Compressed magnitudes (rows, frames, bins) of signals (rows, samples) of about unit power."""
    window = torch.hann_window(n_fft, device=signal.device)
    half = n_fft // 2
    around = functional.pad(signal[:, None], (half, half), "reflect")[:, 0]
    power = power_spectrum(around, window / window.square().sum().sqrt())
    return raised(power + _FLOOR, _COMPRESSION / 2)


def _compress(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    power = power_of(spectrum) + _FLOOR
    magnitude = raised(power, _COMPRESSION / 2)
    return magnitude, spectrum * (magnitude * torch.rsqrt(power))
