"""What the seven games share: networks, noise, and D's scores of real and of generated images."""

from dataclasses import dataclass
from math import prod
from typing import Annotated, ClassVar, Literal, NamedTuple

from gantool.api import (
    Augmented,
    Batch,
    DataSpec,
    Loss,
    MixtureNoise,
    NoiseOptions,
    Penalised,
    Recipe,
    d_accuracy,
    downwards,
    layers,
    mlp,
    upwards,
)
from torch import Tensor, nn
from typer import Option


class Scores(NamedTuple):
    x: Tensor  # as D saw them
    fake: Tensor
    on_x: Tensor
    on_fake: Tensor


class Game(MixtureNoise, Augmented, Penalised):
    """A game in which D gives each image one number, without limits. A variant writes `d_loss` and `g_loss`."""

    recipe = Recipe(steps=3_000, batch_size=32)
    middle: float | None = 0.0  # the score between real and generated; None where scores only compare

    @dataclass(kw_only=True)
    class Options(MixtureNoise.Options, Augmented.Options, Penalised.Options):
        applies: ClassVar = {
            **{key: {"networks": "mlp"} for key in ("g_layers", "d_layers")},
            **{key: {"networks": "conv"} for key in ("width", "d_width")},
        }

        lr: float = 2e-3
        d_lr: float | None = 3e-3
        decay: float = 5e-4
        beta2: float = 0.99
        r1: float = 0.2
        augment: str | None = "translate:1"
        components: int = 200
        leak: Annotated[float, Option(min=0, max=1, help="Slope of LeakyReLU below 0.")] = 0.2
        networks: Annotated[
            Literal["conv", "mlp"],
            Option(help="Kind of network: small convolutions, or MLPs, which points always have."),
        ] = "conv"
        width: Annotated[int, Option(min=1, help="Channels of conv's finest map in G.")] = 24
        d_width: Annotated[int, Option(min=1, help="Channels of conv's finest map in D.")] = 16
        g_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the MLP generator.")] = "256-512-1024"
        d_layers: Annotated[str, Option(metavar="N-N", help="Hidden units of the MLP discriminator.")] = "512-256"

        def __post_init__(self) -> None:
            layers(self.g_layers), layers(self.d_layers)

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o = options
        if o.networks == "conv" and data.images:
            body = downwards(256, o.d_width, o.leak, data)
            self.generator = upwards(self.numbers, o.width, data)
            self.discriminator = nn.Sequential(body, nn.Linear(256, 1), nn.Flatten(0))
            return
        g, d = [self.numbers, *layers(o.g_layers), prod(data.shape)], [prod(data.shape), *layers(o.d_layers), 1]
        norm = nn.BatchNorm1d if data.images else None  # of points, a batch's scale is what G must learn
        ends = [nn.Tanh() if data.images else nn.Identity(), nn.Unflatten(1, data.shape)]
        self.generator = mlp(g, o.leak, norm, after=ends)
        self.discriminator = mlp(d, o.leak, before=[nn.Flatten()], after=[nn.Flatten(0)])

    def d_logits(self, x: Tensor, y: Tensor) -> Tensor | None:
        return None if self.middle is None else self.discriminator(x) - self.middle

    def scores(self, batch: Batch) -> Scores:
        """D's scores of the batch's images and of the fakes; logs how often they are on their own side."""
        x, fake = self.with_grad(self.augment(batch[0])), self.augment(batch[-1])
        on_x, on_fake = self.compare(self.discriminator, (x,), (fake,))
        if self.middle is not None:
            self.log(**{"D right": d_accuracy(on_x - self.middle, on_fake - self.middle)})
        self.log(gap=on_x.mean() - on_fake.mean())
        return Scores(x, fake, on_x, on_fake)

    def on_fake(self, batch: Batch) -> Tensor:
        """D's scores of the fakes alone."""
        found: Tensor = self.discriminator(self.augment(batch[-1]))
        return found

    def g_loss(self, batch: Batch) -> Loss:
        """What G lowers; where a variant says nothing else, -D(G(z))."""
        return -self.on_fake(batch).mean()
