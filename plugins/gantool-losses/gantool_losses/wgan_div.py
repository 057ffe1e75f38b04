"""WGAN-div: a critic whose slope is priced, and bound to no Lipschitz constant.

Paper: Wu et al., 2018, https://arxiv.org/abs/1712.01026
Task: images from noise
Differs from the paper: smaller networks, two critic turns, a mixture for noise, EMA, augmentation, and a larger
    learning rate; `--preset paper` has none of these but smaller networks
"""

from dataclasses import dataclass
from typing import Annotated

import torch
from gantool.api import Batch, Data, Loss, Recipe, gradient_norms, in_batches
from typer import Option

from gantool_losses.game import Game


class WGANDiv(Game):
    """Equation 7 with signs turned, as in the authors' code: f is high for real images, and pays k |grad f|^p."""

    recipe = Recipe(steps=4_000, batch_size=32, precision="fp32")  # sixth powers of slopes are coarse in bf16
    ema = ("generator", "discriminator")  # the second to be measured
    middle = None

    @dataclass(kw_only=True)
    class Options(Game.Options):
        lr: float = 1e-3  # with G's usual rate, momentum and one critic turn, f falls behind
        beta1: float = 0.0
        d_steps: int = 2
        r1: float = 0.0
        k: Annotated[float, Option("--k", min=0, help="Weight of the price on the critic's slope.")] = 2.0
        p: Annotated[float, Option("--p", min=1, max=12, help="Power of the slope in that price.")] = 6.0

    def d_loss(self, batch: Batch) -> Loss:
        x, fake, on_x, on_fake = self.scores(batch)
        slopes = gradient_norms(self.discriminator, x, fake, self.random(torch.rand, len(x)))
        return {"critic": on_fake.mean() - on_x.mean(), "penalty": self.options.k * slopes.pow(self.options.p).mean()}

    def measure(self, held: Data) -> dict[str, float]:
        """How steep f is, between real and generated images."""
        found = []
        for x, *_ in in_batches(held, self.device, most=5_000):
            fake = self.generator(self.latents(len(x), self.SampleOptions()))
            with torch.enable_grad():
                found.append(gradient_norms(self.discriminator, x, fake, self.random(torch.rand, len(x))).detach())
        return {"slope": float(torch.cat(found).double().mean())}
