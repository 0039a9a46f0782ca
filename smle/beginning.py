"""The first seconds of signals, to be heard before they are enhanced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

HEARD_S = 4.0
"""How much of a signal is heard before it begins."""


def beginning(rows: Signal, lengths: NDArray[np.integer], sample_rate: int) -> Signal:
    """Cut the first four seconds of each row; a shorter one is heard again until they are over.

    Args:
        rows: (rows, samples), the shorter ones padded at their end.
        lengths: Samples of each row that are its own, (rows,).
        sample_rate: In Hz.

    Returns:
        (rows, samples).

    >>> beginning(np.array([[1, 2, 0]], np.float32), np.array([2]), 2)
    array([[1., 2., 1., 2.]], dtype=float32)
    """
    samples = round(HEARD_S * sample_rate)
    # np.resize makes zeros of a row without samples.
    own = [row[: min(length, samples)] for row, length in zip(rows, lengths, strict=True)]
    return np.stack([np.resize(row, samples) for row in own])
