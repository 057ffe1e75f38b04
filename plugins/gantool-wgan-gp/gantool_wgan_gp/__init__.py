"""WGAN-GP: a critic held to slope 1 by a gradient penalty.

Paper: Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028
Task: images from noise
Differs from the paper: three critic turns, larger learning rates, augmentation, EMA;
    `--preset paper` has none of these
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import (
    Augmented,
    Batch,
    Data,
    DataSpec,
    Loss,
    NoiseOptions,
    Recipe,
    downwards,
    gradient_penalty,
    upwards,
)
from torch import Tensor, nn
from typer import Option

from gantool_wgan_gp.steepness import measured


class WGANGP(Augmented):
    """Algorithm 1. The discriminator is the paper's critic D: a score without limits, not a probability."""

    recipe = Recipe(steps=3_000, batch_size=32)
    ema = ("generator", "discriminator")  # the second to be measured
    no_compile = ("discriminator",)  # the penalty differentiates it twice

    @dataclass(kw_only=True)
    class Options(Augmented.Options):
        lr: float = 1e-3  # the paper's is 1e-4, with 5 steps of D to one of G; these are for runs of minutes
        d_lr: float | None = 2e-3  # with less, D falls behind G, and its distance says little of the images
        decay: float = 1e-4
        beta1: float = 0.0
        beta2: float = 0.9
        d_steps: int = 3
        penalty: Annotated[float, Option(min=0, help="Weight of the gradient penalty (the paper's lambda).")] = 10.0
        augment: str | None = "translate:1"  # D would memorise thousands of images that never move
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 64
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator = upwards(options.z, options.width, data)
        # No batch norm here (section 4): an image's penalty is its own, so D must not mix those of a batch.
        self.discriminator = nn.Sequential(downwards(256, options.width, 0.2, data), nn.Linear(256, 1), nn.Flatten(0))

    def d_loss(self, batch: Batch) -> Loss:
        x, fake = self.augment(batch[0]), self.augment(batch[2])
        on_x, on_fake = (scores.mean() for scores in self.compare(self.discriminator, (x,), (fake,)))
        self.log(distance=on_x - on_fake)
        return {"critic": on_fake - on_x, "penalty": self.options.penalty * self.penalty(x, fake)}

    def g_loss(self, batch: Batch) -> Loss:
        _, _, fake = batch
        loss: Tensor = -self.discriminator(self.augment(fake)).mean()
        return loss

    def penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        """(|grad D(x^)| - 1)^2"""
        return gradient_penalty(self.discriminator, x, fake, self.random(torch.rand, len(x)))

    def measure(self, held: Data) -> dict[str, float]:
        """How steep D is: 1, if the penalty does what it should."""
        return measured(self, held)
