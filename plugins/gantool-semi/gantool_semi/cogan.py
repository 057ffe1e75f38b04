"""CoGAN: two GANs that share their deep layers learn to draw pairs, from images that are none.

Paper: Liu & Tuzel, 2016, https://arxiv.org/abs/1606.07536
Task: pairs of images from noise
Differs from the paper: smaller networks, a mixture for noise, R1 and EMA; no batch norm in D
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from gantool import api
from gantool.api import Batch, Data, DataSpec, Loss, MixtureNoise, NoiseOptions, Penalised, Recipe, Sheet, Turn
from torch import Tensor, nn
from torch.nn.functional import softplus
from typer import Option

from gantool_semi.domains import open_domains

PAIRS = 2_000  # measured


class CoGAN(MixtureNoise, Penalised):
    """Two games, of A and of B, summed. G1 and G2 share their first layers, D1 and D2 their last."""

    recipe = Recipe(data="digits-and-negatives", steps=2_000, batch_size=32, ema_images=5_000)

    @dataclass(kw_only=True)
    class Options(MixtureNoise.Options, Penalised.Options):
        lr: float = 1e-3
        decay: float = 2e-4
        beta2: float = 0.99
        r1: float = 0.1
        components: int | None = 200
        shared: Annotated[bool, Option(help="Share layers; without, these are two GANs given one noise.")] = True
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; doubled at each coarser one.")] = 16

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions):
        domain: Annotated[Literal["a", "b"], Option(help="Domain to draw; same seed, same pairs.")] = "a"

    @classmethod
    def dataset(cls, recipe: Recipe, options: Any, train: bool = True) -> Data:
        return open_domains(recipe, train)

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, last = options, 4  # of G's layers: norm, ReLU, convolution, tanh
        g, g2 = (api.upwards(self.numbers, o.width, data) for _ in "ab")
        d, d2 = (nn.Sequential(*api.downwards(256, o.width, 0.2, data).children(), nn.Linear(256, 1)) for _ in "ab")
        self.generator = Twins([g, g2], len(list(g.children())) - last, "start" if o.shared else "")
        self.discriminator = Twins([d, d2], 2, "end" if o.shared else "")  # a convolution and LeakyReLU

    def turns(self, batches: Iterator[Batch]) -> Iterator[Turn]:
        a, _, b = next(batches)
        z = self.latent(self.noise(len(a)))
        fakes = [self.generator(z, side) for side in (0, 1)]
        yield Turn("D", self.d_loss, (a, b, *(fake.detach() for fake in fakes)))
        yield Turn("G", self.g_loss, fakes)

    def d_loss(self, batch: Batch) -> Loss:
        loss: dict[str, Tensor] = {}
        for side, (name, x, fake) in enumerate(zip("ab", batch[:2], batch[2:], strict=True)):
            x = self.with_grad(x)
            on_x, on_fake = (self.discriminator(part, side).squeeze(1) for part in (x, fake))
            loss |= {f"real {name}": softplus(-on_x).mean(), f"fake {name}": softplus(on_fake).mean()}
            loss |= {f"{term} {name}": value for term, value in self.r1_penalty(x, on_x).items()}
        return loss

    def g_loss(self, fakes: Batch) -> Loss:
        return {
            f"fool {name}": softplus(-self.discriminator(fake, side)).mean()
            for side, (name, fake) in enumerate(zip("ab", fakes, strict=True))
        }

    def sample(self, n: int, options: Any) -> Tensor:
        return self.generator(self.latents(n, options), "ab".index(options.domain))  # type: ignore[no-any-return]

    def preview(self, batch: Batch) -> Sheet:
        """Pairs: one noise, drawn in both domains."""
        z = self.latents(min(40, len(batch[0])), self.SampleOptions())
        return api.in_rows({name: self.generator(z, side) for side, name in enumerate(("A", "B"))}, groups=5)

    def measure(self, held: Data) -> dict[str, float]:
        """Of digits: how often both of a pair show the same one; KL from how often each is drawn to even."""
        if self.data.classes != tuple("0123456789"):
            return {}
        z = [self.latents(500, self.SampleOptions()) for _ in range(PAIRS // 500)]
        a, b = (torch.cat([self.generator(part, side) for part in z]) for side in (0, 1))
        p, q = (api.judged_digits(x)[1] for x in (a, -b))  # dark on light, as the judge knows it
        shown, same = p.argmax(1), p.argmax(1) == q.argmax(1)
        sure = torch.minimum(p.amax(1), q.amax(1)) > 0.9
        balance = api.modes(shown.cpu(), 10)[1]
        return {"agree": float(same.double().mean()), "clear": float(sure.double().mean()), "pairs_kl": balance}


class Twins(nn.Module):
    """Two networks, cut in two; they share the start, the end, or neither."""

    def __init__(self, networks: list[nn.Module], cut: int, shared: str) -> None:
        super().__init__()
        parts = [[*network.children()] for network in networks]
        self.start = nn.ModuleList(nn.Sequential(*part[:cut]) for part in parts[: 1 if shared == "start" else 2])
        self.end = nn.ModuleList(nn.Sequential(*part[cut:]) for part in parts[: 1 if shared == "end" else 2])

    def forward(self, x: Tensor, side: int) -> Tensor:
        return self.end[side % len(self.end)](self.start[side % len(self.start)](x))  # type: ignore[no-any-return]
