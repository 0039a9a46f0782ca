"""Muon for many small matrices: all of one shape are orthogonalised at once."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

# The quintic of K. Jordan et al. (2024), steepest at zero: five turns bring singular values of any
# size near one.
_QUINTIC = (3.4445, -4.775, 2.0315)
_TURNS = 5
_LEAST_NORM = 1e-7
_MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    """Orthogonalise the updates of matrices (K. Jordan et al., 2024), as `torch.optim.Muon` does.

    A banded network has a hundred small matrices of five shapes. One by one, as torch takes them,
    they cost five times the time of all at once.

    Args:
        matrices: What is updated.
        rate: Step size; an update's root mean square is that of AdamW.
        weight_decay: Share of the weights that a step of size 1 takes off.

    >>> matrix = nn.Parameter(torch.eye(2))
    >>> matrix.grad = torch.tensor([[0.0, 3.0], [0.1, 0.0]])
    >>> Muon([matrix], 0.1, weight_decay=0.0).step()
    >>> (torch.eye(2) - matrix.detach()).sign()  # both directions weigh about the same
    tensor([[0., 1.],
            [1., 0.]])
    """

    def __init__(self, matrices: Iterable[nn.Parameter], rate: float, weight_decay: float) -> None:
        super().__init__(matrices, {"lr": rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update every matrix that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike[matrix.shape].append(matrix)
            for shape, matrices in alike.items():
                updates = orthogonalised(torch.stack([self._momentum(m) for m in matrices]))
                step_size = group["lr"] * 0.2 * math.sqrt(max(shape))
                for matrix, update in zip(matrices, updates, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-step_size)

    def _momentum(self, matrix: Tensor) -> Tensor:
        """Nesterov's momentum of a matrix's gradient."""
        gradient, state = cast("Tensor", matrix.grad), self.state[matrix]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        mean = state["momentum_buffer"].lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(mean, _MOMENTUM)


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values near one, by Newton's and Schulz's iteration in bfloat16.

    Args:
        matrices: (matrices, rows, columns).

    Returns:
        The same with singular values between about 0.7 and 1.2, in bfloat16.

    >>> sizes = torch.tensor([8.0, 1.0, 0.2])
    >>> values = torch.linalg.svdvals(orthogonalised(torch.diag(sizes)[None]).float())
    >>> bool((0.6 < values).all() and (values < 1.3).all())
    True
    """
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).bfloat16()
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=_LEAST_NORM)
    for _ in range(_TURNS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
