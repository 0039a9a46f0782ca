"""Layers in NumPy: what torch's own compute, without the seconds that importing torch takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]


def weights_under(name: str, weights: Weights) -> dict[str, Array]:
    """The weights of one part, by the names that they have in it.

    >>> weights_under("gate", {"gate.bias": np.zeros(1), "gates.bias": np.ones(1)})
    {'bias': array([0.])}
    """
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


class Linear:
    """A linear layer over the features.

    Args:
        weights: Holds NAME.weight (outputs, inputs) and NAME.bias (outputs).
        name: Of the layer.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        self._weight = np.ascontiguousarray(weights[f"{name}.weight"].T)
        self._bias = weights[f"{name}.bias"]

    def __call__(self, x: Array) -> Array:
        """(..., inputs) to (..., outputs)."""
        product: Array = x.reshape(-1, x.shape[-1]) @ self._weight
        product += self._bias
        return product.reshape(*x.shape[:-1], -1)


def silu(x: Array) -> Array:
    """Return x * sigmoid(x)."""
    return sigmoid(x) * x


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)).

    >>> sigmoid(np.zeros(1, np.float32))
    array([0.5], dtype=float32)
    """
    y = np.tanh(0.5 * x)
    y *= 0.5
    y += 0.5
    return cast("Array", y)


def softmax(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Positive shares over the last axis that add up to 1, in the precision given.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    odds = np.exp(x - x.max(-1, keepdims=True))
    shares: NDArray[np.floating] = odds / odds.sum(-1, keepdims=True)
    return shares
