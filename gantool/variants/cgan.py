"""CGAN: a conditional generator.

Paper: Mirza & Osindero, 2014, https://arxiv.org/abs/1411.1784
Task: images of a class
Differs from the paper: by default small convolutions, the class projected onto D's features, real images of other
    classes as counter-examples, Adam, R1, EMA and augmentation; `--preset paper` has its MLPs, lacks maxout and
    momentum, and joins noise and class at once
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, softplus
from typer import Option

from gantool.api import (
    USAGE,
    Batch,
    DataSpec,
    LabelOptions,
    Loss,
    Mismatched,
    Projected,
    Recipe,
    UserError,
    d_accuracy,
    downwards,
    upwards,
)
from gantool.variants.gan import GAN


class CGAN(Mismatched, GAN):
    """The GAN's game, both players given the class y.

    `--networks mlp` is the paper's: y one-hot beside the noise and beside the image. `conv` draws better digits sooner:
    y one-hot beside the noise, and projected onto D's features (Miyato & Koyama, 2018).
    """

    recipe = Recipe(steps=5_000, batch_size=32, ema_images=5_000)
    discriminator: "Projected | Conditional"

    @dataclass(kw_only=True)
    class Options(Mismatched.Options, GAN.Options):
        applies: ClassVar = {
            **{key: {"networks": "mlp"} for key in ("g_layers", "d_layers", "dropout", "batch_norm")},
            **{key: {"networks": "conv"} for key in ("width", "d_width")},
        }

        lr: float = 3e-3
        decay: float = 5e-4
        beta2: float = 0.999
        mismatch: float = 0.5
        r1: float = 0.1
        components: int | None = 0
        z: int = 16
        augment: str | None = "translate:1"
        g_layers: str = "256-512-1024"
        networks: Annotated[
            Literal["conv", "mlp"], Option(help="Kind of network: small convolutions, or the paper's MLPs.")
        ] = "conv"
        width: Annotated[int, Option(min=1, help="Channels of conv's finest map in G.")] = 24
        d_width: Annotated[int, Option(min=1, help="Channels of conv's finest map in D.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(LabelOptions):
        truncation: float = 2.5  # lower costs variety, higher labels: experiments/defaults.md

    def __init__(self, options: Options, data: DataSpec) -> None:
        if len(data.classes) < 2:
            raise UserError("cgan needs classes; these data have none.", "Make a sub-folder for each.", USAGE)
        self.inputs = len(data.classes)
        super().__init__(options, data)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        o, k = self.options, self.inputs
        if o.networks == "mlp":
            g, d = super().networks()
            return Conditional(g, k), Conditional(d, k)
        d = Projected(downwards(256, o.d_width, o.leak, self.data), 256, k)
        return Conditional(upwards(self.numbers + k, o.width, self.data), k), d

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.generator(self.latent(self.noise(len(x))), y)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        if not self.options.mismatch:
            return super().d_loss(batch)
        x, y, fake = batch
        D, x, fake = self.discriminator, self.with_grad(self.augment(x)), self.augment(fake)
        h, h_fake = self.compare(D.seen, (x,), (fake,))
        on_x, on_fake, on_other = D.judged(h, y), D.judged(h_fake, y), D.judged(h, self.others(y))
        if self.measuring:
            self.log(**{"D(x)": on_x.sigmoid().mean(), "D(G(z))": on_fake.sigmoid().mean()})
            self.log(**{"D right": d_accuracy(on_x, on_fake)})
        w = self.mismatch()
        wrong = {"fake": (1 - w) * softplus(on_fake).mean(), "other class": w * softplus(on_other).mean()}
        return {"real": softplus(-on_x).mean(), **wrong, **self.r1_penalty(x, on_x)}

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.discriminator(x, y)  # type: ignore[no-any-return]

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = self.labels_for(n, options)
        return self.generator(self.latents(n, options), y), y


class Conditional(nn.Module):
    """A network given y, one-hot, beside its other input."""

    def __init__(self, body: nn.Module, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.body(torch.cat([x.flatten(1), one_hot(y, self.classes)], 1))  # type: ignore[no-any-return]

    judged = forward

    def seen(self, x: Tensor) -> Tensor:
        """It sees the class with the image, and nothing before."""
        return x
