"""How much louder or softer than clean speech an estimate is, as PESQ hears it, for training."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from smle.training.power import power_spectrum

_RATE_HZ, _N_FFT = 16_000, 512
_BANDS = 49
# Speech is heard at 79 dB SPL, measured where a telephone carries it.
_SPEECH_POWER = 10**7.9
_TELEPHONE_HZ = (300.0, 3250.0)
_SILENCE = 10**5.5
_ZWICKER_POWER, _SONES = 0.23, 0.1866 * 2
# What differs by less than a quarter of the softer one is not heard.
_UNHEARD = 0.25
_FULL_SCALE = 45.0
_SYMMETRIC, _ASYMMETRIC = 0.1, 0.0309


def loudness_error(estimate: Tensor, clean: Tensor) -> Tensor:
    """Compare loudness in critical bands; what was added counts more than what is missing.

    The course of ITU-T P.862.2: levels aligned, the power spectrum in Bark bands, colouring and
    slow changes of level forgiven, loudness by Zwicker's law, symmetric and asymmetric
    disturbances, worst moments weighing most. Bands and threshold of hearing follow from formulas
    (Traunmueller, Terhardt) where the standard has tables, and the limit of a disturbance is
    approached smoothly: it correlates with PESQ, and is not PESQ.

    Args:
        estimate: (rows, samples) at 16 kHz, at least 0.4 s.
        clean: (rows, samples).

    Returns:
        One value per row: 0 for a copy at any level, about 4 for loud noise.

    >>> clean = torch.randn(1, 16000)
    >>> loudness_error(0.5 * clean, clean).item() < 0.02
    True
    """
    heard, reference = _bark_power(estimate), _bark_power(clean)  # (rows, frames, bands)
    silent = _audible(reference, 100.0) < _SILENCE
    colour = (_long_term(heard, silent) + 1e3) / (_long_term(reference, silent) + 1e3)
    reference = colour.clamp(0.01, 100.0)[:, None] * reference
    gain = (_audible(reference) + 5e3) / (_audible(heard) + 5e3)
    gain = torch.cat([gain[:, :1], 0.8 * gain[:, 1:] + 0.2 * gain[:, :-1]], 1)
    heard = gain.clamp(3e-4, 5.0)[..., None] * heard

    loudness, wanted = _loudness(heard), _loudness(reference)
    difference = loudness - wanted
    beyond = difference.abs() - _UNHEARD * torch.minimum(loudness, wanted)
    disturbance = beyond.clamp(min=0)  # its sign does not matter from here on
    _, width_bark, _ = _critical_bands(estimate.device)
    symmetric = (width_bark * disturbance.square()).sum(-1).add(1e-6).sqrt()
    symmetric = symmetric * width_bark.sum().sqrt()
    added = ((heard + 50.0) / (reference + 50.0)) ** 1.2
    added = torch.where(added < 3.0, 0.0, added).clamp(max=12.0)
    asymmetric = (width_bark * disturbance * added).sum(-1)
    weight = ((_audible(reference) + 1e5) / 1e7) ** 0.04
    return _SYMMETRIC * _over_time(symmetric / weight) + _ASYMMETRIC * _over_time(
        asymmetric / weight
    )


def _over_time(disturbance: Tensor) -> Tensor:
    """One value per row: the worst moments of 0.3 s, and the mean power of these."""
    limited = _FULL_SCALE * torch.tanh(disturbance / _FULL_SCALE)
    moments = (limited.unfold(-1, 20, 10).pow(6).mean(-1) + 1e-6) ** (1 / 6)
    return moments.square().mean(-1).sqrt()


def _loudness(power: Tensor) -> Tensor:
    _, _, threshold = _critical_bands(power.device)
    ratio = 0.5 + 0.5 * power / threshold
    return _SONES * threshold**_ZWICKER_POWER * (ratio**_ZWICKER_POWER - 1).clamp(min=0)


def _audible(power: Tensor, above: float = 1.0) -> Tensor:
    """Power of each frame (rows, frames) in bands that lie above the threshold of hearing."""
    _, _, threshold = _critical_bands(power.device)
    return (power * (power > above * threshold)).sum(-1)


def _long_term(power: Tensor, silent: Tensor) -> Tensor:
    """Mean power of each band (rows, bands) over the frames that are not silent."""
    _, _, threshold = _critical_bands(power.device)
    return (power * (power > 100.0 * threshold) * ~silent[..., None]).mean(1)


def _bark_power(signal: Tensor) -> Tensor:
    """Power (rows, frames, bands) in critical bands, of speech brought to one level."""
    window = torch.hann_window(_N_FFT, device=signal.device)
    power = power_spectrum(signal, window)  # (rows, frames, bins)
    bins_hz = torch.linspace(0, _RATE_HZ / 2, _N_FFT // 2 + 1, device=signal.device)
    telephone = ((bins_hz > _TELEPHONE_HZ[0]) & (bins_hz < _TELEPHONE_HZ[1])).float()
    level = (power @ telephone).mean(-1)[:, None, None]
    bands, _, _ = _critical_bands(signal.device)
    return (power @ bands.T) * (_SPEECH_POWER / (level + 1e-9))


@cache
def _critical_bands(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Which bins (bands, bins) belong to which band, its width in Bark, the power it takes."""
    bins_hz = torch.linspace(0, _RATE_HZ / 2, _N_FFT // 2 + 1)
    top = _bark(torch.tensor(_RATE_HZ / 2)).item()
    edges = torch.linspace(0.0, top, _BANDS + 1)
    place = torch.bucketize(_bark(bins_hz).clamp(1e-3, top - 1e-3), edges) - 1
    bands = (place == torch.arange(_BANDS)[:, None]).float()
    bands[:, 0] = 0.0
    bands = bands[bands.sum(1) > 0]  # narrow bands at the bottom hold no bin
    centres_hz = (bands @ bins_hz) / bands.sum(1)
    between_hz = (centres_hz[1:] + centres_hz[:-1]) / 2
    ends_hz = torch.cat([torch.tensor([20.0]), between_hz, torch.tensor([_RATE_HZ / 2])])
    khz = centres_hz / 1000
    threshold_db = 3.64 * khz**-0.8 - 6.5 * torch.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    threshold = 10 ** (threshold_db.clamp(max=60.0) / 10)
    return bands.to(device), _bark(ends_hz).diff().to(device), threshold.to(device)


def _bark(frequency_hz: Tensor) -> Tensor:
    return 26.81 * frequency_hz / (1960 + frequency_hz) - 0.53
