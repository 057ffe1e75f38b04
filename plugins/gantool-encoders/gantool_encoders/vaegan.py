"""VAE/GAN: an autoencoder that measures its error by what a discriminator sees.

Paper: Larsen et al., 2015, https://arxiv.org/abs/1512.09300
Task: images from noise, and images from images
Differs from the paper: small networks, R1 and EMA; Adam in place of RMSprop
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from gantool import api
from gantool.api import Batch, DataSpec, Loss, Penalised, Recipe, Turn
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Optimizer
from typer import Option

from gantool_encoders.encoding import Encoding


class VAEGAN(Encoding, Penalised):
    """Algorithm 1: Enc lowers L_prior + L_llike, Dec gamma L_llike - L_GAN, Dis raises L_GAN."""

    recipe = Recipe(steps=8_000, batch_size=32)

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        r1: float = 0.1
        z: Annotated[int, Option(min=1, help="Dimensions of the code; its prior is standard normal.")] = 16
        error: Annotated[
            Literal["features", "pixels"], Option(help="What the error is measured in: what D sees, or pixels.")
        ] = "features"
        prior: Annotated[float, Option(min=0, help="Weight of the codes' divergence from N(0, 1).")] = 0.004
        gamma: Annotated[float, Option(min=0, help="Weight of the error for the decoder.")] = 1.0
        adversarial: Annotated[float, Option(min=0, help="Weight of fooling D for the decoder.")] = 1.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        z, width = options.z, options.width
        self.encoder = nn.Sequential(api.downwards(256, width, 0.2, data), nn.Linear(256, 2 * z))
        self.generator = api.upwards(z, width, data)
        self.discriminator = nn.Sequential(
            api.downwards(256, width, 0.2, data), nn.Sequential(nn.Linear(256, 1), nn.Flatten(0))
        )

    def players(self) -> dict[str, Optimizer]:
        dis = self.optimizer(self.discriminator, lr=self.options.d_lr)
        return {"Dis": dis, "Enc": self.optimizer(self.encoder), "Dec": self.optimizer(self.generator)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, *_ = next(batches)
        mean, log_s = self.encoder(x).chunk(2, 1)
        z, z_p = mean + log_s.exp() * self.noise(len(x)), self.noise(len(x))
        fakes = self.generator(torch.cat([z.detach(), z_p]))  # x~ and x_p
        yield Turn("Dis", self.dis_loss, (x, fakes.detach()))
        yield Turn("Enc", self.enc_loss, (x, mean, log_s, z))
        yield Turn("Dec", self.dec_loss, (x, fakes))

    def dis_loss(self, batch: Batch) -> Loss:
        x, fakes = batch
        on_x, on_fakes = self.discriminator(self.with_grad(x)), self.discriminator(fakes)
        self.log(**{"D right": api.d_accuracy(on_x, on_fakes)})
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fakes).mean(), **self.r1_penalty(x, on_x)}

    def enc_loss(self, batch: Batch) -> Loss:
        x, mean, log_s, z = batch
        return {"prior": self.options.prior * kl(mean, log_s).mean(), "error": self.unlike(self.generator(z), x)}

    def dec_loss(self, batch: Batch) -> Loss:
        x, fakes = batch
        o, back = self.options, fakes[: len(x)]
        return {
            "error": o.gamma * self.unlike(back, x),
            "fool": o.adversarial * softplus(-self.discriminator(fakes)).mean(),
        }

    def unlike(self, back: Tensor, x: Tensor) -> Tensor:
        """-L_llike, but for constants: the squared error of what D's next to last layer sees, or of pixels."""
        x = x.detach()
        if self.options.error == "features":
            seen = self.discriminator.get_submodule("0")
            back, x = seen(back), seen(x).detach()
        return (back - x).square().flatten(1).mean(1).mean()

    def encode(self, x: Tensor) -> Tensor:
        """The mean."""
        return self.encoder(x).chunk(2, 1)[0]  # type: ignore[no-any-return]


def kl(mean: Tensor, log_s: Tensor) -> Tensor:
    """KL(N(m, s) || N(0, 1)), (n,): L_prior, of all dimensions together."""
    return ((mean.square() + (2 * log_s).exp() - 1) / 2 - log_s).sum(1)
