"""Layer norm in NumPy, most of it done in advance by the layer behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_FLOOR = np.float32(1e-5)


def deviations(x: Array) -> Array:
    """What a norm divides features by; what it does beyond that, `absorb_norm` does.

    Args:
        x: (..., features).

    Returns:
        The deviation of the features about their mean (..., 1).

    >>> deviations(np.array([1.0, 5.0], np.float32)).round(3)
    array([2.], dtype=float32)
    """
    features = x.shape[-1]
    flat = x.reshape(-1, features)
    # A product with equal weights is a mean, and several times as quick as a sum over a last axis.
    weights = np.full((features, 1), 1 / features, np.float32)
    variance: Array = np.square(flat) @ weights
    variance -= np.square(flat @ weights)
    np.maximum(variance, 0, out=variance)  # rounding may leave less
    variance += _FLOOR
    np.sqrt(variance, out=variance)
    return variance.reshape(*x.shape[:-1], 1)


def absorb_norm(
    matrix: Array, bias: Array, norm_weight: Array, norm_bias: Array
) -> tuple[Array, Array]:
    """Matrix and bias that make of features over `deviations` what these make of a layer norm.

    Args:
        matrix: (outputs, inputs), where inputs are one or more times the norm's features.
        bias: (outputs).
        norm_weight: (features).
        norm_bias: (features).

    Returns:
        Matrix and bias, shaped as they came.

    >>> matrix, _ = absorb_norm(np.array([[1.0, 3.0]]), np.zeros(1), np.ones(2), np.zeros(2))
    >>> matrix  # of features 1 and 5 it makes what it made of the centred -2 and 2
    array([[-1.,  1.]])
    """
    times = matrix.shape[1] // norm_weight.size
    weighted = (matrix * np.tile(norm_weight, times)).reshape(-1, norm_weight.size)
    # Rows without a mean do not hear the mean of what they are multiplied by.
    weighted -= weighted.mean(1, keepdims=True)
    return weighted.reshape(matrix.shape), bias + matrix @ np.tile(norm_bias, times)
