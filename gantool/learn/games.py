"""Games that gantool itself does not come with, for points: written as any variant is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from typer import Option

from gantool.data.images import DataSpec
from gantool.nn.blocks import mlp
from gantool.nn.penalties import gradient, gradient_penalty
from gantool.runtime import device as devices
from gantool.variant import Batch, Loss, Turn, Variant


class Perceptrons(Variant):
    """Two of them, for points."""

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 2
        width: Annotated[int, Option(min=1, help="Units of each hidden layer.")] = 64

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        x, h = data.channels, options.width
        self.generator = mlp([options.z, h, h, h, x])
        self.discriminator = mlp([x, h, h, h, 1], after=[nn.Flatten(0)])

    @classmethod
    def seeded(cls, data: DataSpec, seed: int, **options: object) -> "Variant":
        """Its weights drawn from this seed."""
        devices.seed_all(seed)
        return cls(cls.Options(**options), data)  # type: ignore[arg-type]


class Critic(Perceptrons):
    """WGAN: D is a critic without limits, whose slope is held by a penalty (Gulrajani et al., 2017, equation 3), or
    whose weights are clipped (Arjovsky et al., 2017, algorithm 1).
    """

    @dataclass(kw_only=True)
    class Options(Perceptrons.Options):
        penalty: Annotated[float, Option(min=0, help="Weight of the gradient penalty (lambda); 0: none.")] = 10.0
        clip: Annotated[float, Option(min=0, help="The critic's weights stay within +-this; 0: anywhere.")] = 0.0

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        for turn in super().turns(batches):
            yield turn
            if turn.player == "D" and (clip := self.options.clip):
                with torch.no_grad():
                    for weight in self.discriminator.parameters():
                        weight.clamp_(-clip, clip)

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        on_x, on_fake = (scores.mean() for scores in self.compare(self.discriminator, (x,), (fake,)))
        self.log(gap=on_x - on_fake)
        loss = {"critic": on_fake - on_x}
        if weight := self.options.penalty:
            eps = self.random(torch.rand, len(x))
            loss["penalty"] = weight * gradient_penalty(self.discriminator, x, fake, eps)
        return loss

    def g_loss(self, batch: Batch) -> Loss:
        on_fake: Tensor = self.discriminator(batch[-1])
        return -on_fake.mean()


class Pairs(Perceptrons):
    """D compares real points with generated ones, and pays for its slope at both (Huang et al., 2024): relativistic
    pairing, R1 and R2.
    """

    @dataclass(kw_only=True)
    class Options(Perceptrons.Options):
        gamma: Annotated[float, Option(min=0, help="Weight of both penalties.")] = 0.1

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        both = torch.cat([x, fake]).requires_grad_()
        scores = self.discriminator(both)
        on_x, on_fake = scores.chunk(2)
        r1, r2 = (slope.square().sum(1).mean() for slope in gradient(both, scores).chunk(2))
        half = self.options.gamma / 2
        return {"pairs": softplus(on_fake - on_x).mean(), "r1": half * r1, "r2": half * r2}

    def g_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        return softplus(self.discriminator(x) - self.discriminator(fake)).mean()
