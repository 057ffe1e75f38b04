"""Small things several variants are built of."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from typer import BadParameter

from gantool.data.pictures import DataSpec


def layers(text: str) -> list[int]:
    """Hidden units written as on paper: '256-512'."""
    sizes = text.split("-")
    if not all(size.isdecimal() and 0 < int(size) <= 65536 for size in sizes):
        raise BadParameter(f"{text!r} should be numbers joined by dashes, such as 256-512.")
    return [int(size) for size in sizes]


def halvings(size: int) -> int:
    """How often a picture's side is halved to reach a coarsest map of 4 to 7."""
    return max((size // 4).bit_length() - 1, 0)


def upwards(inputs: int, width: int, data: DataSpec) -> nn.Module:
    """A small convolutional generator: numbers, a coarse map, then twice the side and half the channels each time."""
    widths, coarsest = [width << i for i in reversed(range(halvings(data.size)))], data.size >> halvings(data.size)
    first = nn.Linear(inputs, widths[0] * coarsest**2, bias=False)
    layers: list[nn.Module] = [first, nn.Unflatten(1, (-1, coarsest, coarsest))]
    for coarse, fine in pairwise([*widths, data.channels]):
        layers += [nn.BatchNorm2d(coarse), nn.ReLU(), nn.ConvTranspose2d(coarse, fine, 4, 2, 1)]
    return nn.Sequential(*layers, nn.Tanh())


def downwards(features: int, width: int, leak: float, data: DataSpec) -> nn.Module:
    """Its mirror: strided convolutions without normalisation, then `features` numbers."""
    widths, coarsest = (
        [data.channels, *(width << i for i in range(halvings(data.size)))],
        data.size >> halvings(data.size),
    )
    layers: list[nn.Module] = []
    for fine, coarse in pairwise(widths):
        layers += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.LeakyReLU(leak)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * coarsest**2, features), nn.LeakyReLU(leak))


def r1(x: Tensor, score: Tensor) -> Tensor:
    """The squared slope of D at real data (Mescheder et al., 2018). `x` must ask for gradients before D sees it."""
    (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()
