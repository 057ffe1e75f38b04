"""D at one half proves nothing.

Data are two Gaussians, and G can only make one. A D that is a straight line sees no more than the mean, so G soon has
all that this D asks for: D is 1/2 everywhere, V is -log 4, and every loss looks like an equilibrium. KL and W1 say how
wrong G still is. Then a perceptron looks at the very same G, and V is what theory says of the two densities.
"""

import math

import torch
from torch import Tensor

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, at_least, near
from gantool.learn.playing import Affine, Fresh, built, line, linear, logits, number, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

APART, DEVIATION = 2.0, 0.5  # the two Gaussians are at -2 and 2
STEPS, LATER, BATCH = 1_500, 1_500, 512
X = exact.grid(-12, 12)
P = (exact.normal(X, -APART, DEVIATION) + exact.normal(X, APART, DEVIATION)) / 2


def two(n: int, rng: torch.Generator) -> Tensor:
    side = torch.randint(2, (n, 1), generator=rng) * 2 - 1
    return APART * side + DEVIATION * torch.randn(n, 1, generator=rng)


def run(seed: int) -> Found:
    data, film = Fresh(two), list[Page]()
    weak = built("gan", data.spec, seed, lr=1e-2, d_lr=1e-2, decay=5e-3, r1=1.0)
    weak.generator, weak.discriminator = Affine(shift=-0.7), linear()
    play(weak, data, STEPS, seed, lambda t: film.append(page(t, "a straight D")), BATCH, looks=30)
    made, q = weak.generator, density(weak.generator)
    before = logits(weak, X)
    strong = built("gan", data.spec, seed, lr=0.0, d_lr=5e-3, decay=5e-3)
    strong.generator = made
    play(strong, data, LATER, seed, lambda t: film.append(page(t, "a D with two layers")), BATCH, looks=30)
    after = logits(strong, X)
    shown = {"G's mean": number(made.shift), "G's deviation": abs(number(made.scale))}
    return Found(checks(q, before, after), shown, film)


def density(made: Affine) -> Tensor:
    return exact.normal(X, number(made.shift), abs(number(made.scale)))


def checks(q: Tensor, weak: Tensor, strong: Tensor) -> list[Check]:
    bulk = (X > -3.5) & (X < 3.5)
    return [
        near("straight D, largest |D - 1/2|", float((weak.sigmoid() - 0.5)[bulk].abs().max()), 0.0, within=0.05),
        near("straight D, V", exact.value(weak, P, q, X), -math.log(4), within=0.01),
        at_least("KL(p || q) meanwhile", exact.kl(P, q, X), 0.3),
        at_least("W1 meanwhile", exact.w1(P, q, X), 0.5),
        near("D with two layers, same G, V", exact.value(strong, P, q, X), exact.best_value(P, q, X), within=0.03),
        at_least("and 2 JS - log 4 is above -log 4 by", exact.best_value(P, q, X) + math.log(4), 0.1),
    ]


def page(trainer: Trainer, who: str) -> Page:
    made: Affine = trainer.variant.generator  # type: ignore[assignment]
    q, logit = density(made), logits(trainer.variant, X)
    densities = {"data p": Mark(line(X, P), "area"), "G's q": Mark(line(X, q), "area")}
    scores = {who: Mark(line(X, logit.sigmoid()), colour=2), "D* of this G": Mark(line(X, P / (P + q)), "dashed", 6)}
    numbers = f"V {exact.value(logit, P, q, X):.3f}   KL {exact.kl(P, q, X):.2f}   W1 {exact.w1(P, q, X):.2f}"
    span = (-5.0, 5.0)
    plots = (Plot("Densities", span, (0, 0.95), densities), Plot("D", span, (-0.02, 1.02), scores))
    return Page(plots, f"step {trainer.step:,}   {numbers}")
