"""What encodings keep of samples: full scale, and the steps that integers have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INTEGER_BITS = {"PCM_U8": 8, "PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
"""Bits that samples are rounded to, by libsndfile's name of the encoding."""
INTEGER_BITS |= {"ULAW": 16, "ALAW": 16}
UNLIMITED = ("FLOAT", "DOUBLE")
"""Encodings that hold samples beyond full scale."""

_LARGEST = {"PCM_U8": 1 - 2.0**-7, "PCM_S8": 1 - 2.0**-7}
_LARGEST |= {"ULAW": 32124 / 32768, "ALAW": 32256 / 32768}


def steps(samples: NDArray[np.floating], bits: int) -> NDArray[np.float64]:
    """Round samples to the integers that stand for them, limited to full scale.

    >>> steps(np.array([0.5, 1.0]), 8)
    array([ 64., 127.])
    """
    full_scale = 2.0 ** (bits - 1)
    numbers = np.rint(samples * np.float64(full_scale))
    return np.clip(numbers, -full_scale, full_scale - 1, out=numbers)


def kept(samples: NDArray[np.float32], subtype: str) -> NDArray[np.float32]:
    """What a file of an encoding would hold of samples: limited and rounded.

    Args:
        samples: Of any shape.
        subtype: libsndfile's name of the encoding.

    Returns:
        The same shape; codecs lose more than this tells.

    >>> kept(np.array([1.5, 0.001], np.float32), "PCM_U8")
    array([0.9921875, 0.       ], dtype=float32)
    """
    bits = INTEGER_BITS.get(subtype)
    if subtype in UNLIMITED:
        return samples
    if bits is None:
        return np.clip(samples, -1.0, 1.0)
    rounded: NDArray[np.float32] = (steps(samples, bits) / 2 ** (bits - 1)).astype(np.float32)
    return rounded


def largest_sample(subtype: str) -> float:
    """The sample that a limiter of this encoding, or of the 16 bits before it, leaves at most.

    >>> largest_sample("ULAW") < largest_sample("PCM_16") < 1
    True
    """
    return _LARGEST.get(subtype, 1 - 2.0**-15)
