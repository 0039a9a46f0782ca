"""The gate of `smle.tensors.gate` in NumPy."""

from __future__ import annotations

import numpy as np

from smle.arrays.layers import Array, Linear, Weights, silu
from smle.arrays.recurrent import Gru
from smle.arrays.spectral import ArrayRunningMean, relative_power
from smle.model.config import GateConfig, SpectralConfig
from smle.model.gate_balance import BALANCE_S, POWER_FLOOR

ArrayGateState = tuple[Array, Array]
"""Hidden state (rows, layers, hidden) and running means (rows, 3): kept, removed, and of ones."""


class ArrayGate:
    """`smle.tensors.gate.Gate`.

    Args:
        config: Hidden size and layers, and whether it hears the running expert.
        spectral: What the features are.
        weights: Its weights.
    """

    def __init__(self, config: GateConfig, spectral: SpectralConfig, weights: Weights) -> None:
        self.hears_expert = config.hears_expert
        self._config = config
        self._compression = spectral.compression
        self._mean = ArrayRunningMean(BALANCE_S * spectral.frames_per_s)
        self._input = Linear(weights, "input")
        self._layers = [Gru(weights, "recurrent", index) for index in range(config.layers)]
        self._output = Linear(weights, "output")

    def start(self, rows: int) -> ArrayGateState:
        """The state before the first frame."""
        shape = (rows, self._config.layers, self._config.hidden_size)
        return np.zeros(shape, np.float32), np.zeros((rows, 3), np.float32)

    def __call__(
        self, features: Array, mask: Array, state: ArrayGateState
    ) -> tuple[Array, ArrayGateState]:
        """Listen to more frames.

        Args:
            features: (rows, frames, bins).
            mask: What the running expert made of them, (rows, frames, bins).
            state: From the call before, or `start`.

        Returns:
            Logits (rows, frames, specialists) and the new state.
        """
        before, means = state
        if self.hears_expert:
            balance, means = self._balance(features, mask, means)
            features = np.concatenate([features, balance], -1)
        x = silu(self._input(features.transpose(1, 0, 2)))
        after = np.empty_like(before)
        for index, layer in enumerate(self._layers):
            x, after[:, index] = layer(x, before[:, index])
        if self.hears_expert:
            x = np.concatenate([x, balance.transpose(1, 0, 2)], 2)
        return self._output(x).transpose(1, 0, 2), (after, means)

    def _balance(self, features: Array, mask: Array, means: Array) -> tuple[Array, Array]:
        """What the balance says (rows, frames, 5), and the new running means."""
        power = relative_power(features, self._compression)
        values = np.ones((*power.shape[:2], 3), np.float32)
        values[..., 0] = (np.square(mask) * power).mean(-1)
        values[..., 1] = (np.square(1 - mask) * power).mean(-1)
        running, after = self._mean.biased(values, means)
        logs = np.log(running[..., :2] + POWER_FLOOR)
        balance, heard = logs[..., 0] - logs[..., 1], running[..., 2]
        square = np.square(balance) / 4
        return np.stack([balance, square, heard, heard * balance, heard * square], -1), after
