"""Masks for bins that the model does not hear: above 8 kHz in a 48 kHz recording."""

from __future__ import annotations

import numpy as np

from smle.array_spectral import Array, Spectrum, power_of

# The bins whose gain those above follow: fricatives reach there, voiced speech hardly does.
_GUIDE_HZ = (6_000.0, 7_600.0)
_SILENCE = np.float32(1e-30)


def fit_mask(mask: Array, spectrum: Spectrum, hz_per_bin: float) -> Array:
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

    >>> mask = fit_mask(np.full((1, 2, 257), 0.5), np.ones((1, 2, 769), complex), 31.25)
    >>> mask.shape, bool((mask == 0.5).all())
    ((1, 2, 769), True)
    """
    known, wanted = mask.shape[-1], spectrum.shape[-1]
    if wanted <= known:
        return mask[..., :wanted]
    low, high = (round(hz / hz_per_bin) for hz in _GUIDE_HZ)
    power = power_of(spectrum[..., low:high])
    kept = (np.square(mask[..., low:high]) * power).sum(-1)
    gain = np.sqrt(np.minimum(kept / np.maximum(power.sum(-1), _SILENCE), 1.0))
    # The model's last bins are poorly known: few recordings that it was trained on reach them.
    fitted = np.empty(spectrum.shape, np.float32)
    fitted[..., :high] = mask[..., :high]
    fitted[..., high:] = gain[..., None]
    return fitted
