"""Where the game ends: G has the data, and D can only guess.

Data are a Gaussian in the plane, and G is a matrix and a shift, which could make exactly these. D is a perceptron that
pays for its slope at the data (R1). The one equilibrium is q = p, D = 1/2 everywhere and V = -log 4, and the game comes
there. KL needs no samples: both are Gaussians. (Goodfellow et al., 2014, theorem 1; Mescheder et al., 2018.)
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, at_most, near
from gantool.learn.playing import Fresh, built, logits, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

MEAN = torch.tensor([0.5, -0.5])
ROOT = torch.tensor([[1.0, 0.0], [0.6, 0.5]])  # of the covariance, which is ROOT times itself turned over
STEPS, BATCH, SEEN = 1_000, 256, 20_000


def gaussian(n: int, rng: torch.Generator) -> Tensor:
    return MEAN + torch.randn(n, 2, generator=rng) @ ROOT.T


def run(seed: int) -> Found:
    data, path, film = Fresh(gaussian), list[tuple[int, float]](), list[Page]()
    speeds = {"lr": 5e-3, "d_lr": 5e-3, "decay": 2e-3, "beta1": 0.0}
    game = built("gan", data.spec, seed, z=2, r1=0.5, d_layers="64-64", **speeds)
    game.generator = nn.Linear(2, 2)
    rng = torch.Generator().manual_seed(seed + 1)
    x, z = gaussian(SEEN, rng), torch.randn(SEEN, 2, generator=rng)
    scores: list[tuple[Tensor, Tensor]] = []

    def look(trainer: Trainer) -> None:
        with trainer.sampling() as drawing:
            fake: Tensor = drawing.generator(z)
            path.append((trainer.step, divergence(drawing.generator)))
        scores[:] = [(logits(trainer.variant, x), logits(trainer.variant, fake))]
        film.append(page(path, x, fake, *scores[0]))

    play(game, data, STEPS, seed, look, BATCH, ema_images=25_000, early=True)
    return Found(checks(path[-1][1], *scores[0]), {"KL(q || p) at the start": path[0][1]}, film)


def divergence(made: nn.Module) -> float:
    """KL(q || p)."""
    A, b = (weight.detach().double() for weight in made.parameters())
    return exact.kl_normals(b, A @ A.T, MEAN.double(), (ROOT @ ROOT.T).double())


def value(on_x: Tensor, on_fake: Tensor) -> float:
    return float(-softplus(-on_x).mean() - softplus(on_fake).mean())


def checks(kl: float, on_x: Tensor, on_fake: Tensor) -> list[Check]:
    off = float((on_x.sigmoid() - 0.5).abs().quantile(0.99))
    return [
        at_most("KL(q || p)", kl, 0.05),
        near("D(x), its mean", float(on_x.sigmoid().mean()), 0.5, within=0.05),
        near("|D(x) - 1/2|, of 99 % of the data at most", off, 0.0, within=0.05),
        near("V(D, G)", value(on_x, on_fake), -math.log(4), within=0.03),
    ]


def page(path: list[tuple[int, float]], x: Tensor, fake: Tensor, on_x: Tensor, on_fake: Tensor) -> Page:
    shown = 400
    clouds = {"data": Mark(x[:shown].numpy(), "dots"), "G": Mark(fake[:shown].numpy(), "dots")}
    found = np.array([(step, math.log10(max(kl, 1e-4))) for step, kl in path])
    limit = np.array([(0, math.log10(0.05)), (STEPS, math.log10(0.05))])
    lines = {"KL(q || p)": Mark(found), "at most": Mark(limit, "dashed", 6)}
    plots = (
        Plot("Points", (-3.0, 4.0), (-3.5, 2.5), clouds, "first number", square=True),
        Plot("How far G is, log10", (0, STEPS), (-4.1, 1.2), lines, "step"),
    )
    numbers = f"V {value(on_x, on_fake):.3f}   mean D(x) {float(on_x.sigmoid().mean()):.3f}   KL {path[-1][1]:.4f}"
    return Page(plots, f"step {path[-1][0]:,}   {numbers}")
