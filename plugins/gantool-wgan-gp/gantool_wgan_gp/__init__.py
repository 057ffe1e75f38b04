"""WGAN-GP: a critic held to slope 1 by a gradient penalty.

Paper: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
Task: pictures from noise
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import Batch, Loss, Recipe
from gantool.variants.dcgan import DCGAN
from torch import Tensor, nn
from typer import Option


class WGANGP(DCGAN):
    """Algorithm 1 on DCGAN's networks. The discriminator is the paper's critic D: a score, not a probability."""

    recipe = Recipe(steps=2_000, batch_size=64)
    eager = ("discriminator",)  # the penalty differentiates it twice

    @dataclass(kw_only=True)
    class Options(DCGAN.Options):
        lr: float = 1e-4
        beta1: float = 0.0
        beta2: float = 0.9
        d_steps: int = 5
        penalty: Annotated[float, Option(min=0, help="Weight of the gradient penalty (the paper's lambda).")] = 10.0

    def build_discriminator(self, given: int = 0) -> nn.Module:
        """Without batch norm (section 4): the penalty is each picture's own, so D must not mix those of a batch."""
        layers = super().build_discriminator(given).children()
        return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.BatchNorm2d)))

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        on_x, on_fake = self.discriminator(x).mean(), self.discriminator(fake).mean()
        self.log(distance=on_x - on_fake)
        return {"fake": on_fake, "real": -on_x, "penalty": self.options.penalty * self.penalty(x, fake)}

    def g_loss(self, batch: Batch) -> Loss:
        _, _, fake = batch
        loss: Tensor = -self.discriminator(fake).mean()
        return loss

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        """(|grad D(x^)| - 1)^2 at points x^ between real and generated pictures."""
        epsilon = torch.rand(len(x), 1, 1, 1, device=x.device)
        between = (epsilon * x + (1 - epsilon) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(self.discriminator(between).sum(), between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()
