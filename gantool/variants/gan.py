"""GAN: two multilayer perceptrons in a minimax game.

Paper: Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
Task: pictures from noise
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import SGD, Optimizer
from typer import Option

from gantool.api import Batch, DataSpec, Loss, NoiseOptions, Recipe, Variant, layers


class GAN(Variant):
    """Algorithm 1. D returns logits, so log D(x) is -softplus(-logit) and log(1 - D(x)) is -softplus(logit)."""

    recipe = Recipe(steps=10_000, batch_size=64)

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 64
        noise: Annotated[Literal["gaussian", "uniform"], Option(help="What the noise is drawn from.")] = "gaussian"
        g_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the generator.")] = "256-512"
        d_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the discriminator.")] = "512-256"
        leak: Annotated[float, Option(min=0, max=1, help="Slope of LeakyReLU below 0.")] = 0.2
        dropout: Annotated[float, Option(min=0, max=0.99, help="Dropout in the discriminator.")] = 0.3
        batch_norm: Annotated[float, Option(min=0, max=1, help="Momentum of G's batch norm; 0: none.")] = 0.1
        loss: Annotated[
            Literal["non-saturating", "saturating"], Option(help="G maximises log D(G(z)), or minimises log(1 - D).")
        ] = "non-saturating"
        optimizer: Annotated[Literal["adam", "sgd"], Option(help="SGD is plain: no momentum.")] = "adam"

        def __post_init__(self) -> None:
            layers(self.g_layers), layers(self.d_layers)

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator = self.build_generator()
        self.discriminator = self.build_discriminator()

    def build_generator(self, given: int = 0) -> nn.Module:
        """`given` numbers come beside the noise: a plain GAN has none."""
        o, shape = self.options, (self.data.channels, self.data.size, self.data.size)
        sizes = [o.z + given, *layers(o.g_layers)]
        hidden: list[nn.Module] = []
        for a, b in pairwise(sizes):
            norm = [nn.BatchNorm1d(b, momentum=o.batch_norm)] if o.batch_norm else []
            hidden += [nn.Linear(a, b), *norm, nn.LeakyReLU(o.leak)]
        pixels = torch.Size(shape).numel()
        return nn.Sequential(*hidden, nn.Linear(sizes[-1], pixels), nn.Tanh(), nn.Unflatten(1, shape))

    def build_discriminator(self, given: int = 0) -> nn.Module:
        o, pixels = self.options, self.data.channels * self.data.size**2
        sizes = [pixels + given, *layers(o.d_layers)]
        hidden: list[nn.Module] = []
        for a, b in pairwise(sizes):
            hidden += [nn.Linear(a, b), nn.LeakyReLU(o.leak), nn.Dropout(o.dropout)]
        return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], 1), nn.Flatten(0))

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        on_x, on_fake = self.discriminator(x), self.discriminator(fake)
        self.report(on_x, on_fake)
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean()}

    def g_loss(self, batch: Batch) -> Loss:
        _, _, fake = batch
        on_fake = self.discriminator(fake)
        return softplus(-on_fake).mean() if self.options.loss == "non-saturating" else -softplus(on_fake).mean()

    def report(self, on_x: Tensor, on_fake: Tensor) -> None:
        right = ((on_x > 0).float().mean() + (on_fake < 0).float().mean()) / 2
        self.log(**{"D(x)": on_x.sigmoid().mean(), "D(G(z))": on_fake.sigmoid().mean(), "D right": right})

    def noise(self, n: int) -> Tensor:
        z = super().noise(n)
        return torch.rand_like(z).mul(2).sub(1) if self.options.noise == "uniform" else z

    def optimizer(self, *networks: nn.Module) -> Optimizer:
        if self.options.optimizer == "adam":
            return super().optimizer(*networks)
        return SGD([p for network in networks for p in network.parameters()], self.options.lr)
