"""The value of the game is a divergence.

Data are drawn from N(0, 1), and G makes N(mu, 1), for six mu. A D that has learned each in turn reaches the value
V* = 2 JS - log 4, with JS the Jensen-Shannon divergence: -log 4 where the two are one, and near 0 where they hardly
meet. D's cross entropy is -V. Where JS no longer changes, G has nothing to follow. (Goodfellow et al., 2014,
theorem 1.)
"""

import math

import numpy as np
import torch

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, near
from gantool.learn.playing import Shift, built, line, logits, normals, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

MEANS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0)
STEPS, BATCH = 500, 1_024  # for each
X = exact.grid(-9, 13)
P = exact.normal(X)


def run(seed: int) -> Found:
    data, film, reached = normals(), list[Page](), dict[float, float]()
    for mean in MEANS:
        game = built("gan", data.spec, seed, lr=0.0, d_lr=5e-3, decay=1e-2)
        game.generator = Shift(mean)

        def look(trainer: Trainer, mean: float = mean) -> None:
            film.append(page(trainer.step, mean, logits(trainer.variant, X), reached))

        trainer = play(game, data, STEPS, seed, look, BATCH, looks=9, early=True)
        reached[mean] = exact.value(logits(game, X), P, exact.normal(X, mean), X)
        look(trainer)
    shown = {f"JS at mu {mean:g}": exact.js(P, exact.normal(X, mean), X) for mean in MEANS}
    shown |= {f"D's cross entropy at mu {mean:g}": -value for mean, value in reached.items()}
    return Found(checks(reached), shown, film)


def checks(reached: dict[float, float]) -> list[Check]:
    return [
        near(f"V at mu {mean:g}", value, exact.best_value(P, exact.normal(X, mean), X), within=0.01)
        for mean, value in reached.items()
    ]


def page(step: int, mean: float, logit: torch.Tensor, reached: dict[float, float]) -> Page:
    q = exact.normal(X, mean)
    now = exact.value(logit, P, q, X)
    densities = {
        "data p": Mark(line(X, P), "area"), "G's q": Mark(line(X, q), "area"),
        "D": Mark(line(X, logit.sigmoid() / 2), colour=2),
    }  # fmt: skip
    along = np.linspace(0, 4.5, 46)
    theory = [(m, exact.best_value(P, exact.normal(X, m), X)) for m in along]
    values = {
        "2 JS - log 4": Mark(np.array(theory), "dashed", 6), "reached": Mark(np.array([*reached.items()]), "dots", 2),
        "_now": Mark(np.array([(mean, now)]), "dots", 1),
    }  # fmt: skip
    plots = (
        Plot("Densities, and D / 2", (-4.0, 8.0), (0, 0.52), densities),
        Plot("V as G's mean moves", (-0.2, 4.6), (-math.log(4) - 0.1, 0.05), values, "mu"),
    )
    return Page(plots, f"mu = {mean:g}   step {step}   V = {now:.4f}   2 JS - log 4 = {exact.best_value(P, q, X):.4f}")
