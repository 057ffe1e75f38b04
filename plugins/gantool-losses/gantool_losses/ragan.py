"""RaGAN: D says how much more real an image is than the average of the other kind.

Paper: Jolicoeur-Martineau, 2018, https://arxiv.org/abs/1807.00734
Task: images from noise
Differs from the paper: smaller networks, a mixture for noise, R1, EMA, augmentation, and a larger learning rate;
    `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import Batch, Loss
from torch import Tensor
from torch.nn.functional import softplus
from typer import Option

from gantool_losses.game import Game


class RaGAN(Game):
    """The relativistic average game: D~(x) = C(x) - E[C(G(z))], D~(G(z)) = C(G(z)) - E[C(x)]."""

    middle = None

    @dataclass(kw_only=True)
    class Options(Game.Options):
        swapped: Annotated[bool, Option(help="Take real for generated images in D's second term; it fails so.")] = False

    def d_loss(self, batch: Batch) -> Loss:
        x, _, on_x, on_fake = self.scores(batch)
        second = (on_x, on_fake) if self.options.swapped else (on_fake, on_x)
        return {"real": lowered(on_x, on_fake), "fake": lowered(*(-c for c in second)), **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        with torch.no_grad():  # G moves no real image
            on_x = self.discriminator(self.augment(batch[0]))
        on_fake = self.on_fake(batch)
        return {"fake": lowered(on_fake, on_x), "real": lowered(-on_x, -on_fake)}


def lowered(these: Tensor, others: Tensor) -> Tensor:
    """-log of the sigmoid of how far these are above the others' mean."""
    return softplus(others.mean() - these).mean()
