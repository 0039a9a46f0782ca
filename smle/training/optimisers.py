"""Who updates which weights."""

from __future__ import annotations

import torch
from torch import nn

from smle.model.recipe import StageConfig
from smle.training.muon import Muon

_ADAM_WEIGHT_DECAY = 1e-3
_MUON_WEIGHT_DECAY = 1e-2


def optimisers_for(module: nn.Module, config: StageConfig) -> list[torch.optim.Optimizer]:
    """Make the optimisers of a stage.

    "muon" orthogonalises the updates of weight matrices (K. Jordan et al., 2024), at the step size
    that AdamW would have, and leaves everything else to AdamW: in the same time a banded network
    learns about twice as much.

    Args:
        module: Holds the weights.
        config: Names the optimiser and its rate.

    >>> module = nn.Linear(3, 2)
    >>> muon, adam = optimisers_for(module, StageConfig(optimiser="muon"))
    >>> [tuple(p.shape) for o in (muon, adam) for g in o.param_groups for p in g["params"]]
    [(2, 3), (2,)]
    """
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        muon = config.optimiser == "muon" and parameter.ndim == 2 and "weight" in name
        (matrices if muon else others).append(parameter)
    rate = config.learning_rate
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, rate, _MUON_WEIGHT_DECAY))
    optimisers.append(torch.optim.AdamW(others, rate, weight_decay=_ADAM_WEIGHT_DECAY))
    return optimisers
