"""The mixture of `smle.tensors.mixture` in NumPy: that is trained, this enhances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smle.arrays.gate import ArrayGate, ArrayGateState
from smle.arrays.layers import Array, weights_under
from smle.arrays.networks import ArrayNetwork, ArrayState, build_array_network
from smle.model.recipe import Recipe
from smle.model.weights import read_model


class Listening(NamedTuple):
    """What the gate and the expert beside it carry from frame to frame."""

    gate: ArrayGateState
    expert: ArrayState


class ArrayMixture:
    """Gate and experts of one recipe.

    Experts are counted specialists first, in the recipe's order, then the generalist if there is
    one.

    Args:
        recipe: Names of the specialists and the shape of every network.
        weights: By the names that they have in `smle.tensors.mixture.Mixture`.
    """

    def __init__(self, recipe: Recipe, weights: Mapping[str, Array]) -> None:
        self.recipe = recipe
        self.gate = ArrayGate(recipe.gate, recipe.spectral, weights_under("gate", weights))
        names = [f"specialists.{index}" for index in range(len(recipe.specialists))]
        names += ["generalist"] * recipe.generalist
        self.experts: list[ArrayNetwork] = [
            build_array_network(recipe.network, weights_under(name, weights)) for name in names
        ]

    @property
    def expert_names(self) -> tuple[str, ...]:
        """Names of the experts, in the order of `experts`."""
        return self.recipe.expert_names

    @property
    def specialists(self) -> list[ArrayNetwork]:
        """The experts but for the generalist."""
        return self.experts[: len(self.recipe.specialists)]

    @property
    def start_expert(self) -> ArrayNetwork:
        """The expert that runs before the first decision."""
        return self.experts[self.expert_names.index(self.recipe.start_name)]

    def start_listening(self, rows: int) -> Listening:
        """The state of `listen` before the first frame."""
        return Listening(self.gate.start(rows), self.start_expert.start(rows))

    def listen(self, features: Array, state: Listening) -> tuple[NDArray[np.float32], Listening]:
        """What the gate says to a signal on which nothing but the start expert runs.

        This is the evidence for one choice per file or folder; over time, the gate hears whichever
        expert it has chosen (see `smle.enhancement.masking`).

        Args:
            features: (rows, frames, bins).
            state: From the call before, or `start_listening`.

        Returns:
            Logits (rows, frames, specialists) and the new state.
        """
        mask, expert = features, state.expert
        if self.gate.hears_expert:
            mask, expert = self.start_expert(features, state.expert)
        logits, gate = self.gate(features, mask, state.gate)
        return logits, Listening(gate, expert)


def load_mixture(folder: Path) -> ArrayMixture:
    """Load the mixture of a model folder.

    Raises:
        ModelError: If recipe or weights are missing, broken, misshapen, not finite or absurd.
    """
    return ArrayMixture(*read_model(folder))
