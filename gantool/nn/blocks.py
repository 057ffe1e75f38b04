"""Small networks, whatever the data: MLPs; maps that double or halve on the way; plain layers for points."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import prod

from torch import nn

from gantool.data.images import DataSpec
from gantool.errors import USAGE, UserError

Norm = Callable[[int], nn.Module | None]  # a layer for so many units or channels, if any
Wrap = Callable[[nn.Module], nn.Module]  # of each layer that has weights: spectral_norm, say


def unwrapped(layer: nn.Module) -> nn.Module:
    """The layer as it is: the `wrap` of networks whose weights nothing holds."""
    return layer


def layers(text: str) -> list[int]:
    """Hidden units written as on paper: '256-512'."""
    sizes = text.split("-")
    if not all(size.isdecimal() and len(size) < 6 and 0 < int(size) <= 65536 for size in sizes):
        raise ValueError(f"{text[:80]!r} should be numbers joined by dashes, such as 256-512.")
    return [int(size) for size in sizes]


def numbered(modules: Iterable[nn.Module | None]) -> nn.Sequential:
    """Modules in a row. Where there is none a number is left out, so weights are called the same with and without."""
    return nn.Sequential(OrderedDict((str(i), m) for i, m in enumerate(modules) if m is not None))


def mlp(
    sizes: Sequence[int],
    leak: float = 0.2,
    norm: Norm | None = None,
    before: Sequence[nn.Module] = (),
    after: Sequence[nn.Module] = (),
    wrap: Wrap = unwrapped,
) -> nn.Sequential:
    """Linear layers, all but the last followed by LeakyReLU and by what `norm` makes for its n units, if anything."""
    *hidden, last = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    body = (m for a in hidden for m in (wrap(a), nn.LeakyReLU(leak), norm and norm(a.out_features)))
    return numbered([*before, *body, wrap(last), *after])


def sides(size: int, coarsest: int) -> list[int]:
    """The sides of an image's maps, each half of the one before, until one is `coarsest` or less: 28, 14, 7."""
    found = [size]
    while found[-1] > coarsest:
        found.append(found[-1] // 2)
    return found


def map_sizes(data: DataSpec, coarsest: int = 7) -> list[tuple[int, int]]:
    """Height and width of an image's maps, each half of the one before, until one of the two is `coarsest` or less.

    A map that is made twice as large lacks a row or a column where these were odd: (height % 2, width % 2) of them.
    """
    if not data.images:
        raise UserError("This variant draws images, and these are points.", "Try gantool train gan.", USAGE)
    count = len(sides(min(data.height, data.width), coarsest))
    return [(data.height >> i, data.width >> i) for i in range(count)]


def output_padding(side: tuple[int, int]) -> tuple[int, int]:
    """What twice the half of a map lacks of it: a transposed convolution's output_padding."""
    return side[0] % 2, side[1] % 2


def upwards(
    inputs: int, width: int, data: DataSpec, norm: Norm | None = nn.BatchNorm2d, wrap: Wrap = unwrapped
) -> nn.Module:
    """A small convolutional generator: numbers, a coarse map, then twice the side and half the channels each time.

    For points, an MLP of three layers 8 times as wide, without norm or limits.
    """
    if not data.images:
        return mlp([inputs, *[8 * width] * 3, data.channels], wrap=wrap)
    *finer, coarsest = map_sizes(data)
    c = width << len(finer) - 1 if finer else data.channels
    first = wrap(nn.Linear(inputs, c * prod(coarsest), bias=False))
    layers: list[nn.Module | None] = [first, nn.Unflatten(1, (-1, *coarsest))]
    for i, side in reversed([*enumerate(finer)]):
        to = c // 2 if i else data.channels
        layers += [norm and norm(c), nn.ReLU(), wrap(nn.ConvTranspose2d(c, to, 4, 2, 1, output_padding(side)))]
        c = to
    return numbered([*layers, nn.Tanh()])


def downwards(
    features: int, width: int, leak: float, data: DataSpec, norm: Norm | None = None, wrap: Wrap = unwrapped
) -> nn.Module:
    """Its mirror: strided convolutions without normalisation, then `features` numbers. For points, an MLP again."""
    if not data.images:
        return mlp([data.channels, *[8 * width] * 3, features], leak, after=[nn.LeakyReLU(leak)], wrap=wrap)
    *finer, coarsest = map_sizes(data)
    widths, layers = [data.channels, *(width << i for i in range(len(finer)))], list[nn.Module | None]()
    for fine, coarse in pairwise(widths):
        layers += [wrap(nn.Conv2d(fine, coarse, 4, 2, 1)), *([norm(coarse)] if norm else []), nn.LeakyReLU(leak)]
    last = wrap(nn.Linear(widths[-1] * prod(coarsest), features))
    return numbered([*layers, nn.Flatten(), last, nn.LeakyReLU(leak)])
