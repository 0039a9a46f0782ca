"""Masks for bins that the model does not hear: above 8 kHz in a 48 kHz recording."""

from __future__ import annotations

import torch
from torch import Tensor

# The octave whose gain the bins above follow: fricatives live there, voiced speech hardly does.
_GUIDE_HZ = (4_000.0, 7_800.0)


def fit_mask(mask: Tensor, spectrum: Tensor, hz_per_bin: float) -> Tensor:
    """Cut or extend a mask to the bins of a spectrum.

    Above the model's bins one gain per frame is used: the power that the mask keeps of the octave
    below, so that an "s" passes whole and noise above 8 kHz goes when the noise below it goes.

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
    above = gain[..., None].expand(-1, -1, wanted - known)
    # The model's last bin is its Nyquist, which it never learns well: take its neighbour's mask.
    return torch.cat([mask[..., : known - 1], mask[..., known - 2 : known - 1], above], -1)
