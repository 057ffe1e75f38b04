"""The two of the five networks that no variant of gantool's has, written as anyone would write a variant."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

from gantool_wgan_gp import WGANGP
from torch import nn
from typer import Option

from gantool.api import DataSpec, ThinConv, UpsampledConv, Variant, layers, mlp
from gantool.variants.gan import Game


class MLPWGANGP(WGANGP):
    """The plugin's losses and turns; the networks are MLPs."""

    @dataclass(kw_only=True)
    class Options(WGANGP.Options):
        z: int = 100
        d_steps: int = 5
        augment: str | None = "none"
        g_layers: Annotated[str, Option(help="Hidden units of G.")] = "128-256-512-1024"
        d_layers: Annotated[str, Option(help="Hidden units of D.")] = "512-256"

    def __init__(self, options: Options, data: DataSpec) -> None:
        Variant.__init__(self, options, data)
        shape = (data.channels, data.size, data.size)
        pixels = data.channels * data.size**2
        g, d = [options.z, *layers(options.g_layers), pixels], [pixels, *layers(options.d_layers), 1]
        self.generator = mlp(g, 0.2, nn.BatchNorm1d, after=[nn.Tanh(), nn.Unflatten(1, shape)])
        self.discriminator = mlp(d, 0.2, lambda n: None, [nn.Flatten()], [nn.Flatten(0)])


class UpsamplingDCGAN(Game):
    """The GAN's game; G doubles its maps and convolves, D strides and drops."""

    @dataclass(kw_only=True)
    class Options(Game.Options):
        z: int = 100
        width: Annotated[int, Option(min=4, help="Channels of G's finest map; D's are a quarter.")] = 64

    def networks(self) -> tuple[nn.Module, nn.Module]:
        o, data = self.options, self.data
        side, c = data.size // 4, o.width
        g: list[nn.Module] = [nn.Linear(o.z, 2 * c * side**2), nn.Unflatten(1, (-1, side, side)), nn.BatchNorm2d(2 * c)]
        for a, b in [(2 * c, 2 * c), (2 * c, c)]:
            g += [UpsampledConv(a, b), nn.BatchNorm2d(b), nn.LeakyReLU(o.leak)]
        widths, d = [data.channels, *(c // 4 << i for i in range(4))], list[nn.Module]()
        for i, (a, b) in enumerate(pairwise(widths)):
            d += [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(o.leak), nn.Dropout2d(0.25)]
            d += [nn.BatchNorm2d(b)] if i else []
        last = nn.Linear(widths[-1] * (data.size // 16) ** 2, 1)
        return nn.Sequential(*g, ThinConv(c, data.channels), nn.Tanh()), nn.Sequential(
            *d, nn.Flatten(), last, nn.Flatten(0)
        )
