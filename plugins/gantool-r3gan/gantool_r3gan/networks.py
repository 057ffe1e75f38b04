"""Networks without normalisation: strided resampling, residual blocks, LeakyReLU. For points, plain layers."""

from math import prod

import torch
from gantool.api import DataSpec, Projected, map_sizes, output_padding
from torch import Tensor, nn

LEAK = 0.2


class Block(nn.Module):
    """x and more. The last weights begin at 0 (Zhang et al., 2019), so at first each block hands on what it gets."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.last = nn.Conv2d(c, c, 1, bias=False)
        self.f = nn.Sequential(nn.LeakyReLU(LEAK), nn.Conv2d(c, c, 3, 1, 1), nn.LeakyReLU(LEAK))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.last(self.f(x))  # type: ignore[no-any-return]


def start(layer: nn.Module) -> None:
    """Weights that neither swell nor fade what goes through them (He et al., 2015), as nothing else evens it out."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(layer.weight, LEAK)
    elif isinstance(layer, Block):  # after its parts
        nn.init.zeros_(layer.last.weight)


def generator(inputs: int, width: int, blocks: int, data: DataSpec) -> nn.Module:
    if not data.images:
        return nn.Sequential(*hidden(inputs, 8 * width), nn.Linear(8 * width, data.channels))
    *finer, coarsest = map_sizes(data)
    c = width << len(finer) - 1 if finer else data.channels
    layers: list[nn.Module] = [nn.Linear(inputs, c * prod(coarsest)), nn.Unflatten(1, (-1, *coarsest))]
    for i, side in reversed([*enumerate(finer)]):
        to, last = c // 2 if i else data.channels, (4, 2, 1, output_padding(side))
        layers += [*(Block(c) for _ in range(blocks)), nn.LeakyReLU(LEAK), nn.ConvTranspose2d(c, to, *last)]
        c = to
    return nn.Sequential(*layers, nn.Tanh())


def discriminator(width: int, blocks: int, classes: int, data: DataSpec) -> Projected:
    if not data.images:
        return Projected(nn.Sequential(*hidden(data.channels, 8 * width)), 8 * width, classes, called="body")
    *finer, coarsest = map_sizes(data)
    c, layers = data.channels, list[nn.Module]()
    for i in range(len(finer)):
        layers += [nn.Conv2d(c, width << i, 4, 2, 1), nn.LeakyReLU(LEAK), *(Block(width << i) for _ in range(blocks))]
        c = width << i
    layers += [nn.Flatten(), nn.Linear(c * prod(coarsest), 256), nn.LeakyReLU(LEAK)]
    return Projected(nn.Sequential(*layers), 256, classes, called="body")


def hidden(inputs: int, units: int) -> list[nn.Module]:
    return [layer for n in (inputs, units, units) for layer in (nn.Linear(n, units), nn.LeakyReLU(LEAK))]


def conditional(z: Tensor, y: Tensor | None, classes: int) -> Tensor:
    """z, and y one-hot beside it."""
    return z if y is None else torch.cat([z, nn.functional.one_hot(y, classes)], 1)
