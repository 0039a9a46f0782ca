"""Who updates which weights, and that Muon does what torch's own does."""

from __future__ import annotations

import torch
from torch import nn

from smle.training.muon import Muon


def test_muon_updates_as_torch_does() -> None:
    shapes = [(8, 3), (3, 8), (4, 4), (8, 3), (4, 4)]
    start = [torch.randn(shape) for shape in shapes]
    ours, theirs = ([nn.Parameter(matrix.clone()) for matrix in start] for _ in range(2))
    idle = nn.Parameter(torch.ones(4, 4))  # has no gradient
    muon = Muon([*ours, idle], 0.05, weight_decay=0.1)
    reference = torch.optim.Muon(
        theirs, 0.05, weight_decay=0.1, adjust_lr_fn="match_rms_adamw", momentum=0.95
    )
    for _ in range(4):  # so that momentum counts
        for own, other in zip(ours, theirs, strict=True):
            own.grad = torch.randn_like(own)
            other.grad = own.grad.clone()
        muon.step()
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=2e-4)  # of bfloat16
    assert torch.equal(idle, torch.ones(4, 4))
