"""ACGAN: a conditional generator, and a D with an auxiliary classifier.

Paper: Odena et al., 2017, https://arxiv.org/abs/1610.09585
Task: images of a class
Differs from the paper: small networks without dropout and noise in D; R1, EMA and augmentation by default
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from gantool import api
from gantool.api import USAGE, Augmented, Batch, Data, DataSpec, LabelOptions, Loss, Penalised, Recipe, UserError
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot, softplus
from torch.optim import Optimizer
from typer import Option

MEASURED = 10_000  # images


class ACGAN(Augmented, Penalised):
    """D raises L_S + L_C and G raises L_C - L_S (section 3): L_S is the log-likelihood of the right source, real or
    generated, and L_C that of the right class, of both kinds of images. G raises log P(real) in place of -L_S.
    """

    recipe = Recipe(steps=5_000, batch_size=32, ema_images=5_000)
    ema = ("generator", "discriminator", "classifier")
    renamed: ClassVar = {"named": "classifier"}
    no_compile = ("discriminator", "head")  # R1 differentiates them twice

    @dataclass(kw_only=True)
    class Options(Augmented.Options, Penalised.Options):
        former: ClassVar = {"naming": "auxiliary"}

        lr: float = 2e-3
        decay: float = 5e-4
        beta2: float = 0.99
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        auxiliary: Annotated[float, Option(min=0, help="Weight of the auxiliary classifier's loss, L_C.")] = 1.0
        r1: float = 0.1
        augment: str | None = "translate:1"
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(LabelOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        if len(data.classes) < 2:
            raise UserError("acgan needs classes; these images have none.", "Make a sub-folder for each.", USAGE)
        super().__init__(options, data)
        o, k = options, len(data.classes)
        self.generator = api.upwards(o.z + k, o.width, data)
        self.discriminator = api.downwards(256, o.width, 0.2, data)  # the body of both heads
        self.head, self.classifier = nn.Linear(256, 1), nn.Linear(256, k)

    def players(self) -> dict[str, Optimizer]:
        d = self.optimizer(self.discriminator, self.head, self.classifier, lr=self.options.d_lr)
        return {"D": d, "G": self.optimizer(self.generator)}

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.draw(self.noise(len(x)), y)

    def draw(self, z: Tensor, y: Tensor) -> Tensor:
        return self.generator(torch.cat([z, one_hot(y, len(self.data.classes))], 1))  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.discriminator(x)).squeeze(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        (x, y, fake), o = batch, self.options
        x, fake = self.with_grad(self.augment(x)), self.augment(fake)
        seen, seen_fake = self.compare(self.discriminator, (x,), (fake,))
        on_x, on_fake = self.head(seen), self.head(seen_fake)
        self.log(**{"D right": api.d_accuracy(on_x, on_fake)})
        return {
            "real": softplus(-on_x).mean(),
            "fake": softplus(on_fake).mean(),
            "class": o.auxiliary * (self.classifier_loss(seen, y) + self.classifier_loss(seen_fake, y)),
            **self.r1_penalty(x, on_x),
        }

    def g_loss(self, batch: Batch) -> Loss:
        (_, y, fake), o = batch, self.options
        seen = self.discriminator(self.augment(fake))
        return {"fool": softplus(-self.head(seen)).mean(), "class": o.auxiliary * self.classifier_loss(seen, y)}

    def classifier_loss(self, seen: Tensor, y: Tensor) -> Tensor:
        """-E[log P(y | x)], by what D's body saw of x."""
        return cross_entropy(self.classifier(seen), y)

    def sample(self, n: int, options: Any) -> tuple[Tensor, Tensor]:
        y = self.labels_for(n, options)
        return self.draw(self.latents(n, options), y), y

    @torch.no_grad()
    def measure(self, held: Data) -> dict[str, float]:
        """D's own head on real images; and what it finds right of G's beyond what the judge of digits does."""
        found = {"own_head": share([self.says(x) == y for x, y in api.in_batches(held, self.device, most=MEASURED)])}
        if self.data.classes == tuple("0123456789"):
            drawn = [self.sample(500, self.SampleOptions()) for _ in range(MEASURED // 500)]
            own = share([self.says(x) == y for x, y in drawn])
            found["own_head_excess"] = own - share([api.judged_digits(x)[1].argmax(1) == y for x, y in drawn])
        return found

    def says(self, x: Tensor) -> Tensor:
        """The class that D's own head sees."""
        return self.classifier(self.discriminator(x)).argmax(1)  # type: ignore[no-any-return]


def share(right: list[Tensor]) -> float:
    return float(torch.cat(right).double().mean())
