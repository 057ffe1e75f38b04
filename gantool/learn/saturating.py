"""Two losses for G, from a bad start.

G begins five deviations away from the data, where D tells its points at a glance. Lowering log(1 - D(G(z))) then moves
G hardly at all: the gradient of each sample is e^D times that of raising log D(G(z)), with D the logit, which far from
the data is a large negative number. Same networks, data, seed and steps. (Goodfellow et al., 2014, section 3.)
"""

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, at_most, near
from gantool.learn.playing import Shift, built, line, linear, logits, normals, number, play
from gantool.training.trainer import Trainer
from gantool.variant import Variant
from gantool.viz.plots import Mark, Page, Plot

START = -5.0
STEPS, BATCH, EARLY = 300, 256, 60  # gradients are compared as they are after so many steps
LOSSES = ("saturating", "non-saturating")
SPEEDS = {"optimizer": "sgd", "lr": 0.05, "d_lr": 0.2, "d_steps": 5, "r1": 0.1}
X = exact.grid(-14, 14)
Path = list[tuple[int, float]]  # steps, and G's mean


def run(seed: int) -> Found:
    paths: dict[str, Path] = {loss: [] for loss in LOSSES}
    heights: dict[str, list[Tensor]] = {loss: [] for loss in LOSSES}
    games: list[Variant] = []
    data = normals()
    for loss in LOSSES:
        game = built("gan", data.spec, seed, loss=loss, **SPEEDS)
        game.generator, game.discriminator = Shift(START), linear()

        def look(trainer: Trainer, loss: str = loss) -> None:
            made: Shift = trainer.variant.generator  # type: ignore[assignment]
            paths[loss].append((trainer.step, number(made.shift)))
            heights[loss].append(logits(trainer.variant, X).sigmoid())
            if loss == LOSSES[0] and trainer.step == EARLY:
                games.append(deepcopy(trainer.variant))

        play(game, data, STEPS, seed, look, BATCH, looks=50)
    logit, ratio = ratios(games[0], seed)
    film = [page(paths, i, [heights[loss][i] for loss in LOSSES]) for i in range(len(paths[LOSSES[0]]))]
    shown = {"least e^D seen": float(logit.exp().min()), "largest e^D seen": float(logit.exp().max())}
    return Found(checks(logit, ratio, *(divergences(paths[loss])[-1] for loss in LOSSES)), shown, film)


def ratios(game: Variant, seed: int) -> tuple[Tensor, Tensor]:
    """D's logit at points of G's, and the quotient of their gradients under the two losses, in float64."""
    game = deepcopy(game).double()
    noise = torch.randn(512, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    fake = game.generator(noise).detach().requires_grad_()
    gradients = []
    for loss in LOSSES:
        game.options.loss = loss
        total: Tensor = game.g_loss((fake, None, fake))  # type: ignore[assignment]
        gradients.append(torch.autograd.grad(total, fake)[0])
    with torch.no_grad():
        return game.discriminator(fake), (gradients[0] / gradients[1]).squeeze(1)


def divergences(path: Path) -> list[float]:
    return [exact.kl_normal(mean, 1.0, 0.0, 1.0) for _, mean in path]


def checks(logit: Tensor, ratio: Tensor, saturating: float, other: float) -> list[Check]:
    off = float((ratio / logit.exp() - 1).abs().max())
    return [
        near("gradients' ratio over e^D, largest difference from 1", off, 0.0, within=1e-9),
        at_most("KL(q || p) with the non-saturating loss, as a share of the other's", other / saturating, 0.1),
    ]


def page(paths: dict[str, Path], i: int, scores: list[Tensor]) -> Page:
    marks = {"data": Mark(line(X, exact.normal(X)), "area", 6)}
    lines = {}
    for k, (loss, path) in enumerate(paths.items()):
        _, mean = path[i]
        marks[f"G, {loss}"] = Mark(line(X, exact.normal(X, mean)), "area", k)
        marks[f"_D{k}"] = Mark(line(X, scores[k] * 0.5), "dashed", k)
        found = np.array([(step, kl) for (step, _), kl in zip(path, divergences(path), strict=True)])
        lines[loss] = Mark(found[: i + 1], colour=k)
    high = max(16.0, 1.2 * float(divergences(paths[LOSSES[0]])[0]))
    plots = (
        Plot("Densities, and each game's D / 2 (dashed)", (-8.0, 4.0), (0, 0.55), marks),
        Plot("KL(q || p)", (0, STEPS), (0, high), lines, "step"),
    )
    return Page(plots, f"step {paths[LOSSES[0]][i][0]:,}")
