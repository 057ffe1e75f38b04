"""WGAN: a critic whose weights are clipped, and a loss that is a distance.

Paper: Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875
Task: images from noise
Differs from the paper: a wider clip and a larger learning rate by default; EMA; D without batch norm;
    `--preset paper` has Algorithm 1's settings
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from gantool.api import Batch, Data, DataSpec, Loss, NoiseOptions, Recipe, Turn, Variant, downwards, upwards
from torch import Tensor, nn
from typer import Option

from gantool_wgan_gp.steepness import measured


class WGAN(Variant):
    """Algorithm 1. The discriminator is the paper's critic f: the gap between its mean scores of real and of generated
    images is, but for a factor, their earth mover's distance, as long as f is not too steep.
    """

    recipe = Recipe(steps=8_000, batch_size=32)
    ema = ("generator", "discriminator")  # the second to be measured

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        lr: float = 3e-3  # with a wider clip than the paper's (5e-5 and .01), for runs of minutes
        decay: float = 2e-4
        optimizer: Literal["adam", "sgd", "rmsprop"] = "rmsprop"
        beta2: float = 0.99
        d_steps: int = 5
        clip: Annotated[float, Option(min=1e-6, max=100, help="The critic's weights stay within +-this.")] = 1.0
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 64
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator = upwards(options.z, options.width, data)
        self.discriminator = nn.Sequential(downwards(256, options.width, 0.2, data), nn.Linear(256, 1), nn.Flatten(0))

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        for turn in super().turns(batches):
            yield turn
            if turn.player == "D":
                with torch.no_grad():
                    for w in self.discriminator.parameters():
                        w.clamp_(-self.options.clip, self.options.clip)

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        on_x, on_fake = (scores.mean() for scores in self.compare(self.discriminator, (x,), (fake,)))
        self.log(distance=on_x - on_fake)
        return on_fake - on_x

    def g_loss(self, batch: Batch) -> Loss:
        _, _, fake = batch
        loss: Tensor = -self.discriminator(fake).mean()
        return loss

    def measure(self, held: Data) -> dict[str, float]:
        """How steep f is: the earth mover's distance wants a bound on that, and clipping is to be one."""
        return measured(self, held)
