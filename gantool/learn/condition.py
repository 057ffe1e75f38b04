"""Given the class, G draws from that class.

Data are two Gaussians on the line, and which of the two each number is from is its class y. Both players are given y,
so the game is played for each class apart, and ends where G draws from p(x given y): with the class's own mean and
variance. This is the cgan that draws digits, with its perceptrons. (Mirza & Osindero, 2014.)
"""

import torch
from torch import Tensor

from gantool.data.points import Points, two_gaussians
from gantool.learn import exact
from gantool.learn.chapter import Check, Found, near
from gantool.learn.playing import built, line, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

STEPS, BATCH, SEEN = 2_000, 256, 10_000
X = exact.grid(-8, 8, 321)
SPEEDS = {"lr": 5e-3, "d_lr": 5e-3, "decay": 2e-3, "beta1": 0.0, "beta2": 0.99}


def run(seed: int) -> Found:
    data, film, drawn = measured(two_gaussians()), list[Page](), list[tuple[Tensor, Tensor]]()
    fixed = {"networks": "mlp", "mismatch": 0.0, "augment": "none", "d_layers": "64-64"}
    game = built("cgan", data.spec, seed, r1=0.5, **fixed, **SPEEDS)
    noise = exact.normal_quantiles(SEEN // 2).float().repeat_interleave(2).view(-1, 1)  # of both classes the same
    y = torch.arange(SEEN) % 2

    def look(trainer: Trainer) -> None:
        with trainer.sampling() as drawing:
            made: Tensor = drawing.generator(noise, y)
            height = trainer.variant.d_logits(
                X.float().repeat(2).view(-1, 1), torch.arange(2).repeat_interleave(len(X))
            )
        drawn.append((made.double().flatten(), y))
        assert height is not None
        film.append(page(trainer.step, data, *drawn[-1], height.double()))

    play(game, data, STEPS, seed, look, BATCH, ema_images=100_000, early=True)
    return Found(checks(data, *drawn[-1]), {}, film)


def measured(data: Points) -> Points:
    """The same, with the deviation of each Gaussian for a unit: networks begin at about that scale."""
    assert data.modes is not None
    unit = data.deviation
    return Points(data.x / unit, data.labels, data.spec.classes, data.modes / unit, 1.0)


def checks(data: Points, made: Tensor, y: Tensor) -> list[Check]:
    found = []
    for k, name in enumerate(data.spec.classes):
        deviation, mean = torch.std_mean(made[y == k])
        sigma, mu = torch.std_mean(data.x[data.labels == k].double())
        found += [
            near(f"class {name}: mean, in deviations from the data's", float((mean - mu) / sigma), 0.0, within=0.05),
            near(f"class {name}: variance, as a share of the data's", float((deviation / sigma) ** 2), 1.0, share=0.1),
        ]
    return found


def page(step: int, data: Points, made: Tensor, y: Tensor, height: Tensor) -> Page:
    assert data.modes is not None
    marks, scores = dict[str, Mark](), dict[str, Mark]()
    each = height.sigmoid().chunk(2)
    for k, mean in enumerate(data.modes.flatten().tolist()):
        p = exact.normal(X, mean, data.deviation)
        counts = torch.histc(made[y == k], len(X), float(X[0]) - 0.025, float(X[-1]) + 0.025)
        smooth = torch.nn.functional.avg_pool1d(counts.view(1, 1, -1), 5, 1, 2).flatten()
        q = smooth / counts.sum().clamp_min(1) / float(X[1] - X[0])
        marks |= {f"p given {k}": Mark(line(X, p), "dashed", 6), f"G given {k}": Mark(line(X, q), "area", k)}
        scores[f"D given {k}"] = Mark(line(X, each[k]), colour=k)
    plots = (
        Plot("Densities", (-8.0, 8.0), (0, 0.6), marks),
        Plot("D of each class", (-8.0, 8.0), (-0.02, 1.02), scores),
    )
    return Page(plots, f"step {step:,}")
