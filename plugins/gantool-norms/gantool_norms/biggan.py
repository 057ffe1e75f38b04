"""BigGAN, small: what makes a class-conditional GAN scale, at the size of digits.

Paper: Brock et al., 2019, https://arxiv.org/abs/1809.11096
Task: images of a class
Differs from the paper: as sngan, and by default one step of D to one of G; small, so neither batches of thousands nor
    orthogonal initial weights
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import USAGE, Batch, Data, DataSpec, Loss, Recipe, UserError, Wrap, judged_digits, map_sizes
from torch import Tensor, nn
from typer import Option

from gantool_norms.networks import Generator, Kind
from gantool_norms.sagan import SAGAN

TRUNCATIONS = (0.2, 0.5, 1.0, 1.5, 2.0)  # to measure what they trade
DIGITS = tuple("0123456789")


class BigGAN(SAGAN):
    """The hinge game. G's norms share an embedding of classes and have noise each; its weights pay for skewness."""

    recipe = Recipe(steps=6_000, batch_size=32)
    generator: "SkipZ"

    @dataclass(kw_only=True)
    class Options(SAGAN.Options):
        z: int = 24
        embedded: Annotated[int, Option(min=1, help="Numbers of a class's embedding, which G's norms share.")] = 16
        orthogonal: Annotated[
            float, Option(min=0, help="Weight of the penalty on G's weights that are not orthogonal.")
        ] = 1e-4
        shuffled: Annotated[bool, Option(help="Tell G classes at random while it learns; it fails so.")] = False

    def __init__(self, options: Options, data: DataSpec) -> None:
        if len(data.classes) < 2:
            raise UserError("biggan needs classes; these data have none.", "Make a sub-folder for each.", USAGE)
        super().__init__(options, data)

    def drawing(self, wrap: Wrap) -> nn.Module:
        o = self.options
        return SkipZ(o.z, o.embedded, o.width, self.data, o.networks, self.attend, wrap)

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        if self.options.shuffled:
            y = (self.random(torch.rand, len(y)) * len(self.data.classes)).long()
        return super().fake((x, y))

    def g_loss(self, batch: Batch) -> Loss:
        weights = (w for name, w in self.generator.named_parameters() if w.ndim > 1 and "embedding" not in name)
        penalty = self.options.orthogonal * torch.stack([slanted(w) for w in weights]).sum()
        return {"fool": super().g_loss(batch), "orthogonal": penalty}

    def measure(self, held: Data) -> dict[str, float]:
        """Also what truncation trades, on digits: as rank correlations, 1 if each step of it does."""
        found = super().measure(held)
        if self.data.classes != DIGITS:
            return found
        accuracy, variety = zip(*(self.seen(limit) for limit in TRUNCATIONS), strict=True)
        return found | {"truncation_buys_accuracy": -ranked(accuracy), "truncation_costs_variety": ranked(variety)}

    def seen(self, truncation: float, n: int = 500) -> tuple[float, float]:
        """Of samples so truncated: how sure the judge is of the class asked for, and how much those of one vary."""
        x, y = self.sample(n, self.SampleOptions(truncation=truncation))
        features, p = judged_digits(x)
        variety = torch.stack([features[y == label].var(0).sum() for label in range(len(DIGITS))]).mean()
        return p.gather(1, y[:, None]).mean().item(), variety.item()


class Norm(nn.Module):
    """Batch norm whose scale and shift are linear in what it is told."""

    def __init__(self, c: int, known: int, wrap: Wrap) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(c, affine=False)
        self.scale, self.shift = (wrap(nn.Linear(known, c, bias=False)) for _ in "12")

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        return self.norm(x) * (1 + self.scale(known))[..., None, None] + self.shift(known)[..., None, None]  # type: ignore[no-any-return]


class SkipZ(Generator):
    """G: the first part of the noise is where it starts, the others and the class's embedding go to its norms."""

    def __init__(self, z: int, embedded: int, width: int, data: DataSpec, kind: Kind, attend: bool, wrap: Wrap) -> None:
        blocks = len(map_sizes(data)) - 1
        self.part = z // (blocks + 1)
        self.rest = z - blocks * self.part
        super().__init__(self.rest, width, data, kind, attend, lambda c: Norm(c, embedded + self.part, wrap), wrap)
        self.embedding = nn.Embedding(len(data.classes), embedded)

    def conditions(self, z: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
        first, *others = torch.split(z, [self.rest, *[self.part] * len(self.ups)], 1)
        e = self.embedding(y)
        return first, [torch.cat([e, other], 1) for other in others]


def slanted(weight: Tensor) -> Tensor:
    """The squared products of a weight's different rows, or columns if these are fewer: 0 if it is orthogonal."""
    rows = weight.flatten(1)
    rows = rows if rows.shape[0] <= rows.shape[1] else rows.T
    products = rows @ rows.T
    return products.square().sum() - products.diagonal().square().sum()


def ranked(values: Sequence[float]) -> float:
    """The rank correlation with growing truncation (Spearman's)."""
    n, ranks = len(values), torch.tensor(values).argsort().argsort()
    return 1 - 6 * (ranks - torch.arange(n)).square().sum().item() / (n * (n**2 - 1))
