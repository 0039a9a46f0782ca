"""Masks for bins that the model does not hear: above 8 kHz in a 48 kHz recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smle.arrays.spectral import Array, ArrayRunningMean, Spectrum, power_of

# The bins whose gain those above follow, as parts of what the model hears: 6 to 7.6 kHz of 8.
# Fricatives reach there, voiced speech hardly does.
_GUIDE = (0.75, 0.95)
_BAND_HZ = 1_000.0
# Noise is what is left over this long while the guide keeps less than half of the magnitude, ...
_NOISE_S = 2.0
_MOSTLY_NOISE = 0.5
# ... which it may do by mistake in a frame or two of an "s", so this much must be heard; ...
_LEAST_NOISE_S = 0.2
# ... smoothed, so that a minimum is not just a gap between two of its peaks ...
_SMOOTHING_S = 0.05
# (whose first values are those of a frame or two, or of windows that begin before the signal);
_SETTLING_S = 0.1
# and this times that minimum covers most of what steady noise does.
_NOISE_FACTOR = 3.0
_SILENCE = np.float32(1e-30)


class HighBands:
    """Cuts or extends masks to the bins of a spectrum, frame after frame.

    If there are bins that the model does not hear, no gain from 7.6 kHz on (of the 8 kHz that the
    bundled models hear) is more than the power that the mask keeps of the bins below, so that an
    "s" passes and noise up there goes when the noise below it goes. Nor is it more, in bands of
    about 1 kHz, than what three times the noise leaves of a band's power: hiss does not come back
    with an "s" that is no louder up there. The noise of a band is the least power of the last two
    seconds while the guide kept less than half; where it hardly ever did, as in clean speech, none
    is known and nothing is taken away.

    Args:
        bins: Bins of the spectra.
        hz_per_bin: Spacing of bins in Hz.
        heard_hz: Up to where the model hears, in Hz.
        hop_s: Seconds from frame to frame.
        rows: How many signals run side by side.

    >>> high_bands = HighBands(769, 31.25, 8_000, 0.016, rows=1)
    >>> mask = high_bands(np.full((1, 2, 257), 0.5), np.ones((1, 2, 769), complex))
    >>> mask.shape, bool((mask == 0.5).all())
    ((1, 2, 769), True)
    """

    def __init__(
        self, bins: int, hz_per_bin: float, heard_hz: float, hop_s: float, rows: int
    ) -> None:
        self._low, self._high = (round(part * heard_hz / hz_per_bin) for part in _GUIDE)
        wide = max(bins - self._high, 1)
        bands = max(round(wide * hz_per_bin / _BAND_HZ), 1)
        edges = np.arange(bands + 1) * wide // bands
        self._starts, self._widths = edges[:-1], np.diff(edges)
        self._smoothing = ArrayRunningMean(_SMOOTHING_S / hop_s)
        self._settling_frames = round(_SETTLING_S / hop_s)
        self._least_frames = round(_LEAST_NOISE_S / hop_s)
        self._smoothed = self._smoothing.start(rows, bands)
        self._past = np.full((rows, round(_NOISE_S / hop_s), bands), np.inf, np.float32)

    def __call__(self, mask: Array, spectrum: Spectrum) -> Array:
        """Fit the masks of more frames.

        Args:
            mask: (rows, frames, model bins).
            spectrum: The noisy spectrum (rows, frames, bins).

        Returns:
            The mask (rows, frames, bins).
        """
        known, wanted = mask.shape[-1], spectrum.shape[-1]
        if wanted <= known:
            return mask[..., :wanted]
        guide = power_of(spectrum[..., self._low : self._high])
        kept = (np.square(mask[..., self._low : self._high]) * guide).sum(-1)
        gain = np.sqrt(np.minimum(kept / np.maximum(guide.sum(-1), _SILENCE), 1.0))[..., None]
        power = np.add.reduceat(power_of(spectrum[..., self._high :]), self._starts, axis=-1)
        power /= self._widths  # (rows, frames, bands)
        noise = _NOISE_FACTOR * self._noise(power, gain < _MOSTLY_NOISE)
        gains = np.sqrt(np.maximum(power - noise, 0) / np.maximum(power, _SILENCE))
        # The model's last bins are poorly known: few recordings that it was trained on reach them.
        fitted = np.empty(spectrum.shape, np.float32)
        fitted[..., : self._high] = mask[..., : self._high]
        fitted[..., self._high :] = np.repeat(np.minimum(gain, gains), self._widths, -1)
        return fitted

    def _noise(self, power: Array, is_noise: NDArray[np.bool_]) -> Array:
        """The noise of each band and frame (rows, frames, bands), zero where none is known."""
        frame = self._smoothed.frames + np.arange(power.shape[1])[:, None]
        smoothed, self._smoothed = self._smoothing(power, self._smoothed)
        is_settled = frame >= self._settling_frames
        heard = np.where(is_noise & is_settled, smoothed, np.float32(np.inf))
        heard = np.concatenate([self._past, heard], 1)
        frames, window = power.shape[1], self._past.shape[1] + 1
        self._past = heard[:, frames:]
        known = np.isfinite(heard[..., :1]).cumsum(1)
        known[:, window:] -= known[:, :-window].copy()
        least = _sliding_minimum(heard, window)
        return np.where(known[:, window - 1 :] >= self._least_frames, least, np.float32(0))


def _sliding_minimum(values: Array, count: int) -> Array:
    """The least of each frame and the `count` - 1 before it, which the first ones lack."""
    covered = 1
    while covered < count:
        step = min(covered, count - covered)
        values = np.minimum(values[:, step:], values[:, :-step])
        covered += step
    return values
