"""Several processes of one training: each takes its share of a batch, gradients are averaged.

Start them with `torchrun --nproc-per-node N -m smle_cli train ...`; a lone process needs nothing.
"""

from __future__ import annotations

import os

import torch
from torch import distributed as dist
from torch import nn

from smle.errors import ModelError


def own_device(name: str) -> torch.device:
    """The device of this process: of the processes on one machine each has a GPU of its own.

    Args:
        name: "cpu", "cuda" (of several GPUs, the one whose turn it is), "cuda:1", "mps".

    >>> own_device("cuda:1")
    device(type='cuda', index=1)
    """
    device = torch.device(name)
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


def join_processes(device: torch.device) -> None:
    """Join the group that torchrun announces in the environment, if there is one.

    Args:
        device: Where gradients will be, of this process.
    """
    if (os.environ.get("WORLD_SIZE") or "1") not in ("0", "1") and not dist.is_initialized():
        if device.type == "cuda":
            torch.cuda.set_device(device)
        try:
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except ValueError as error:
            raise ModelError(
                f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, and the processes cannot be joined "
                f"({error}); start them with torchrun, or unset it"
            ) from None


def check_shares(batch_size: int, stage: str) -> None:
    """Refuse processes that cannot share a batch evenly: their gradients weigh alike.

    Raises:
        ModelError: If the batch is no multiple of the processes.
    """
    world = dist.get_world_size() if dist.is_initialized() else 1
    if batch_size % world:
        raise ModelError(
            f"{world} processes cannot share the {batch_size} mixtures of an update of {stage}; "
            f"start as many as divide {batch_size}"
        )


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
