"""Masks for bins that the model does not hear: above 8 kHz in a 48 kHz recording."""

from __future__ import annotations

import torch
from torch import Tensor

# The bins whose gain those above follow: fricatives reach there, voiced speech hardly does.
_GUIDE_HZ = (6_000.0, 7_600.0)


def fit_mask(mask: Tensor, spectrum: Tensor, hz_per_bin: float) -> Tensor:
    """Cut or extend a mask to the bins of a spectrum.

    If there are bins that the model does not hear, one gain per frame is used from 7.6 kHz on: the
    power that the mask keeps of the bins below, so that an "s" passes whole and noise up there goes
    when the noise below it goes.

    Args:
        mask: (rows, frames, model bins).
        spectrum: The noisy spectrum (rows, frames, bins).
        hz_per_bin: Spacing of bins in Hz.

    Returns:
        The mask (rows, frames, bins).

    >>> mask = fit_mask(torch.full((1, 2, 257), 0.5), torch.ones(1, 2, 769), 31.25)
    >>> mask.shape, bool((mask == 0.5).all())
    (torch.Size([1, 2, 769]), True)
    """
    known, wanted = mask.shape[-1], spectrum.shape[-1]
    if wanted <= known:
        return mask[..., :wanted]
    low, high = (round(hz / hz_per_bin) for hz in _GUIDE_HZ)
    power = torch.view_as_real(spectrum[..., low:high].to(torch.complex64)).square().sum(-1)
    kept = mask[..., low:high].square() * power
    gain = (kept.sum(-1) / power.sum(-1).clamp(min=1e-30)).clamp(max=1.0).sqrt()
    # The model's last bins are poorly known: few recordings that it was trained on reach them.
    above = gain[..., None].expand(-1, -1, wanted - high)
    return torch.cat([mask[..., :high], above], -1)
