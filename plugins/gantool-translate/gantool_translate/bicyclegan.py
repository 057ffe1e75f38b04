"""BicycleGAN: one image from another, in as many ways as there are.

Paper: Zhu et al., 2017, https://arxiv.org/abs/1711.11586
Task: several images from an image
Differs from the paper: small residual networks; D judges what comes out alone, for both halves of the game
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, InputOptions, Loss, Recipe, Sheet, Turn, Variant
from torch import Tensor, nn
from torch.nn.functional import l1_loss
from torch.optim import Optimizer
from typer import Option

from gantool_translate.cyclegan import like
from gantool_translate.networks import patchgan, resnet
from gantool_translate.pix2pix import Pix2Pix


class BicycleGAN(Variant):
    """cVAE-GAN, B to z to B, and cLR-GAN, z to B to z (figure 2): E and G in one step, then D1 and D2."""

    recipe = Recipe(data="crayons", size=32, batch_size=16, steps=2_000, ema_images=2_000)
    ema = ("generator",)

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 1e-3
        d_lr: Annotated[float, Option(min=0, max=100, help="D's own learning rate.")] = 4e-4
        z: Annotated[int, Option(min=1, help="Dimensions of the code.")] = 8
        l1: Annotated[float, Option(min=0, help="Weight of B's distance to G(A, E(B)).")] = 10.0
        latent: Annotated[float, Option(min=0, help="Weight of z's distance to E(G(A, z)).")] = 0.5
        kl: Annotated[float, Option(min=0, help="Weight of E(B)'s divergence from N(0, 1).")] = 0.01
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        blocks: Annotated[int, Option(min=0, help="Residual blocks in G.")] = 2

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        answers: Annotated[int, Option(min=1, help="Images to make of each input.")] = 5

    dataset = Pix2Pix.dataset

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, c = options, data.channels
        self.generator = resnet(c + o.z, c, o.width, 1, o.blocks, labelled=True)
        self.encoder = nn.Sequential(api.downwards(64, o.width, 0.2, data), nn.Linear(64, 2 * o.z))
        self.d1, self.d2 = (patchgan(c, o.width, 2) for _ in range(2))

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.d1, self.d2, lr=self.options.d_lr)
        return {"EG": self.optimizer(self.encoder, self.generator), "D": d}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        a, b = next(batches)
        z1, z2 = self.noise(len(a)), self.noise(len(a))
        mean, log_variance = self.encoder(b).chunk(2, 1)
        b1, b2 = self.draw(a, mean + (log_variance / 2).exp() * z1), self.draw(a, z2)
        yield Turn("EG", self.eg_loss, (b, mean, log_variance, b1, z2, b2))
        yield Turn("D", self.d_loss, (b, b1.detach(), b2.detach()))

    def draw(self, a: Tensor, z: Tensor) -> Tensor:
        """G(A, z): z, the same at every place, beside the colours."""
        return self.generator(torch.cat([a, z[..., None, None].expand(-1, -1, *a.shape[2:])], 1))  # type: ignore[no-any-return]

    def eg_loss(self, batch: Batch) -> Loss:
        b, mean, log_variance, b1, z, b2 = batch
        read, _ = self.frozen(self.encoder)(b2).chunk(2, 1)  # G alone learns by this, or E would hide z in it
        return {
            "fool": like(self.d1(b1), 1) + like(self.d2(b2), 1),
            "l1": self.options.l1 * l1_loss(b1, b),
            "kl": self.options.kl * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2,
            "latent": self.options.latent * l1_loss(read, z),
        }

    def d_loss(self, batch: Batch) -> Loss:
        b, b1, b2 = batch
        both = (like(d(b), 1) + like(d(fake), 0) for d, fake in ((self.d1, b1), (self.d2, b2)))
        return dict(zip(("d1", "d2"), both, strict=True))

    def exported(self, options: Any) -> api.Exported:
        """The edges, and the noise that decides how they are filled."""
        x = api.Input("x", "image", self.data.inputs or self.data.shape)
        return api.Exported(self.draw, (x, api.Input("z", "noise", (self.options.z,))))

    def answers(self, options: Any) -> int:
        return int(options.answers)

    def translate(self, x: Tensor, options: Any) -> Tensor:
        x = x.repeat_interleave(options.answers, 0)
        return self.draw(x, self.noise(len(x)))

    def preview(self, batch: Batch) -> Sheet:
        """Input, truth, and six answers in a row."""
        a, b = (x[:8] for x in batch)
        answers = {f"output {i + 1}": self.draw(a, self.noise(len(a))) for i in range(6)}
        return api.in_rows({"input": a, "truth": b} | answers)

    def measure(self, held: Data) -> dict[str, float]:
        """How far an input's answers are from each other, next to how far the truths of all inputs are."""
        answers, truths = [], []
        for a, b in api.in_batches(held, self.device, 250, 1_000):
            answers.append(l1_loss(self.draw(a, self.noise(len(a))), self.draw(a, self.noise(len(a)))))
            truths.append(l1_loss(b, b.roll(1, 0)))
        return {"answers_apart": float(torch.stack(answers).mean() / torch.stack(truths).mean())}
