"""BEGAN: D is an autoencoder, and a control keeps its two errors in proportion.

Paper: Berthelot et al., 2017, https://arxiv.org/abs/1703.10717
Task: images from noise
Differs from the paper: one draw of z serves both players, and no skip connections
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool.api import Batch, DataSpec, Loss, NoiseOptions, Recipe, Turn, Variant, decoder, encoder
from torch import Tensor, nn
from typer import Option


class BEGAN(Variant):
    """L(v) = |v - D(v)|. D lowers L(x) - k L(G(z)), G lowers L(G(z)), and k holds L(G(z)) at gamma L(x)."""

    recipe = Recipe(steps=6_000, batch_size=16)
    k: Tensor

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        lr: float = 5e-4  # the paper's is 1e-4; these are for runs of minutes
        decay: float = 2e-4
        z: Annotated[int, Option(min=1, help="Dimensions of the noise, and of D's code.")] = 32
        width: Annotated[int, Option(min=1, help="Channels of all maps of G.")] = 16
        gamma: Annotated[float, Option(min=0, max=1, help="Diversity: the ratio L(G(z)) / L(x) to hold.")] = 0.5
        k_lr: Annotated[float, Option(min=0, help="Learning rate of the control k; the paper's lambda is .001.")] = 0.01

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        z, width = options.z, options.width
        self.generator = decoder(z, width, data)
        self.discriminator = nn.Sequential(encoder(z, width, data), decoder(z, width, data))
        self.register_buffer("k", torch.zeros(()))

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        yield from super().turns(batches)
        real, fake = self.logged["D/real"], self.logged["G/loss"]  # the same in all processes, and so is k
        balance = self.options.gamma * real - fake
        self.k = (self.k + self.options.k_lr * balance).clamp(0, 1)
        self.log(k=self.k, M=real + balance.abs())

    def error(self, v: Tensor) -> Tensor:
        """L(v), of each."""
        return (v - self.discriminator(v)).abs().flatten(1).mean(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        real, drawn = self.compare(self.error, (x,), (fake,))
        return {"real": real.mean(), "fake": -self.k * drawn.mean()}

    def g_loss(self, batch: Batch) -> Loss:
        return self.error(batch[-1]).mean()

    def sample(self, n: int, options: Any) -> Tensor:
        return self.generator(self.latents(n, options)).clamp(-1, 1)  # type: ignore[no-any-return]
