"""Names and shapes of a model's weights, told from its recipe alone, as torch gives them."""

from __future__ import annotations

import math

from smle.model.bands import BAND_GROUPS, N_BANDS, N_BINS
from smle.model.config import GateConfig, NetworkConfig
from smle.model.gate_balance import BALANCE_FEATURES
from smle.model.recipe import Recipe

Shapes = dict[str, tuple[int, ...]]
_GATES_OF = {"gru": 3, "lstm": 4}


def weight_shapes(recipe: Recipe) -> Shapes:
    """Name and shape of every weight of a mixture.

    >>> shapes = weight_shapes(Recipe(name="pair", specialists=("low", "high")))
    >>> shapes["gate.output.bias"], shapes["specialists.1.output.weight"]
    ((2,), (257, 64))
    """
    n_bins, specialists = recipe.spectral.n_bins, len(recipe.specialists)
    network = network_shapes(recipe.network, n_bins)
    shapes = {
        f"specialists.{index}.{name}": shape
        for index in range(specialists)
        for name, shape in network.items()
    }
    for name, shape in gate_shapes(recipe.gate, n_bins, specialists).items():
        shapes[f"gate.{name}"] = shape
    if recipe.generalist:
        shapes |= {f"generalist.{name}": shape for name, shape in network.items()}
    return shapes


def count_parameters(shapes: Shapes) -> int:
    """How many numbers arrays of these shapes hold."""
    return sum(math.prod(shape) for shape in shapes.values())


def network_shapes(config: NetworkConfig, n_bins: int) -> Shapes:
    """Name and shape of every weight of one mask estimator."""
    if config.kind == "subband":
        return _subband(config)
    return {
        **_recurrent("recurrent", config.cell, n_bins, config.hidden_size, config.layers),
        **_linear("output", config.hidden_size, n_bins),
    }


def _subband(config: NetworkConfig) -> Shapes:
    channels, hidden = config.channels, config.hidden_size
    shapes: Shapes = {"split.bias": (N_BANDS, channels), "merge.bias": (N_BINS - 1,)}
    for k, group in enumerate(BAND_GROUPS):
        shapes[f"split.weights.{k}"] = (group.bands, group.bins_per_band, channels)
        shapes[f"merge.weights.{k}"] = (group.bands, channels, group.bins_per_band)
    for k in range(config.layers):
        block = {
            **_norm("band_norm", channels),
            **_norm("full_norm", channels),
            **_linear("full_input", N_BANDS * channels, hidden),
            **_recurrent("full_lstm", "lstm", hidden, hidden, 1),
            **_linear("full_output", hidden, N_BANDS * channels),
        }
        for r in range(config.ranges):
            block |= _recurrent(f"band_lstms.{r}", "lstm", channels, channels, 1)
            block |= _linear(f"band_outputs.{r}", channels, channels)
        shapes |= {f"blocks.{k}.{name}": shape for name, shape in block.items()}
    return shapes | _linear("channel_output", channels, channels)


def gate_shapes(config: GateConfig, n_bins: int, specialists: int) -> Shapes:
    """Name and shape of every weight of a gate."""
    extra = BALANCE_FEATURES if config.hears_expert else 0
    size = config.hidden_size
    return {
        **_linear("input", n_bins + extra, size),
        **_recurrent("recurrent", "gru", size, size, config.layers),
        **_linear("output", size + extra, specialists),
    }


def _recurrent(name: str, cell: str, inputs: int, size: int, layers: int) -> Shapes:
    shapes: Shapes = {}
    outputs = _GATES_OF[cell] * size
    for index in range(layers):
        shapes[f"{name}.weight_ih_l{index}"] = (outputs, size if index else inputs)
        shapes[f"{name}.weight_hh_l{index}"] = (outputs, size)
        shapes[f"{name}.bias_ih_l{index}"] = shapes[f"{name}.bias_hh_l{index}"] = (outputs,)
    return shapes


def _linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, features: int) -> Shapes:
    return {f"{name}.weight": (features,), f"{name}.bias": (features,)}
