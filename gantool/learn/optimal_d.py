"""The best D against a G that stands still.

Data are drawn from N(0, 1), and G makes N(1, 1) and does not learn. Then the best D is known: p / (p + q), with p and q
the two densities, and so is the value of the game that it reaches. A perceptron that knows nothing of this learns it
from examples. (Goodfellow et al., 2014, proposition 1.)
"""

import torch

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, near
from gantool.learn.playing import Shift, built, line, logits, normals, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

MEAN = 1.0  # of what G makes
STEPS, BATCH = 1_200, 1_024
BULK = (-2.0, 3.0)  # where there are examples to learn from: within two deviations of one of the means
X = exact.grid(-9, 10)


def run(seed: int) -> Found:
    p, q = exact.normal(X), exact.normal(X, MEAN)
    best = p / (p + q)
    data = normals()
    game = built("gan", data.spec, seed, lr=0.0, d_lr=5e-3, decay=5e-3)  # a learning rate of 0: G stands still
    game.generator = Shift(MEAN)
    film: list[Page] = []

    def look(trainer: Trainer) -> None:
        film.append(page(trainer.step, p, q, best, logits(game, X)))

    play(game, data, STEPS, seed, look, BATCH, early=True)
    found = logits(game, X)
    return Found(checks(best, found, p, q), {"JS of the two": exact.js(p, q, X)}, film)


def checks(best: torch.Tensor, logit: torch.Tensor, p: torch.Tensor, q: torch.Tensor) -> list[Check]:
    low, high = BULK
    bulk = (low <= X) & (high >= X)
    off = float((logit.sigmoid() - best)[bulk].abs().max())
    return [
        near(f"largest |D - D*| from {BULK[0]:g} to {BULK[1]:g}", off, 0.0, within=0.03),
        near("V(D, G)", exact.value(logit, p, q, X), exact.best_value(p, q, X), within=0.01),
    ]


def page(step: int, p: torch.Tensor, q: torch.Tensor, best: torch.Tensor, logit: torch.Tensor) -> Page:
    span = (-4.0, 5.0)
    densities = {"data p": Mark(line(X, p), "area"), "G's q": Mark(line(X, q), "area")}
    scores = {"D": Mark(line(X, logit.sigmoid()), colour=2), "D* = p / (p + q)": Mark(line(X, best), "dashed", 6)}
    value = exact.value(logit, p, q, X)
    caption = f"step {step:,}   V = {value:.4f}   V* = {exact.best_value(p, q, X):.4f}"
    return Page((Plot("Densities", span, (0, 0.45), densities), Plot("D", span, (-0.02, 1.02), scores)), caption)
