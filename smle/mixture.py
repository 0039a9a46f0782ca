"""The mixture: a gate, K specialists, and the generalist that steps in when the gate is unsure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from smle.gate import Gate, GateState, soft_routing
from smle.networks import Network, State, build_network
from smle.recipe import Recipe

GENERALIST = "generalist"


class Listening(NamedTuple):
    """What the gate and the expert beside it carry from frame to frame."""

    gate: GateState
    expert: State


class Mixture(nn.Module):
    """Gate and experts of one recipe, with fresh weights until they are loaded.

    Experts are counted specialists first, in the recipe's order, then the generalist if there is
    one. Training mixes their masks softly; everything else picks one (see `smle.masking`).

    Args:
        recipe: Names of the specialists and the shape of every network.

    >>> from smle.recipe import Recipe
    >>> mixture = Mixture(Recipe(name="pair", specialists=("low", "high"), generalist=True))
    >>> mixture.expert_names
    ('low', 'high', 'generalist')
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.specialists = nn.ModuleList(
            build_network(recipe.network, recipe.spectral) for _ in recipe.specialists
        )
        self.gate = Gate(recipe.gate, recipe.spectral, len(recipe.specialists))
        self.generalist = (
            build_network(recipe.network, recipe.spectral) if recipe.generalist else None
        )

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts, in the order of `experts`."""
        return self.recipe.expert_names

    @property
    def experts(self) -> list[Network]:
        """Specialists, then the generalist if there is one."""
        networks = [*self.specialists]
        if self.generalist is not None:
            networks.append(self.generalist)
        return cast("list[Network]", networks)

    @property
    def start_expert(self) -> Network:
        """The expert that runs before the first decision."""
        return self.experts[self.expert_names.index(self.recipe.start_name)]

    def start_listening(self, rows: int) -> Listening:
        """The state of `listen` before the first frame."""
        return Listening(self.gate.start(rows), self.start_expert.start(rows))

    def listen(self, features: Tensor, state: Listening) -> tuple[Tensor, Listening]:
        """What the gate says to a signal on which nothing but the start expert runs.

        This is the evidence for one choice per file or folder; over time, the gate hears whichever
        expert it has chosen (see `smle.masking`).

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start_listening`.

        Returns:
            Logits (rows, frames, specialists) and the new state.
        """
        mask, expert = None, state.expert
        if self.gate.hears_expert:
            with torch.no_grad():
                mask, expert = self.start_expert(features, state.expert)
        logits, gate = self.gate(features, mask, state.gate)
        return logits, Listening(gate, expert)

    def soft_mask(self, features: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
        """Sum the masks of all specialists, weighted by P1's softmax(alpha * logits).

        This is the dense mixture: for training and for comparison, never shipped.

        Args:
            features: (rows, frames, bins).
            alpha: Sharpness of the weights.

        Returns:
            The mask (rows, frames, bins) and the gate's logits (rows, frames, specialists).
        """
        rows = features.shape[0]
        logits, _ = self.listen(features, self.start_listening(rows))
        weights = soft_routing(logits, alpha)  # (rows, specialists)
        specialists = self.experts[: len(self.specialists)]
        masks = torch.stack([s(features, s.start(rows))[0] for s in specialists], 1)
        mixed = torch.einsum("rk,rktf->rtf", weights.to(masks.dtype), masks)
        return mixed, logits


@dataclass(frozen=True)
class Complexity:
    """What a mixture stores and what it pays for, in parameters and in MMAC/s of one channel.

    Active counts one specialist and the gate, stored every network, dense all K specialists at
    once and the gate. `specialist_parameters` is what the papers counted.
    """

    specialist_parameters: int
    gate_parameters: int
    active_parameters: int
    stored_parameters: int
    generalist_mmac_per_s: float
    active_mmac_per_s: float
    dense_mmac_per_s: float


def complexity(mixture: Mixture) -> Complexity:
    """Count parameters and multiply-accumulates of a mixture.

    >>> from smle.recipe import Recipe
    >>> counts = complexity(Mixture(Recipe(name="pair", specialists=("low", "high"))))
    >>> counts.stored_parameters == 2 * counts.specialist_parameters + counts.gate_parameters
    True
    """
    specialist = mixture.experts[0]
    one = _parameters(specialist)
    gate = _parameters(mixture.gate)
    rate = mixture.recipe.spectral.frames_per_s / 1e6
    one_macs, gate_macs = specialist.macs_per_frame * rate, mixture.gate.macs_per_frame * rate
    return Complexity(
        specialist_parameters=one,
        gate_parameters=gate,
        active_parameters=one + gate,
        stored_parameters=_parameters(mixture),
        generalist_mmac_per_s=one_macs,
        active_mmac_per_s=one_macs + gate_macs,
        dense_mmac_per_s=len(mixture.specialists) * one_macs + gate_macs,
    )


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
