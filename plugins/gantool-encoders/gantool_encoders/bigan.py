"""BiGAN (ALI): D judges pairs of an image and its code, so that the encoder comes to undo the generator.

Paper: Donahue et al., 2016, https://arxiv.org/abs/1605.09782; Dumoulin et al., 2016, https://arxiv.org/abs/1606.00704
Task: images from noise, and images from images
Differs from the paper: small convolutions, R1, EMA, codes brought to unit variance; the encoder's code is
    certain, as in BiGAN, not drawn, as in ALI
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from gantool import api
from gantool.api import Batch, DataSpec, Loss, Penalised, Recipe, Turn
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.optim import Optimizer
from typer import Option

from gantool_encoders.encoding import Encoding


class BiGAN(Encoding, Penalised):
    """V(D, E, G) = E_x[log D(x, E(x))] + E_z[log(1 - D(G(z), z))]. D raises it; E and G lower it, each at its end."""

    recipe = Recipe(steps=10_000, batch_size=32)

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        r1: float = 0.1
        z: Annotated[int, Option(min=1, help="Dimensions of the code; its prior is standard normal.")] = 32
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 24
        freeze_encoder: Annotated[
            bool, Option("--freeze-encoder", help="E stays as it is at the start; to compare with.")
        ] = False

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        z, width = options.z, options.width
        self.generator = api.upwards(z, width, data)
        even = nn.BatchNorm1d(z, affine=False)  # codes are as large as the prior's from the start
        self.encoder = nn.Sequential(api.downwards(64, width, 0.2, data), nn.Linear(64, z), even)
        self.discriminator = Joint(api.downwards(256, width, 0.2, data), z)

    def players(self) -> dict[str, Optimizer]:
        moved = [self.generator] if self.options.freeze_encoder else [self.encoder, self.generator]
        return {"D": self.optimizer(self.discriminator, lr=self.options.d_lr), "EG": self.optimizer(*moved)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, *_ = next(batches)
        z = self.noise(len(x))
        code, fake = self.encoder(x), self.generator(z)
        yield Turn("D", self.d_loss, (x, code.detach(), fake.detach(), z))
        yield Turn("EG", self.eg_loss, (x, code, fake, z))

    def d_loss(self, batch: Batch) -> Loss:
        x, code, fake, z = batch
        on_x, on_fake = self.compare(self.discriminator, (self.with_grad(x), code), (fake, z))
        self.log(**{"D right": api.d_accuracy(on_x, on_fake)})
        return {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean(), **self.r1_penalty(x, on_x)}

    def eg_loss(self, batch: Batch) -> Loss:
        """Each against its own end: E raises log(1 - D(x, E(x))), G raises log D(G(z), z)."""
        x, code, fake, z = batch
        on_x, on_fake = self.compare(self.discriminator, (x.detach(), code), (fake, z))
        return {"encode": softplus(on_x).mean(), "fool": softplus(-on_fake).mean()}

    def features(self, x: Tensor) -> Tensor:
        return self.encoder.get_submodule("0")(x)  # type: ignore[no-any-return]


class Joint(nn.Module):
    """D(x, z), a logit."""

    def __init__(self, body: nn.Module, z: int) -> None:
        super().__init__()
        self.body, self.code = body, api.mlp([z, 128, 128], after=[nn.LeakyReLU(0.2)])
        self.head = api.mlp([256 + 128, 256, 1], after=[nn.Flatten(0)])

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.head(torch.cat([self.body(x), self.code(z)], 1))  # type: ignore[no-any-return]
