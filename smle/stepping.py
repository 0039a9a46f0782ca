"""One frame at a time, in NumPy: the same networks with the same weights, for live streams.

A call into torch costs some microseconds, and its fused LSTM lays out its weights anew in every
call; for one frame that is many times the work itself. NumPy's calls are short. The arrays here
are made from the networks' weights when a stream begins, and torch computes longer pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smle.gate import Gate, balance_features
from smle.networks import Network, RecurrentNetwork
from smle.spectral import relative_power
from smle.subband import BAND_GROUPS, N_BANDS, SubbandBlock, SubbandNetwork

Array = NDArray[np.float32]
Arrays = tuple[Array, ...]
Step = Callable[[Array, Arrays], tuple[Array, Arrays]]
"""Features (rows, bins) and state to output (rows, ...) and state, as the network's own call."""

GateStep = Callable[[Array, Array, Array, Array], tuple[Array, Arrays]]
"""Features (rows, bins), mask (rows, bins) and the gate's state to logits and state."""


def network_step(network: Network) -> Step:
    """Make the one-frame step of a mask estimator.

    >>> from smle.config import NetworkConfig
    >>> network = RecurrentNetwork(NetworkConfig(), 257)
    >>> state = tuple(tensor.numpy() for tensor in network.start(2))
    >>> mask, state = network_step(network)(np.zeros((2, 257), np.float32), state)
    >>> mask.shape
    (2, 257)
    """
    if isinstance(network, RecurrentNetwork):
        return _recurrent_step(network)
    return _subband_step(network)


def gate_step(gate: Gate) -> GateStep:
    """Make the one-frame step of a gate."""
    layers = [_gru_layer(gate.recurrent, index) for index in range(gate.recurrent.num_layers)]
    first, output = _linear(gate.input), _linear(gate.output)

    decay = np.float32(gate.balance_mean.decay)

    def step(features: Array, mask: Array, hidden: Array, means: Array) -> tuple[Array, Arrays]:
        if gate.hears_expert:
            power = relative_power(torch.from_numpy(features), gate.compression).numpy()
            kept = (mask * mask * power).mean(-1)
            removed = ((1 - mask) * (1 - mask) * power).mean(-1)
            values: Array = np.stack([kept, removed, np.ones_like(kept)], -1)
            means = values + decay * (means - values)
            balance = balance_features(torch.from_numpy(means)).numpy()
            features = np.concatenate([features, balance], -1)
        x, after = _silu(first(features)), np.empty_like(hidden)
        for index, layer in enumerate(layers):
            x = after[:, index] = layer(x, hidden[:, index])
        if gate.hears_expert:
            x = np.concatenate([x, balance], -1)
        return output(x), (after, means)

    return step


def _recurrent_step(network: RecurrentNetwork) -> Step:
    recurrent, output = network.recurrent, _linear(network.output)
    if isinstance(recurrent, nn.GRU):
        gru = [_gru_layer(recurrent, index) for index in range(recurrent.num_layers)]

        def step(features: Array, state: Arrays) -> tuple[Array, Arrays]:
            x, after = features, np.empty_like(state[0])
            for index, layer in enumerate(gru):
                x = after[:, index] = layer(x, state[0][:, index])
            return _sigmoid(output(x)), (after,)

        return step
    lstm = [_lstm_layer(recurrent, index) for index in range(recurrent.num_layers)]

    def lstm_step(features: Array, state: Arrays) -> tuple[Array, Arrays]:
        x, hidden, cell = features, np.empty_like(state[0]), np.empty_like(state[1])
        for index, layer in enumerate(lstm):
            hidden[:, index], cell[:, index] = layer(x, state[0][:, index], state[1][:, index])
            x = hidden[:, index]
        return _sigmoid(output(x)), (hidden, cell)

    return lstm_step


def _subband_step(network: SubbandNetwork) -> Step:
    split = [_array(weight) for weight in network.split.weights]
    merge = [_array(weight) for weight in network.merge.weights]
    split_bias, merge_bias = _array(network.split.bias), _array(network.merge.bias)
    blocks = [_block_step(cast("SubbandBlock", block)) for block in network.blocks]
    channel_output = _linear(network.channel_output)

    def step(features: Array, state: Arrays) -> tuple[Array, Arrays]:
        rows = len(features)
        bands = []
        for group, weight in zip(BAND_GROUPS, split, strict=True):
            stop = group.first_bin + group.bins_per_band * group.bands
            own = features[:, group.first_bin : stop].reshape(rows, group.bands, 1, -1)
            bands.append((own @ weight)[:, :, 0])
        x = _silu(np.concatenate(bands, 1) + split_bias)  # (rows, bands, channels)
        after: list[Array] = []
        for index, block in enumerate(blocks):
            x, block_after = block(x, state[4 * index : 4 * index + 4])
            after += block_after
        x = _silu(channel_output(x))
        bins, first = [], 0
        for group, weight in zip(BAND_GROUPS, merge, strict=True):
            own = x[:, first : first + group.bands, None]
            bins.append((own @ weight).reshape(rows, -1))
            first += group.bands
        logits = np.concatenate(bins, 1) + merge_bias
        mask = _sigmoid(1 + np.concatenate([logits, logits[:, -1:]], 1))
        return mask, tuple(after)

    return step


def _block_step(block: SubbandBlock) -> Step:
    band_norm, full_norm = _norm(block.band_norm), _norm(block.full_norm)
    band_lstm, full_lstm = _lstm_layer(block.band_lstm, 0), _lstm_layer(block.full_lstm, 0)
    band_output, full_input = _linear(block.band_output), _linear(block.full_input)
    full_output = _linear(block.full_output)

    def step(x: Array, state: Arrays) -> tuple[Array, Arrays]:
        rows, _, channels = x.shape
        along = band_norm(x).reshape(-1, channels)
        before = (s.reshape(-1, channels) for s in state[:2])
        band_hidden, band_cell = band_lstm(along, *before)
        x = x + band_output(band_hidden).reshape(x.shape)
        across = _silu(full_input(full_norm(x).reshape(rows, -1)))
        full_hidden, full_cell = full_lstm(across, *state[2:])
        x = x + full_output(across + full_hidden).reshape(x.shape)
        shape = (rows, N_BANDS, channels)
        kept = (band_hidden.reshape(shape), band_cell.reshape(shape), full_hidden, full_cell)
        return x, kept

    return step


def _lstm_layer(lstm: nn.Module, index: int) -> Callable[[Array, Array, Array], tuple[Array, ...]]:
    """(x, hidden, cell) to (hidden, cell), each (rows, features)."""
    weight, bias = _stacked(lstm, index)
    size = weight.shape[1] // 4
    # sigmoid(v) = (1 + tanh(v / 2)) / 2: halving here leaves one tanh for all four gates.
    half = np.full(4 * size, 0.5, np.float32)
    half[2 * size : 3 * size] = 1.0
    weight, bias = weight * half, bias * half

    def step(x: Array, hidden: Array, cell: Array) -> tuple[Array, ...]:
        z = np.tanh(np.concatenate([x, hidden], 1) @ weight + bias)
        gates = 0.5 + 0.5 * z
        kept = gates[:, size : 2 * size] * cell
        cell = kept + gates[:, :size] * z[:, 2 * size : 3 * size]
        hidden_after: Array = gates[:, 3 * size :] * np.tanh(cell)
        return hidden_after, cell

    return step


def _gru_layer(gru: nn.Module, index: int) -> Callable[[Array, Array], Array]:
    """(x, hidden) to hidden, each (rows, features)."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w_x, w_h, b_x, b_h = (_array(getattr(gru, f"{name}_l{index}")) for name in names)
    w_x, w_h = np.ascontiguousarray(w_x.T), np.ascontiguousarray(w_h.T)
    size = len(w_h)

    def step(x: Array, hidden: Array) -> Array:
        from_x, from_h = x @ w_x + b_x, hidden @ w_h + b_h
        gates = _sigmoid(from_x[:, : 2 * size] + from_h[:, : 2 * size])
        reset, update = gates[:, :size], gates[:, size:]
        new = np.tanh(from_x[:, 2 * size :] + reset * from_h[:, 2 * size :])
        after: Array = new + update * (hidden - new)
        return after

    return step


def _stacked(lstm: nn.Module, index: int) -> tuple[Array, Array]:
    """Weights for input and hidden state one above the other, and the sum of the biases."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w_x, w_h, b_x, b_h = (_array(getattr(lstm, f"{name}_l{index}")) for name in names)
    return np.concatenate([w_x, w_h], 1).T.copy(), b_x + b_h


def _linear(linear: nn.Linear) -> Callable[[Array], Array]:
    weight, bias = np.ascontiguousarray(_array(linear.weight).T), _array(linear.bias)

    def apply(x: Array) -> Array:
        product: Array = x @ weight
        return product + bias

    return apply


def _norm(norm: nn.LayerNorm) -> Callable[[Array], Array]:
    weight, bias, floor = _array(norm.weight), _array(norm.bias), np.float32(norm.eps)
    share = np.float32(1 / weight.size)

    def apply(x: Array) -> Array:
        centred = x - x.sum(-1, keepdims=True) * share
        variance = np.einsum("...c,...c->...", centred, centred)[..., None] * share
        normal: Array = centred / np.sqrt(variance + floor)
        return normal * weight + bias

    return apply


def _silu(x: Array) -> Array:
    return x * _sigmoid(x)


def _sigmoid(x: Array) -> Array:
    return cast("Array", 0.5 + 0.5 * np.tanh(0.5 * x))


def _array(tensor: Tensor | nn.Module) -> Array:
    assert isinstance(tensor, Tensor)
    return cast("Array", tensor.detach().to("cpu", torch.float32).numpy())
