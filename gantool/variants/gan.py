"""GAN: two multilayer perceptrons in a minimax game.

Paper: Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661
Task: images from noise
Differs from the paper: by default Adam, the non-saturating loss, batch norm in G, LeakyReLU, R1, EMA, a mixture for
    noise, and images that D sees moved by a pixel; `--preset paper` has none of these, and lacks maxout in D, and
    momentum
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from typer import Option

from gantool import api
from gantool.api import Augmented, Batch, DataSpec, Loss, MixtureNoise, NoiseOptions, Penalised, Recipe, layers, mlp


class Game(MixtureNoise, Augmented, Penalised):
    """The paper's game, whatever the networks: Algorithm 1 is Variant's own `turns`.

    D returns logits, so log D(x) is -softplus(-logit) and log(1 - D(x)) is -softplus(logit).
    """

    @dataclass(kw_only=True)
    class Options(MixtureNoise.Options, Augmented.Options, Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        noise: Annotated[
            Literal["gaussian", "uniform"],
            Option(help="Distribution of the noise: standard normal, or uniform from -1 to 1."),
        ] = "gaussian"
        loss: Annotated[
            Literal["non-saturating", "saturating"],
            Option(help="G's loss: raise log D(G(z)), or lower log(1 - D(G(z)))."),
        ] = "non-saturating"
        leak: Annotated[float, Option(min=0, max=1, help="Slope of LeakyReLU below 0.")] = 0.2

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator, self.discriminator = self.networks()

    @abstractmethod
    def networks(self) -> tuple[nn.Module, nn.Module]: ...

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        """D's logits. A plain GAN has no use for the classes y."""
        return self.discriminator(x)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        x, fake = self.with_grad(self.augment(x)), self.augment(fake)
        on_x, on_fake = self.compare(self.d_logits, (x, y), (fake, y))
        if self.measuring:
            self.log(**{"D(x)": on_x.sigmoid().mean(), "D(G(z))": on_fake.sigmoid().mean()})
            self.log(**{"D right": api.d_accuracy(on_x, on_fake)})
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), **self.r1_penalty(x, on_x)}

    def g_loss(self, batch: Batch) -> Loss:
        _, y, fake = batch
        on_fake = self.d_logits(self.augment(fake), y)
        return softplus(-on_fake).mean() if self.options.loss == "non-saturating" else -softplus(on_fake).mean()

    def noise(self, n: int) -> Tensor:
        if self.options.noise == "uniform":
            return self.random(torch.rand, n, self.numbers) * 2 - 1
        return super().noise(n)


class GAN(Game):
    """The game between multilayer perceptrons. `inputs` come beside the noise and the image; a plain GAN has none."""

    recipe = Recipe(steps=6_500, ema_images=100_000)
    inputs = 0

    @dataclass(kw_only=True)
    class Options(Game.Options):
        r1: float | None = None
        components: int | None = None
        z: int = 12
        augment: str | None = None
        g_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the MLP generator.")] = "160-512-1024"
        d_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the MLP discriminator.")] = "512-256"
        dropout: Annotated[float, Option(min=0, max=0.99, help="Dropout in the MLP discriminator.")] = 0.0
        batch_norm: Annotated[float, Option(min=0, max=1, help="Momentum of the MLP generator's batch norm.")] = 0.1

        def __post_init__(self) -> None:
            layers(self.g_layers), layers(self.d_layers)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        o, shape = self.options, self.data.shape
        pixels = torch.Size(shape).numel()
        g, d = [self.numbers + self.inputs, *layers(o.g_layers), pixels], [pixels + self.inputs, *layers(o.d_layers), 1]
        m, p, ends = o.batch_norm, o.dropout, [nn.Tanh() if self.data.images else nn.Identity(), nn.Unflatten(1, shape)]
        generator = mlp(g, o.leak, lambda n: nn.BatchNorm1d(n, momentum=m) if m else None, after=ends)
        return generator, mlp(d, o.leak, lambda n: nn.Dropout(p) if p else None, [nn.Flatten()], [nn.Flatten(0)])
