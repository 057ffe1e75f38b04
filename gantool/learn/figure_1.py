"""The first figure of the first paper, as a film.

Data are a Gaussian on the line, and G is a perceptron that is given z, uniform from -1 to 1. It must stretch and
squeeze the line of z until as much of it comes to lie at each place as data do; there is one way to do so without
folding, the data's quantile function, or its mirror image. (Goodfellow et al., 2014, figure 1.)
"""

import torch
from torch import Tensor

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, near
from gantool.learn.playing import built, line, logits, normals, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

STEPS, BATCH = 4_000, 512
Z = exact.grid(-1, 1, 8_001)
X = exact.grid(-4, 4, 161)
BULK = 0.9  # between the 5th and the 95th percentile
SPEEDS = {"lr": 2e-3, "d_lr": 4e-3, "decay": 2e-3, "beta1": 0.0, "beta2": 0.99}
WIDTHS = {"g_layers": "64-64", "d_layers": "128-128"}


def run(seed: int) -> Found:
    data, film, maps = normals(), list[Page](), list[Tensor]()
    game = built("gan", data.spec, seed, noise="uniform", r1=0.1, **WIDTHS, **SPEEDS)

    def look(trainer: Trainer) -> None:
        with trainer.sampling() as drawing:
            made: Tensor = drawing.generator(Z.float().view(-1, 1))
        maps.append(made.double().flatten())
        film.append(page(trainer.step, maps[-1], logits(trainer.variant, X)))

    play(game, data, STEPS, seed, look, BATCH, ema_images=800_000, early=True)
    return Found(checks(maps[-1]), {"at the start": off(maps[0])}, film)


def quantiles(z: Tensor) -> Tensor:
    found: Tensor = torch.special.ndtri((z + 1) / 2)
    return found


def off(made: Tensor) -> float:
    """How far G is from the quantile function or its mirror image, at most, in the bulk."""
    bulk = Z.abs() <= BULK
    theory = quantiles(Z)[bulk]
    return min(float((made[bulk] - sign * theory).abs().max()) for sign in (1, -1))


def checks(made: Tensor) -> list[Check]:
    return [near("|G(z) - quantile|, from the 5th to the 95th percentile at most", off(made), 0.0, within=0.05)]


def density(made: Tensor) -> Tensor:
    """Of G's numbers on X."""
    counts = torch.histc(made, len(X), float(X[0]) - 0.025, float(X[-1]) + 0.025)
    smooth = torch.nn.functional.avg_pool1d(counts.view(1, 1, -1), 5, 1, 2).flatten()
    return smooth / len(made) / float(X[1] - X[0])


def page(step: int, made: Tensor, logit: Tensor) -> Page:
    q = density(made)
    marks = {
        "data p": Mark(line(X, exact.normal(X)), "area"), "G's q": Mark(line(X, q), "area"),
        "D / 2": Mark(line(X, logit.sigmoid() / 2), "line", 2),
    }  # fmt: skip
    mirrored = -1.0 if float(made[-1]) < float(made[0]) else 1.0
    inner = Z.abs() < 0.999
    maps = {
        "G": Mark(line(Z, made), colour=1),
        "quantile function": Mark(line(Z[inner], mirrored * quantiles(Z[inner])), "dashed", 6),
    }
    plots = (
        Plot("Densities, and D / 2", (-4.0, 4.0), (0, 0.8), marks),
        Plot("G: where each z goes", (-1.0, 1.0), (-4, 4), maps, "z"),
    )
    return Page(plots, f"step {step:,}   at most {off(made):.3f} deviations from theory")
