"""CycleGAN: two sets of pictures learn to become each other, without pairs.

Paper: Zhu et al., 2017, https://arxiv.org/abs/1703.10593
Task: pictures from pictures
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from gantool.api import USAGE, Batch, Data, DataSpec, InputOptions, Loss, Recipe, Turn, UserError, Variant, open_folder
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss
from torch.optim import Optimizer
from typer import Option


class CycleGAN(Variant):
    """G draws A as B, F draws B as A, and each must undo the other. Players: G moves both, D the two discriminators."""

    recipe = Recipe(data=".", size=32, batch_size=4, steps=2_000, average_images=2_000)
    averaged = ("g", "f")

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        cycle: Annotated[float, Option(min=0, help="Weight of cycle consistency (the paper's lambda).")] = 10.0
        identity: Annotated[float, Option(min=0, help="Weight of g(b) = b and f(a) = a; keeps colours.")] = 0.0
        width: Annotated[int, Option(min=1, help="Channels of the finest maps.")] = 16
        blocks: Annotated[int, Option(min=0, help="Residual blocks in g and f.")] = 3
        d_layers: Annotated[int, Option(min=1, help="Halvings in D: 3 judge patches of 70 pixels, 2 of 34.")] = 2
        pool: Annotated[int, Option(min=0, help="Earlier fakes that D is shown again.")] = 50
        anneal: Annotated[
            bool, Option("--anneal", help="Step size falls to 0 over the second half of the run, as in the paper.")
        ] = False

    @dataclass(kw_only=True)
    class SampleOptions(InputOptions):
        direction: Annotated[Literal["a2b", "b2a"], Option(help="Draw A as B, or B as A.")] = "a2b"

    @classmethod
    def dataset(cls, recipe: Recipe) -> Data:
        return Unpaired(recipe)

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
        return min(1.0, 2 - 2 * self.progress) if self.options.anneal else super().schedule()

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
    """Half of the fakes it is given it keeps, and answers with one from before (Shrivastava et al., 2017)."""

    images: Tensor
    held: Tensor

    def __init__(self, size: int, data: DataSpec) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, data.channels, data.size, data.size))
        self.register_buffer("held", torch.zeros(1, dtype=torch.int64))

    def forward(self, fakes: Tensor) -> Tensor:
        return torch.cat([self.swap(fake) for fake in fakes.split(1)]) if len(self.images) else fakes

    def swap(self, fake: Tensor) -> Tensor:
        """Without asking the device for a number, which would wait for it."""
        room = self.held < len(self.images)
        slot = torch.where(room, self.held, torch.randint_like(self.held, len(self.images)))
        old, swapped = self.images[slot], ~room & (torch.rand(1, device=fake.device) < 0.5)
        self.images[slot] = torch.where((room | swapped).view(-1, 1, 1, 1), fake.float(), old)
        self.held += room
        return torch.where(swapped.view(-1, 1, 1, 1), old, fake)


def resnet(channels: int, width: int, blocks: int) -> nn.Module:
    """The generator of Johnson et al. (2016): c7s1-w, d2w, d4w, R4w..., u2w, uw, c7s1."""
    w = width
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),
        nn.Conv2d(w, 2 * w, 3, 2, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU(),
        nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=False), nn.InstanceNorm2d(4 * w), nn.ReLU(),
        *(Block(4 * w) for _ in range(blocks)),
        nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU(),
        nn.ConvTranspose2d(2 * w, w, 3, 2, 1, 1, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),
        nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh(),
    ).apply(start)  # fmt: skip


class Block(nn.Module):
    def __init__(self, w: int) -> None:
        super().__init__()
        half = [(nn.ReflectionPad2d(1), nn.Conv2d(w, w, 3, bias=False), nn.InstanceNorm2d(w)) for _ in range(2)]
        self.residual = nn.Sequential(*half[0], nn.ReLU(), *half[1])

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.residual(x)
        return y


def patchgan(channels: int, width: int, halvings: int) -> nn.Module:
    """C64-C128-C256-C512 where width is 64 and halvings 3: a score for every patch (Isola et al., 2017)."""
    maps: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for i in range(halvings):
        fine, coarse, stride = width << min(i, 3), width << min(i + 1, 3), 2 if i < halvings - 1 else 1
        maps += [nn.Conv2d(fine, coarse, 4, stride, 1, bias=False), nn.InstanceNorm2d(coarse), nn.LeakyReLU(0.2)]
    return nn.Sequential(*maps, nn.Conv2d(width << min(halvings, 3), 1, 4, 1, 1)).apply(start)


def start(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)


class Unpaired(Data):
    """Pictures of A in their order, each beside one of B at random."""

    def __init__(self, recipe: Recipe) -> None:
        folders = [folder(Path(recipe.data), domain) for domain in "AB"]
        found = [open_folder(path, recipe.size or 32, recipe.channels, recipe.flip) for path in folders]
        channels = max(x.spec.channels for x in found)  # one network draws both: colour if either is
        self.a, self.b = (
            x if x.spec.channels == channels else open_folder(path, x.spec.size, channels, recipe.flip)
            for path, x in zip(folders, found, strict=True)
        )
        self.spec = DataSpec(channels, self.a.spec.size)
        self.streamed = self.a.streamed or self.b.streamed
        self.notes = tuple(f"{name}: {note}" for name, x in (("A", self.a), ("B", self.b)) for note in x.notes)

    def __len__(self) -> int:
        return len(self.a)

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        a, _ = self.a.batch(index, rng)
        b, _ = self.b.batch(torch.randint(len(self.b), (len(index),), generator=rng), rng)
        return a, b

    def to(self, device: torch.device) -> Self:
        self.a, self.b = self.a.to(device), self.b.to(device)
        return self

    def fingerprint(self) -> str:
        return f"{self.a.fingerprint()}-{self.b.fingerprint()}"


def folder(root: Path, domain: str) -> Path:
    for name in (domain, f"train{domain}"):
        if (root / name).is_dir():
            return root / name
    raise UserError(
        f"There is no folder {domain}/ in {root.resolve()}.",
        "Give cyclegan --data FOLDER with two folders of pictures in it: A/ and B/ (or trainA/ and trainB/).",
        USAGE,
    )
