"""The mask estimators of `smle.networks` in NumPy, with the weights as torch trained them.

For networks this small, importing torch takes as long as enhancing minutes of audio, and one frame
of a live stream costs more in calls into torch than in arithmetic. NumPy is quick to import and to
call, and computes frames by the hundred as fast as torch does, save for a single long signal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from smle.array_layers import Array, Gru, LayerNorm, Linear, Lstm, Weights, sigmoid, silu
from smle.bands import BAND_GROUPS, N_BANDS
from smle.config import NetworkConfig

ArrayState = tuple[Array, ...]
"""What a network carries from frame to frame; rows come first in every array."""


class ArrayNetwork(Protocol):
    """What the signal path asks of a network."""

    def __call__(self, features: Array, state: ArrayState) -> tuple[Array, ArrayState]:
        """Estimate the mask of more frames.

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start`.

        Returns:
            The mask (rows, frames, bins), from 0 to 1, and the new state.
        """
        ...

    def start(self, rows: int) -> ArrayState:
        """The state before the first frame."""
        ...


def build_array_network(config: NetworkConfig, weights: Weights) -> ArrayNetwork:
    """Build the network that a recipe describes.

    Args:
        config: What it is.
        weights: Its weights, by the names that they have in `smle.networks`.
    """
    if config.kind == "recurrent":
        return ArrayRecurrentNetwork(config, weights)
    return ArraySubbandNetwork(config, weights)


class ArrayRecurrentNetwork:
    """`smle.networks.RecurrentNetwork`."""

    def __init__(self, config: NetworkConfig, weights: Weights) -> None:
        self._config = config
        kind = Gru if config.cell == "gru" else Lstm
        self._layers = [kind(weights, "recurrent", index) for index in range(config.layers)]
        self._output = Linear(weights, "output")

    def start(self, rows: int) -> ArrayState:
        """The state before the first frame."""
        shape = (rows, self._config.layers, self._config.hidden_size)
        arrays = 1 if self._config.cell == "gru" else 2
        return tuple(np.zeros(shape, np.float32) for _ in range(arrays))

    def __call__(self, features: Array, state: ArrayState) -> tuple[Array, ArrayState]:
        """Estimate the mask of more frames (see `ArrayNetwork`)."""
        x = features.transpose(1, 0, 2)
        after = []
        for index, layer in enumerate(self._layers):
            x, *kept = layer(x, *(s[:, index] for s in state))
            after.append(kept)
        mask = sigmoid(self._output(x)).transpose(1, 0, 2)
        return mask, tuple(np.stack(arrays, 1) for arrays in zip(*after, strict=True))


class ArraySubbandNetwork:
    """`smle.subband.SubbandNetwork`."""

    def __init__(self, config: NetworkConfig, weights: Weights) -> None:
        self._config = config
        groups = range(len(BAND_GROUPS))
        self._split = [weights[f"split.weights.{k}"] for k in groups]
        self._merge = [weights[f"merge.weights.{k}"] for k in groups]
        self._split_bias, merge_bias = weights["split.bias"], weights["merge.bias"]
        # The last bin is repeated; most passes to begin with.
        self._merge_bias = 1 + np.append(merge_bias, merge_bias[-1:])
        self._blocks = [_SubbandBlock(weights, f"blocks.{k}") for k in range(config.layers)]
        self._channel_output = Linear(weights, "channel_output")

    def start(self, rows: int) -> ArrayState:
        """The state before the first frame: for each block that of its two LSTMs."""
        band, full = (rows, N_BANDS, self._config.channels), (rows, self._config.hidden_size)
        shapes = (band, band, full, full) * len(self._blocks)
        return tuple(np.zeros(shape, np.float32) for shape in shapes)

    def __call__(self, features: Array, state: ArrayState) -> tuple[Array, ArrayState]:
        """Estimate the mask of more frames (see `ArrayNetwork`)."""
        x = silu(self._into_bands(features.transpose(1, 0, 2)))
        after: list[Array] = []
        for index, block in enumerate(self._blocks):
            x, kept = block(x, state[4 * index : 4 * index + 4])
            after += kept
        logits = self._into_bins(silu(self._channel_output(x)))
        return sigmoid(logits).transpose(1, 0, 2), tuple(after)

    def _into_bands(self, features: Array) -> Array:
        """(frames, rows, bins) to (frames, rows, bands, channels)."""
        frames, rows, _ = features.shape
        bands = []
        for group, weight in zip(BAND_GROUPS, self._split, strict=True):
            own = features[:, :, group.bins].reshape(frames * rows, group.bands, -1)
            bands.append(own.transpose(1, 0, 2) @ weight)
        split = np.concatenate(bands).transpose(1, 0, 2) + self._split_bias
        return split.reshape(frames, rows, N_BANDS, -1)

    def _into_bins(self, channels: Array) -> Array:
        """(frames, rows, bands, channels) to (frames, rows, bins); the last bin is repeated."""
        frames, rows = channels.shape[:2]
        by_band = channels.reshape(frames * rows, N_BANDS, -1).transpose(1, 0, 2)
        logits = np.empty((frames, rows, len(self._merge_bias)), np.float32)
        first = 0
        for group, weight in zip(BAND_GROUPS, self._merge, strict=True):
            own = by_band[first : first + group.bands] @ weight  # (bands, frames * rows, bins)
            logits[:, :, group.bins] = own.transpose(1, 0, 2).reshape(frames, rows, -1)
            first += group.bands
        logits[:, :, -1] = logits[:, :, -2]
        logits += self._merge_bias
        return logits


class _SubbandBlock:
    """`smle.subband.SubbandBlock`."""

    def __init__(self, weights: Weights, name: str) -> None:
        self._band_norm = LayerNorm(weights, f"{name}.band_norm")
        self._band_lstm = Lstm(weights, f"{name}.band_lstm")
        self._band_output = Linear(weights, f"{name}.band_output")
        self._full_norm = LayerNorm(weights, f"{name}.full_norm")
        self._full_input = Linear(weights, f"{name}.full_input")
        self._full_lstm = Lstm(weights, f"{name}.full_lstm")
        self._full_output = Linear(weights, f"{name}.full_output")

    def __call__(self, x: Array, state: ArrayState) -> tuple[Array, Iterable[Array]]:
        frames, rows, bands, channels = x.shape
        hidden, cell = (s.reshape(rows * bands, channels) for s in state[:2])
        along = self._band_norm(x).reshape(frames, rows * bands, channels)
        along, hidden, cell = self._band_lstm(along, hidden, cell)
        x = x + self._band_output(along).reshape(x.shape)
        across = silu(self._full_input(self._full_norm(x).reshape(frames, rows, -1)))
        followed, *full = self._full_lstm(across, *state[2:])
        followed += across
        x += self._full_output(followed).reshape(x.shape)
        shape = (rows, bands, channels)
        return x, (hidden.reshape(shape), cell.reshape(shape), *full)
