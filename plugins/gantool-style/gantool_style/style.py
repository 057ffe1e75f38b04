"""Neural style transfer: one image with the things of a second and the brush strokes of a third. No GAN.

Paper: Gatys et al., 2015, https://arxiv.org/abs/1508.06576
Task: an image from two images
Differs from the paper: untrained filters stand for VGG19 (Ustyuzhaninov et al., 2016), and Adam for L-BFGS
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, ImageData, Loss, Recipe, Turn, Variant
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.optim import Optimizer
from typer import Option


class Two(ImageData):
    """Content and style, always both, in this order."""

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        return torch.split(self.pixels, 1)


class StyleTransfer(Variant):
    """What is trained is an image: its features' values must be the content's, their Gram matrices the style's."""

    recipe = Recipe(size=64, channels=3, batch_size=1, steps=500, ema_images=0)
    ema = ()
    probed = False

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 0.05
        beta1: float = 0.9
        content: Annotated[
            Path | None, Option(help="Image whose content is kept.", show_default="the first of --data")
        ] = None
        style: Annotated[Path | None, Option(help="Image whose style is taken.", show_default="stripes")] = None
        weight: Annotated[float, Option(min=0, help="Weight of the style; the content weighs 1.")] = 4.0

    @dataclass(kw_only=True)
    class SampleOptions(api.SampleOptions): ...

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any, train: bool = True) -> Data:
        size, channels = recipe.size or 64, recipe.channels or 3
        if options.content:
            content = api.open_image(options.content, size, channels)
        else:
            content = api.open_data(replace(recipe, size=size, channels=channels)).fetch(torch.tensor([0]))[0][0]
        strokes = api.open_image(options.style, size, channels) if options.style else stripes(size, channels)
        return Two(torch.stack([content, strokes]))

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        self.pixels = nn.Parameter(torch.randn(1, *data.shape) / 10)
        self.looks = nn.ModuleList(nn.Conv2d(a, b, 5, 1, 2) for a, b in pairwise((data.channels, 32, 64, 128)))

    def players(self) -> dict[str, Optimizer]:
        return {"image": self.optimizer(self.pixels)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        yield Turn("image", self.loss, next(batches))

    def features(self, x: Tensor) -> list[Tensor]:
        return [x := look(avg_pool2d(x, 2) if i else x).relu() for i, look in enumerate(self.looks)]

    def loss(self, batch: Batch) -> Loss:
        mine, things, strokes = (self.features(x) for x in (self.pixels.tanh(), *batch))
        styles = [apart(gram(a), gram(b)) for a, b in zip(mine, strokes, strict=True)]
        return {"content": apart(mine[1], things[1]), "style": self.options.weight * torch.stack(styles).mean()}

    def sample(self, n: int, options: Any) -> Tensor:
        return self.pixels.tanh().expand(n, -1, -1, -1)

    def preview(self, batch: Batch) -> Tensor:
        return torch.stack([*batch, self.pixels.tanh()], 1)


def gram(x: Tensor) -> Tensor:
    """How often features are met together, wherever that is."""
    return (x := x.flatten(2)) @ x.mT / x.shape[2]


def apart(x: Tensor, y: Tensor) -> Tensor:
    """The squared distance of x from y, as a share of y's size."""
    return (x - y).square().mean() / y.square().mean()


def stripes(size: int, channels: int) -> Tensor:
    """Slanting ones in two colours, as bytes."""
    dark = (torch.arange(size).view(-1, 1) + 2 * torch.arange(size)) % 12 < 6
    colours = torch.tensor([[250, 200, 40, 255], [20, 60, 160, 255]], dtype=torch.uint8)[:, :channels]
    return colours[dark.long()].permute(2, 0, 1).contiguous()
