"""Hops at any sample rate, so that nothing needs to be resampled.

Window and hop are fixed in seconds, so the bins of all sample rates coincide: a 48 kHz transform
of 1536 points has below 8 kHz exactly the bins of a 16 kHz transform of 512 points. Where the hop
would not be a whole number of samples (44.1 kHz), it is rounded to one that transforms fast; bins
then lie less than 0.5 % beside the model's.
"""

from __future__ import annotations

import math

from smle.errors import AudioError

LOWEST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 768_000
_HOP_TOLERANCE = 0.005


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
