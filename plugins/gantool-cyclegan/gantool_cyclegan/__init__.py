"""CycleGAN: two sets of pictures learn to become each other, without pairs.

Paper: Zhu et al., 2017, https://arxiv.org/abs/1703.10593
Task: pictures from pictures
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from gantool import api
from gantool.api import USAGE, Batch, Data, DataSpec, InputOptions, Loss, Recipe, Turn, UserError, Variant
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.optim import Optimizer
from typer import Option

from gantool_cyclegan.data import Unpaired
from gantool_cyclegan.networks import patchgan, resnet


class CycleGAN(Variant):
    """G draws A as B, F draws B as A, and each must undo the other. Players: G moves both, D the two discriminators."""

    recipe = Recipe(data=".", size=32, batch_size=4, steps=1_500, average_images=2_000)
    averaged = ("g", "f")

    @dataclass(kw_only=True)
    class Options(api.Options):
        cycle: Annotated[float, Option(min=0, help="Weight of cycle consistency (the paper's lambda).")] = 10.0
        identity: Annotated[float, Option(min=0, help="Weight of g(b) = b and f(a) = a; keeps colours.")] = 0.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        blocks: Annotated[int, Option(min=0, help="Residual blocks in g and f.")] = 3
        d_layers: Annotated[int, Option(min=1, help="Halvings in D: it judges patches of 16, 34, 70... pixels.")] = 1
        pool: Annotated[int, Option(min=0, help="Earlier fakes that D is shown again.")] = 50
        anneal: Annotated[
            bool, Option("--anneal", help="Step size falls to 0 over the second half of the run, as in the paper.")
        ] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        direction: Annotated[Literal["a2b", "b2a"], Option(help="Draw A as B, or B as A.")] = "a2b"

    @classmethod
    def dataset(cls, recipe: Recipe, train: bool = True) -> Data:
        return Unpaired(recipe, train)

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        if data.size % 4 or data.size < 4 << options.d_layers:
            least = 4 << options.d_layers
            raise UserError(f"cyclegan needs a size of 4 x N, at least {least}.", f"--size {least}", USAGE)
        self.g, self.f = (resnet(data.channels, options.width, options.blocks) for _ in "gf")
        self.d_a, self.d_b = (patchgan(data.channels, options.width, options.d_layers) for _ in "ab")
        self.pool_a, self.pool_b = (Pool(options.pool, data) for _ in "ab")

    def players(self) -> dict[str, Optimizer]:
        return {"G": self.optimizer(self.g, self.f), "D": self.optimizer(self.d_a, self.d_b)}

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        a, b = next(batches)
        fake_b, fake_a = self.g(a), self.f(b)
        yield Turn("G", self.g_loss, (a, b, fake_b, fake_a))
        yield Turn("D", self.d_loss, (a, b, self.pool_b(fake_b.detach()), self.pool_a(fake_a.detach())))

    def g_loss(self, batch: Batch) -> Loss:
        a, b, fake_b, fake_a = batch
        loss = {
            "fool": like(self.d_b(fake_b), 1) + like(self.d_a(fake_a), 1),
            "cycle": self.options.cycle * (l1_loss(self.f(fake_b), a) + l1_loss(self.g(fake_a), b)),
        }
        if self.options.identity:
            loss["identity"] = self.options.identity * (l1_loss(self.g(b), b) + l1_loss(self.f(a), a))
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

    def preview(self, batch: Batch) -> Tensor:
        a, b = (x[:12] for x in batch)
        return torch.stack([a, self.g(a), b, self.f(b)], 1)


def like(score: Tensor, goal: float) -> Tensor:
    """The least-squares loss (Mao et al., 2017)."""
    return mse_loss(score, torch.full_like(score, goal))


class Pool(nn.Module):
    """Keeps earlier fakes, and half the time answers a new one with one of them (Shrivastava et al., 2017)."""

    images: Tensor
    held: Tensor

    def __init__(self, size: int, data: DataSpec) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, data.channels, data.size, data.size))
        self.register_buffer("held", torch.zeros(1, dtype=torch.int64))

    def forward(self, fakes: Tensor) -> Tensor:
        return torch.cat([self.swap(fake) for fake in torch.split(fakes, 1)]) if len(self.images) else fakes

    def swap(self, fake: Tensor) -> Tensor:
        """What comes back leaves the pool, and the new one takes its place. All on the device: nothing waits for it."""
        room = self.held < len(self.images)
        slot = torch.where(room, self.held, torch.randint_like(self.held, len(self.images)))
        old, swapped = self.images[slot], ~room & (torch.rand(1, device=fake.device) < 0.5)
        self.images[slot] = torch.where((room | swapped).view(-1, 1, 1, 1), fake.float(), old)
        self.held += room
        return torch.where(swapped.view(-1, 1, 1, 1), old, fake)
