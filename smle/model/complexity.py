"""What a model costs, counted from its recipe alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from smle.model.bands import N_BANDS
from smle.model.recipe import Recipe
from smle.model.weight_shapes import Shapes, count_parameters, gate_shapes, network_shapes


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


def complexity(recipe: Recipe) -> Complexity:
    """Count parameters and multiply-accumulates of a mixture.

    >>> counts = complexity(Recipe(name="pair", specialists=("low", "high")))
    >>> counts.stored_parameters == 2 * counts.specialist_parameters + counts.gate_parameters
    True
    """
    bins, specialists = recipe.spectral.n_bins, len(recipe.specialists)
    network = network_shapes(recipe.network, bins)
    gate = gate_shapes(recipe.gate, bins, specialists)
    one, listening = count_parameters(network), count_parameters(gate)
    rate = recipe.spectral.frames_per_s / 1e6
    one_macs = macs_per_frame(network, recipe.network.ranges) * rate
    gate_macs = macs_per_frame(gate) * rate
    return Complexity(
        specialist_parameters=one,
        gate_parameters=listening,
        active_parameters=one + listening,
        stored_parameters=len(recipe.expert_names) * one + listening,
        generalist_mmac_per_s=one_macs,
        active_mmac_per_s=one_macs + gate_macs,
        dense_mmac_per_s=specialists * one_macs + gate_macs,
    )


def macs_per_frame(shapes: Shapes, ranges: int = 1) -> int:
    """Multiply-accumulates of a network for one frame: each weight once, or for each of its bands.

    Args:
        shapes: Of its weights, by name.
        ranges: Among which the bands of a banded network are shared out.
    """
    return sum(
        math.prod(shape) * _times(name, N_BANDS // ranges)
        for name, shape in shapes.items()
        if "weight" in name and "norm" not in name
    )


def _times(name: str, bands_of_range: int) -> int:
    if name.startswith("channel_output"):
        return N_BANDS
    return bands_of_range if ".band_" in name else 1
