"""The gate: listens to the noisy features and says which specialist suits them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.model.config import GateConfig, SpectralConfig
from smle.model.gate_balance import BALANCE_FEATURES, BALANCE_S, POWER_FLOOR
from smle.tensors.spectral import RunningMean, relative_power

GateState = tuple[Tensor, Tensor]
"""Hidden state (rows, layers, hidden) and running means (rows, 3): kept, removed, and of ones."""


class Gate(nn.Module):
    """A linear layer and a causal GRU over the features, one logit per specialist and frame.

    The papers decide once, after the last frame of an utterance; here every frame has logits, so
    that a decision can be taken at any time (see `smle.enhancement.routing`).

    A gate may also hear the expert that runs: the balance of what its mask keeps and removes, over
    the last seconds, is an estimate of the signal-to-noise ratio at no cost. It goes straight to
    the logits as well, as its square and with how long was listened, so that what a short moment
    says weighs less.

    Args:
        config: Hidden size and layers, and whether it hears the running expert.
        spectral: What the features are.
        n_specialists: Number of logits.

    >>> gate = Gate(GateConfig(), SpectralConfig(), 4)
    >>> logits, _ = gate(torch.rand(2, 5, 257), torch.rand(2, 5, 257), gate.start(2))
    >>> logits.shape
    torch.Size([2, 5, 4])
    """

    def __init__(self, config: GateConfig, spectral: SpectralConfig, n_specialists: int) -> None:
        super().__init__()
        self.hears_expert = config.hears_expert
        self.compression = spectral.compression
        self.balance_mean = RunningMean(BALANCE_S * spectral.frames_per_s)
        extra = BALANCE_FEATURES if config.hears_expert else 0
        # Straight into the GRU, hundreds of features would saturate it from the start.
        self.input = nn.Linear(spectral.n_bins + extra, config.hidden_size)
        self.recurrent = nn.GRU(
            config.hidden_size, config.hidden_size, config.layers, batch_first=True
        )
        self.output = nn.Linear(config.hidden_size + extra, n_specialists)

    def start(self, rows: int) -> GateState:
        """The state before the first frame."""
        zeros = self.output.weight.new_zeros
        return zeros(rows, self.recurrent.num_layers, self.recurrent.hidden_size), zeros(rows, 3)

    def forward(
        self, features: Tensor, mask: Tensor | None, state: GateState
    ) -> tuple[Tensor, GateState]:
        """Listen to more frames.

        Args:
            features: (rows, frames, bins).
            mask: What the running expert made of them, (rows, frames, bins); a gate that does not
                hear it needs none.
            state: From the call before, or `start`.

        Returns:
            Logits (rows, frames, specialists) and the new state.
        """
        before, means = state
        if self.hears_expert:
            assert mask is not None
            balance, means = self._balance(features, mask, means)
            features = torch.cat([features, balance], -1)
        hidden, after = self.recurrent(
            functional.silu(self.input(features)), before.transpose(0, 1).contiguous()
        )
        if self.hears_expert:
            hidden = torch.cat([hidden, balance], -1)
        return self.output(hidden), (after.transpose(0, 1), means)

    def _balance(self, features: Tensor, mask: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """What the balance says (rows, frames, 5), and the new running means."""
        power = relative_power(features, self.compression)
        kept = (mask.square() * power).mean(-1)
        removed = ((1 - mask).square() * power).mean(-1)
        values = torch.stack([kept, removed, torch.ones_like(kept)], -1)  # (rows, frames, 3)
        running, after = self.balance_mean.biased(values, means)
        logs = torch.log(running[..., :2] + POWER_FLOOR)
        balance, heard = logs[..., 0] - logs[..., 1], running[..., 2]
        square = balance.square() / 4
        return torch.stack([balance, square, heard, heard * balance, heard * square], -1), after


def soft_routing(logits: Tensor, alpha: float) -> Tensor:
    """Weights of the specialists for one decision per row, P1's softmax(alpha * logits).

    Args:
        logits: (rows, frames, specialists); their mean over frames is the evidence.
        alpha: Sharpness; large is nearly a hard choice.

    Returns:
        Weights (rows, specialists) that add up to 1.

    >>> soft_routing(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), 10.0)
    tensor([[0.5000, 0.5000]])
    """
    return torch.softmax(alpha * logits.mean(1), -1)
