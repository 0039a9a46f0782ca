"""Layers in NumPy: what torch's own compute, without the seconds that importing torch takes.

Signals are (frames, features, rows) here: weights multiply from the left, and the gates of a
recurrence, frame by frame, are whole pieces of memory. sigmoid(v) = (1 + tanh(v / 2)) / 2: with
weights halved in advance, one tanh serves all gates of a recurrent layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from smle.bands import N_BANDS

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

# With more, a product for each frame is as fast as one for all.
_FEW_ROWS = 4
# An array, for that is what NumPy would make of a number in every call.
_HALF = np.array(0.5, np.float32)


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
        self._weight = weights[f"{name}.weight"]
        self._bias = weights[f"{name}.bias"][:, None]

    def __call__(self, x: Array) -> Array:
        """(frames, inputs, rows) to (frames, outputs, rows)."""
        frames, inputs, rows = x.shape
        product: Array
        if rows > _FEW_ROWS or frames == 1:
            product = self._weight @ x
        else:
            # All frames in one product, where there would be a small one for each.
            flat = x.transpose(0, 2, 1).reshape(frames * rows, inputs) @ self._weight.T
            product = flat.reshape(frames, rows, -1).transpose(0, 2, 1)
        product += self._bias
        return product


class RangeLinear:
    """Linear layers beside each other, each for one range of the rows.

    Args:
        weights: Holds NAME.weight (outputs, inputs) and NAME.bias (outputs).
        names: Of the layers; rows come in ranges of equal size.
    """

    def __init__(self, weights: Weights, *names: str) -> None:
        self._weight = _OfRanges([weights[f"{name}.weight"] for name in names])
        self._bias = _OfRanges([weights[f"{name}.bias"][:, None] for name in names])

    def __call__(self, x: Array) -> Array:
        """(frames, inputs, rows) to (frames, outputs, rows)."""
        frames, _, rows = x.shape
        weight, bias = self._weight.for_rows(rows), self._bias.for_rows(rows)
        product = np.empty((frames, weight.shape[1], rows), np.float32)
        by_range = _by_range(product, len(weight))
        np.matmul(weight, _by_range(x, len(weight)), by_range)
        by_range += bias
        return product


class Lstm:
    """One layer of an LSTM, or several beside each other, each for one range of the rows.

    Args:
        weights: Holds NAME.weight_ih_lINDEX and so on, as torch names and shapes them.
        names: Of the layers; where there are several, rows come in ranges of equal size.
        index: Of the layer among those of its name.
    """

    def __init__(self, weights: Weights, *names: str, index: int = 0) -> None:
        self._weight = _OfRanges([self._joint(weights, name, index) for name in names])

    @staticmethod
    def _joint(weights: Weights, name: str, index: int) -> Array:
        parts = _recurrent_weights(weights, name, index, gates=4)
        # Input, forget and output gate, then what is let in.
        parts = [part[[0, 1, 3, 2]] for part in parts]
        for part in parts:
            part[:3] *= _HALF
        from_x, from_hidden, bias_x, bias_hidden = parts
        # All in one product: a frame's inputs, the hidden state and a row of ones.
        joint = np.concatenate([from_x, from_hidden, bias_x + bias_hidden], 2)
        return joint.reshape(-1, joint.shape[2])

    def __call__(self, x: Array, hidden: Array, cell: Array) -> tuple[Array, Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, inputs, rows).
            hidden: (size, rows).
            cell: (size, rows).

        Returns:
            All hidden states (frames, size, rows), the last one, and the last cell.
        """
        frames, inputs, rows = x.shape
        size = len(hidden)
        given = np.empty((frames + 1, inputs + size + 1, rows), np.float32)
        given[:-1, :inputs] = x
        given[0, inputs:-1] = hidden
        given[:, -1] = 1
        followed = given[1:, inputs:-1]
        weight, cell = self._weight.for_rows(rows), cell.copy()
        # The loop's only arrays; the rest of it are views of them.
        values, squashed = np.empty((4 * size, rows), np.float32), np.empty_like(cell)
        gates, (enter, keep, leave, let_in) = values[: 3 * size], values.reshape(4, size, rows)
        by_range = _by_range(values, len(weight))
        for now, after in zip(_by_range(given[:-1], len(weight)), followed, strict=True):
            np.matmul(weight, now, by_range)
            np.tanh(values, values)
            np.multiply(gates, _HALF, gates)
            np.add(gates, _HALF, gates)
            np.multiply(cell, keep, cell)
            np.multiply(let_in, enter, let_in)
            np.add(cell, let_in, cell)
            np.tanh(cell, squashed)
            np.multiply(squashed, leave, after)
        return followed, followed[-1].copy(), cell


class Gru:
    """One layer of a GRU.

    Args:
        weights: Holds NAME.weight_ih_lINDEX and so on, as torch names and shapes them.
        name: Of the layers.
        index: Of the layer among them.
    """

    def __init__(self, weights: Weights, name: str, index: int = 0) -> None:
        parts = _recurrent_weights(weights, name, index, gates=3)
        for part in parts:
            part[:2] *= _HALF
        from_x, from_hidden, bias_x, bias_hidden = (p.reshape(-1, p.shape[2]) for p in parts)
        self._from_x, self._bias_x = from_x, bias_x
        self._from_hidden, self._bias_hidden = from_hidden, bias_hidden

    def __call__(self, x: Array, hidden: Array) -> tuple[Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, inputs, rows).
            hidden: (size, rows).

        Returns:
            All hidden states (frames, size, rows), and the last one.
        """
        size, rows = hidden.shape
        given = self._from_x @ x
        given += self._bias_x
        from_hidden, bias = self._from_hidden, self._bias_hidden
        followed = np.empty((len(x), size, rows), np.float32)
        values = np.empty((3 * size, rows), np.float32)
        gates, (reset, keep, new) = values[: 2 * size], values.reshape(3, size, rows)
        for now, after in zip(given, followed, strict=True):
            np.matmul(from_hidden, hidden, values)
            np.add(values, bias, values)
            np.add(gates, now[: 2 * size], gates)
            np.tanh(gates, gates)
            np.multiply(gates, _HALF, gates)
            np.add(gates, _HALF, gates)
            np.multiply(new, reset, new)
            np.add(new, now[2 * size :], new)
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


class _OfRanges:
    """What belongs to each range of rows.

    Args:
        each: Of each range an array, all of one shape.
    """

    def __init__(self, each: list[Array]) -> None:
        self._each = np.stack(each)
        self._repeated: dict[int, Array] = {}

    def for_rows(self, rows: int) -> Array:
        """The arrays, one for each range; or one for each row where these are one signal's bands.

        BLAS multiplies a matrix with two or four columns more slowly than with as many vectors.
        """
        ranges = len(self._each)
        if ranges == 1 or not ranges < rows <= N_BANDS:
            return self._each
        if rows not in self._repeated:
            self._repeated[rows] = np.repeat(self._each, rows // ranges, 0)
        return self._repeated[rows]


def _by_range(x: Array, ranges: int) -> Array:
    """View (..., features, rows) as (..., ranges, features, rows of a range)."""
    return x.reshape(*x.shape[:-1], ranges, -1).swapaxes(-3, -2)


def _recurrent_weights(weights: Weights, name: str, index: int, gates: int) -> list[Array]:
    """Matrices from the input and from the hidden state (gates, size, inputs), and their biases.

    Biases are (gates, size, 1). All are copies.
    """
    matrices = (weights[f"{name}.weight_{part}_l{index}"] for part in ("ih", "hh"))
    biases = (weights[f"{name}.bias_{part}_l{index}"] for part in ("ih", "hh"))
    return [
        *(matrix.reshape(gates, -1, matrix.shape[1]).copy() for matrix in matrices),
        *(bias.reshape(gates, -1, 1).copy() for bias in biases),
    ]
