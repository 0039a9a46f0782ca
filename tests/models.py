"""Small models with random weights, for truths that hold for any weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from smle.arrays.mixture import ArrayMixture
from smle.enhancement.enhancer import Enhancer
from smle.model.config import GateConfig, NetworkConfig, RoutingConfig
from smle.model.recipe import Recipe
from smle.tensors.mixture import Mixture

RECURRENT = NetworkConfig("recurrent", "gru", hidden_size=8, layers=1)
LSTM = NetworkConfig("recurrent", "lstm", hidden_size=8, layers=1)
SUBBAND = NetworkConfig("subband", hidden_size=8, layers=1, channels=4)
RANGES = replace(SUBBAND, ranges=5)


def recipe(network: NetworkConfig = RECURRENT, **changes: object) -> Recipe:
    """Three specialists and a generalist that switch often."""
    base = Recipe(
        name="test",
        specialists=("one", "two", "three"),
        generalist=True,
        network=network,
        gate=GateConfig(hidden_size=8, hears_expert=network is not RECURRENT),
        routing=RoutingConfig(segment_s=0.3, evidence_s=0.2, margin=0.0),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def mixture(network: NetworkConfig = RECURRENT, seed: int = 0, **changes: object) -> Mixture:
    """Random weights; the gate's are large, so that its choices change with the sound."""
    torch.manual_seed(seed)
    made = Mixture(recipe(network, **changes)).eval().requires_grad_(False)
    for parameter in made.gate.parameters():
        parameter.mul_(6)
    return made


def arrays(made: Mixture) -> ArrayMixture:
    """The same in NumPy, as it enhances."""
    return ArrayMixture(made.recipe, {n: t.detach().numpy() for n, t in made.state_dict().items()})


def enhancer(network: NetworkConfig = RECURRENT, seed: int = 0, **changes: object) -> Enhancer:
    """An enhancer on `mixture`."""
    return Enhancer(arrays(mixture(network, seed, **changes)), Path())
