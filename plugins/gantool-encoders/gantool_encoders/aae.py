"""AAE: an autoencoder whose codes are held to a prior by an adversary.

Paper: Makhzani et al., 2015, https://arxiv.org/abs/1511.05644
Task: images from noise, and images from images
Differs from the paper: the encoder learns from both errors in one step; Adam and EMA in place of SGD with momentum
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Annotated

from gantool import api
from gantool.api import Batch, DataSpec, Loss, Recipe, Turn, mlp
from torch import Tensor, nn
from torch.nn.functional import mse_loss, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_encoders.encoding import Encoding


class AAE(Encoding):
    """The encoder is also the generator of the adversarial game: D tells its codes from draws of the prior."""

    recipe = Recipe(steps=4_000, batch_size=100)
    ema = ("encoder", "decoder")

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 1e-3
        decay: float = 5e-4
        d_lr: Annotated[float, Option(min=0, max=100, help="D's own learning rate.")] = 5e-4
        adversarial: Annotated[float, Option(min=0, help="Weight of fooling D; the squared error weighs 1.")] = 0.1
        z: Annotated[int, Option(min=1, help="Dimensions of the code; its prior is standard normal.")] = 8
        hidden: Annotated[int, Option(min=1, help="Units of each hidden layer.")] = 512

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        z, h, x = options.z, options.hidden, prod(data.shape)
        end = [nn.Tanh()] if data.images else []
        self.encoder = mlp([x, h, h, z], 0.0, before=[nn.Flatten()])
        self.decoder = mlp([z, h, h, x], 0.0, after=[*end, nn.Unflatten(1, data.shape)])
        self.discriminator = mlp([z, h, h, 1], 0.0, after=[nn.Flatten(0)])

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.discriminator, lr=self.options.d_lr)
        return {"AE": self.optimizer(self.encoder, self.decoder), "D": d}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, *_ = next(batches)
        code = self.encoder(x)
        yield Turn("D", self.d_loss, (self.noise(len(x)), code.detach()))
        yield Turn("AE", self.ae_loss, (x, code))

    def ae_loss(self, batch: Batch) -> Loss:
        x, code = batch
        fool = softplus(-self.discriminator(code)).mean()
        return {"error": mse_loss(self.decoder(code), x), "fool": self.options.adversarial * fool}

    def d_loss(self, codes: Batch) -> Loss:
        on_prior, on_code = self.compare(self.discriminator, *((code,) for code in codes))
        self.log(**{"D right": api.d_accuracy(on_prior, on_code)})
        return {"prior": softplus(-on_prior).mean(), "code": softplus(on_code).mean()}

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)  # type: ignore[no-any-return]
