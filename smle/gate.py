"""The gate: listens to the noisy features and says which specialist suits them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from smle.config import GateConfig, SpectralConfig
from smle.spectral import MeanState, RunningMean, relative_power

GateState = tuple[Tensor, Tensor]
"""Hidden state (rows, layers, hidden) and running powers kept and removed (rows, 2)."""

_BALANCE_S = 4.0
_BALANCE_SCALE = 0.25
_POWER_FLOOR = 1e-8


class Gate(nn.Module):
    """A linear layer and a causal GRU over the features, one logit per specialist and frame.

    The papers decide once, after the last frame of an utterance; here every frame has logits, so
    that a decision can be taken at any time (see `smle.routing`).

    A gate may also hear the expert that runs: the balance of what its mask keeps and removes, over
    the last seconds, which is an estimate of the signal-to-noise ratio at no cost.

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
        self.balance_mean = RunningMean(_BALANCE_S * spectral.frames_per_s)
        extra = int(config.hears_expert)
        # Straight into the GRU, hundreds of features would saturate it from the start.
        self.input = nn.Linear(spectral.n_bins + extra, config.hidden_size)
        self.recurrent = nn.GRU(
            config.hidden_size, config.hidden_size, config.layers, batch_first=True
        )
        self.output = nn.Linear(config.hidden_size + extra, n_specialists)

    def start(self, rows: int) -> GateState:
        """The state before the first frame."""
        zeros = self.output.weight.new_zeros
        return zeros(rows, self.recurrent.num_layers, self.recurrent.hidden_size), zeros(rows, 2)

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
        before, powers = state
        if self.hears_expert:
            assert mask is not None
            balance, powers = self._balance(features, mask, powers)
            features = torch.cat([features, balance], -1)
        hidden, after = self.recurrent(
            functional.silu(self.input(features)), before.transpose(0, 1).contiguous()
        )
        if self.hears_expert:
            hidden = torch.cat([hidden, balance], -1)
        return self.output(hidden), (after.transpose(0, 1), powers)

    def _balance(self, features: Tensor, mask: Tensor, powers: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithm of kept over removed power (rows, frames, 1), and the new running powers."""
        power = relative_power(features, self.compression)
        kept = (mask.square() * power).mean(-1)
        removed = ((1 - mask).square() * power).mean(-1)
        both = torch.stack([kept, removed], -1)  # (rows, frames, 2)
        # Both means lack the same factor for the frames before the first: their ratio is right.
        mean, after = self.balance_mean(both, MeanState(powers, 0))
        return balance_of(mean), after.mean

    @property
    def macs_per_frame(self) -> int:
        """Multiply-accumulates for one frame of one row."""
        weights = (p.numel() for n, p in self.named_parameters() if "weight" in n)
        return sum(weights)


def balance_of(powers: Tensor) -> Tensor:
    """Scaled logarithm (..., 1) of the ratio of kept to removed power (..., 2)."""
    logs = torch.log(powers + _POWER_FLOOR)
    return _BALANCE_SCALE * (logs[..., :1] - logs[..., 1:])


def soft_routing(logits: Tensor, alpha: float) -> Tensor:
    """Weights of the specialists for one decision per row, P1's softmax(alpha * logits).

    Args:
        logits: (rows, frames, specialists); their mean over frames is the evidence.
        alpha: Sharpness; large is nearly a hard choice.

    Returns:
        Weights (rows, specialists) that add up to 1.
    """
    return torch.softmax(alpha * logits.mean(1), -1)
