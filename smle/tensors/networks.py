"""Mask estimators: one network class per kind, the same for generalist and specialists.

A network sees features (rows, frames, bins) from `smle.tensors.spectral.Features` and returns the
mask (rows, frames, bins) of the noisy spectrum. It is causal over frames and carries its state,
so frames may come in pieces of any length. To add a kind: write its class here or in a file of
its own, name it in `NetworkConfig.kind` and in `build_network`, and give it a twin in
`smle.arrays.networks`, which is what enhances.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smle.model.config import NetworkConfig, SpectralConfig
from smle.tensors.subband import SubbandNetwork

State = tuple[Tensor, ...]
"""What a network carries from frame to frame; rows come first in every tensor."""


class RecurrentNetwork(nn.Module):
    """The papers' network: recurrent layers over the magnitude, a linear layer, a sigmoid mask.

    P1 has an LSTM, P2 a GRU; both initialise weights by Xavier's rule and biases with zeros.

    Args:
        config: Cell, hidden size and layers.
        n_bins: Bins of the spectrum.

    >>> network = RecurrentNetwork(NetworkConfig(), 257)
    >>> mask, state = network(torch.rand(2, 5, 257), network.start(2))
    >>> mask.shape
    torch.Size([2, 5, 257])
    """

    def __init__(self, config: NetworkConfig, n_bins: int) -> None:
        super().__init__()
        cell = nn.GRU if config.cell == "gru" else nn.LSTM
        self.recurrent = cell(n_bins, config.hidden_size, config.layers, batch_first=True)
        self.output = nn.Linear(config.hidden_size, n_bins)
        for name, parameter in self.named_parameters():
            if "weight" in name:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)
        self._state_tensors = 1 if config.cell == "gru" else 2

    def start(self, rows: int) -> State:
        """The state before the first frame: (rows, layers, hidden) per tensor of the cell."""
        shape = (rows, self.recurrent.num_layers, self.recurrent.hidden_size)
        return tuple(self.output.weight.new_zeros(shape) for _ in range(self._state_tensors))

    def forward(self, features: Tensor, state: State) -> tuple[Tensor, State]:
        """Estimate the mask of more frames.

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start`.

        Returns:
            The mask (rows, frames, bins), from 0 to 1, and the new state.
        """
        before = tuple(s.transpose(0, 1).contiguous() for s in state)
        given = before[0] if self._state_tensors == 1 else before
        hidden, after = self.recurrent(features, given)
        kept = (after,) if self._state_tensors == 1 else after
        return torch.sigmoid(self.output(hidden)), tuple(s.transpose(0, 1) for s in kept)


Network = RecurrentNetwork | SubbandNetwork


def build_network(config: NetworkConfig, spectral: SpectralConfig) -> Network:
    """Build the network that a recipe describes, with fresh weights."""
    if config.kind == "recurrent":
        return RecurrentNetwork(config, spectral.n_bins)
    return SubbandNetwork(config)
