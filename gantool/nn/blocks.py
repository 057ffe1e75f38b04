"""Small things several variants are built of."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from gantool.data.pictures import DataSpec


def layers(text: str) -> list[int]:
    """Hidden units written as on paper: '256-512'."""
    sizes = text.split("-")
    if not all(size.isdecimal() and len(size) < 6 and 0 < int(size) <= 65536 for size in sizes):
        raise ValueError(f"{text[:80]!r} should be numbers joined by dashes, such as 256-512.")
    return [int(size) for size in sizes]


def mlp(
    sizes: list[int],
    leak: float,
    more: Callable[[int], nn.Module | None],
    before: Sequence[nn.Module] = (),
    after: Sequence[nn.Module] = (),
) -> nn.Sequential:
    """Linear layers, all but the last followed by LeakyReLU and by what `more` makes for its n units, if anything.

    Where it makes nothing a number is left out, so weights are called the same with and without.
    """
    *hidden, last = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    every = [*before, *(m for a in hidden for m in (a, nn.LeakyReLU(leak), more(a.out_features))), last, *after]
    return nn.Sequential(OrderedDict((str(i), m) for i, m in enumerate(every) if m is not None))


def sides(size: int, coarsest: int) -> list[int]:
    """The sides of a picture's maps, each half of the one before, until one is `coarsest` or less: 28, 14, 7."""
    found = [size]
    while found[-1] > coarsest:
        found.append(found[-1] // 2)
    return found


def upwards(inputs: int, width: int, data: DataSpec) -> nn.Module:
    """A small convolutional generator: numbers, a coarse map, then twice the side and half the channels each time."""
    *finer, coarsest = sides(data.size, 7)
    c = width << max(len(finer) - 1, 0)
    layers: list[nn.Module] = [
        nn.Linear(inputs, c * coarsest**2, bias=False),
        nn.Unflatten(1, (-1, coarsest, coarsest)),
    ]
    for side in reversed(finer):
        to = data.channels if side == data.size else c // 2
        layers += [nn.BatchNorm2d(c), nn.ReLU(), nn.ConvTranspose2d(c, to, 4, 2, 1, side % 2)]
        c = to
    return nn.Sequential(*layers, nn.Tanh())


def downwards(features: int, width: int, leak: float, data: DataSpec) -> nn.Module:
    """Its mirror: strided convolutions without normalisation, then `features` numbers."""
    *finer, coarsest = sides(data.size, 7)
    widths, layers = [data.channels, *(width << i for i in range(len(finer)))], list[nn.Module]()
    for fine, coarse in pairwise(widths):
        layers += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.LeakyReLU(leak)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * coarsest**2, features), nn.LeakyReLU(leak))


class UpsampledConv(nn.Conv2d):
    """`nn.Upsample(scale_factor=2)` and `nn.Conv2d(inputs, outputs, 3, padding=1)` in one, faster and exactly equal.

    An output pixel sees four doubled pixels at most, so the 3x3 weights, those of one source pixel added up, are a 4x4
    kernel of a transposed convolution on the smaller map. State dicts are Conv2d's.
    """

    fold: Tensor

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)
        side = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        self.register_buffer("fold", torch.kron(side, side).T.contiguous(), persistent=False)  # (9, 16)

    def forward(self, x: Tensor) -> Tensor:
        kernel = (self.weight.flatten(2) @ self.fold).view(*self.weight.shape[:2], 4, 4).transpose(0, 1)
        return conv_transpose2d(x, kernel, self.bias, 2, 1)


class ThinConv(nn.Conv2d):
    """`nn.Conv2d(inputs, outputs, 3, padding=1)` to a picture's few maps, faster and equal.

    Each of the nine taps is a product of all pixels by one column, and only the results are moved and added: the
    larger input is read once. State dicts are Conv2d's.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        (n, _, h, w), outputs = x.shape, self.out_channels
        taps = conv2d(x, self.weight.permute(0, 2, 3, 1).reshape(9 * outputs, -1, 1, 1))
        taps = pad(taps.view(n, outputs, 9, h, w), (1, 1, 1, 1))
        moved = (taps[:, :, i, i // 3 : i // 3 + h, i % 3 : i % 3 + w] for i in range(9))
        return reduce(torch.add, moved if self.bias is None else (self.bias.view(-1, 1, 1), *moved))
