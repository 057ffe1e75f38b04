"""SGAN: a classifier learns from a few labels, and from telling generated images from real ones.

Paper: Salimans et al., 2016, https://arxiv.org/abs/1606.03498; Odena, 2016, https://arxiv.org/abs/1606.01583
Task: classes of images from few labels
Differs from the paper: smaller networks, dropout in place of noise, no weight normalisation
"""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Augmented, Batch, Data, DataSpec, ImageData, Loss, NoiseOptions, Recipe, UserError
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus
from typer import Option


class FewLabels(ImageData):
    """(image, an image with a label, its class): as many of every class have one, `labels` in all."""

    def __init__(self, images: ImageData, labels: int) -> None:
        super().__init__(images.pixels, images.labels, images.spec.classes, images.flip)
        each, y = labels // len(self.spec.classes), self.labels
        self.known = torch.cat([(y == c).nonzero().squeeze(1)[:each] for c in range(len(self.spec.classes))])

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        few = self.known[torch.randint(len(self.known), (len(index),), generator=rng)]
        return super().batch(index, rng)[0], *super().batch(few, rng)


class SGAN(Augmented):
    """D gives K logits l; it takes an image for real by Z/(Z + 1), Z = sum exp l. G matches D's mean features."""

    recipe = Recipe(steps=10_000, batch_size=32)
    ema = ("generator", "discriminator")

    @dataclass(kw_only=True)
    class Options(Augmented.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        augment: str | None = "translate:2"
        labels: Annotated[int, Option(min=2, help="Images that have a label, as many of every class.")] = 100
        unlabelled: Annotated[
            float, Option(min=0, help="Weight of telling real from generated; 0: learn from labels alone.")
        ] = 1.0
        nothing: Annotated[
            bool, Option("--nothing", help="Noise in place of all images without a label, to compare with.")
        ] = False
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 64
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any, train: bool = True) -> Data:
        images, held = api.open_split(recipe)
        if not 1 < len(images.spec.classes) <= options.labels or images.streamed:
            raise UserError("sgan needs images of several classes, in memory, and a label of each.", code=api.USAGE)
        return FewLabels(images, options.labels) if train else held

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator = api.upwards(options.z, options.width, data)
        features = nn.Sequential(nn.Dropout(0.2), api.downwards(128, options.width, 0.2, data))
        self.discriminator = nn.Sequential(features, nn.Sequential(nn.Dropout(0.5), nn.Linear(128, len(data.classes))))

    def features(self, x: Tensor) -> Tensor:
        return self.discriminator.get_submodule("0")(x)  # type: ignore[no-any-return]

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor:
        """log Z: that of Z/(Z + 1)."""
        return self.discriminator(x).logsumexp(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        (x, few, y, fake), weight = batch, self.options.unlabelled / 2
        shown = torch.cat([self.augment(part) for part in (self.unlabelled(x), fake, few)])
        on_x, on_fake, seen = self.discriminator(shown).chunk(3)
        self.log(train_error=(seen.argmax(1) != y).float().mean())
        real, drawn = softplus(-on_x.logsumexp(1)).mean(), softplus(on_fake.logsumexp(1)).mean()
        return {"class": cross_entropy(seen, y), "real": weight * real, "fake": weight * drawn}

    def g_loss(self, batch: Batch) -> Loss:
        x, *_, fake = batch
        x, fake = self.augment(self.unlabelled(x)), self.augment(fake)
        return (self.features(x).mean(0) - self.features(fake).mean(0)).square().mean()

    def unlabelled(self, x: Tensor) -> Tensor:
        return 2 * self.random(torch.rand, *x.shape) - 1 if self.options.nothing else x

    def measure(self, held: Data) -> dict[str, float]:
        wrong = [self.discriminator(x).argmax(1) != y for x, y in api.in_batches(held, self.device)]
        return {"test_error": float(torch.cat(wrong).double().mean())}
