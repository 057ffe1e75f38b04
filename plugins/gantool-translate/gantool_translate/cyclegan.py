"""CycleGAN: two sets of images learn to become each other, without pairs.

Paper: Zhu et al., 2017, https://arxiv.org/abs/1703.10593
Task: images from images
Differs from the paper: smaller networks, larger batches, EMA, one learning rate; `--preset paper` has none of
    these; it does not crop 256 pixels of 286
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from gantool import api
from gantool.api import (
    USAGE,
    Batch,
    Data,
    DataSpec,
    InputOptions,
    Loss,
    Recipe,
    Sheet,
    Turn,
    UserError,
    Variant,
    is_named,
)
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss
from torch.optim import Optimizer
from typer import Option

from gantool_translate.made import Worlds
from gantool_translate.networks import patchgan, resnet
from gantool_translate.scores import MEASURED, PART
from gantool_translate.unpaired import Unpaired, open_unpaired


class CycleGAN(Variant):
    """G draws A as B, F draws B as A, and each must undo the other. Players: G moves both, D the two discriminators."""

    recipe = Recipe(data="two-worlds", size=32, batch_size=4, steps=1_500, ema_images=2_000)
    ema = ("g", "f")

    @dataclass(kw_only=True)
    class Options(api.Options):
        lr: float = 1e-3
        cycle: Annotated[float, Option(min=0, help="Weight of cycle consistency (the paper's lambda).")] = 10.0
        identity: Annotated[
            float, Option(min=0, help="Weight of leaving what is in the other set already as it is; keeps colours.")
        ] = 0.0
        adversarial: Annotated[float, Option(min=0, help="Weight of fooling D; 0: nothing asks for the other set.")] = (
            1.0
        )
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 12
        halvings: Annotated[int, Option(min=0, max=6, help="Halvings in g and f; in the paper 2.")] = 1
        blocks: Annotated[int, Option(min=0, help="Residual blocks in g and f.")] = 2
        d_layers: Annotated[int, Option(min=1, help="Halvings in D: it judges patches of 16, 34, 70... pixels.")] = 2
        pool: Annotated[int, Option(min=0, help="How many earlier fakes are kept, to be shown to D again.")] = 50
        anneal: Annotated[
            bool, Option("--anneal", help="Learning rate falls to 0 over the second half of the run, as in the paper.")
        ] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        direction: Annotated[Literal["a2b", "b2a"], Option(help="Draw A as B, or B as A.")] = "a2b"

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any = None, train: bool = True) -> Data:
        return api.open_data(recipe, train, of=Unpaired) if is_named(recipe.data) else open_unpaired(recipe, train)

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, step, least = options, 1 << options.halvings, 4 << options.d_layers
        if data.size % step or data.size < least:
            fits = -(-least // step) * step
            raise UserError(f"cyclegan needs a size of N x {step}, at least {least}.", f"--size {fits}", USAGE)
        self.g, self.f = (resnet(data.channels, data.channels, o.width, o.halvings, o.blocks) for _ in "gf")
        self.d_a, self.d_b = (patchgan(data.channels, o.width, o.d_layers) for _ in "ab")
        self.pool_a, self.pool_b = (api.Pool(o.pool, data) for _ in "ab")

    def players(self) -> dict[str, Optimizer]:
        return {"G": self.optimizer(self.g, self.f), "D": self.optimizer(self.d_a, self.d_b)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        a, b = next(batches)
        fake_b, fake_a = self.g(a), self.f(b)
        yield Turn("G", self.g_loss, (a, b, fake_b, fake_a))
        yield Turn("D", self.d_loss, (a, b, self.pool_b(fake_b.detach()), self.pool_a(fake_a.detach())))

    def g_loss(self, batch: Batch) -> Loss:
        (a, b, fake_b, fake_a), o = batch, self.options
        loss = {
            "fool": o.adversarial * (like(self.d_b(fake_b), 1) + like(self.d_a(fake_a), 1)),
            "cycle": o.cycle * (l1_loss(self.f(fake_b), a) + l1_loss(self.g(fake_a), b)),
        }
        if o.identity:
            loss["identity"] = o.identity * (l1_loss(self.g(b), b) + l1_loss(self.f(a), a))
        return loss

    def d_loss(self, batch: Batch) -> Loss:
        a, b, fake_b, fake_a = batch
        return {
            "a": (like(self.d_a(a), 1) + like(self.d_a(fake_a), 0)) / 2,
            "b": (like(self.d_b(b), 1) + like(self.d_b(fake_b), 0)) / 2,
        }

    def schedule(self) -> float:
        return super().schedule() * (min(1.0, 2 - 2 * self.progress) if self.options.anneal else 1)

    def translate(self, x: Tensor, options: Any) -> Tensor:
        y: Tensor = self.g(x) if options.direction == "a2b" else self.f(x)
        return y

    def preview(self, batch: Batch) -> Sheet:
        """a, g(a), b, f(b); three of these in a row."""
        a, b = (x[:12] for x in batch)
        return api.in_rows({"A": a, "as B": self.g(a), "B": b, "as A": self.f(b)}, groups=3)

    @torch.no_grad()
    def measure(self, held: Data) -> dict[str, float]:
        """How well each undoes the other; of worlds made by code it is known what each image should become."""
        if not isinstance(held, Unpaired):
            return {}
        found, drawn = [], []
        for x, there, back in ((held.a, self.g, self.f), (held.b, self.f, self.g)):
            real = [part for part, _ in api.in_batches(x, self.device, PART, MEASURED)]
            out = [there(part) for part in real]
            found.append(float(torch.cat([(back(o) - r).abs() for o, r in zip(out, real, strict=True)]).mean()))
            drawn.append(torch.cat(out))
        return {"cycle_l1": max(found)} | (held.scores(*drawn) if isinstance(held, Worlds) else {})


def like(score: Tensor, goal: float) -> Tensor:
    """The least-squares loss (Mao et al., 2017)."""
    return mse_loss(score, torch.full_like(score, goal))
