"""The smallest GAN there is: it goes round in circles, unless D pays for its slope.

All data are 0. G makes one number, theta, and D is a straight line through 0, psi x. Playing in turns, by SGD and with
the loss of the minimax game, they circle around the equilibrium and never come nearer. With R1 of weight gamma they
spiral in, and at gamma 1 they come in without a turn, as the eigenvalues of the game at 0 say: -gamma/2 +- the root of
gamma^2/4 - 1/4. (Mescheder et al., 2018.)
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from gantool.learn.chapter import Check, Found, at_least, at_most, near
from gantool.learn.playing import Fresh, built, number, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

RATE = 0.05  # of both players; a step is so much time
TIME = 45.0
GAMMAS = (0.0, 0.3, 1.0)
NEAR = 0.01  # of the way it began at
FRAMES = 60
Path = list[tuple[float, float]]  # theta and psi, a step


class Number(nn.Module):
    """G: the same number, whatever the noise."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.tensor(theta))

    def forward(self, z: Tensor) -> Tensor:
        return self.theta.expand(len(z), 1)


class Slope(nn.Module):
    """D: psi x, a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return (self.psi * x).flatten()


def run(seed: int) -> Found:
    start = 0.5 + 0.5 * float(torch.rand(1, generator=torch.Generator().manual_seed(seed)))
    paths = {gamma: path(gamma, start, seed) for gamma in GAMMAS}
    length = len(paths[0.0])
    frames = np.linspace(0, length - 1, FRAMES).round().astype(int)
    film = [page(paths, start, int(i)) for i in frames]
    shown = {f"turns with gamma {gamma:g}": turned(path) for gamma, path in paths.items()}
    return Found(checks(paths), {"theta at the start": start, **shown}, film)


def path(gamma: float, start: float, seed: int) -> Path:
    data = Fresh(lambda n, rng: torch.zeros(n, 1))
    game = built("gan", data.spec, seed, optimizer="sgd", lr=RATE, loss="saturating", r1=gamma)
    game.generator, game.discriminator = Number(start), Slope()
    found: Path = []

    def look(trainer: Trainer) -> None:
        found.append((number(game.generator.theta), number(game.discriminator.psi)))

    steps = round(TIME / RATE)
    play(game, data, steps, seed, look, batch=1, looks=steps)
    return found


def radii(path: Path) -> Tensor:
    """Of the way the first was from the equilibrium, as a share."""
    far: Tensor = torch.tensor(path, dtype=torch.float64).norm(dim=1)
    return far / far[0]


def arrival(path: Path) -> float:
    """When it is near for good; infinity if it never is."""
    outside = (radii(path) > NEAR).nonzero()
    last = int(outside[-1]) if len(outside) else -1
    return (last + 1) * RATE if last + 1 < len(path) else math.inf


def turned(path: Path) -> float:
    """How often it went round before it was near."""
    far = torch.tensor(path, dtype=torch.float64)[radii(path) > NEAR]
    angle = torch.atan2(far[:, 1], far[:, 0])
    step = (angle.diff() + math.pi).remainder(2 * math.pi) - math.pi
    return abs(float(step.sum())) / (2 * math.pi)


def crossings(path: Path) -> int:
    """How often theta changed its sign before it was near."""
    theta = torch.tensor(path, dtype=torch.float64)[radii(path) > NEAR][:, 0]
    return int((theta.sign().diff() != 0).sum())


def checks(paths: dict[float, Path]) -> list[Check]:
    circle, spiral, straight = (paths[gamma] for gamma in GAMMAS)
    when = math.log(1 / NEAR) / (GAMMAS[1] / 2)  # the real part is -gamma/2
    return [
        near("no penalty: least radius, as a share of the first", float(radii(circle).min()), 1.0, share=0.05),
        near("no penalty: largest radius", float(radii(circle).max()), 1.0, share=0.05),
        at_least("no penalty: times round", turned(circle), 2.0),
        near(f"gamma {GAMMAS[1]:g}: time to {NEAR:.0%} of the radius", arrival(spiral), when, share=0.1),
        at_least(f"gamma {GAMMAS[1]:g}: changes of theta's sign", crossings(spiral), 2),
        at_most("gamma 1: changes of theta's sign", crossings(straight), 0),
        at_least("gamma 1: comes to 1 %, time to spare", TIME - arrival(straight), 10.0),
    ]


def page(paths: dict[float, Path], start: float, i: int) -> Page:
    names = {gamma: f"gamma {gamma:g}" if gamma else "no penalty" for gamma in GAMMAS}
    marks, lines = dict[str, Mark](), dict[str, Mark]()
    for k, (gamma, path) in enumerate(paths.items()):
        gone = np.array(path[: i + 1])
        marks[names[gamma]] = Mark(gone, colour=k)
        marks[f"_at {gamma}"] = Mark(gone[-1:], "dots", k)
        time = np.arange(i + 1) * RATE
        lines[names[gamma]] = Mark(np.stack([time, radii(path)[: i + 1].log10().numpy()], 1)[::4], colour=k)
    envelope = np.array([(0, 0), (TIME, -GAMMAS[1] / 2 * TIME / math.log(10))])
    lines[f"e^(-{GAMMAS[1]:g} t / 2)"] = Mark(envelope, "dashed", 6)
    limit = 1.25 * start
    plots = (
        Plot("theta (across) and psi (up)", (-limit, limit), (-limit, limit), marks, "theta", square=True),
        Plot("Radius as a share of the first, log10", (0, TIME), (-3.2, 0.3), lines, "time = steps x learning rate"),
    )
    return Page(plots, f"step {i:,}")
