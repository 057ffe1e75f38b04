"""DCGAN: all-convolutional networks with batch norm.

Paper: Radford et al., 2015, https://arxiv.org/abs/1511.06434
Task: images from noise
Differs from the paper: by default a mixture for noise, R1, EMA, augmentation, four times the channels at each
    coarser map, and a faster D; `--preset paper` has its five rules, its sizes and nothing else
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from torch import nn
from typer import Option

from gantool.api import USAGE, DataSpec, Recipe, UserError, map_sizes, output_padding
from gantool.variants.gan import Game


class DCGAN(Game):
    """The GAN's losses and turns, unchanged; the networks follow the paper's five rules.

    Strided and transposed convolutions instead of pooling; batch norm in both, but for G's last layer and D's first;
    no fully connected layers; ReLU and a last tanh in G; LeakyReLU in D.
    """

    recipe = Recipe(steps=3_200, batch_size=32)

    @dataclass(kw_only=True)
    class Options(Game.Options):
        d_lr: float | None = 2e-3
        r1: float = 0.2
        augment: str | None = None
        components: int = 200
        width: Annotated[int, Option(min=1, help="Channels of G's finest map.")] = 12
        d_width: Annotated[int, Option(min=1, help="Channels of D's finest map.")] = 16
        growth: Annotated[
            int, Option(min=1, max=8, help="Factor on the channels at each coarser map; in the paper 2.")
        ] = 4
        deviation: Annotated[float, Option(min=0, help="Standard deviation of the initial weights.")] = 0.02

    def __init__(self, options: Options, data: DataSpec) -> None:
        if not data.images:
            raise UserError("dcgan draws images, and these are points.", "Try gantool train gan.", USAGE)
        if not 16 <= min(data.height, data.width) <= max(data.height, data.width) <= 256:
            shown = data.height if data.height == data.width else f"{data.width}x{data.height}"
            raise UserError(f"dcgan draws sizes from 16 to 256, not {shown}.", "Try --size 32.", USAGE)
        self.maps = map_sizes(data, coarsest=4)
        super().__init__(options, data)
        self.apply(self.start)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        return self.upwards(), self.downwards()

    def upwards(self) -> nn.Module:
        *finer, coarsest = zip(self.maps[1:], self.widths(self.options.width), strict=True)
        side, c = coarsest
        layers: list[nn.Module] = [nn.Unflatten(1, (-1, 1, 1)), nn.ConvTranspose2d(self.numbers, c, side, bias=False)]
        for side, fine in reversed(finer):
            up = nn.ConvTranspose2d(c, fine, 4, 2, 1, output_padding(side), bias=False)
            layers += [nn.BatchNorm2d(c), nn.ReLU(), up]
            c = fine
        last = nn.ConvTranspose2d(c, self.data.channels, 4, 2, 1, output_padding(self.maps[0]))
        return nn.Sequential(*layers, nn.BatchNorm2d(c), nn.ReLU(), last, nn.Tanh())

    def downwards(self) -> nn.Module:
        widths, leak = self.widths(self.options.d_width), self.options.leak
        layers: list[nn.Module] = [nn.Conv2d(self.data.channels, widths[0], 4, 2, 1), nn.LeakyReLU(leak)]
        for fine, coarse in pairwise(widths):
            layers += [nn.Conv2d(fine, coarse, 4, 2, 1, bias=False), nn.BatchNorm2d(coarse), nn.LeakyReLU(leak)]
        return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, self.maps[-1]), nn.Flatten(0))

    def widths(self, finest: int) -> list[int]:
        """Of the maps, finest first; 16 times at most, or large images would ask for more than anyone can train."""
        return [finest * min(self.options.growth**i, 16) for i in range(len(self.maps) - 1)]

    def start(self, layer: nn.Module) -> None:
        """Normal weights, centred on 1 for batch norm's scale."""
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, self.options.deviation)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, self.options.deviation)
