"""The mask estimators of `smle.tensors.networks` in NumPy, with the weights as torch trained them.

For networks this small, importing torch takes as long as enhancing minutes of audio, and one frame
of a live stream costs more in calls into torch than in arithmetic. NumPy is quick to import and to
call, and computes frames by the hundred as fast as torch does.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from smle.arrays.layers import Array, Linear, Weights, sigmoid, silu, weights_under
from smle.arrays.norm import absorb_norm, deviations
from smle.arrays.recurrent import BandLstm, Gru, Lstm
from smle.model.bands import BAND_GROUPS, N_BANDS
from smle.model.config import NetworkConfig

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
        weights: Its weights, by the names that they have in `smle.tensors.networks`.
    """
    if config.kind == "recurrent":
        return ArrayRecurrentNetwork(config, weights)
    return ArraySubbandNetwork(config, weights)


class ArrayRecurrentNetwork:
    """`smle.tensors.networks.RecurrentNetwork`."""

    def __init__(self, config: NetworkConfig, weights: Weights) -> None:
        self._config = config
        kind = Gru if config.cell == "gru" else Lstm
        self._layers = [kind(weights, "recurrent", index=k) for k in range(config.layers)]
        self._output = Linear(weights, "output")

    def start(self, rows: int) -> ArrayState:
        """The state before the first frame."""
        shape = (rows, self._config.layers, self._config.hidden_size)
        arrays = 1 if self._config.cell == "gru" else 2
        return tuple(np.zeros(shape, np.float32) for _ in range(arrays))

    def __call__(self, features: Array, state: ArrayState) -> tuple[Array, ArrayState]:
        """Estimate the mask of more frames (see `ArrayNetwork`)."""
        x = features.swapaxes(0, 1)
        after = []
        for index, layer in enumerate(self._layers):
            x, *kept = layer(x, *(s[:, index] for s in state))
            after.append(kept)
        mask = sigmoid(self._output(x)).swapaxes(0, 1)
        return mask, tuple(np.stack(a, 1) for a in zip(*after, strict=True))


class ArraySubbandNetwork:
    """`smle.tensors.subband.SubbandNetwork`."""

    def __init__(self, config: NetworkConfig, weights: Weights) -> None:
        self._config = config
        groups = range(len(BAND_GROUPS))
        self._split = [weights[f"split.weights.{k}"] for k in groups]
        self._split_bias = weights["split.bias"][:, None]
        self._merge = [weights[f"merge.weights.{k}"] for k in groups]
        merge_bias = weights["merge.bias"]
        # The last bin is repeated; most passes to begin with.
        self._merge_bias = 1 + np.append(merge_bias, merge_bias[-1:])
        blocks = [weights_under(f"blocks.{k}", weights) for k in range(config.layers)]
        self._blocks = [_SubbandBlock(own, config.ranges) for own in blocks]
        self._channel_output = Linear(weights, "channel_output")

    def start(self, rows: int) -> ArrayState:
        """The state before the first frame: for each block that of its two LSTMs."""
        band, full = (rows, N_BANDS, self._config.channels), (rows, self._config.hidden_size)
        shapes = (band, band, full, full) * len(self._blocks)
        return tuple(np.zeros(shape, np.float32) for shape in shapes)

    def __call__(self, features: Array, state: ArrayState) -> tuple[Array, ArrayState]:
        """Estimate the mask of more frames (see `ArrayNetwork`)."""
        x = silu(self._into_bands(features))
        after: list[Array] = []
        for index, block in enumerate(self._blocks):
            after += block(x, state[4 * index : 4 * index + 4])
        logits = self._into_bins(silu(self._channel_output(x)))
        return sigmoid(logits), tuple(after)

    def _into_bands(self, features: Array) -> Array:
        """(rows, frames, bins) to (frames, rows, bands, channels)."""
        rows, frames, _ = features.shape
        by_band = np.empty((N_BANDS, frames * rows, self._config.channels), np.float32)
        first = 0
        for group, weight in zip(BAND_GROUPS, self._split, strict=True):
            bins = features[:, :, group.bins].reshape(rows, frames, group.bands, -1)
            own = bins.transpose(2, 1, 0, 3).reshape(group.bands, frames * rows, -1)
            np.matmul(own, weight, by_band[first : first + group.bands])
            first += group.bands
        by_band += self._split_bias
        split = by_band.reshape(N_BANDS, frames, rows, -1).transpose(1, 2, 0, 3)
        return np.ascontiguousarray(split)

    def _into_bins(self, channels: Array) -> Array:
        """(frames, rows, bands, channels) to (rows, frames, bins); the last bin is repeated."""
        frames, rows = channels.shape[:2]
        by_band = channels.transpose(2, 1, 0, 3).reshape(N_BANDS, rows * frames, -1)
        logits = np.empty((rows, frames, len(self._merge_bias)), np.float32)
        first = 0
        for group, weight in zip(BAND_GROUPS, self._merge, strict=True):
            own = by_band[first : first + group.bands] @ weight  # (bands, rows * frames, bins)
            logits[:, :, group.bins] = own.transpose(1, 0, 2).reshape(rows, frames, -1)
            first += group.bands
        logits[:, :, -1] = logits[:, :, -2]
        logits += self._merge_bias
        return logits


class _SubbandBlock:
    """`smle.tensors.subband.SubbandBlock`; one frame of it is (rows, bands, channels)."""

    def __init__(self, own: dict[str, Array], ranges: int) -> None:
        lstms = [f"band_lstms.{k}" for k in range(ranges)]
        after_band = [(f"{name}.weight_ih_l0", f"{name}.bias_ih_l0", "band_norm") for name in lstms]
        after_full = ("full_input.weight", "full_input.bias", "full_norm")
        for matrix, bias, norm in (*after_band, after_full):
            norm_weight, norm_bias = own[f"{norm}.weight"], own[f"{norm}.bias"]
            own[matrix], own[bias] = absorb_norm(own[matrix], own[bias], norm_weight, norm_bias)
        self._band_lstm = BandLstm(own, "band_lstms", "band_outputs", ranges)
        self._full_input = Linear(own, "full_input")
        self._full_lstm = Lstm(own, "full_lstm")
        self._full_output = Linear(own, "full_output")

    def __call__(self, x: Array, state: ArrayState) -> ArrayState:
        """Change frames in place, and return the new state."""
        band = self._band_lstm(x, *state[:2])
        scaled = x / deviations(x)
        across = silu(self._full_input(scaled.reshape(*x.shape[:2], -1)))
        followed, *full = self._full_lstm(across, *state[2:])
        across += followed
        x += self._full_output(across).reshape(x.shape)
        return *band, *full
