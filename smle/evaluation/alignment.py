"""Make an estimate and its reference comparable: constant delay and length."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smle.errors import AudioError


def delay_samples(estimate: NDArray[np.floating], clean: NDArray[np.floating], limit: int) -> int:
    """Return by how many samples the estimate comes later than the clean signal.

    The lag of the largest absolute cross-correlation within the limit, summed over channels, so
    an inverted polarity is found too. Fractions of a sample are not resolved.

    Args:
        estimate: Shape (channels, time).
        clean: Shape (channels, time); the length may differ.
        limit: Largest delay either way, in samples.

    Returns:
        The delay, negative if the estimate is early; 0 if either is silent.

    >>> clean = np.array([[0.0, 3.0, 1.0, 0.0, 0.0]])
    >>> delay_samples(np.roll(clean, 2), clean, limit=3)
    2
    """
    from scipy.fft import irfft, next_fast_len, rfft

    limit = min(limit, max(estimate.shape[1], clean.shape[1]) - 1)
    size = next_fast_len(max(estimate.shape[1], clean.shape[1]) + limit, real=True)
    spectrum = rfft(estimate, size) * rfft(clean, size).conj()
    correlation = np.abs(irfft(spectrum, size).sum(axis=0))
    lags = np.concatenate([correlation[size - limit :], correlation[: limit + 1]])
    # Among equals, and in silence, the smallest delay.
    best = np.flatnonzero(lags >= lags.max() * (1 - 1e-9)) - limit
    return int(best[np.abs(best).argmin()])


def in_time(
    signals: dict[str, NDArray[np.float32]], delays: Mapping[str, int]
) -> dict[str, NDArray[np.float32]]:
    """Cut the starts of signals so that none is late.

    Args:
        signals: Shape (channels, time) each, by what they are.
        delays: Samples by which some are late, negative if early; the others are in time.

    Returns:
        The signals: early ones have lost their first samples, so the others lose theirs.

    >>> clean = np.arange(4, dtype=np.float32)[None]
    >>> in_time({"clean": clean, "late": np.pad(clean, ((0, 0), (1, 0)))}, {"late": 1})["late"]
    array([[0., 1., 2., 3.]], dtype=float32)
    """
    earliest = min(delays.get(name, 0) for name in signals)
    return {name: signal[:, delays.get(name, 0) - earliest :] for name, signal in signals.items()}


def cut_to_common(
    signals: dict[str, NDArray[np.float32]], sample_rate: int, tolerance_s: float
) -> dict[str, NDArray[np.float32]]:
    """Cut signals of nearly one length to the shortest.

    Args:
        signals: Shape (channels, time) each, by what they are.
        sample_rate: In Hz.
        tolerance_s: By how much the lengths may differ.

    Returns:
        The signals, of one length.

    Raises:
        AudioError: If the lengths differ by more, or the channel counts differ.
    """
    lengths = {name: signal.shape[1] for name, signal in signals.items()}
    longest, shortest = max(lengths, key=lengths.__getitem__), min(lengths, key=lengths.__getitem__)
    excess = lengths[longest] - lengths[shortest]
    if excess > round(tolerance_s * sample_rate):
        raise AudioError(
            f"the {shortest} is {excess} samples ({excess / sample_rate:.3g} s) shorter than "
            f"the {longest}; more than {tolerance_s:g} s may be allowed by --tolerance"
        )
    channels = {name: signal.shape[0] for name, signal in signals.items()}
    if len(set(channels.values())) > 1:
        shown = " and ".join(f"the {name} {count}" for name, count in channels.items())
        raise AudioError(f"channel counts differ ({shown}); give files of one layout")
    return {name: signal[:, : lengths[shortest]] for name, signal in signals.items()}
