"""Plays games for chapters: a variant as it is installed, perhaps with networks of a chapter's own, in the trainer."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gantool.config.options import Recipe
from gantool.data.images import Data, DataSpec
from gantool.hookspecs import hookimpl
from gantool.registry import Registry
from gantool.runtime import device as devices
from gantool.runtime.progress import current
from gantool.training.events import heard_by
from gantool.training.trainer import Trainer
from gantool.variant import Variant

CPU = torch.device("cpu")  # networks of a few units: nothing to gain elsewhere
FRAMES = 60
AN_EPOCH = 2**16  # examples of data that never come again
Look = Callable[[Trainer], object]


class Fresh(Data):
    """Points that are drawn anew for each batch, so that none can be memorised: `draw(n, rng)` gives (n, numbers)."""

    def __init__(self, draw: Callable[[int, torch.Generator], Tensor]) -> None:
        self.draw = draw
        self.spec = DataSpec((draw(1, torch.Generator()).shape[1],))

    def __len__(self) -> int:
        return AN_EPOCH

    def batch(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, ...]:
        return self.draw(len(index), rng), torch.zeros(len(index), dtype=torch.int64)


def normals(mean: float = 0.0, deviation: float = 1.0) -> Fresh:
    return Fresh(lambda n, rng: mean + deviation * torch.randn(n, 1, generator=rng))


class Shift(nn.Module):
    """G(z) = z + shift, of one number."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(shift))

    def forward(self, z: Tensor) -> Tensor:
        return z + self.shift


class Affine(nn.Module):
    """G(z) = scale z + shift, of one number."""

    def __init__(self, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.scale, self.shift = (nn.Parameter(torch.tensor(x)) for x in (scale, shift))

    def forward(self, z: Tensor) -> Tensor:
        return self.scale * z + self.shift


def linear(slope: float = 0.1) -> nn.Module:
    """D(x) = w x + b, a logit; nearly flat at the start."""
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, slope)
    nn.init.zeros_(line.bias)
    return nn.Sequential(line, nn.Flatten(0))


def built(name: str, spec: DataSpec, seed: int, **options: Any) -> Variant:
    """An installed variant on points, its weights drawn from this seed; no decay, penalty or EMA unless asked for."""
    devices.seed_all(seed)
    cls: type[Variant] = Registry().load(name)
    usual: dict[str, Any] = {
        "decay": 0.0,
        "z": 1,
        "r1": 0.0,
        "r1_every": 1,
        "batch_norm": 0.0,
        "g_layers": "32-32",
        "d_layers": "32-32",
    }
    return cls(cls.Options(**usual | options), spec)


class Watch:
    """Looks at the start and after these steps, and tells how far it is."""

    def __init__(self, look: Look, at: set[int], tell: Callable[[float], object]) -> None:
        self.look, self.at, self.tell = look, at, tell

    @hookimpl
    def gantool_train_start(self, trainer: Trainer) -> None:
        self.look(trainer)

    @hookimpl
    def gantool_train_step(self, trainer: Trainer) -> None:
        if trainer.step in self.at:
            self.look(trainer)
            self.tell(trainer.step / trainer.steps)


def play(
    variant: Variant, data: Data, steps: int, seed: int, look: Look = lambda trainer: None, batch: int = 256,
    looks: int = FRAMES, ema_images: int = 0, early: bool = False,
) -> Trainer:  # fmt: skip
    """Train it, looked at so many times: evenly, or with `early` most often at the start."""
    at = {max(1, round(steps * (i / looks) ** (2 if early else 1))) for i in range(1, looks + 1)}
    recipe = Recipe(steps=steps, seed=seed, batch_size=batch, ema_images=ema_images, log_every=max(1, steps // 40))
    trainer = Trainer(variant, recipe, data, CPU)
    with current().working("training") as tell:
        trainer.run(heard_by([Watch(look, at, tell)]))
    return trainer


@torch.no_grad()
def logits(variant: Variant, x: Tensor) -> Tensor:
    """D's, of numbers (n,) or points (n, k), in float64."""
    found: Tensor = variant.discriminator(x.float().view(len(x), -1))
    return found.double()


def number(weight: Any) -> float:
    return float(weight.detach())


def line(x: Tensor, y: Tensor) -> Any:
    """Points (n, 2) of a curve, thinned to what can be seen."""
    every = max(1, len(x) // 400)
    return torch.stack([x.double(), y.double()], 1)[::every].numpy()
