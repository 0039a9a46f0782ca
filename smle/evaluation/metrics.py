"""Energy ratios and distances of an estimate against its clean reference, one channel each."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smle.errors import SmleError

Signal: TypeAlias = NDArray[np.float64]

_ROUNDING = 1e-24
LIMIT_DB = 100.0
"""Energy ratios are limited to +-100 dB, so that a muted or perfect file can still be averaged."""

BSS_FILTER_TAPS = 512


class MetricError(SmleError):
    """A metric has no value for these signals."""


def si_sdr_db(estimate: ArrayLike, clean: ArrayLike, *, zero_mean: bool = True) -> float:
    """Return the scale-invariant signal-to-distortion ratio.

    With a = <estimate, clean> / <clean, clean>, it is the energy of a * clean over the energy of
    estimate - a * clean. The means are removed first: an offset is inaudible and differs between
    sound cards. An estimate without any trace of the clean signal, silence among them, gives
    -100 dB and a scaled copy +100 dB, the limits of the scale.

    Source: Le Roux et al., "SDR - half-baked or well done?", ICASSP 2019, equation 5.

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).
        zero_mean: Whether to remove the mean of both first.

    Returns:
        The ratio in dB, within +-100.

    Raises:
        MetricError: If the clean signal is silent, or a signal is empty or not finite.

    >>> clean = np.array([1.0, -1.0, 1.0, -1.0])
    >>> error = np.array([1.0, 1.0, -1.0, -1.0])
    >>> round(si_sdr_db(clean + 0.1 * error, clean), 6)
    20.0
    """
    processed, reference = checked(estimate, clean)
    if zero_mean:
        energy = _energy(reference)
        processed, reference = processed - processed.mean(), reference - reference.mean()
        if _energy(reference) <= _ROUNDING * energy:
            reference = np.zeros_like(reference)  # a constant: what is left of it is rounding
    target = (np.dot(processed, reference) / energy_of_clean(reference)) * reference
    return _ratio_db(_energy(target), _energy(processed - target))


def snr_db(estimate: ArrayLike, clean: ArrayLike) -> float:
    """Return the plain signal-to-noise ratio: clean over estimate - clean, nothing rescaled.

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).

    Returns:
        The ratio in dB, within +-100.

    Raises:
        MetricError: If the clean signal is silent, or a signal is empty or not finite.

    >>> round(snr_db([1.1, -1.1], [1.0, -1.0]), 6)
    20.0
    """
    processed, reference = checked(estimate, clean)
    return _ratio_db(energy_of_clean(reference), _energy(processed - reference))


def sdr_db(estimate: ArrayLike, clean: ArrayLike) -> float:
    """Return the signal-to-distortion ratio of BSS Eval: a filter of 512 taps is forgiven.

    The target is the projection of the estimate on the clean signal delayed by 0 to 511 samples.
    Source: Vincent et al., "Performance measurement in blind audio source separation", TASLP 2006;
    solved as in Scheibler, "SDR - medium rare with fast computations", ICASSP 2022.

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).

    Returns:
        The ratio in dB, within +-100.

    Raises:
        MetricError: If the clean signal is silent, or a signal is empty or not finite.

    >>> clean = np.random.default_rng(0).standard_normal(4000)
    >>> sdr_db(np.roll(clean, 1) / 2, clean) > 30  # late and quieter, as a filter makes it
    True
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.linalg import solve_toeplitz

    processed, reference = checked(estimate, clean)
    reference = reference / np.sqrt(energy_of_clean(reference))
    energy = _energy(processed)
    if energy == 0:
        return -LIMIT_DB
    size = next_fast_len(reference.size + BSS_FILTER_TAPS, real=True)
    spectrum, processed_spectrum = rfft(reference, size), rfft(processed / np.sqrt(energy), size)
    autocorrelation = irfft(np.abs(spectrum) ** 2, size)[:BSS_FILTER_TAPS]
    correlation = irfft(spectrum.conj() * processed_spectrum, size)[:BSS_FILTER_TAPS]
    # A clean signal of fewer distinct samples than taps makes the system singular.
    autocorrelation[0] += 1e-12
    coherence = float(correlation @ solve_toeplitz(autocorrelation, correlation))
    return _ratio_db(coherence, 1.0 - coherence)


def lsd_db(estimate: ArrayLike, clean: ArrayLike, sample_rate: int) -> float:
    """Return the log-spectral distance: 0 for a copy, higher is worse, level matters.

    The root mean square over frequency of the difference of the log power spectra in dB, averaged
    over frames of 32 ms (Hann, hop 16 ms); powers are floored 80 dB below the clean signal's
    loudest bin. Source: Gray & Markel, "Distance measures for speech processing", TASSP 1976.

    Args:
        estimate: What the system gave, shape (time,).
        clean: The reference, shape (time,).
        sample_rate: In Hz.

    Returns:
        The distance in dB.

    Raises:
        MetricError: If the clean signal is silent or shorter than a frame, or one is not finite.
    """
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    processed, reference = checked(estimate, clean)
    energy_of_clean(reference)
    length = round(0.032 * sample_rate)
    if reference.size < length:
        raise MetricError(f"lsd: {reference.size} samples are fewer than a frame of {length}")
    transform = ShortTimeFFT(hann(length, sym=False), hop=length // 2, fs=sample_rate)
    clean_power = transform.spectrogram(reference)
    floor = 1e-8 * clean_power.max()
    difference = np.log10(np.maximum(clean_power, floor)) - np.log10(
        np.maximum(transform.spectrogram(processed), floor)
    )
    return float(10 * np.sqrt((difference**2).mean(axis=0)).mean())


def resampled(signal: Signal, from_rate: int, to_rate: int) -> Signal:
    """Return the signal at another rate, by soxr.

    Args:
        signal: Shape (time,).
        from_rate: Its rate in Hz.
        to_rate: The rate wanted, in Hz.

    Returns:
        The signal, shape (time * to_rate / from_rate,).
    """
    import soxr

    if from_rate == to_rate:
        return signal
    return np.asarray(soxr.resample(signal, from_rate, to_rate), dtype=np.float64)


def checked(estimate: ArrayLike, clean: ArrayLike) -> tuple[Signal, Signal]:
    """Return both signals as float64, once it is sure that they can be compared.

    Args:
        estimate: Shape (time,).
        clean: Shape (time,).

    Returns:
        Both, shape (time,).

    Raises:
        MetricError: If they are empty, not finite, or of different shapes.
    """
    processed, reference = np.asarray(estimate, np.float64), np.asarray(clean, np.float64)
    if processed.ndim != 1 or processed.shape != reference.shape or processed.size == 0:
        raise MetricError(
            "signals must be one channel of equal length, "
            f"not {processed.shape} and {reference.shape}"
        )
    for name, signal in (("estimate", processed), ("clean signal", reference)):
        if not np.isfinite(signal).all():
            raise MetricError(f"the {name} holds NaN or infinity")
    return processed, reference


def _energy(signal: Signal) -> float:
    return float(np.dot(signal, signal))


def energy_of_clean(clean: Signal) -> float:
    """Return the energy of the reference, which must not be silent.

    Args:
        clean: Shape (time,).

    Returns:
        The sum of its squares.

    Raises:
        MetricError: If it is zero.
    """
    energy = _energy(clean)
    if energy == 0:
        raise MetricError("the clean signal is silent, so there is nothing to compare with")
    return energy


def _ratio_db(signal: float, noise: float) -> float:
    limit = 10 ** (LIMIT_DB / 10)
    if signal <= 0 or noise >= signal * limit:
        return -LIMIT_DB
    if noise * limit <= signal:
        return LIMIT_DB
    return float(10 * np.log10(signal / noise))
