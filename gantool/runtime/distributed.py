"""Several processes that train one run, as torchrun starts them: each computes its share of every batch.

All of them hold the same networks and the same random states, and take the same steps. A process alone pays nothing.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MethodType
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gantool.errors import USAGE, UserError
from gantool.runtime import torchrun

INTERRUPTED = "interrupted"
_local = False  # now at what the others have no part in


class Parted(UserError):
    """Another process has gone, and this one cannot go on without it."""


class Share(NamedTuple):
    """The part of each batch that a process computes."""

    rank: int = 0
    among: int = 1

    def of(self, whole: Tensor) -> Tensor:
        if self.among == 1:
            return whole
        each = len(whole) // self.among
        return whole[self.rank * each : (self.rank + 1) * each]


WHOLE = Share()


def share() -> Share:
    joined = dist.is_available() and dist.is_initialized() and not _local
    return Share(dist.get_rank(), dist.get_world_size()) if joined else WHOLE


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Together with the others, until all are through: one that left early would be taken for lost."""
    if torchrun.count() == 1:
        yield
        return
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"Processes cannot share a training on {device.type}.", "Try --device cpu.", USAGE)
    # Imported later, as by an optimizer, its functions hold the group as a default and its threads outlive it; one of
    # them that frees a tensor while Python ends aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    wait()  # a mistake that each will find for itself must not end one while another is still on its way
    yield
    wait()
    dist.destroy_process_group()


@contextmanager
def local() -> Iterator[None]:
    """While one process does what the others do not: nothing is shared, and nobody is waited for."""
    global _local
    before, _local = _local, True
    try:
        yield
    finally:
        _local = before


@contextmanager
def rank_by_rank() -> Iterator[None]:
    """One process of each machine before the others, who find what it has downloaded or mended."""
    if torchrun.local_rank():
        wait()
    try:
        yield
    except UserError:  # the others are to find it, too, not that one has gone
        if not torchrun.local_rank():
            wait()
        raise
    if not torchrun.local_rank():
        wait()


def wait() -> None:
    """For all."""
    if share().among > 1:
        summed(torch.zeros(1))


def summed(tensor: Tensor) -> Tensor:
    """In place, over all processes; each gets the same bits."""
    try:
        dist.all_reduce(tensor)
    except RuntimeError as error:
        raise Parted(
            "Another process of this training has ended.", "Go on from its last checkpoint: gantool resume"
        ) from error
    return tensor


def mean(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Of each tensor over all processes, all in one message."""
    among = share().among
    if among == 1 or not tensors:
        return tensors
    flat = summed(torch.cat([t.detach().flatten().to(tensors[0].device) for t in tensors])).div_(among)
    parts = torch.split(flat, [t.numel() for t in tensors])
    return [part.view_as(t).to(t.dtype) for part, t in zip(parts, tensors, strict=True)]


def all_reduced(stop: str) -> str:
    """Why to stop, if any process has a reason: all stop after the same step."""
    if share().among == 1:
        return stop
    any_, interrupted = summed(torch.tensor([bool(stop), stop == INTERRUPTED], dtype=torch.int32)).tolist()
    return INTERRUPTED if interrupted else stop or "stopped" if any_ else ""


def broadcast(number: float) -> float:
    """The first process's: clocks differ."""
    rank, among = share()
    if among == 1:
        return number
    return float(summed(torch.tensor(number if rank == 0 else 0.0, dtype=torch.float64)))


def share_norms(module: nn.Module) -> None:
    """Let batch norm see the whole batch; torch's own way to is for GPUs only."""
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.forward = MethodType(shared_norm, layer)  # type: ignore[method-assign]


def shared_norm(self: Any, x: Tensor) -> Tensor:
    rank, among = share()
    if among == 1 or not self.training:
        alone: Tensor = type(self).forward(self, x)
        return alone
    over, shape, wide = [d for d in range(x.ndim) if d != 1], [1, -1] + [1] * (x.ndim - 2), x.float()
    mean = wide.mean(over)
    moments = torch.stack([mean, (wide - mean.view(shape)).square().mean(over)])
    others = torch.zeros(among, *moments.shape, device=x.device)
    all_of_them: Tensor = Summed.apply(torch.cat([others[:rank], moments[None], others[rank + 1 :]]))
    means, variances = all_of_them.unbind(1)
    mean = means.mean(0)
    variance = (variances + (means - mean).square()).mean(0)
    if self.track_running_stats:
        self.num_batches_tracked += 1
        n = among * x.numel() // x.shape[1]
        pace = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean.detach(), pace)
        self.running_var.lerp_(variance.detach() * (n / (n - 1)), pace)
    y: Tensor = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
    if self.affine:
        y = y * self.weight.view(shape) + self.bias.view(shape)
    return y.type_as(x)


class Summed(torch.autograd.Function):
    """A sum over all processes. Each one's part moved every sum, so its slope is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return summed(x.clone())

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Any:
        return Summed.apply(slope.contiguous())
