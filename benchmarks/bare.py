"""(b) The fastest loop one can write by hand in plain torch for these networks: no logs, no images, no saving.

Bytes in memory, a batch by one gather and one normalisation; fused Adam; gradients for the mover's weights alone; one
fake for both turns; real and fake in one pass of D where D has neither batch norm nor dropout.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as gantool sets it; before torch

import torch
from networks import Network
from plain import CLASSES, discriminator, generator, main, pixels
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus
from torch.optim import Adam

from gantool.nn.convolutions import ThinConv, UpsampledConv

Batches = Iterator[tuple[Tensor, Tensor]]
Move = Callable[[Tensor], None]  # one step down this loss


def stepper(net: Network, data_dir: Path | None, device: torch.device) -> Callable[[], object]:
    """One step of the whole game."""
    tune_malloc()
    batches = gathered(*pixels(net, data_dir), net, device)
    G = generator(net, lambda inputs, outputs: [UpsampledConv(inputs, outputs)], ThinConv).to(device)
    D = discriminator(net).to(device)
    game = critic if net.critic > 1 else minimax
    steps = game(net, G, D, batches, mover(G), mover(D))
    return lambda: next(steps)


def tune_malloc() -> None:
    """Let glibc keep what is freed."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def gathered(x: Tensor, y: Tensor, net: Network, device: torch.device) -> Batches:
    """Endless batches: images in [-1, 1], flat for MLPs, and one-hot classes."""
    x, y = (x.unsqueeze(1) if net.convolutional else x.flatten(1)).to(device), one_hot(y, CLASSES).float().to(device)
    while True:
        order = torch.randperm(len(x), device=device)
        for start in range(0, len(x) - net.batch + 1, net.batch):
            index = order[start : start + net.batch]
            yield x.index_select(0, index).float().div_(127.5).sub_(1), y.index_select(0, index) if net.labelled else y


def mover(network: nn.Module) -> Move:
    """What takes one step of Adam down a loss, with gradients for this network alone."""
    weights = list(network.parameters())
    adam = Adam(weights, 2e-4, (0.5, 0.999), fused=True)

    def move(loss: Tensor) -> None:
        for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = grad
        adam.step()

    return move


def minimax(net: Network, G: nn.Module, D: nn.Module, batches: Batches, g_moves: Move, d_moves: Move) -> Iterator[None]:
    alone = any(isinstance(m, nn.BatchNorm2d | nn.Dropout2d) for m in D.modules())
    for x, y in batches:
        z = torch.randn(net.batch, net.z, device=x.device)
        fake = G(torch.cat([z, y], 1) if net.labelled else z)
        if net.labelled:
            fake = torch.cat([fake.flatten(1), y], 1)
            x = torch.cat([x, y], 1)
        elif not net.convolutional:
            fake = fake.flatten(1)
        if alone:
            on_x, on_fake = D(x), D(fake.detach())
        else:
            on_x, on_fake = D(torch.cat([x, fake.detach()])).chunk(2)
        d_moves(softplus(-on_x).mean() + softplus(on_fake).mean())
        g_moves(softplus(-D(fake)).mean())
        yield


def critic(net: Network, G: nn.Module, D: nn.Module, batches: Batches, g_moves: Move, d_moves: Move) -> Iterator[None]:
    while True:
        for k in reversed(range(net.critic)):
            x, _ = next(batches)
            with torch.set_grad_enabled(k == 0):  # the last fake serves G as well
                fake = G(torch.randn(net.batch, net.z, device=x.device)).flatten(1)
            still = fake.detach()
            between = torch.lerp(still, x, torch.rand(net.batch, 1, device=x.device)).requires_grad_()
            (slope,) = torch.autograd.grad(D(between).sum(), between, create_graph=True)
            on_x, on_fake = D(torch.cat([x, still])).chunk(2)
            d_moves(on_fake.mean() - on_x.mean() + 10 * (slope.norm(dim=1) - 1).square().mean())
        g_moves(-D(fake).mean())
        yield


if __name__ == "__main__":
    main(stepper)
