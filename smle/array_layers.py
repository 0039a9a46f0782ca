"""Layers in NumPy: what torch's own compute, without the seconds that importing torch takes.

Signals are time-major here, (frames, rows, features), so that the frames of a recurrence are whole
pieces of memory. sigmoid(v) = (1 + tanh(v / 2)) / 2: with weights halved in advance, one tanh
serves all gates of a recurrent layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

_NORM_FLOOR = np.float32(1e-5)


class Linear:
    """A linear layer over the last axis.

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


class LayerNorm:
    """Normalisation over the last axis.

    Args:
        weights: Holds NAME.weight and NAME.bias, both (features).
        name: Of the layer.
    """

    def __init__(self, weights: Weights, name: str) -> None:
        self._weight, self._bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        self._share = np.float32(1 / self._weight.size)

    def __call__(self, x: Array) -> Array:
        """Normalised, of the shape given."""
        centred: Array = x - x.sum(-1, keepdims=True) * self._share
        variance = np.einsum("...c,...c->...", centred, centred)[..., None] * self._share
        variance += _NORM_FLOOR
        centred /= np.sqrt(variance)
        centred *= self._weight
        centred += self._bias
        return centred


class Lstm:
    """One layer of an LSTM.

    Args:
        weights: Holds NAME.weight_ih_lINDEX and so on, as torch names and shapes them.
        name: Of the layers.
        index: Of the layer among them.
    """

    def __init__(self, weights: Weights, name: str, index: int = 0) -> None:
        from_x, from_hidden, bias_x, bias_hidden = _recurrent_weights(weights, name, index)
        self.size = size = len(from_hidden)
        # Input, forget and output gate side by side, then what is let in.
        order = np.r_[0 : 2 * size, 3 * size : 4 * size, 2 * size : 3 * size]
        scale = np.where(np.arange(4 * size) < 3 * size, np.float32(0.5), np.float32(1.0))
        self._from_x = np.ascontiguousarray(from_x[:, order] * scale)
        self._from_hidden = np.ascontiguousarray(from_hidden[:, order] * scale)
        self._bias = (bias_x + bias_hidden)[order] * scale

    def __call__(self, x: Array, hidden: Array, cell: Array) -> tuple[Array, Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, rows, inputs).
            hidden: (rows, size).
            cell: (rows, size).

        Returns:
            All hidden states (frames, rows, size), the last one, and the last cell.
        """
        frames, rows, inputs = x.shape
        size, from_hidden = self.size, self._from_hidden
        all_given = x.reshape(-1, inputs) @ self._from_x
        all_given += self._bias
        all_given = all_given.reshape(frames, rows, 4 * size)
        followed = np.empty((frames, rows, size), np.float32)
        hidden, cell = np.ascontiguousarray(hidden), cell.copy()
        # The loop's only arrays; the rest of it are views of them.
        values, squashed = np.empty((rows, 4 * size), np.float32), np.empty_like(cell)
        gates, let_in = values[:, : 3 * size], values[:, 3 * size :]
        enter, keep, leave = (values[:, k * size : (k + 1) * size] for k in range(3))
        for given, after in zip(all_given, followed, strict=True):
            np.dot(hidden, from_hidden, values)
            np.add(values, given, values)
            np.tanh(values, values)
            np.multiply(gates, 0.5, gates)
            np.add(gates, 0.5, gates)
            np.multiply(cell, keep, cell)
            np.multiply(let_in, enter, let_in)
            np.add(cell, let_in, cell)
            np.tanh(cell, squashed)
            hidden = np.multiply(squashed, leave, after)
        return followed, hidden.copy(), cell


class Gru:
    """One layer of a GRU (arguments as for `Lstm`)."""

    def __init__(self, weights: Weights, name: str, index: int = 0) -> None:
        from_x, from_hidden, bias_x, bias_hidden = _recurrent_weights(weights, name, index)
        self.size = size = len(from_hidden)
        scale = np.where(np.arange(3 * size) < 2 * size, np.float32(0.5), np.float32(1.0))
        self._from_x = np.ascontiguousarray(from_x * scale)
        self._from_hidden = np.ascontiguousarray(from_hidden * scale)
        self._bias_x, self._bias_hidden = bias_x * scale, bias_hidden * scale

    def __call__(self, x: Array, hidden: Array) -> tuple[Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, rows, inputs).
            hidden: (rows, size).

        Returns:
            All hidden states (frames, rows, size), and the last one.
        """
        frames, rows, inputs = x.shape
        size, from_hidden, bias = self.size, self._from_hidden, self._bias_hidden
        all_given = x.reshape(-1, inputs) @ self._from_x
        all_given += self._bias_x
        all_given = all_given.reshape(frames, rows, 3 * size)
        followed = np.empty((frames, rows, size), np.float32)
        hidden = np.ascontiguousarray(hidden)
        values = np.empty((rows, 3 * size), np.float32)
        gates, new = values[:, : 2 * size], values[:, 2 * size :]
        reset, keep = values[:, :size], values[:, size : 2 * size]
        for given, after in zip(all_given, followed, strict=True):
            np.dot(hidden, from_hidden, values)
            np.add(values, bias, values)
            np.add(gates, given[:, : 2 * size], gates)
            np.tanh(gates, gates)
            np.multiply(gates, 0.5, gates)
            np.add(gates, 0.5, gates)
            np.multiply(new, reset, new)
            np.add(new, given[:, 2 * size :], new)
            np.tanh(new, new)
            np.subtract(hidden, new, after)
            np.multiply(after, keep, after)
            hidden = np.add(after, new, after)
        return followed, hidden.copy()


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


def _recurrent_weights(weights: Weights, name: str, index: int) -> tuple[Array, ...]:
    """Matrices from the input and from the hidden state, (inputs, outputs), and their biases."""
    from_x, from_hidden = (weights[f"{name}.weight_{part}_l{index}"].T for part in ("ih", "hh"))
    bias_x, bias_hidden = (weights[f"{name}.bias_{part}_l{index}"] for part in ("ih", "hh"))
    return from_x, from_hidden, bias_x, bias_hidden
