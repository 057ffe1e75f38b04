"""R3GAN: pairs of real and generated, compared; two gradient penalties, and no tricks.

Paper: Huang et al., 2024, https://arxiv.org/abs/2501.05441
Task: images from noise, or of a class; points in the plane
Differs from the paper: plain convolutions for grouped ones; colours of images are not changed; Adam's
    beta2 and the learning rate keep to one schedule
"""

from dataclasses import dataclass
from math import cos, pi
from typing import Annotated, Any

import torch
from gantool.api import USAGE, Batch, Data, DataSpec, Loss, NoiseOptions, Recipe, UserError, Variant, gradient
from torch import Tensor
from torch.nn.functional import softplus
from typer import Option

from gantool_r3gan import measures, networks


class R3GAN(Variant):
    """D minimises E f(D(G(z)) - D(x)) + gamma/2 (R1 + R2), and G minimises E f(D(x) - D(G(z))), with f = softplus.

    R1 is D's squared slope at real images, R2 at generated ones; both are taken at every step.
    """

    recipe = Recipe(data="digit-pairs", steps=5_000, batch_size=32)
    no_compile = ("discriminator",)  # the penalties differentiate it twice

    @dataclass(kw_only=True)
    class Options(Variant.Options):
        lr: float = 2e-3
        decay: float = 2e-4
        beta1: float = 0.0
        beta2: float = 0.99
        z: Annotated[int, Option(min=1, help="Dimensions of the noise.")] = 16
        pairing: Annotated[
            bool, Option(help="D compares each real image with a generated one; without, it judges each alone.")
        ] = True
        r1: Annotated[float, Option(min=0, help="Weight of D's squared slope at real data (the paper's gamma).")] = 0.03
        r2: Annotated[
            float, Option(min=0, help="Weight of D's squared slope at generated data; in the paper as --r1.")
        ] = 0.03
        anneal: Annotated[
            int, Option(min=0, help="Steps over which both weights fall, along half a cosine; 0: they stay.")
        ] = 0
        annealed: Annotated[float, Option(min=1e-6, max=1, help="Share of the weights that is left then.")] = 0.1
        conditional: Annotated[bool, Option("--conditional", help="Condition both networks on the class.")] = False
        width: Annotated[int, Option(min=1, help="Channels of the finest maps; for points, units / 8.")] = 16
        blocks: Annotated[int, Option(min=0, max=16, help="Residual blocks at each side of the maps.")] = 1

    @dataclass(kw_only=True)
    class SampleOptions(NoiseOptions):
        truncation: float = 9.0  # all of the noise: held back, it would not meet all modes alike
        label: Annotated[
            str | None,
            Option("--label", "--digit", help="With --conditional: class to draw.", show_default="all in turn"),
        ] = None

    def __init__(self, options: Options, data: DataSpec) -> None:
        super().__init__(options, data)
        o, k = options, len(data.classes) if options.conditional else 0
        if o.conditional and k < 2:
            raise UserError("--conditional needs classes; these data have none.", "Make a sub-folder for each.", USAGE)
        self.generator = networks.generator(o.z + k, o.width, o.blocks, data)
        self.discriminator = networks.discriminator(o.width, o.blocks, k, data)
        self.apply(networks.start)

    def fake(self, batch: Batch) -> Tensor:
        x, y = batch
        return self.draw(self.noise(len(x)), y)

    def draw(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        y = y if self.options.conditional else None
        return self.generator(networks.conditional(z, y, len(self.data.classes)))  # type: ignore[no-any-return]

    def d_loss(self, batch: Batch) -> Loss:
        (x, y, fake), o = batch, self.options
        both = torch.cat([x, fake]).requires_grad_()
        scores = self.discriminator(both, torch.cat([y, y]))
        on_x, on_fake = scores.chunk(2)
        self.log(**{"D right": (on_x > on_fake).float().mean()})
        if o.pairing:
            loss = {"pairs": softplus(on_fake - on_x).mean()}
        else:
            loss = {"real": softplus(-on_x).mean(), "fake": softplus(on_fake).mean()}
        if o.r1 or o.r2:
            r1, r2 = (part.square().sum(1).mean() for part in gradient(both, scores).chunk(2))
            gamma = self.gamma()
            loss |= {"r1": gamma * o.r1 / 2 * r1, "r2": gamma * o.r2 / 2 * r2}
        return loss

    def gamma(self) -> float:
        """What is left of the penalties' weights, as a share. (The authors' code lets them fall, too.)"""
        o = self.options
        done = min(self.step / o.anneal, 1.0) if o.anneal else 0.0
        return float(o.annealed ** ((1 - cos(pi * done)) / 2))

    def g_loss(self, batch: Batch) -> Loss:
        x, y, fake = batch
        on_fake = self.discriminator(fake, y)
        if not self.options.pairing:
            return softplus(-on_fake).mean()
        with torch.no_grad():
            on_x = self.discriminator(x, y)
        return softplus(on_x - on_fake).mean()

    def sample(self, n: int, options: Any) -> Tensor | tuple[Tensor, Tensor]:
        if not self.options.conditional:
            if options.label is not None:
                raise UserError(
                    "This model knows no classes.", "Leave out --label, or train with --conditional.", USAGE
                )
            return self.draw(self.latents(n, options))
        y = self.labels_for(n, options)
        return self.draw(self.latents(n, options), y), y

    def measure(self, held: Data) -> dict[str, float]:
        return measures.measured(self, held)
