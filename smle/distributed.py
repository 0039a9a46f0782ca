"""Several processes of one training: each takes its share of a batch, gradients are averaged.

Start them with `torchrun --nproc-per-node N -m smle_cli train ...`; a lone process needs nothing.
"""

from __future__ import annotations

import os

import torch
from torch import distributed as dist
from torch import nn


def join_processes() -> None:
    """Join the group that torchrun announces in the environment, if there is one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def share_of(batch_size: int) -> tuple[int, int]:
    """First item and number of items of a batch that this process computes."""
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    first = batch_size * rank // world
    return first, batch_size * (rank + 1) // world - first


def is_main_process() -> bool:
    """Whether this process writes checkpoints and reports."""
    return not dist.is_initialized() or dist.get_rank() == 0


def wait_for_all() -> None:
    """Wait until every process has come this far."""
    if dist.is_initialized():
        dist.barrier()


def average_gradients(module: nn.Module) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if not dist.is_initialized():
        return
    # Where a process had nothing for an expert, another may have had something.
    for parameter in module.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for gradient, mean in zip(
        gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(mean.view_as(gradient))
