"""Several processes as one: the only file that knows `torch.distributed`.

Every function does the plain thing where there is one process. Gradients are summed here rather than by a
wrapper around the model, since the balancer works between the losses and the model (see `Balancer`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed.nn.functional  # optimizers import it; after `join`, its defaults would keep the group for ever
from torch import distributed


def join() -> int:
    """Join the group that `torchrun` (or `accelerate launch`) describes in the environment.

    Returns:
        this process's number on its machine, which is that of its GPU; 0 if it is alone.
    """
    if "WORLD_SIZE" in os.environ and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("LOCAL_RANK", "0"))


def leave() -> None:
    """Leave the group, if there is one."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def size() -> int:
    """Number of processes."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def all_reduce(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes; a new tensor."""
    if size() == 1:
        return tensor
    tensor = tensor.clone()
    distributed.all_reduce(tensor)
    return tensor


def mean(tensor: torch.Tensor) -> torch.Tensor:
    """The mean of a tensor over all processes; a new tensor."""
    return all_reduce(tensor) / size()


def all_gather(tensor: torch.Tensor) -> torch.Tensor:
    """The tensors of all processes, of the same shape, joined along the first axis in order."""
    if size() == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(size())]
    distributed.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each gradient by its sum over all processes, in one exchange."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if size() == 1 or not gradients:
        return
    flat = all_reduce(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def broadcast(module: torch.nn.Module) -> None:
    """Give all processes the first one's parameters and buffers."""
    if size() > 1:
        for tensor in [*module.parameters(), *module.buffers()]:
            distributed.broadcast(tensor.data, 0)


def barrier() -> None:
    """Wait for the others."""
    if size() > 1:
        distributed.barrier()
