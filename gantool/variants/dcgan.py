"""DCGAN: all-convolutional networks with batch norm.

Paper: Radford et al., 2015, https://arxiv.org/abs/1511.06434
Task: pictures from noise
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from torch import nn
from typer import Option

from gantool.api import USAGE, DataSpec, Recipe, UserError, halvings
from gantool.variants.gan import Game

SIZES = [base << k for k in range(2, 6) for base in (4, 5, 6, 7) if 16 <= base << k <= 128]


class DCGAN(Game):
    """The GAN's losses and turns, unchanged; the networks follow the paper's five rules.

    Strided and transposed convolutions instead of pooling; batch norm in both, but for G's last layer and D's first;
    no fully connected layers; ReLU and a last tanh in G; LeakyReLU in D.
    """

    recipe = Recipe(steps=4_000, batch_size=64)

    @dataclass(kw_only=True)
    class Options(Game.Options):
        z: int = 100
        width: Annotated[int, Option(min=1, help="Channels of the finest map; doubled at each coarser one.")] = 16
        deviation: Annotated[float, Option(min=0, help="Of the normal weights at the start.")] = 0.02

    def __init__(self, options: Options, data: DataSpec) -> None:
        if data.size not in SIZES:
            near, known = min(SIZES, key=lambda size: abs(size - data.size)), ", ".join(map(str, sorted(SIZES)))
            raise UserError(f"These networks draw sizes {known}, not {data.size}.", f"Try --size {near}.", USAGE)
        super().__init__(options, data)
        self.apply(self.start)

    def widths(self) -> list[int]:
        """Channels of each map, from fine to coarse."""
        return [self.options.width << i for i in range(halvings(self.data.size))]

    def build_generator(self) -> nn.Module:
        widths, coarsest = self.widths()[::-1], self.data.size >> halvings(self.data.size)
        hidden = [
            nn.ConvTranspose2d(self.options.z, widths[0], coarsest, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for coarse, fine in pairwise(widths):
            hidden += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False), nn.BatchNorm2d(fine), nn.ReLU()]
        last = nn.ConvTranspose2d(widths[-1], self.data.channels, 4, 2, 1)
        return nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), *hidden, last, nn.Tanh())

    def build_discriminator(self) -> nn.Module:
        widths, coarsest = self.widths(), self.data.size >> halvings(self.data.size)
        hidden = [nn.Conv2d(self.data.channels, widths[0], 4, 2, 1), nn.LeakyReLU(self.options.leak)]
        for fine, coarse in pairwise(widths):
            hidden += [
                nn.Conv2d(fine, coarse, 4, 2, 1, bias=False),
                nn.BatchNorm2d(coarse),
                nn.LeakyReLU(self.options.leak),
            ]
        return nn.Sequential(*hidden, nn.Conv2d(widths[-1], 1, coarsest), nn.Flatten(0))

    def start(self, layer: nn.Module) -> None:
        """Normal weights, centred on 1 for batch norm's scale."""
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, self.options.deviation)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, self.options.deviation)
