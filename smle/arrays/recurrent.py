"""Recurrent layers in NumPy.

Signals are (frames, rows, features) here, those of bands (frames, rows, bands, features); the gates
of a recurrence, frame by frame, are whole pieces of memory. sigmoid(v) = (1 + tanh(v / 2)) / 2:
with weights halved in advance, one tanh serves all gates.
"""

from __future__ import annotations

import numpy as np

from smle.arrays.layers import Array, Weights
from smle.arrays.norm import deviations

# An array, for that is what NumPy would make of a number in every call.
_HALF = np.array(0.5, np.float32)


class Lstm:
    """One layer of an LSTM.

    Args:
        weights: Holds NAME.weight_ih_lINDEX and so on, as torch names and shapes them.
        name: Of the layers.
        index: Of the layer among them.
    """

    def __init__(self, weights: Weights, name: str, index: int = 0) -> None:
        self._weight = _joint_weight(weights, name, index)

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
        given = np.empty((frames + 1, rows, self._weight.shape[1]), np.float32)
        given[:-1, :, :inputs] = x
        return _follow(given, hidden, cell, self._weight)


class BandLstm:
    """A residual layer along bands: layer norm, LSTM, linear layer; bands of a range share them.

    Args:
        weights: Holds LSTM.K.weight_ih_l0 and so on, and OUTPUT.K.weight and OUTPUT.K.bias, for
            each range K; the LSTMs have absorbed the norm (see `smle.arrays.norm`).
        lstm: Name of the LSTMs.
        output: Name of the linear layers.
        ranges: How many ranges of equal size there are.
    """

    def __init__(self, weights: Weights, lstm: str, output: str, ranges: int) -> None:
        each = [_joint_weight(weights, f"{lstm}.{k}") for k in range(ranges)]
        self._weight = np.stack(each, 1)  # (gates, ranges, inputs + size + 1, size)
        self._output = np.stack([weights[f"{output}.{k}.weight"].T for k in range(ranges)])
        self._bias = np.stack([weights[f"{output}.{k}.bias"][None] for k in range(ranges)])

    def __call__(self, x: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
        """Follow more frames, and change them in place.

        Args:
            x: (frames, rows, bands, inputs).
            hidden: (rows, bands, size).
            cell: (rows, bands, size).

        Returns:
            The last hidden state, and the last cell.
        """
        frames, rows, bands, inputs = x.shape
        ranges = len(self._output)
        split = (rows, ranges, bands // ranges)
        signals = bands // ranges * rows
        # A view with ranges first, as `made` has them: what is added to it is added to x.
        by_range = x.reshape(frames, *split, inputs).swapaxes(1, 2)
        deviation = deviations(x).reshape(frames, *split, 1).swapaxes(1, 2)
        given = np.empty((frames + 1, ranges, signals, self._weight.shape[2]), np.float32)
        np.divide(by_range, deviation, given[:-1, ..., :inputs].reshape(by_range.shape))
        before = (s.reshape(*split, -1).swapaxes(0, 1) for s in (hidden, cell))
        hidden, cell = (s.reshape(ranges, signals, -1) for s in before)
        followed, hidden, cell = _follow(given, hidden, cell, self._weight)
        made = followed @ self._output
        made += self._bias
        by_range += made.reshape(by_range.shape)
        after = (s.reshape(ranges, rows, -1, s.shape[-1]) for s in (hidden, cell))
        hidden, cell = (s.swapaxes(0, 1).reshape(rows, bands, -1) for s in after)
        return hidden, cell


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
        self._from_x, from_hidden, self._bias_x, bias_hidden = parts
        # The hidden state comes with a one.
        self._from_hidden = np.concatenate([from_hidden, bias_hidden], 1)

    def __call__(self, x: Array, hidden: Array) -> tuple[Array, Array]:
        """Follow more frames.

        Args:
            x: (frames, rows, inputs).
            hidden: (rows, size).

        Returns:
            All hidden states (frames, rows, size), and the last one.
        """
        frames, rows, inputs = x.shape
        given = x.reshape(-1, inputs) @ self._from_x  # (gates, frames * rows, size)
        given += self._bias_x
        by_frame = given.reshape(3, frames, rows, -1).swapaxes(0, 1)
        from_hidden = self._from_hidden
        states = np.empty((frames + 1, rows, len(from_hidden[0])), np.float32)
        states[0, :, :-1] = hidden
        states[:, :, -1] = 1
        followed = states[1:, :, :-1]
        values = np.empty((3, *hidden.shape), np.float32)
        gates, (reset, keep, new) = values[:2], values
        for now, before, after in zip(by_frame, states[:-1], followed, strict=True):
            np.matmul(before, from_hidden, values)
            np.add(gates, now[:2], gates)
            np.tanh(gates, gates)
            np.multiply(gates, _HALF, gates)
            np.add(gates, _HALF, gates)
            np.multiply(new, reset, new)
            np.add(new, now[2], new)
            np.tanh(new, new)
            np.subtract(before[:, :-1], new, after)
            np.multiply(after, keep, after)
            np.add(after, new, after)
        return followed, followed[-1].copy()


def _follow(given: Array, hidden: Array, cell: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Follow an LSTM, or one for each range, over frames.

    Args:
        given: Inputs, hidden state and a one of each frame, and of one more: (frames + 1, ...,
            inputs + size + 1), with the inputs written already.
        hidden: (..., size).
        cell: (..., size).
        weight: (gates, inputs + size + 1, size), or (gates, ranges, inputs + size + 1, size).

    Returns:
        All hidden states (frames, ..., size), in the memory of what was given, the last of them and
        the last cell.
    """
    size = hidden.shape[-1]
    states = given[..., -size - 1 : -1]
    states[0] = hidden
    given[..., -1] = 1
    # The loop's only arrays; the rest of it are views of them. The gates of what is let in and of
    # the cell lie as these two do, so that one product serves both.
    values = np.empty((5, *cell.shape), np.float32)
    computed, gates, leave = values[:4], values[:3], values[0]
    enter_and_keep, both = values[1:3], values[3:]
    let_in, kept = both
    kept[:] = cell
    squashed = np.empty_like(kept)
    for now, after in zip(given[:-1], states[1:], strict=True):
        np.matmul(now, weight, computed)
        np.tanh(computed, computed)
        np.multiply(gates, _HALF, gates)
        np.add(gates, _HALF, gates)
        np.multiply(both, enter_and_keep, both)
        np.add(kept, let_in, kept)
        np.tanh(kept, squashed)
        np.multiply(squashed, leave, after)
    # Copies: a state is kept until more frames come, and views would keep all frames with it.
    return states[1:], states[-1].copy(), kept.copy()


def _joint_weight(weights: Weights, name: str, index: int = 0) -> Array:
    """The weights of an LSTM (gates, inputs + size + 1, size), for inputs, state and a one."""
    # Output, input and forget gate, then what is let in: see the loop.
    parts = [p[[3, 0, 1, 2]] for p in _recurrent_weights(weights, name, index, gates=4)]
    for part in parts:
        part[:3] *= _HALF
    from_x, from_hidden, bias_x, bias_hidden = parts
    return np.concatenate([from_x, from_hidden, bias_x + bias_hidden], 1)


def _recurrent_weights(weights: Weights, name: str, index: int, gates: int) -> list[Array]:
    """Matrices from the input and from the hidden state (gates, inputs, size), and their biases.

    Biases are (gates, 1, size). All are copies.
    """
    matrices = (weights[f"{name}.weight_{part}_l{index}"] for part in ("ih", "hh"))
    biases = (weights[f"{name}.bias_{part}_l{index}"] for part in ("ih", "hh"))
    return [
        *(m.reshape(gates, -1, m.shape[1]).swapaxes(1, 2).copy() for m in matrices),
        *(bias.reshape(gates, 1, -1).copy() for bias in biases),
    ]
