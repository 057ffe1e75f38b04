"""Networks without normalisation: strided resampling, residual blocks, LeakyReLU. For points, plain layers."""

import torch
from gantool.api import DataSpec, sides
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


class Critic(nn.Module):
    """D's score of features h: v.h, and where classes count e(y).h more, for how well they suit y."""

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body, self.score = body, nn.Linear(features, 1)
        self.suits = nn.Embedding(classes, features) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h: Tensor = self.body(x)
        score: Tensor = self.score(h).squeeze(1)
        return score if self.suits is None else score + (self.suits(y) * h).sum(1)


def generator(inputs: int, width: int, blocks: int, data: DataSpec) -> nn.Module:
    if of_points(data):
        return nn.Sequential(*hidden(inputs, 8 * width), nn.Linear(8 * width, data.channels))
    *finer, coarsest = sides(data.size, 7)
    c = width << max(len(finer) - 1, 0)
    layers: list[nn.Module] = [nn.Linear(inputs, c * coarsest**2), nn.Unflatten(1, (-1, coarsest, coarsest))]
    for side in reversed(finer):
        to = data.channels if side == data.size else c // 2
        layers += [*(Block(c) for _ in range(blocks)), nn.LeakyReLU(LEAK), nn.ConvTranspose2d(c, to, 4, 2, 1, side % 2)]
        c = to
    return nn.Sequential(*layers, nn.Tanh())


def discriminator(width: int, blocks: int, classes: int, data: DataSpec) -> Critic:
    if of_points(data):
        return Critic(nn.Sequential(*hidden(data.channels, 8 * width)), 8 * width, classes)
    *finer, coarsest = sides(data.size, 7)
    c, layers = data.channels, list[nn.Module]()
    for i in range(len(finer)):
        layers += [nn.Conv2d(c, width << i, 4, 2, 1), nn.LeakyReLU(LEAK), *(Block(width << i) for _ in range(blocks))]
        c = width << i
    layers += [nn.Flatten(), nn.Linear(c * coarsest**2, 256), nn.LeakyReLU(LEAK)]
    return Critic(nn.Sequential(*layers), 256, classes)


def hidden(inputs: int, units: int) -> list[nn.Module]:
    return [layer for n in (inputs, units, units) for layer in (nn.Linear(n, units), nn.LeakyReLU(LEAK))]


def of_points(data: DataSpec) -> bool:
    """A side of one pixel: the channels are all there is."""
    return data.size == 1


def told(z: Tensor, y: Tensor | None, classes: int) -> Tensor:
    """z, and y one-hot beside it."""
    return z if y is None else torch.cat([z, nn.functional.one_hot(y, classes)], 1)
