"""A critic's difference is the earth mover's distance, or what its penalty makes of it.

Data are N(mu, 1) and G makes N(0, 1), so that W1 is mu. The critic is a straight line. Held to slope 1 by a penalty of
weight lambda, it takes a slope of 1 + mu / (2 lambda), for the penalty is no wall: the difference between its mean
scores is mu (1 + mu / (2 lambda)). With its weights clipped at c the difference is c mu, whatever W1 is.
(Arjovsky et al., 2017; Gulrajani et al., 2017, equation 3.)
"""

from itertools import product

import numpy as np

from gantool.learn import exact
from gantool.learn.chapter import Check, Found, near
from gantool.learn.games import Critic
from gantool.learn.playing import Affine, line, linear, normals, number, play
from gantool.training.trainer import Trainer
from gantool.viz.plots import Mark, Page, Plot

MEANS, LAMBDAS, CLIP = (2.0, 4.0), (1.0, 10.0), 0.1
STEPS, BATCH = 400, 512
X = exact.grid(-5, 9)
Key = tuple[float, float]  # mu, and lambda; 0 where weights are clipped
Gaps = dict[Key, list[tuple[int, float]]]  # differences by step


def run(seed: int) -> Found:
    keys = [*product(MEANS, LAMBDAS), *((mean, 0.0) for mean in MEANS)]
    gaps: Gaps = {key: [] for key in keys}
    slopes: dict[Key, list[float]] = {key: [] for key in keys}
    for mean, weight in keys:
        data = normals(mean)
        clip = {} if weight else {"clip": CLIP}
        game = Critic.seeded(data.spec, seed, z=1, lr=0.0, d_lr=0.05, decay=0.01, penalty=weight, **clip)
        game.generator, game.discriminator = Affine(), linear()

        def look(trainer: Trainer, key: Key = (mean, weight)) -> None:
            slope = number(trainer.variant.discriminator[0].weight)  # type: ignore[index]
            slopes[key].append(slope)
            gaps[key].append((trainer.step, slope * key[0]))  # of the two means, exactly

        play(game, data, STEPS, seed, look, BATCH, looks=40)
    film = [page(gaps, slopes, i) for i in range(len(gaps[keys[0]]))]
    return Found(
        checks({key: found[-1][1] for key, found in gaps.items()}), {f"W1 at mu {m:g}": m for m in MEANS}, film
    )


def theory(mean: float, weight: float) -> float:
    return mean * (1 + mean / (2 * weight)) if weight else CLIP * mean


def checks(gaps: dict[Key, float]) -> list[Check]:
    def called(mean: float, weight: float) -> str:
        return f"mu {mean:g}, " + (f"lambda {weight:g}" if weight else f"weights clipped at {CLIP:g}")

    return [near(f"difference at {called(*key)}", gap, theory(*key), share=0.03) for key, gap in gaps.items()]


def page(gaps: Gaps, slopes: dict[Key, list[float]], i: int) -> Page:
    lines, critics = dict[str, Mark](), dict[str, Mark]()
    mean = MEANS[-1]
    for k, weight in enumerate((*LAMBDAS, 0.0)):
        name = f"lambda {weight:g}" if weight else f"clipped at {CLIP:g}"
        found = np.array(gaps[mean, weight])
        lines[name] = Mark(found[: i + 1], colour=k)
        lines[f"_theory {k}"] = Mark(np.array([(0, theory(mean, weight)), (STEPS, theory(mean, weight))]), "dashed", k)
        critics[f"_critic {k}"] = Mark(line(X, slopes[mean, weight][i] * (X - mean / 2) / 10), colour=k)
    lines["W1"] = Mark(np.array([(0, mean), (STEPS, mean)]), "dashed", 6)
    densities = {
        "data": Mark(line(X, exact.normal(X, mean)), "area", 4),
        "G": Mark(line(X, exact.normal(X)), "area", 5),
    }
    plots = (
        Plot("Densities, and critics / 10", (-4.0, 8.0), (-0.6, 0.9), densities | critics),
        Plot(f"Difference of scores, mu {mean:g}", (0, STEPS), (-1, 14), lines, "step"),
    )
    return Page(plots, f"step {gaps[mean, LAMBDAS[0]][i][0]:,}   dashed: theory")
