"""Memorised, or learned.

The same game twice: on 50 points of a Gaussian in the plane, and on 50,000. On 50, D knows each of them, and G comes to
draw these and little else: half of what it draws is far nearer to one of the 50 than new points of the same Gaussian
are. On 50,000 it draws as near to those 50 as new points lie. No loss tells the two apart; points held out do.
"""

import numpy as np
import torch
from torch import Tensor

from gantool.data.points import Points
from gantool.learn.chapter import Check, Found, at_most, near
from gantool.learn.playing import built, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

FEW, MANY, DEVIATION, SEEN = 50, 50_000, 0.5, 5_000
STEPS, BATCH = 1_500, 128
SPEEDS = {"lr": 4e-3, "d_lr": 8e-3, "decay": 4e-3, "beta1": 0.0, "beta2": 0.99}
Ratios = dict[int, list[tuple[int, float]]]  # by how many points it learned from: step and nearest-neighbour ratio


def run(seed: int) -> Found:
    rng = torch.Generator().manual_seed(seed)
    points, held = (DEVIATION * torch.randn(n, 2, generator=rng) for n in (MANY, SEEN))
    known = points[:FEW]
    ratios: Ratios = {FEW: [], MANY: []}
    clouds: dict[int, list[Tensor]] = {FEW: [], MANY: []}
    for n, r1 in ((FEW, 0.003), (MANY, 0.03)):
        widths = {"g_layers": "64-64", "d_layers": "128-128"}
        game = built("gan", Points(points).spec, seed, z=2, components=FEW, r1=r1, **widths, **SPEEDS)
        noise = game.latent(game.noise(SEEN))

        def look(trainer: Trainer, n: int = n, noise: Tensor = noise) -> None:
            with trainer.sampling() as drawing:
                made: Tensor = drawing.generator(noise)
            ratios[n].append((trainer.step, ratio(made, held, known)))
            clouds[n].append(made[:500])

        play(game, Points(points[:n]), STEPS, seed, look, BATCH, looks=50, ema_images=20_000)
    film = [page(ratios, {n: found[i] for n, found in clouds.items()}, known, i) for i in range(len(ratios[FEW]))]
    return Found(checks({n: found[-1][1] for n, found in ratios.items()}), {}, film)


def ratio(made: Tensor, held: Tensor, known: Tensor) -> float:
    """How far samples are from the nearest of the known points, as a share of how far new points are: of medians."""
    mine, usual = (torch.cdist(x, known).min(1).values.median() for x in (made, held))
    return float(mine / usual)


def checks(ratios: dict[int, float]) -> list[Check]:
    return [
        at_most(f"nearest-neighbour ratio, {FEW} points", ratios[FEW], 0.5),
        near(f"nearest-neighbour ratio, {MANY:,} points", ratios[MANY], 1.0, within=0.1),
    ]


def page(ratios: Ratios, clouds: dict[int, Tensor], known: Tensor, i: int) -> Page:
    plots = [
        Plot(
            f"From {n:,} points", (-1.6, 1.6), (-1.6, 1.6),
            {f"{FEW} of them": Mark(known.numpy(), "dots", 6), "G": Mark(clouds[n].numpy(), "dots", k)},
            "first number", True,
        ) for k, n in enumerate((FEW, MANY))
    ]  # fmt: skip
    lines = {f"{n:,} points": Mark(np.array(found[: i + 1]), colour=k) for k, (n, found) in enumerate(ratios.items())}
    return Page((*plots, Plot("Ratio", (0, STEPS), (0, 1.5), lines, "step")), f"step {ratios[FEW][i][0]:,}")
