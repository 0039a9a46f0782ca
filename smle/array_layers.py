"""Layers in NumPy: what torch's own compute, without the seconds that importing torch takes.

Signals are time-major here, (frames, rows, features), and gates come first, so that what a
recurrence works on, frame by frame, are whole pieces of memory. sigmoid(v) = (1 + tanh(v / 2)) / 2:
with weights halved in advance, one tanh serves all gates of a recurrent layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

_NORM_FLOOR = np.float32(1e-5)
# An array, for that is what NumPy would make of a number in every call.
_HALF = np.array(0.5, np.float32)


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
        parts = _recurrent_weights(weights, name, index, gates=4)
        # Input, forget and output gate, then what is let in.
        parts = [part[[0, 1, 3, 2]] for part in parts]
        for part in parts:
            part[:3] *= _HALF
        self._from_x, self._from_hidden, bias_x, bias_hidden = parts
        self._bias = bias_x + bias_hidden

    def __call__(self, x: Array, hidden: Array, cell: Array) -> tuple[Array, Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, rows, inputs).
            hidden: (rows, size).
            cell: (rows, size).

        Returns:
            All hidden states (frames, rows, size), the last one, and the last cell.
        """
        given = _given(x, self._from_x, self._bias)
        from_hidden, hidden, cell = self._from_hidden, np.ascontiguousarray(hidden), cell.copy()
        followed = np.empty((len(x), *hidden.shape), np.float32)
        # The loop's only arrays; the rest of it are views of them.
        values, squashed = np.empty((4, *hidden.shape), np.float32), np.empty_like(cell)
        gates, (enter, keep, leave, let_in) = values[:3], values
        for frame, after in enumerate(followed):
            np.matmul(hidden, from_hidden, values)
            np.add(values, given[:, frame], values)
            np.tanh(values, values)
            np.multiply(gates, _HALF, gates)
            np.add(gates, _HALF, gates)
            np.multiply(cell, keep, cell)
            np.multiply(let_in, enter, let_in)
            np.add(cell, let_in, cell)
            np.tanh(cell, squashed)
            hidden = np.multiply(squashed, leave, after)
        return followed, hidden.copy(), cell


class Gru:
    """One layer of a GRU (arguments as for `Lstm`)."""

    def __init__(self, weights: Weights, name: str, index: int = 0) -> None:
        parts = _recurrent_weights(weights, name, index, gates=3)
        for part in parts:
            part[:2] *= _HALF
        self._from_x, self._from_hidden, self._bias_x, self._bias_hidden = parts

    def __call__(self, x: Array, hidden: Array) -> tuple[Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, rows, inputs).
            hidden: (rows, size).

        Returns:
            All hidden states (frames, rows, size), and the last one.
        """
        given = _given(x, self._from_x, self._bias_x)
        from_hidden, hidden = self._from_hidden, np.ascontiguousarray(hidden)
        followed = np.empty((len(x), *hidden.shape), np.float32)
        values = np.empty((3, *hidden.shape), np.float32)
        gates, (reset, keep, new) = values[:2], values
        for frame, after in enumerate(followed):
            np.matmul(hidden, from_hidden, values)
            np.add(values, self._bias_hidden, values)
            np.add(gates, given[:2, frame], gates)
            np.tanh(gates, gates)
            np.multiply(gates, _HALF, gates)
            np.add(gates, _HALF, gates)
            np.multiply(new, reset, new)
            np.add(new, given[2, frame], new)
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


def softmax(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Positive shares over the last axis that add up to 1, in the precision given.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    odds = np.exp(x - x.max(-1, keepdims=True))
    shares: NDArray[np.floating] = odds / odds.sum(-1, keepdims=True)
    return shares


def _recurrent_weights(weights: Weights, name: str, index: int, gates: int) -> list[Array]:
    """Matrices from the input and from the hidden state (gates, inputs, size), and their biases.

    Biases are (gates, 1, size). All are copies.
    """
    matrices = (weights[f"{name}.weight_{part}_l{index}"] for part in ("ih", "hh"))
    biases = (weights[f"{name}.bias_{part}_l{index}"] for part in ("ih", "hh"))
    return [
        *(
            matrix.reshape(gates, -1, matrix.shape[1]).transpose(0, 2, 1).copy()
            for matrix in matrices
        ),
        *(bias.reshape(gates, 1, -1).copy() for bias in biases),
    ]


def _given(x: Array, from_x: Array, bias: Array) -> Array:
    """What the inputs (frames, rows, inputs) give to each gate: (gates, frames, rows, size)."""
    frames, rows, inputs = x.shape
    given: Array = x.reshape(-1, inputs) @ from_x
    given += bias
    return given.reshape(len(from_x), frames, rows, -1)
