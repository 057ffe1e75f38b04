"""PixelDA: images with labels are drawn as those of another domain, and a classifier learns that domain from them.

Paper: Bousmalis et al., 2016, https://arxiv.org/abs/1612.05424
Task: classes of images of another domain
Differs from the paper: smaller networks, residual blocks at half the size, the noise as smooth maps; the classifier
    is one for both domains, and takes a turn of its own; R1 and EMA
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, InputOptions, Loss, Penalised, Recipe, Sheet, Turn, UserError
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus
from torch.optim import Optimizer
from typer import Option

from gantool_semi.domains import Domains, open_domains
from gantool_semi.networks import Painter


class PixelDA(Penalised):
    """min over G, T, max over D:  alpha L_d(D, G) + beta L_t(G, T), L_t the cross entropy of T on x and on G(x, z)."""

    recipe = Recipe(data="digits-on-texture", steps=4_000, batch_size=32, ema_images=5_000)
    ema = ("generator", "classifier")

    @dataclass(kw_only=True)
    class Options(Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        r1: float = 0.1
        z: Annotated[int, Option(min=1, help="Dimensions of the noise, maps of which G is given.")] = 32
        task: Annotated[float, Option(min=0, help="Weight of the classifier's loss for G (the paper's beta).")] = 0.1
        adapted: Annotated[
            float, Option(min=0, help="Weight of adapted images for the classifier; 0: it learns from A as it is.")
        ] = 1.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        blocks: Annotated[int, Option(min=0, help="Residual blocks of G, at half the size.")] = 2

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions): ...

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any, train: bool = True) -> Data:
        return open_domains(recipe, train)

    def __init__(self, options: Options, data: DataSpec) -> None:
        if len(data.classes) < 2:
            raise UserError("pixelda needs classes in domain A.", "Make a sub-folder of A for each.", api.USAGE)
        super().__init__(options, data)
        o, k = options, len(data.classes)
        self.generator = Painter(data, o.z, o.width, o.blocks)
        self.discriminator = nn.Sequential(api.downwards(128, o.width, 0.2, data), nn.Linear(128, 1), nn.Flatten(0))
        self.classifier = nn.Sequential(api.downwards(128, o.width, 0.2, data), nn.Dropout(0.5), nn.Linear(128, k))

    def players(self) -> dict[str, Optimizer]:
        return {**super().players(), "T": self.optimizer(self.classifier)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        x, y, target = next(batches)
        fake = self.adapt(x)
        yield Turn("D", self.d_loss, (target, fake.detach()))
        yield Turn("G", self.g_loss, (fake, y))
        yield Turn("T", self.t_loss, (x, fake.detach(), y))

    def adapt(self, x: Tensor) -> Tensor:
        return self.generator(x, self.noise(len(x)))  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        target, fake = batch
        on_target, on_fake = self.compare(self.discriminator, (self.with_grad(target),), (fake,))
        self.log(**{"D right": api.d_accuracy(on_target, on_fake)})
        loss = {"real": softplus(-on_target).mean(), "fake": softplus(on_fake).mean()}
        return loss | self.r1_penalty(target, on_target)

    def g_loss(self, batch: Batch) -> Loss:
        fake, y = batch
        task = cross_entropy(self.classifier(fake), y)
        return {"fool": softplus(-self.discriminator(fake)).mean(), "task": self.options.task * task}

    def t_loss(self, batch: Batch) -> Loss:
        x, fake, y = batch
        on_x, on_fake = self.classifier(torch.cat([x, fake])).chunk(2)
        return {"source": cross_entropy(on_x, y), "adapted": self.options.adapted * cross_entropy(on_fake, y)}

    def translate(self, x: Tensor, options: Any) -> Tensor:
        """As domain B would have it."""
        return self.adapt(x)

    def exported(self, options: Any) -> api.Exported:
        """The image, and the noise it is drawn with."""
        x, z = api.Input("x", "image", self.data.shape), api.Input("z", "noise", (self.options.z,))
        return api.Exported(self.generator, (x, z))

    def preview(self, batch: Batch) -> Sheet:
        x, _, target = (part[:24] for part in batch)
        return api.in_rows({"A": x, "as B": self.adapt(x), "B": target}, groups=4)

    def measure(self, held: Data) -> dict[str, float]:
        """How often the classifier is right in each domain."""
        if not isinstance(held, Domains):
            return {}
        right = [
            torch.cat([self.classifier(x).argmax(1) == y for x, y in api.in_batches(part, self.device, most=5_000)])
            for part in held.sets
        ]
        return {
            f"{name}_accuracy": float(r.double().mean()) for name, r in zip(("source", "target"), right, strict=True)
        }
