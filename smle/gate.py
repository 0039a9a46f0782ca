"""The gate: listens to the noisy features and says which specialist suits them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.config import GateConfig


class Gate(nn.Module):
    """A linear layer and a causal GRU over the features, one logit per specialist and frame.

    The papers decide once, after the last frame of an utterance; here every frame has logits, so
    that a decision can be taken at any time (see `smle.routing`).

    Args:
        config: Hidden size and layers.
        n_bins: Bins of the spectrum.
        n_specialists: Number of logits.

    >>> gate = Gate(GateConfig(), 257, 4)
    >>> logits, _ = gate(torch.rand(2, 5, 257), gate.start(2))
    >>> logits.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, config: GateConfig, n_bins: int, n_specialists: int) -> None:
        super().__init__()
        # Straight into the GRU, hundreds of features would saturate it from the start.
        self.input = nn.Linear(n_bins, config.hidden_size)
        self.recurrent = nn.GRU(
            config.hidden_size, config.hidden_size, config.layers, batch_first=True
        )
        self.output = nn.Linear(config.hidden_size, n_specialists)

    def start(self, rows: int) -> Tensor:
        """The state (rows, layers, hidden) before the first frame."""
        shape = (rows, self.recurrent.num_layers, self.recurrent.hidden_size)
        return self.output.weight.new_zeros(shape)

    def forward(self, features: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Listen to more frames.

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start`.

        Returns:
            Logits (rows, frames, specialists) and the new state.
        """
        hidden, after = self.recurrent(
            functional.silu(self.input(features)), state.transpose(0, 1).contiguous()
        )
        return self.output(hidden), after.transpose(0, 1)

    @property
    def macs_per_frame(self) -> int:
        """Multiply-accumulates for one frame of one row."""
        weights = (p.numel() for n, p in self.named_parameters() if "weight" in n)
        return sum(weights)


def soft_routing(logits: Tensor, alpha: float) -> Tensor:
    """Weights of the specialists for one decision per row, P1's softmax(alpha * logits).

    Args:
        logits: (rows, frames, specialists); their mean over frames is the evidence.
        alpha: Sharpness; large is nearly a hard choice.

    Returns:
        Weights (rows, specialists) that add up to 1.
    """
    return torch.softmax(alpha * logits.mean(1), -1)
