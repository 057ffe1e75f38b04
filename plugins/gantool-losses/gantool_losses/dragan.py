"""DRAGAN: a D that is not steep around real images.

Paper: Kodali et al., 2017, https://arxiv.org/abs/1705.07215
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, EMA, augmentation, and a larger learning rate;
    `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import Batch, Data, Loss, gradient, in_batches
from torch import Tensor
from torch.nn.functional import softplus
from typer import Option

from gantool_losses.game import Game


class DRAGAN(Game):
    """The GAN's own game; D pays where its slope, around real images, is not 1."""

    ema = ("generator", "discriminator")  # the second to be measured

    @dataclass(kw_only=True)
    class Options(Game.Options):
        r1: float = 0.0
        penalty: Annotated[float, Option(min=0, help="Weight of the penalty on D's slope (the paper's lambda).")] = 10.0
        spread: Annotated[float, Option(min=0, help="How far around, in deviations of the real images.")] = 0.5

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        penalty = self.options.penalty * (self.slopes(x) - 1).square().mean()
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), "penalty": penalty}

    def g_loss(self, batch: Batch) -> Loss:
        return softplus(-self.on_fake(batch)).mean()

    def slopes(self, x: Tensor) -> Tensor:
        """|grad D| at x + delta, delta uniform from 0 to the spread, of each."""
        delta = self.options.spread * x.detach().std() * self.random(torch.rand, len(x), *x.shape[1:])
        around = (x.detach() + delta).requires_grad_()
        length: Tensor = gradient(around, self.discriminator(around)).norm(dim=1)
        return length

    def measure(self, held: Data) -> dict[str, float]:
        with torch.enable_grad():
            found = [self.slopes(x).detach() for x, *_ in in_batches(held, self.device, most=5_000)]
        return {"slope": float(torch.cat(found).double().mean())}
