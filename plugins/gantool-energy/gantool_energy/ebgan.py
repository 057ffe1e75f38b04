"""EBGAN: D is an autoencoder whose error is an energy, low for real images and at least a margin for others.

Paper: Zhao et al., 2016, https://arxiv.org/abs/1609.03126
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, EMA, and images that D sees moved; one draw of
    z serves both players; `--preset paper` has its game alone
"""

from dataclasses import dataclass
from typing import Annotated

from gantool import api
from gantool.api import Batch, DataSpec, Loss, NoiseOptions, Recipe
from torch import Tensor, nn
from typer import Option

from gantool_energy.networks import Energetic, autoencoder, pulling_away


class EBGAN(Energetic):
    """L_D = D(x) + [m - D(G(z))]^+ and L_G = D(G(z)) + pull f_PT(S), S what D's encoder makes of the batch."""

    recipe = Recipe(steps=8_000, batch_size=32)

    @dataclass(kw_only=True)
    class Options(Energetic.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        augment: str | None = None
        code: Annotated[int, Option(min=1, help="Dimensions of D's code.")] = 32
        margin: Annotated[float, Option(min=0, help="Energy from which D leaves generated images alone (m).")] = 0.2
        pull: Annotated[float, Option(min=0, help="Weight of the pulling-away term.")] = 0.1

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        self.generator = api.upwards(self.numbers, o.width, data)
        self.discriminator = nn.Sequential(*autoencoder(o.code, o.width, o.deep, data))

    def energy(self, v: Tensor) -> Tensor:
        """D(v), of each: the mean squared error of what comes back."""
        return (v - self.discriminator(v)).square().flatten(1).mean(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        real, drawn = self.compare(self.energy, (self.augment(x),), (self.augment(fake),))
        self.log(**{"D(x)": real.mean(), "D(G(z))": drawn.mean()})
        return {"real": real.mean(), "margin": (self.options.margin - drawn).relu().mean()}

    def g_loss(self, batch: Batch) -> Loss:
        fake = self.augment(batch[-1])
        code = self.discriminator.get_submodule("0")(fake)
        back = self.discriminator.get_submodule("1")(code)
        return {"energy": (fake - back).square().mean(), "pull": self.options.pull * pulling_away(code)}
