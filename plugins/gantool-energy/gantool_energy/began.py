"""BEGAN: D is an autoencoder, and a control keeps its two errors in proportion.

Paper: Berthelot et al., 2017, https://arxiv.org/abs/1703.10717
Task: images from noise
Differs from the paper: one draw of z serves both players; by default small strided networks, a mixture for noise,
    batch norm in G, EMA, higher rates (D's lower than G's), EBGAN's pulling-away term and a gamma of .9;
    `--preset paper` has none of these, and lacks skip connections
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from gantool.api import Batch, Data, DataSpec, Loss, NoiseOptions, Recipe, Turn, decoder, upwards
from torch import Tensor, nn
from typer import Option

from gantool_energy.networks import Energetic, autoencoder, pulling_away

RECENT = 0.01  # share of the newest step in what is kept of the last steps


class BEGAN(Energetic):
    """L(v) = |v - D(v)|. D lowers L(x) - k L(G(z)), G lowers L(G(z)), and k holds L(G(z)) at gamma L(x)."""

    recipe = Recipe(steps=12_000, batch_size=32)
    k: Tensor
    first: Tensor
    recent: Tensor

    @dataclass(kw_only=True)
    class Options(Energetic.Options):
        lr: float = 1e-3  # the paper's is 1e-4; these are for runs of minutes
        d_lr: float | None = 3e-4  # slower than G, or k falls, and D is hardly shown what G draws
        decay: float = 2e-4
        code: Annotated[int, Option(min=1, help="Dimensions of D's code; the paper's is as --z.")] = 32
        gamma: Annotated[float, Option(min=0, max=1, help="Diversity: the ratio L(G(z)) / L(x) to hold.")] = 0.9
        pull: Annotated[float, Option(min=0, help="Weight of EBGAN's pulling-away term; the paper's is 0.")] = 0.05
        k: Annotated[float, Option(min=0, max=1, help="What the control k starts from.")] = 0.0
        k_lr: Annotated[float, Option(min=0, help="Learning rate of the control k; the paper's lambda is .001.")] = 0.05

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions): ...

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, half = options, decoder if options.deep else upwards
        self.generator = half(self.numbers, o.width, data)
        self.discriminator = nn.Sequential(*autoencoder(o.code, o.width, o.deep, data, tanh=False))
        self.register_buffer("k", torch.tensor(float(options.k)))
        self.register_buffer("first", torch.zeros(()))  # M after the first step
        self.register_buffer("recent", torch.zeros(3))  # M, L(x) and L(G(z)), of the last steps

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        yield from super().turns(batches)
        real, fake = self.logged["D/real"], self.logged["G/error"]  # the same in all processes, and so is k
        balance = self.options.gamma * real - fake
        self.k = (self.k + self.options.k_lr * balance).clamp(0, 1)
        M = real + balance.abs()
        self.log(k=self.k, M=M)
        now = torch.stack([M, real, fake]).float()
        self.first = torch.where(self.first == 0, M, self.first)
        self.recent = torch.where(self.recent == 0, now, self.recent.lerp(now, RECENT))

    def error(self, v: Tensor) -> Tensor:
        """L(v), of each."""
        return (v - self.discriminator(v)).abs().flatten(1).mean(1)  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        x, _, fake = batch
        real, drawn = self.compare(self.error, (self.augment(x),), (self.augment(fake),))
        return {"real": real.mean(), "fake": -self.k * drawn.mean()}

    def g_loss(self, batch: Batch) -> Loss:
        fake = self.augment(batch[-1])
        code = self.discriminator.get_submodule("0")(fake)
        back = self.discriminator.get_submodule("1")(code)
        return {"error": (fake - back).abs().mean(), "pull": self.options.pull * pulling_away(code)}

    def sample(self, n: int, options: Any) -> Tensor:
        return self.generator(self.latents(n, options)).clamp(-1, 1)  # type: ignore[no-any-return]

    def measure(self, held: Data) -> dict[str, float]:
        """M as a share of its first value, and L(G(z)) as a share of gamma L(x), at the end of the training."""
        if not self.first:
            return {"M_share": 1.0, "balance": 0.0}
        m, real, fake = self.recent
        return {"M_share": float(m / self.first), "balance": float(fake / (self.options.gamma * real))}
