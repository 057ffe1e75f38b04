"""The networks that SNGAN, SAGAN and BigGAN share: blocks that double or halve maps, told the class."""

from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from gantool.api import Attention, DataSpec, Projected, Resize, Wrap, map_sizes, output_padding, unwrapped
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

Kind = Literal["conv", "resnet"]
Norm = Callable[[int], nn.Module]  # of so many channels; it is given what it normalises, and what to know of it
FEATURES = 256  # of conv's D


class ResUp(nn.Module):
    """A residual block to larger maps."""

    def __init__(self, a: int, b: int, side: tuple[int, int], norm: Norm, wrap: Wrap) -> None:
        super().__init__()
        self.norm1, self.norm2, self.resize = norm(a), norm(b), Resize(side)
        self.conv1, self.conv2 = wrap(nn.Conv2d(a, b, 3, 1, 1)), wrap(nn.Conv2d(b, b, 3, 1, 1))
        self.skip = wrap(nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.conv1(self.resize(relu(self.norm1(x, y))))
        return self.resize(self.skip(x)) + self.conv2(relu(self.norm2(h, y)))  # type: ignore[no-any-return]


class ConvUp(nn.Module):
    """The same in one transposed convolution."""

    def __init__(self, a: int, b: int, side: tuple[int, int], norm: Norm, wrap: Wrap) -> None:
        super().__init__()
        self.norm, self.conv = norm(a), wrap(nn.ConvTranspose2d(a, b, 4, 2, 1, output_padding(side)))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.conv(relu(self.norm(x, y)))  # type: ignore[no-any-return]


class ResDown(nn.Module):
    """A residual block to smaller maps; the first sees pixels, which no ReLU may cut."""

    def __init__(self, a: int, b: int, first: bool, wrap: Wrap) -> None:
        super().__init__()
        self.before = nn.Identity() if first else nn.ReLU()
        self.conv1, self.conv2 = wrap(nn.Conv2d(a, b, 3, 1, 1)), wrap(nn.Conv2d(b, b, 3, 1, 1))
        self.skip = wrap(nn.Conv2d(a, b, 1))

    def forward(self, x: Tensor) -> Tensor:
        return avg_pool2d(self.skip(x) + self.conv2(relu(self.conv1(self.before(x)))), 2)


class Generator(nn.Module):
    """From noise and what `conditions` makes of the class to an image."""

    def __init__(
        self, inputs: int, width: int, data: DataSpec, kind: Kind, attend: bool, norm: Norm, wrap: Wrap
    ) -> None:
        super().__init__()
        sides, up = map_sizes(data)[::-1], ResUp if kind == "resnet" else ConvUp
        c = [width << i for i in reversed(range(len(sides)))]
        # What makes the image is not held: after batch norm, a norm of 1 would not reach black and white.
        self.last: nn.Module = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, data.channels, 3, 1, 1))
        wraps = [wrap] * (len(sides) - 1)
        if kind == "conv":  # whose last block does
            c, self.last, wraps[-1] = [*c[1:], data.channels], nn.Identity(), unwrapped
        # Nor is what spreads the noise: beside a weight of norm 1 its bias would drown it, and without one all
        # places are alike but for the noise, which cost three times the distance.
        self.first = nn.Sequential(nn.Linear(inputs, c[0] * prod(sides[0])), nn.Unflatten(1, (c[0], *sides[0])))
        self.ups = nn.ModuleList(
            up(a, b, side, norm, held) for (a, b), side, held in zip(pairwise(c), sides[1:], wraps, strict=True)
        )
        self.attention = Attention(c[1], wrap, 2) if attend else nn.Identity()

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        z, each = self.conditions(z, y)
        x = self.first(z)
        for i, (up, known) in enumerate(zip(self.ups, each, strict=True)):
            x = up(x, known) if i else self.attention(up(x, known))
        return self.last(x).tanh()  # type: ignore[no-any-return]

    def conditions(self, z: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What the first layer gets, and what each block is known: all noise, and to each the class."""
        return z, [y] * len(self.ups)


def discriminator(width: int, data: DataSpec, kind: Kind, attend: bool, wrap: Wrap) -> Projected:
    *finer, coarsest = map_sizes(data)
    c = [data.channels, *(width << i for i in range(len(finer)))]
    downs: list[nn.Module]
    if kind == "resnet":
        downs = [ResDown(a, b, not i, wrap) for i, (a, b) in enumerate(pairwise(c))]
        # The paper sums over places. The mean is that but for a factor, and scores stay near 1 whatever the side.
        last, features = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()], c[-1]
    else:
        downs = [nn.Sequential(wrap(nn.Conv2d(a, b, 4, 2, 1)), nn.LeakyReLU(0.1)) for a, b in pairwise(c)]
        last = [nn.Flatten(), wrap(nn.Linear(c[-1] * prod(coarsest), FEATURES)), nn.LeakyReLU(0.1)]
        features = FEATURES
    first, *more = downs
    attention = [Attention(width, wrap, 2)] if attend else []
    return Projected(nn.Sequential(first, *attention, *more, *last), features, len(data.classes), wrap)


def largest(network: nn.Module) -> list[Tensor]:
    """The largest singular value of each weight, reshaped as its spectral norm reshapes it; nothing is iterated."""
    was, weighted = network.training, nn.Conv2d | nn.Linear | nn.Embedding
    network.eval()
    layers = [layer for layer in network.modules() if isinstance(layer, weighted)]
    found = [torch.linalg.svdvals(layer.weight.detach().flatten(1))[0] for layer in layers]
    network.train(was)
    return found
