"""LSGAN: least squares in place of cross entropy.

Paper: Mao et al., 2017, https://arxiv.org/abs/1611.04076
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, R1, EMA, augmentation, and a larger learning rate;
    `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated

from gantool.api import Batch, DataSpec, Loss
from typer import Option

from gantool_losses.game import Game


class LSGAN(Game):
    """Equation 2: D should say b of real images and a of generated ones; G wants it to say c of these."""

    @dataclass(kw_only=True)
    class Options(Game.Options):
        a: Annotated[float, Option("--a", help="What D should say of generated images.")] = 0.0
        b: Annotated[float, Option("--b", help="What D should say of real images.")] = 1.0
        c: Annotated[float, Option("--c", help="What G wants D to say of generated images.")] = 1.0

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.middle = (options.a + options.b) / 2

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        o = self.options
        real, fake = (on_x - o.b).square().mean() / 2, (on_fake - o.a).square().mean() / 2
        return {"real": real, "fake": fake, **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        c: float = self.options.c
        return (self.on_fake(batch) - c).square().mean() / 2
