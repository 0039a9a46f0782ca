"""Layer norm in NumPy, most of it done in advance by the layer behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_FLOOR = np.float32(1e-5)


def unit_variance(x: Array) -> Array:
    """Scale features to a variance of one; what a norm does beyond that, `absorb_norm` does.

    Args:
        x: (frames, features, rows).

    Returns:
        The same, divided by the deviation of each row's features about their mean, which stays in.

    >>> unit_variance(np.array([[[1.0], [5.0]]], np.float32)).ravel().round(3)
    array([0.5, 2.5], dtype=float32)
    """
    share = np.float32(1 / x.shape[1])
    mean = x.sum(1, keepdims=True) * share
    variance = np.square(x).sum(1, keepdims=True) * share
    variance -= np.square(mean)
    np.maximum(variance, 0, out=variance)  # rounding may leave less
    variance += _FLOOR
    scaled: Array = x * (1 / np.sqrt(variance))
    return scaled


def absorb_norm(
    matrix: Array, bias: Array, norm_weight: Array, norm_bias: Array
) -> tuple[Array, Array]:
    """Matrix and bias that make of `unit_variance` what the given ones make of a layer norm.

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
