"""Softmax GAN: one softmax over all images of a batch, real and generated.

Paper: Lin, 2017, https://arxiv.org/abs/1704.06191
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, R1, EMA, augmentation, and a larger learning rate;
    `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from gantool.api import Batch, Loss
from torch import Tensor
from typer import Option

from gantool_losses.game import Game


class SoftmaxGAN(Game):
    """D spreads the softmax's mass evenly over the real images, G over all. The paper's mu is -D here."""

    middle = None

    @dataclass(kw_only=True)
    class Options(Game.Options):
        over: Annotated[
            Literal["all", "real"], Option(help="Images that Z sums over; with the real ones alone it fails.")
        ] = "all"

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        return {"loss": self.log_z(on_x, on_fake) - on_x.mean(), **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        with torch.no_grad():  # G moves no real image
            on_x = self.discriminator(self.augment(batch[0]))
        on_fake = self.on_fake(batch)
        return self.log_z(on_x, on_fake) - torch.cat([on_x, on_fake]).mean()

    def log_z(self, on_x: Tensor, on_fake: Tensor) -> Tensor:
        return (torch.cat([on_x, on_fake]) if self.options.over == "all" else on_x).logsumexp(0)
