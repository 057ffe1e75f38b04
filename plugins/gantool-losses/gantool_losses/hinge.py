"""Hinge: D's scores count up to a margin, and not beyond.

Paper: Lim & Ye, 2017, https://arxiv.org/abs/1705.02894
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, R1, EMA, augmentation, and a larger learning rate;
    `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated

from gantool.api import Batch, Loss
from torch.nn.functional import relu
from typer import Option

from gantool_losses.game import Game


class Hinge(Game):
    """Equation 12: D raises scores of real images to 1 and lowers those of generated ones to -1; G raises these."""

    @dataclass(kw_only=True)
    class Options(Game.Options):
        real_weight: Annotated[
            float, Option(min=-1, max=1, help="Weight of real images in D's loss; -1 turns the term's sign.")
        ] = 1.0

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        real, fake = self.options.real_weight * relu(1 - on_x).mean(), relu(1 + on_fake).mean()
        return {"real": real, "fake": fake, **self.r1_penalty(x, on_x)}
